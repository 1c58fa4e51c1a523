"""What floods, over real HTTP: a peer that lists far above its usual, and a signal that matches far above its own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from material import drafts
from nodes import MakeNode, TestNode, wait_until

POLICY = """
[flood.listings]
at_least = 5
[flood.matches]
at_least = 15
[[rule]]
name = "whoever-lists-it"
then = "block"
"""
NDJSON = {"content-type": "application/x-ndjson"}


def publish(node: TestNode, *listings: dict[str, Any]) -> list[str]:
    body = "\n".join(map(json.dumps, listings))
    answer = node.post("/v1/listings", content=body, headers=NDJSON)
    assert answer.status_code in (200, 201), answer.text
    return [listing["id"] for listing in answer.json()["listings"]]


def matched(node: TestNode, draft: dict[str, Any], times: int = 1) -> tuple[str, str]:
    """Look a listing's SHA-256 up so often in one batch; give the action and the rule of the last answer."""
    signal = draft["signals"][1]
    query = {"type": signal["type"], "value": signal["value"]}
    answer = node.post("/v1/match", json={"signals": [query] * times})
    assert answer.status_code == 200, answer.text
    found = answer.json()["results"][-1]
    return found["action"], found["hits"][0]["rule"]


def holds(node: TestNode) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = node.get("/v1/holds").json()["holds"]
    return found


@pytest.fixture
def two(make: MakeNode) -> tuple[TestNode, TestNode]:
    """Acme and beta, which follow each other; by beta's policy little is a flood."""
    acme, beta = make("acme"), make("beta")
    (beta.home / "policy.toml").write_text(POLICY)
    assert beta.command("logs", "open", "opinions").returncode == 0
    acme.start()
    beta.start()
    acme.follow(beta)
    beta.follow(acme)
    return acme, beta


def test_a_flood_of_listings_is_held_told_and_let_through(two: tuple[TestNode, TestNode]) -> None:
    acme, beta = two
    first, *flood = drafts(12, seed=40)
    publish(acme, first)
    beta.pull(acme)
    wait_until(lambda: matched(beta, first) == ("block", "whoever-lists-it"))
    ids = publish(acme, *flood)
    beta.pull(acme)
    assert matched(beta, flood[0]) == matched(beta, flood[-1]) == ("review", "flood-hold")
    assert matched(beta, first) == ("block", "whoever-lists-it")
    assert "listing-flood" in {alarm["code"] for alarm in beta.get("/v1/status").json()["alarms"]}
    (hold,) = holds(beta)
    assert (hold["member"], hold["came"], hold["last"] - hold["first"]) == ("acme", 11, 11)

    wait_until(lambda: holds(beta)[0]["notice"] == "sent", seconds=60)

    def told() -> list[dict[str, Any]]:
        acme.pull(beta)
        found: list[dict[str, Any]] = acme.get(f"/v1/opinions?listing={ids[-1]}").json()["opinions"]
        return found

    wait_until(lambda: told() != [])
    (opinion,) = told()
    assert (opinion["member"], opinion["verdict"]) == ("beta", "seen")
    assert "11 listings of yours came within a day" in opinion["note"]

    explained = json.loads(beta.command("explain", f"sha256:{flood[0]['signals'][1]['value']}", "--json").stdout)
    assert "hold release" in json.dumps(explained)
    released = beta.post(f"/v1/holds/{hold['number']}/release", json={"why": "they told us before"})
    assert released.status_code == 200, released.text
    wait_until(lambda: matched(beta, flood[0]) == ("block", "whoever-lists-it"))
    assert acme.digest(acme) == beta.digest(acme)


def test_a_signal_that_matches_far_too_often_is_held(two: tuple[TestNode, TestNode]) -> None:
    acme, beta = two
    often, rarely = drafts(2, seed=41)
    publish(acme, often, rarely)
    beta.pull(acme)
    wait_until(lambda: matched(beta, rarely) == ("block", "whoever-lists-it"))
    assert matched(beta, often, times=30) == ("block", "whoever-lists-it")
    wait_until(lambda: matched(beta, often) == ("review", "flood-hold"))
    assert matched(beta, rarely) == ("block", "whoever-lists-it")
    (hold,) = holds(beta)
    assert hold["kind"] == "matches"
    assert hold["came"] >= 30  # with what was asked meanwhile
    assert beta.command("hold", "release", str(hold["number"]), "--why", "looked at").returncode == 0
    assert matched(beta, often) == ("block", "whoever-lists-it")
