"""How long it takes from a publication's release to its match at every reader, by doorbells alone."""

from __future__ import annotations

import json
import random
import statistics
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

from material import draft
from nodes import TestNode, make_node

PUBLISHES = 200
WAIT_SECONDS = 60.0
PAUSE_SECONDS = 0.01
"""Between two rounds of questions."""


def latencies(folder: Path, count: int, *, publishes: int = PUBLISHES) -> dict[str, float]:
    """Give p50, p95 and p99, in ms, over all publications and readers among ``count`` nodes that follow each other.

    A publication is released when its request is answered. Nodes poll once an hour, so that nothing else brings news.
    """
    nodes = [make_node(folder / f"latency-{count}", f"member-{number}") for number in range(count)]
    try:
        for node in nodes:
            node.start()
        for node in nodes:
            for other in nodes:
                if other is not node:
                    node.follow(other)
        chance, times = random.Random(count), list[float]()
        with ExitStack() as links:
            # Made before anything is timed: to make one reads the system's certificates.
            clients = [
                links.enter_context(
                    httpx.Client(base_url=node.url, headers=node.authorization, timeout=60, trust_env=False)
                )
                for node in nodes
            ]
            for number in range(publishes):
                readers = [client for at, client in enumerate(clients) if at != number % count]
                times += _one(nodes[number % count], readers, draft(chance))
    finally:
        for node in nodes:
            node.kill()
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    return {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98]}


def _one(publisher: TestNode, readers: list[httpx.Client], listing: dict[str, Any]) -> list[float]:
    body = json.dumps(listing)
    signal = listing["signals"][1]
    query = {"signals": [{"type": signal["type"], "value": signal["value"]}]}
    answer = publisher.post("/v1/listings", content=body, headers={"content-type": "application/x-ndjson"})
    answer.raise_for_status()
    released = time.perf_counter()
    return _seen(query, readers, released)


def _seen(query: dict[str, Any], readers: list[httpx.Client], since: float) -> list[float]:
    """Ask all readers in turn until each has it; how long that took each, in ms, as coarse as a round of questions."""
    found: list[float] = []
    while readers:
        if time.perf_counter() - since > WAIT_SECONDS:
            raise RuntimeError("a reader did not get a publication in time")
        waiting = []
        for reader in readers:
            if reader.post("/v1/match", json=query).json()["results"][0]["action"] in ("review", "block"):
                found.append(1_000 * (time.perf_counter() - since))
            else:
                waiting.append(reader)
        readers = waiting
        time.sleep(PAUSE_SECONDS)
    return found
