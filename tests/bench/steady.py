"""What a node does all day: polls without news, one new hash, lookups."""

from __future__ import annotations

import json
import random
import socket
import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx

from material import draft, hex_of
from nodes import TestNode

REPEATS = 20
LOOKUP_SECONDS = 3.0
SINGLE_CLIENTS = 8
BATCH_CLIENTS = 2
BATCH = 1_000


def poll_without_news(puller: TestNode, publisher: TestNode) -> dict[str, float]:
    """Give requests, bytes on the wire of one conditional GET, and the median time in ms of a pull without news."""
    times, requests = [], 0
    for _ in range(REPEATS):
        start = time.perf_counter()
        pulled = _ok(puller.post(f"/v1/peers/{publisher.member}/pull"))
        times.append(1_000 * (time.perf_counter() - start))
        requests = pulled["requests"]
    return {"requests": requests, "bytes": _bytes_of_poll(publisher), "time": statistics.median(times)}


def _bytes_of_poll(publisher: TestNode) -> int:
    """Count request and answer of the poll, headers and all, as they cross the wire."""
    path = "/logs/listings-1/checkpoint"
    etag = publisher.get(path).headers["etag"]
    request = (
        f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{publisher.port}\r\nuser-agent: hashpact/0.1.0\r\naccept: */*\r\n"
        f"if-none-match: {etag}\r\nconnection: close\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", publisher.port)) as wire:
        wire.sendall(request)
        answer = b"".join(iter(lambda: wire.recv(65_536), b""))
    if b" 304 " not in answer.split(b"\r\n", 1)[0]:
        raise RuntimeError("the poll was answered with news")
    return len(request) + len(answer)


def one_new_hash(puller: TestNode, publisher: TestNode) -> dict[str, float]:
    """Give the median times in ms from a publication to its release, and from there to its match at the peer."""
    chance = random.Random(time.time_ns())
    released, matched = [], []
    for _ in range(REPEATS):
        listing = draft(chance)
        start = time.perf_counter()
        _ok(publisher.post("/v1/listings", json=listing))
        shown = time.perf_counter()
        _ok(puller.post(f"/v1/peers/{publisher.member}/pull"))
        signal = {key: listing["signals"][0][key] for key in ("type", "value")}
        answer = _ok(puller.post("/v1/match", json={"signals": [signal]}))
        found = time.perf_counter()
        if answer["results"][0]["action"] != "review":
            raise RuntimeError("the new hash is not matched")
        released.append(1_000 * (shown - start))
        matched.append(1_000 * (found - shown))
    return {"release": statistics.median(released), "match": statistics.median(matched)}


def lookup_rates(puller: TestNode, known: list[dict[str, str]]) -> dict[str, float]:
    """Give exact lookups a second through ``POST /v1/match``: one a request, and a thousand; half of them hit."""
    chance = random.Random(7)
    unknown = [{"type": "sha256", "value": hex_of(chance, 32)} for _ in known]
    queries = [query for pair in zip(known, unknown, strict=True) for query in pair]
    singles = [json.dumps({"signals": [query], "detail": False}).encode() for query in queries]
    batches = [
        json.dumps({"signals": [chance.choice(queries) for _ in range(BATCH)], "detail": False}).encode()
        for _ in range(16)
    ]
    return {
        "single": _rate(puller, singles, clients=SINGLE_CLIENTS),
        "batch": BATCH * _rate(puller, batches, clients=BATCH_CLIENTS),
    }


def _rate(node: TestNode, bodies: list[bytes], *, clients: int) -> float:
    """Requests a second that several clients get answered."""
    stop = time.monotonic() + LOOKUP_SECONDS
    counts = [0] * clients

    def ask(client: int) -> None:
        with httpx.Client(base_url=node.url, headers=node.authorization, timeout=60) as session:
            at = client
            while time.monotonic() < stop:
                answer = session.post(
                    "/v1/match", content=bodies[at % len(bodies)], headers={"content-type": "application/json"}
                )
                answer.raise_for_status()
                counts[client] += 1
                at += clients

    return _timed(ask, clients, counts)


def _timed(work: Callable[[int], None], clients: int, counts: list[int]) -> float:
    threads = [threading.Thread(target=work, args=(client,)) for client in range(clients)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - start)


def _ok(answer: httpx.Response) -> dict[str, Any]:
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    if found.get("errors"):
        raise RuntimeError(f"it failed: {found['errors']}")
    return found
