"""The drills of a stolen release or crisis key, thief included, between nodes that run (``hashpact keys recover``).

How long each peer took is told, never judged: ``pytest -rP --log-level=INFO tests/integration/test_recovery.py``.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from faulty import FaultyProxy, Reply, honest
from hashpact_keys.keystore import KeyStore
from hashpact_node import clock
from hashpact_node.services.entries import EntryReader
from hashpact_node.store.database import open_database
from hashpact_node.store.logs import find_log
from hashpact_node.store.peers import get_peer
from hashpact_protocol.errors import TileError
from hashpact_protocol.notes import (
    Checkpoint,
    KeyType,
    Note,
    VerifierKey,
    format_checkpoint,
    format_note,
    log_signature,
)
from hashpact_protocol.statements import Withdrawal, encode_statement
from hashpact_protocol.tiles import parse_path
from material import drafts
from members import TIME, listing, sha256, uuid_of
from nodes import PASSPHRASE, MakeNode, TestNode, free_port, wait_until
from publisher import ScriptedLog

ALIKE_SECONDS = 900.0
"""A card is read at most once a minute, so that news of it may take as long."""

WHY = "synthetic theft of a key, in a drill"
THIEF = 10**6
POLLS = {"HASHPACT_PULL_INTERVAL_SECONDS": "2"}
ROWS = {"listings": "release", "crisis": "crisis"}

Json = Any

log = logging.getLogger(__name__)


def publish(node: TestNode, name: str, *listings: Json) -> list[str]:
    body = "\n".join(json.dumps(one) for one in listings)
    headers = {"content-type": "application/x-ndjson"}
    answer = node.post("/v1/listings", params={"log": name}, content=body, headers=headers)
    assert answer.status_code in (200, 201), answer.text
    return [one["id"] for one in answer.json()["listings"]]


def withdraw(node: TestNode, *listings: str) -> None:
    for one in listings:
        answer = node.post(f"/v1/listings/{one}/withdraw", json={"reason": "error"})
        assert answer.status_code == 200, answer.text


def told(node: TestNode, *words: str) -> Json:
    done = node.command(*words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def pull(node: TestNode, other: TestNode) -> Json:
    answer = node.post(f"/v1/peers/{other.member}/pull")
    assert answer.status_code == 200, answer.text
    return answer.json()


def listed(node: TestNode, *listings: Json) -> list[bool]:
    """Say of each listing whether a lookup finds it."""
    signals = [{"type": "sha256", "value": one["signals"][1]["value"]} for one in listings]
    answer = node.post("/v1/match", json={"signals": signals})
    assert answer.status_code == 200, answer.text
    return [one["action"] in ("block", "review") for one in answer.json()["results"]]


def second_passes() -> datetime:
    """Wait for the next second, for that is how exact the record is; give the time before."""
    now = clock.now()
    wait_until(lambda: int(clock.now().timestamp()) > int(now.timestamp()))
    return now


def text_of(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


@dataclass
class Lookups:
    """Asks nodes without a pause for listings that nobody ever withdrew; whatever goes wrong is kept."""

    nodes: Sequence[TestNode]
    listings: Sequence[Json]
    asked: int = 0
    failed: list[str] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator[None]:
        over = threading.Event()
        threads = [threading.Thread(target=self._ask, args=(node, over)) for node in self.nodes]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()

    def _ask(self, node: TestNode, over: threading.Event) -> None:
        while not over.wait(0.05):
            try:
                found = listed(node, *self.listings)
            except (AssertionError, httpx.HTTPError) as error:
                self.failed.append(f"{node.member}: {error}")
                continue
            self.asked += 1
            if not all(found):
                self.failed.append(f"{node.member}: {found}")


def wait_alike(nodes: Sequence[TestNode], of: TestNode) -> None:
    """Wait until nodes have merged as the member itself has."""
    wait_until(lambda: {node.digest(of) for node in nodes} == {of.digest(of)}, seconds=ALIKE_SECONDS)


def followed_after(of: TestNode, *nodes: TestNode) -> dict[str, int]:
    """Give how many seconds after the member itself each node accepted its newest card."""
    accepted = {}
    for node in (of, *nodes):
        database = open_database(node.database_url)
        try:
            with database.read() as connection:
                accepted[node.member] = get_peer(connection, of.member).card_accepted_at or 0
        finally:
            database.dispose()
    return {node.member: accepted[node.member] - accepted[of.member] for node in nodes}


def recover(node: TestNode, name: str, since: datetime, kept: Sequence[str], folder: Path) -> Json:
    """Do as the documents say: make the list, keep what the owner published, and let it be done."""
    file = folder / "beyond.ndjson"
    told(node, "keys", "recover", name, "--since", text_of(since), "--list", str(file))
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    file.write_text("\n".join(json.dumps(line | {"keep": line["id"] in kept}) for line in lines))
    words = ("--since", text_of(since), "--reaffirm", str(file), "--reason", WHY, "--yes")
    return told(node, "keys", "recover", name, *words)


def undone(node: TestNode, member: str) -> Json:
    return told(node, "peer", "undone", member)["undone"]


@pytest.mark.parametrize(("kind", "name"), [("sqlite", "listings")])
def test_a_thief_on_the_host_is_undone_at_every_peer(make: MakeNode, tmp_path: Path, name: str) -> None:
    acme, beta, gamma, delta = nodes = [
        make("acme"),
        make("beta"),  # hears doorbells only
        make("gamma", **POLLS),  # polls only: acme does not know it
        make("delta", **POLLS),  # is down while it happens
    ]
    for node in nodes:
        node.start()
    if name == "crisis":
        told(acme, "logs", "open", "crisis")
    stays, first, second, ours, *thiefs = drafts(7, seed=11)
    _, *victims = publish(acme, name, stays, first, second)
    acme.follow(beta)
    for node in nodes[1:]:
        node.follow(acme)
    wait_alike(nodes[1:], acme)
    good = second_passes()

    # The thief publishes and withdraws on our node, and we do not know yet.
    publish(acme, name, *thiefs)
    (kept,) = publish(acme, name, ours)
    withdraw(acme, *victims)
    wait_alike(nodes[1:], acme)
    assert listed(delta, stays, first, second, ours, *thiefs) == [True, False, False, True, True, True, True]
    delta.stop()

    lookups = Lookups((acme, beta, gamma), (stays, ours))
    with lookups.running():
        done = recover(acme, name, good, [kept], tmp_path)
        wait_alike((beta, gamma), acme)
    log.info("%s: peers had followed after %s s, %d lookups", name, followed_after(acme, beta, gamma), lookups.asked)
    assert lookups.asked > 0
    assert lookups.failed == []
    delta.start()
    wait_alike((delta,), acme)

    (replaced,) = (one for one in done["logs"] if one["name"] == name)
    assert (replaced["size"], replaced["beyond"], replaced["kept"]) == (3, 6, 1)
    for node in nodes:
        assert listed(node, stays, first, second, ours, *thiefs) == [True, True, True, True, False, False, False]
        (cut,) = undone(node, "acme")
        assert (cut["reason"], cut["origin"]) == (WHY, replaced["closed"])
        assert [one["index"] for one in cut["entries"]] == [3, 4, 5, 6, 7, 8]
        assert [one["listed"] for one in cut["entries"]] == [False, False, False, True, True, True]
    for node in nodes[1:]:
        alarms = node.get("/v1/peers/acme").json()["alarms"]
        assert any(alarm["code"] == "log-closed" and WHY in alarm["what"] for alarm in alarms)
    assert len({node.digest(acme) for node in nodes}) == 1

    # Life goes on under the new key, and the old one is put away.
    assert (acme.home / "keys" / f"{ROWS[name]}.key.stolen").exists()
    (later,) = drafts(1, seed=12)
    publish(acme, name, later)
    wait_alike(nodes[1:], acme)
    assert all(listed(node, later) == [True] for node in nodes)


@dataclass
class Fork:
    """What a thief shows with nothing but the key: another story of one log, below its address."""

    log: ScriptedLog
    key: Ed25519PrivateKey
    shows: bool = False
    size: int | None = None

    def __call__(self, reply: Reply) -> Reply:
        place = f"logs/{self.log.slug}/"
        if not self.shows or reply.method != "GET" or not reply.path.startswith(place):
            return honest(reply)
        path = reply.path.removeprefix(place)
        if path == "checkpoint":
            return reply.says(200, self.note(self.log.origin, self.log.size, self.log.root()))
        try:
            data = self.log.read(parse_path(path))
        except TileError:
            data = None
        return reply.says(404) if data is None else reply.says(200, data)

    def note(self, origin: str, size: int, root: bytes) -> bytes:
        text = format_checkpoint(Checkpoint(origin, size, root))
        key = VerifierKey(origin, KeyType.ED25519, self.key.public_key().public_bytes_raw())
        return format_note(Note(text, (log_signature(key, self.key.sign(text)),)))


def steal(node: TestNode, name: str) -> Fork:
    """Copy a key out of a home, and begin another story with the entries that there are."""
    key = KeyStore(node.home, PASSPHRASE.encode).unlock(f"keys/{ROWS[name]}.key")
    assert isinstance(key, Ed25519PrivateKey)
    story = ScriptedLog(node.url, f"{name}-1", name=name, kind=name)
    database = open_database(node.database_url)
    try:
        with database.read() as connection:
            row = find_log(connection, story.origin)
            assert row is not None
            story.tell([EntryReader(connection).entry(row.number, at) for at in range(row.accepted_size)])
    finally:
        database.dispose()
    return Fork(story, key)


def forged(count: int, victim: str) -> list[bytes]:
    """Entries of a thief: a withdrawal, and listings."""
    withdrawn = encode_statement(Withdrawal(uuid_of(THIEF), TIME, victim, "error"))
    return [withdrawn, *(encode_statement(listing(THIEF + at, sha256(THIEF + at))) for at in range(1, count))]


def has_thiefs(node: TestNode) -> bool:
    answer = node.post("/v1/match", json={"signals": [{"type": "sha256", "value": sha256(THIEF + 1).value}]})
    return answer.json()["results"][0]["action"] in ("block", "review")


@pytest.mark.parametrize(("kind", "name", "count"), [("sqlite", "listings", 300)])
def test_a_fork_that_half_of_the_peers_were_shown_is_undone(
    make: MakeNode, tmp_path: Path, name: str, count: int
) -> None:
    acme, beta, gamma = make("acme"), make("beta"), make("gamma")
    inner = replace(acme, port=free_port())
    with FaultyProxy(acme.port, inner.port) as proxy:
        inner.start()
        try:
            play_fork(acme, (beta, gamma), proxy, tmp_path, (name, count))
        finally:
            inner.kill()


def play_fork(
    acme: TestNode, peers: tuple[TestNode, TestNode], proxy: FaultyProxy, folder: Path, forks: tuple[str, int]
) -> None:
    (beta, gamma), (name, count) = peers, forks
    for node in peers:
        node.start()
    if name == "crisis":
        told(acme, "logs", "open", "crisis")
    first, second, *later = drafts(6, seed=21)
    victim, _ = publish(acme, name, first, second)
    for node in peers:
        node.follow(acme)
    wait_alike(peers, acme)

    fork = steal(acme, name)
    fork.log.append(*forged(count, victim))
    proxy.fault = fork
    fork.shows = True
    beta.pull(acme)
    assert has_thiefs(beta)
    assert listed(beta, first) == [False]
    fork.shows = False
    publish(acme, name, *later)
    gamma.pull(acme)
    assert gamma.digest(acme) == acme.digest(acme)
    assert pull(beta, acme)["errors"] != []
    assert has_thiefs(beta)

    acme.follow(beta)
    acme.follow(gamma)
    lookups = Lookups(peers, (second,))
    with lookups.running():
        done = recover(acme, name, second_passes(), [], folder)
        wait_alike(peers, acme)
    log.info("%s, fork of %d: peers had followed after %s s", name, count, followed_after(acme, *peers))
    assert (lookups.failed, lookups.asked > 0) == ([], True)
    (replaced,) = (one for one in done["logs"] if one["name"] == name)
    assert (replaced["size"], replaced["beyond"]) == (6, 0)
    for node in peers:
        assert not has_thiefs(node)
        assert listed(node, first, second, *later) == [True] * 6
    (cut,) = undone(beta, "acme")
    assert (cut["reason"], [one["index"] for one in cut["entries"]]) == (WHY, list(range(2, 2 + count)))
    assert undone(gamma, "acme") == []

    # What the thief signs from now on is refused, of the old log and of the new one.
    digest = beta.digest(acme)
    successor = replace(fork, log=ScriptedLog(acme.url, f"{name}-2", name=name, kind=name))
    successor.log.append(*forged(5, victim))
    for story in (fork, successor):
        proxy.fault, story.shows = story, True
        for node in peers:
            if story is fork:
                node.pull(acme)
            else:
                assert pull(node, acme)["errors"] != []
            assert (node.digest(acme), has_thiefs(node)) == (digest, False)
    proxy.fault = honest
    (last,) = drafts(1, seed=22)
    publish(acme, name, last)
    wait_alike(peers, acme)
    assert [listed(node, last) for node in peers] == [[True], [True]]
