"""How long it takes from a publication's release to its match at every reader, by doorbells alone."""

from __future__ import annotations

import json
import random
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from material import draft
from nodes import TestNode, make_node

PUBLISHES = 200
WAIT_SECONDS = 60.0


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
        for number in range(publishes):
            times += _one(nodes[number % count], nodes, draft(chance))
    finally:
        for node in nodes:
            node.kill()
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    return {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98]}


def _one(publisher: TestNode, nodes: list[TestNode], listing: dict[str, Any]) -> list[float]:
    body = json.dumps(listing)
    signal = listing["signals"][1]
    query = {"signals": [{"type": signal["type"], "value": signal["value"]}]}
    answer = publisher.post("/v1/listings", content=body, headers={"content-type": "application/x-ndjson"})
    answer.raise_for_status()
    released = time.perf_counter()
    found: list[float] = []
    readers = [node for node in nodes if node is not publisher]
    threads = [threading.Thread(target=_wait(reader, query, released, found)) for reader in readers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(found) != len(readers):
        raise RuntimeError("a reader did not get a publication in time")
    return found


def _wait(reader: TestNode, query: dict[str, Any], since: float, found: list[float]) -> Callable[[], None]:
    def look() -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{reader.port}", timeout=60, trust_env=False) as client:
            while time.perf_counter() - since < WAIT_SECONDS:
                if client.post("/v1/match", json=query).json()["results"][0]["action"] in ("review", "block"):
                    found.append(1_000 * (time.perf_counter() - since))
                    return
                time.sleep(0.01)

    return look
