"""The main job over real HTTP: three nodes publish, pull, verify, merge, look up."""

from __future__ import annotations

import json
from typing import Any

import pytest

from material import drafts
from nodes import MakeNode, TestNode, wait_until


def publish(node: TestNode, *listings: dict[str, Any]) -> list[str]:
    body = "\n".join(json.dumps(listing) for listing in listings)
    answer = node.post("/v1/listings", content=body, headers={"content-type": "application/x-ndjson"})
    assert answer.status_code in (200, 201), answer.text
    return [listing["id"] for listing in answer.json()["listings"]]


def pull(node: TestNode, other: TestNode) -> dict[str, Any]:
    answer = node.post(f"/v1/peers/{other.member}/pull")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def action(node: TestNode, signal: dict[str, Any]) -> str:
    query = {"type": signal["type"], "value": signal["value"]}
    answer = node.post("/v1/match", json={"signals": [query]})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["results"][0]["action"])


@pytest.fixture
def three(make: MakeNode) -> list[TestNode]:
    nodes = [make(member) for member in ("acme", "beta", "gamma")]
    for node in nodes:
        node.start()
    for node in nodes:
        for other in nodes:
            if other is not node:
                node.follow(other)
    return nodes


def test_what_is_published_is_pulled_verified_merged_and_found(three: list[TestNode]) -> None:
    acme, beta, gamma = three
    alone, shared, gone = drafts(3)
    publish(acme, alone, shared)
    publish(beta, shared)
    (withdrawn,) = publish(acme, gone)
    for node in three:
        for other in three:
            if other is not node:
                node.pull(other)
    assert {node.digest() for node in three} == {acme.digest()}
    assert action(gamma, alone["signals"][1]) == "review"
    assert action(acme, alone["signals"][1]) == "block"
    assert action(gamma, shared["signals"][1]) == "block"
    assert action(gamma, shared["signals"][0]) == "block"
    assert action(gamma, gone["signals"][1]) == "review"

    before = gamma.digest()
    answer = acme.post(f"/v1/listings/{withdrawn}/withdraw", json={"reason": "error"})
    assert answer.status_code == 200, answer.text
    for node in (beta, gamma):
        node.pull(acme)
    assert action(gamma, gone["signals"][1]) not in ("block", "review")
    assert {node.digest() for node in three} == {acme.digest()}
    assert gamma.digest() != before


def test_a_poll_without_news_is_one_small_request(three: list[TestNode]) -> None:
    acme, _, gamma = three
    publish(acme, *drafts(3, seed=1))
    gamma.pull(acme)
    again = pull(gamma, acme)
    assert (again["requests"], again["errors"]) == (1, [])
    assert again["bytes"] < 1_024


def test_the_scheduler_pulls_by_itself(make: MakeNode) -> None:
    acme, gamma = make("acme"), make("gamma", HASHPACT_PULL_INTERVAL_SECONDS="0.5")
    acme.start()
    gamma.start()
    gamma.follow(acme)
    (listing,) = drafts(1, seed=2)
    publish(acme, listing)
    wait_until(lambda: action(gamma, listing["signals"][1]) == "review")
    wait_until(lambda: gamma.digest(acme) == acme.digest())


def test_a_peer_that_is_down_is_shown_and_nothing_is_lost(three: list[TestNode]) -> None:
    acme, beta, gamma = three
    listing, other = drafts(2, seed=3)
    publish(acme, listing)
    publish(beta, other)
    gamma.pull(acme)
    acme.stop()
    failed = pull(gamma, acme)
    assert failed["errors"][0]["code"] == "fetch-failed"
    assert action(gamma, listing["signals"][1]) == "review"
    gamma.pull(beta)
    assert action(gamma, other["signals"][1]) == "review"
    shown = gamma.get("/v1/peers/acme").json()
    assert shown["failures"] >= 1
    acme.start()
    gamma.pull(acme)
    assert gamma.get("/v1/peers/acme").json()["failures"] == 0


def test_a_long_log_streams_in_batches(make: MakeNode) -> None:
    acme, gamma = make("acme"), make("gamma")
    acme.start()
    for seed in range(2):
        publish(acme, *drafts(5_000, seed=10 + seed))
    gamma.start()
    gamma.follow(acme)
    gamma.pull(acme)
    assert gamma.log(acme).held_size == 10_000
    assert gamma.digest(acme) == acme.digest()
    for listing in (drafts(5_000, seed=11)[-1], drafts(5_000, seed=10)[0]):
        assert action(gamma, listing["signals"][0]) == "review"
