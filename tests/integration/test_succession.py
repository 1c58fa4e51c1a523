"""Successors over real HTTP, between nodes that run."""

from __future__ import annotations

import json

from material import drafts
from nodes import MakeNode, TestNode, wait_until


def publish(node: TestNode, count: int, *, seed: int) -> list[str]:
    body = "\n".join(json.dumps(draft) for draft in drafts(count, seed=seed))
    answer = node.post("/v1/listings", content=body, headers={"content-type": "application/x-ndjson"})
    assert answer.status_code in (200, 201), answer.text
    return [listing["id"] for listing in answer.json()["listings"]]


def done(node: TestNode, *arguments: str) -> str:
    found = node.command(*arguments)
    assert found.returncode == 0, found.stderr
    return found.stdout


def are_alike(node: TestNode, *, of: TestNode) -> bool:
    """Pull, and say whether the node has merged as the member itself has."""
    node.pull(of)
    return node.digest(of) == of.digest(of)


def test_a_fresh_successor_takes_over_at_a_peer_too(make: MakeNode) -> None:
    acme, beta = nodes = [make(member) for member in ("acme", "beta")]
    for node in nodes:
        node.start()
    acme.follow(beta)
    beta.follow(acme)
    publish(acme, 600, seed=1)
    wait_until(lambda: are_alike(beta, of=acme))

    # A year is over.
    assert json.loads(done(acme, "logs", "open", "listings", "--fresh", "--json"))["fresh"] == 600
    publish(acme, 10, seed=2)
    beta.let_an_hour_pass()
    wait_until(lambda: are_alike(beta, of=acme))
    listings = beta.get("/v1/blocklist/digest", params={"members": "acme"}).json()["listings"]
    assert listings == 610
