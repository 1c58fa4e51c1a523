"""Witnesses and doorbells over real HTTP: whole nodes that poll once an hour."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hashpact_protocol.card import parse_card
from hashpact_protocol.notes import KeyType, cosignatures, parse_checkpoint, parse_note
from hashpact_protocol.witness import format_add_checkpoint, origin_hash
from material import drafts
from nodes import MakeNode, TestNode, wait_until


def publish(node: TestNode, *listings: dict[str, Any]) -> None:
    body = "\n".join(json.dumps(listing) for listing in listings)
    answer = node.post("/v1/listings", content=body, headers={"content-type": "application/x-ndjson"})
    assert answer.status_code in (200, 201), answer.text


def matches(node: TestNode, listing: dict[str, Any]) -> bool:
    signal = listing["signals"][1]
    answer = node.post("/v1/match", json={"signals": [{"type": signal["type"], "value": signal["value"]}]})
    return answer.json()["results"][0]["action"] in ("review", "block")


def follow_each_other(nodes: list[TestNode]) -> None:
    for node in nodes:
        for other in nodes:
            if other is not node:
                node.follow(other)


@pytest.fixture
def three(make: MakeNode) -> list[TestNode]:
    nodes = [make(member) for member in ("acme", "beta", "gamma")]
    for node in nodes:
        node.start()
    follow_each_other(nodes)
    for node in nodes:
        wait_until(lambda node=node: polled(node) == 2)
    return nodes


def polled(node: TestNode) -> int:
    """How many peers the schedule has polled since it knows of them: what comes later is no poll's news."""
    jobs = node.get("/v1/status").json()["jobs"]
    return sum(job["name"].startswith("pull/") and job["last_run_at"] is not None for job in jobs)


def alarms(node: TestNode) -> list[str]:
    return [alarm["what"] for alarm in node.get("/v1/status").json()["alarms"]]


def witness_keys(node: TestNode) -> list[Any]:
    targets = node.get("/trust/metadata/timestamp.json")
    assert targets.status_code == 200
    snapshot = node.get(f"/trust/metadata/{targets.json()['signed']['meta']['snapshot.json']['version']}.snapshot.json")
    version = snapshot.json()["signed"]["meta"]["targets.json"]["version"]
    card = node.get(f"/trust/metadata/{version}.targets.json").json()["signed"]["targets"]["member.json"]
    data = node.get(f"/trust/targets/{card['hashes']['sha256']}.member.json").content
    return [witness.key for witness in parse_card(data, member=node.member, url=node.url).witness_keys]


def told_by(node: TestNode, other: TestNode) -> tuple[int, str | None]:
    log = node.log(other)
    return log.held_size, log.news_by


def cosigners(note: bytes, nodes: list[TestNode]) -> set[str]:
    parsed = parse_note(note)
    return {node.member for node in nodes if cosignatures(parsed, witness_keys(node))}


def test_a_release_is_shown_with_cosignatures_and_matched_by_its_readers_without_a_poll(three: list[TestNode]) -> None:
    acme, beta, gamma = three
    (first, second) = drafts(2)
    for listing in (first, second):
        publish(acme, listing)
        for node in (beta, gamma):
            wait_until(lambda node=node, listing=listing: matches(node, listing))
    # A cosignature that was late for the release is shown soon after.
    wait_until(lambda: cosigners(acme.get("/logs/listings-1/checkpoint").content, three) == {"acme", "beta", "gamma"})
    note = acme.get("/logs/listings-1/checkpoint").content
    assert parse_checkpoint(parse_note(note).text).size == 2
    assert all(key.type is KeyType.COSIGNATURE for key in witness_keys(acme))
    for node in (beta, gamma):
        # What is held may be matched a moment before it is written down how it came.
        wait_until(lambda node=node: told_by(node, acme) == (2, "doorbell"))
        assert node.log(acme).cosigned_size == 2
        cosigned = node.get(f"/witness/{origin_hash(acme.origin)}/checkpoint").content
        assert parse_note(cosigned).text == parse_note(note).text
        assert cosigners(cosigned, three) == {node.member}


def test_entries_count_where_two_others_must_have_seen_them(make: MakeNode) -> None:
    """Four nodes, one of which asks for two cosignatures beside the publisher's and its own; then there is but one."""
    nodes = [make(member) for member in ("acme", "beta", "gamma")]
    nodes.append(make("delta", HASHPACT_REQUIRE_WITNESSES="2"))
    for node in nodes:
        node.start()
    follow_each_other(nodes)
    acme, beta, gamma, delta = nodes
    (first, second) = drafts(2)
    publish(acme, first)
    for node in (beta, gamma, delta):
        wait_until(lambda node=node: matches(node, first))
    gamma.kill()
    publish(acme, second)
    wait_until(lambda: matches(beta, second))
    wait_until(lambda: any("size 2 waits" in what for what in alarms(delta)))  # it has seen it
    assert not matches(delta, second)
    assert delta.log(acme).accepted_size == 1


def test_a_flood_of_rings_and_of_nonsense_does_not_hinder_a_release(three: list[TestNode]) -> None:
    acme, beta, _ = three
    (first, second) = drafts(2)
    publish(acme, first)
    wait_until(lambda: matches(beta, first))
    note = acme.get("/logs/listings-1/checkpoint").content
    before = beta.log(acme)
    statuses = set()
    for body in (format_add_checkpoint(1, (), note), format_add_checkpoint(0, (), note), b"nonsense", note) * 40:
        statuses.add(beta.post("/witness/add-checkpoint", content=body).status_code)
    assert statuses <= {200, 400, 409, 429}
    assert {200, 400, 409} <= statuses
    after = beta.log(acme)
    assert (after.cosigned_size, after.accepted_size) == (before.cosigned_size, before.accepted_size)
    publish(acme, second)
    wait_until(lambda: matches(beta, second))
