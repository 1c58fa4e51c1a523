"""Successors over real HTTP, between nodes that run."""

from __future__ import annotations

import json
import time

from material import drafts
from nodes import MakeNode, TestNode

ALIKE_SECONDS = 240.0


def publish(node: TestNode, count: int, *, seed: int) -> list[str]:
    body = "\n".join(json.dumps(draft) for draft in drafts(count, seed=seed))
    answer = node.post("/v1/listings", content=body, headers={"content-type": "application/x-ndjson"})
    assert answer.status_code in (200, 201), answer.text
    return [listing["id"] for listing in answer.json()["listings"]]


def pull(node: TestNode, other: TestNode) -> None:
    answer = node.post(f"/v1/peers/{other.member}/pull")
    assert answer.status_code == 200, answer.text


def done(node: TestNode, *arguments: str) -> str:
    found = node.command(*arguments)
    assert found.returncode == 0, found.stderr
    return found.stdout


def alike(*nodes: TestNode, of: TestNode) -> bool:
    """Pull until the nodes have merged alike: a card is read at most once a minute, so news of it may take as long."""
    deadline = time.monotonic() + ALIKE_SECONDS
    while time.monotonic() < deadline:
        for node in nodes:
            if node is not of:
                pull(node, of)
        if len({node.digest(of) for node in nodes}) == 1:
            return True
        time.sleep(2)
    return False


def test_a_fresh_successor_takes_over_at_a_peer_too(make: MakeNode) -> None:
    acme, beta = nodes = [make(member) for member in ("acme", "beta")]
    for node in nodes:
        node.start()
    acme.follow(beta)
    beta.follow(acme)
    publish(acme, 600, seed=1)
    assert alike(*nodes, of=acme)

    # A year is over.
    assert json.loads(done(acme, "logs", "open", "listings", "--fresh", "--json"))["fresh"] == 600
    publish(acme, 10, seed=2)
    assert alike(*nodes, of=acme)
    listings = beta.get("/v1/blocklist/digest", params={"members": "acme"}).json()["listings"]
    assert listings == 610
