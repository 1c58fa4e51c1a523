"""A crisis: one node publishes hashes of an incident, and many follow it. How long until each is matchable everywhere.

All run on this machine, with signed requests and real HTTP, so they share its cores and its clock: the publisher as
`hashpact serve`, its followers in a few processes (``crisis_followers.py``). Published is when the publisher is asked
to take a listing in; matchable is when a node merged it, as that node writes it down for its report. A few nodes are
asked all the while, to see that lookups find what was merged.
"""

from __future__ import annotations

import json
import random
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

from bench.crisis_followers import READY
from hashpact_node import clock
from material import draft
from nodes import CERTIFICATES, PASSPHRASE, TestNode, make_node, meet, running

NODES = 50
HASHES = 870
SECONDS = 60.0
EVERY_SECONDS = 1.0
"""One request brings what is published within so long."""

PROCESSES = 2
THREADS = 4
FOLLOWERS = Path(__file__).with_name("crisis_followers.py")
ASKED_NODES = 3
ASK_SECONDS = 0.2
WAIT_SECONDS = 180.0
"""How long, after the last is published, what is not everywhere yet is waited for; then that is the figure."""

SAID_EVERY = 10
MICROSECONDS = 1_000_000

T = TypeVar("T")


@dataclass
class _Run:
    """What happens: when each listing (its 16 bytes) was published, and what is still to be found by lookups."""

    incident: str
    published: dict[bytes, float] = field(default_factory=dict)
    wanted: list[tuple[float, dict[str, str]]] = field(default_factory=list)
    looked_up: list[float] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)


def crisis(
    folder: Path,
    count: int = NODES,
    *,
    hashes: int = HASHES,
    seconds: float = SECONDS,
    say: Callable[[str], object] = print,
) -> dict[str, float]:
    """Give p50, p95, p99 and the longest time, in ms, from published to matchable over all hashes and followers.

    ``everywhere`` is how many hashes every follower had at the end; one that some follower did not have by then counts
    as long as it was waited for. ``lookup.p95`` is that of a sample by lookups, as coarse as ``ASK_SECONDS``. The
    followers follow the publisher and it follows them, so that they may read its logs; they do not follow each other.
    They poll once an hour, so that nothing but doorbells brings news.
    """
    nodes = [
        make_node(folder, f"member-{number}") for number in _telling(range(count), f"of {count} nodes are made", say)
    ]
    publisher, followers = nodes[0], nodes[1:]
    run = _Run(str(uuid.uuid4()))
    opened = publisher.command("logs", "open", "crisis")
    if opened.returncode:
        raise RuntimeError(opened.stderr)
    with running(publisher), _following(followers):
        with ThreadPoolExecutor(THREADS) as threads:
            met = threads.map(lambda node: _meet(node, publisher), followers)
            list(_telling(met, f"of {len(followers)} followers have met the publisher", say))
        asking = [threading.Thread(target=_ask, args=(node, run)) for node in followers[:ASKED_NODES]]
        for thread in asking:
            thread.start()
        try:
            _publish(publisher, run, hashes, seconds, say)
            arrived = _wait_for_all(followers, run, say)
        finally:
            run.ended.set()
            for thread in asking:
                thread.join()
    return _figures(run, arrived, clock.now().timestamp())


def _figures(run: _Run, arrived: Sequence[dict[bytes, float]], ended_at: float) -> dict[str, float]:
    times = [1_000 * (at.get(one, ended_at) - when) for at in arrived for one, when in run.published.items()]
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    everywhere = sum(all(one in at for at in arrived) for one in run.published)
    figures = {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "longest": max(times), "everywhere": everywhere}
    if len(run.looked_up) > 1:
        figures["lookup.p95"] = statistics.quantiles(run.looked_up, n=100, method="inclusive")[94]
    return figures


def _telling(done: Iterable[T], what: str, say: Callable[[str], object]) -> Iterator[T]:
    """Pass things on as they are done, and say now and then how many that were."""
    for number, one in enumerate(done, 1):
        yield one
        if number % SAID_EVERY == 0:
            say(f"  {number} {what}")


@contextmanager
def _following(nodes: Sequence[TestNode]) -> Iterator[None]:
    """Serve followers for the body, in ``PROCESSES`` processes."""
    with ExitStack() as ends:
        for at in range(PROCESSES):
            part = nodes[at::PROCESSES]
            line = [sys.executable, str(FOLLOWERS), PASSPHRASE, *(f"{node.home}={node.port}" for node in part)]
            with (part[0].home / "followers.log").open("wb") as said:
                process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True)
            ends.callback(process.wait)
            ends.callback(process.kill)
            if process.stdout is None or process.stdout.readline().strip() != READY:
                raise RuntimeError((part[0].home / "followers.log").read_text()[-4_000:])
        yield


def _meet(node: TestNode, publisher: TestNode) -> None:
    """Let the publisher and a node, which both run, follow each other, and the node read for the first time."""
    publisher.follow(node)
    meet(node.database_url, publisher)
    told = {"member": publisher.member, "url": publisher.url, "fingerprint": publisher.fingerprint}
    node.post("/v1/peers", json=told).raise_for_status()
    node.pull(publisher)


def _publish(publisher: TestNode, run: _Run, hashes: int, seconds: float, say: Callable[[str], object]) -> None:
    """Publish so many listings, evenly over so many seconds, a batch at a time."""
    chance = random.Random(hashes)
    batches = max(1, round(seconds / EVERY_SECONDS))
    sizes = [hashes // batches + (at < hashes % batches) for at in range(batches)]
    start = time.monotonic()
    with httpx.Client(headers=publisher.authorization, timeout=WAIT_SECONDS, verify=CERTIFICATES) as client:
        for at, size in enumerate(size for size in sizes if size):
            time.sleep(max(0.0, start + at * EVERY_SECONDS - time.monotonic()))
            batch = [draft(chance, incident=run.incident) for _ in range(size)]
            published = clock.now().timestamp()
            answer = client.post(
                f"{publisher.url}/v1/listings",
                params={"wait": "false"},
                content="\n".join(map(json.dumps, batch)),
                headers={"content-type": "application/x-ndjson"},
            )
            answer.raise_for_status()
            run.published |= {uuid.UUID(one["id"]).bytes: published for one in answer.json()["listings"]}
            run.wanted.append((published, batch[-1]["signals"][0]))
            if (at + 1) % SAID_EVERY == 0:
                say(f"  {len(run.published)} of {hashes} hashes are published")


def _ask(node: TestNode, run: _Run) -> None:
    """Look up the last hash of each batch again and again until it is found."""
    seen = 0
    with httpx.Client(headers=node.authorization, timeout=WAIT_SECONDS, verify=CERTIFICATES) as client:
        while not run.ended.is_set() or seen < len(run.wanted):
            waiting = list(enumerate(run.wanted[seen:], seen))
            if waiting and _is_found(client, node, waiting[0][1][1]):
                run.looked_up.append(1_000 * (clock.now().timestamp() - waiting[0][1][0]))
                seen += 1
            elif run.ended.is_set():
                return
            else:
                time.sleep(ASK_SECONDS)


def _is_found(client: httpx.Client, node: TestNode, signal: dict[str, Any]) -> bool:
    query = {"signals": [{"type": signal["type"], "value": signal["value"]}]}
    answer = client.post(f"{node.url}/v1/match", json=query)
    answer.raise_for_status()
    return answer.json()["results"][0]["action"] in ("review", "block")


def _wait_for_all(nodes: Sequence[TestNode], run: _Run, say: Callable[[str], object]) -> list[dict[bytes, float]]:
    """Give for each node when it merged each listing, in Unix seconds, once it has all, or it has been long enough."""
    deadline = time.monotonic() + WAIT_SECONDS
    said_at = time.monotonic()
    while True:
        arrived = [_arrived(node) for node in nodes]
        have_all = sum(run.published.keys() <= at.keys() for at in arrived)
        if have_all == len(nodes) or time.monotonic() > deadline:
            say(f"  {have_all} of {len(nodes)} followers have all hashes")
            return arrived
        if time.monotonic() - said_at > SAID_EVERY:
            said_at = time.monotonic()
            say(f"  {have_all} of {len(nodes)} followers have all hashes; the others are waited for")
        time.sleep(0.5)


def _arrived(node: TestNode) -> dict[bytes, float]:
    """Give when each listing was merged by a node, in Unix seconds."""
    file = node.database_url.removeprefix("sqlite:///")
    link = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        rows: Sequence[tuple[bytes, int]] = link.execute(
            "SELECT listing, merged_at FROM incident_arrival WHERE merged_at IS NOT NULL"
        ).fetchall()
    finally:
        link.close()
    return {bytes(listing): merged / MICROSECONDS for listing, merged in rows}
