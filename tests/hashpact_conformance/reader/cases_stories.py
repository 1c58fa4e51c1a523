"""Rows 40 to 42 and 44: kinds nobody knows, ids and withdrawals that contradict each other, blobs."""

from __future__ import annotations

from typing import Any

import pytest

from hashpact_conformance.cases import Layer, case
from hashpact_conformance.simulator.replies import Alter, body, flipped, gone, html, says, status
from hashpact_conformance.simulator.statements import (
    listing,
    signal,
    withdrawal,
)
from hashpact_conformance.simulator.world import World
from hashpact_protocol.canonical import canonical_bytes

# Row 40.


def _poem(**fields: Any) -> bytes:
    return canonical_bytes({"kind": "poem", **fields})


@case(Layer.STATEMENTS, "an entry of an unknown kind is passed over: {name}", "Statements, Unknown kinds; attack 40")
@pytest.mark.parametrize("name", ["plain", "not-critical", "critical-text", "critical-1", "without-id"])
def test_unknown_kind(world: World, name: str) -> None:
    fields: dict[str, dict[str, Any]] = {
        "not-critical": {"critical": False},
        "critical-text": {"critical": "true"},
        "critical-1": {"critical": 1},
    }
    world.subject.log.append(listing(501), _poem(**fields.get(name, {})), listing(502))
    world.accepted(501, 502)


@case(
    Layer.STATEMENTS,
    "a critical entry of an unknown kind stops that log there, with an alarm",
    "Statements, Unknown kinds; attack 40",
)
def test_critical(world: World) -> None:
    member = world.subject
    other = member.add_log("crisis-1", name="crisis", kind="crisis")
    other.append(listing(601))
    member.publish()
    member.log.append(listing(501), _poem(critical=True), listing(502))
    world.pull()
    assert world.claims(1, 501, 502, 601) == {1, 501, 601}
    assert world.export().alarmed("beta"), "nobody is told that a log has stopped"
    member.log.append(listing(503))
    other.append(listing(602))
    world.pull()
    assert world.claims(501, 502, 503, 602) == {501, 602}


# Rows 41 and 42.

STORIES: dict[str, tuple[list[bytes], set[int]]] = {
    "restated": ([listing(700, signal(701)), listing(700, signal(702))], {702}),
    "restated-empty": ([listing(700, signal(701)), listing(700, {"type": "md5", "value": "x"})], set()),
    "withdrawn": ([listing(700), withdrawal(701, 700)], set()),
    "withdrawn-and-listed-again": ([listing(700), withdrawal(701, 700), listing(700, signal(702))], {702}),
    "withdrawn-twice": ([listing(700), withdrawal(701, 700), withdrawal(702, 700), listing(703)], {703}),
    "withdrawn-before-it-is-there": ([withdrawal(701, 700), listing(700)], {700}),
    "withdrawal-of-nothing": ([withdrawal(701, 9_999), listing(700)], {700}),
    "withdrawal-repeats-its-id": ([listing(700), listing(702), withdrawal(701, 700), withdrawal(701, 702)], set()),
    "listing-under-a-withdrawals-id": ([listing(700), withdrawal(701, 700), listing(701)], set()),
    "withdrawal-under-a-listings-id": ([listing(700), withdrawal(700, 700)], {700}),
    "withdrawal-of-a-withdrawal": ([listing(700), withdrawal(701, 700), withdrawal(702, 701)], set()),
    "malformed-owns-nothing": (
        [listing(700, time="x"), withdrawal(700, 1), listing(703)],
        {703},
    ),
    "two-listings-of-one-signal": ([listing(700), listing(701, signal(700)), withdrawal(702, 701)], {700}),
}
TOLD = range(700, 710)


@case(Layer.STATEMENTS, "place decides what of a story counts: {name}", "Merge; attacks 41, 42")
@pytest.mark.parametrize("name", STORIES)
@pytest.mark.parametrize("how", ["at-once", "one-by-one"])
def test_story(world: World, name: str, how: str) -> None:
    entries, wanted = STORIES[name]
    for entry in entries if how == "one-by-one" else []:
        world.subject.log.append(entry)
        world.pull()
    if how == "at-once":
        world.subject.log.append(*entries)
        world.pull()
    assert world.claims(*TOLD) == wanted


@case(Layer.STATEMENTS, "a withdrawal of another member's listing has no effect", "Merge, 3; attack 42")
def test_withdrawal_of_anothers(world: World) -> None:
    world.subject.log.append(withdrawal(701, 60_001), listing(700))
    world.accepted(700)
    assert world.claims(60_001, member="gamma") == {60_001}


@case(Layer.STATEMENTS, "one id in two members' logs is two listings", "Merge; attack 41")
def test_one_id_of_two_members(world: World) -> None:
    world.subject.log.append(listing(60_001, signal(700)), withdrawal(701, 60_001))
    world.pull()
    assert world.claims(60_001, member="gamma") == {60_001}
    assert not world.claims(700)


@case(Layer.STATEMENTS, "one id in two logs of one member is two listings", "Merge; attack 41")
def test_one_id_in_two_logs(world: World) -> None:
    member = world.subject
    other = member.add_log("crisis-1", name="crisis", kind="crisis")
    other.append(listing(1, signal(701)), withdrawal(702, 2))
    member.publish()
    world.pull()
    assert world.claims(1, 2, 701) == {1, 2, 701}


# Row 44.

BLOB = b"".join(f"{number:064x},100,{number}.000\n".encode() for number in range(20))
BLOBS: dict[str, Alter] = {
    "missing": gone,
    "500": status(500),
    "another-hash": body(flipped),
    "longer": body(lambda data: data + b"x"),
    "shorter": body(lambda data: data[:-1]),
    "empty": says(b""),
    "html": html,
}


@case(
    Layer.STATEMENTS,
    "a blob that is not what was said: its listing stands, with the claim: {name}",
    "Signals; attack 44",
)
@pytest.mark.parametrize("name", ["right", *BLOBS])
def test_blob(world: World, name: str) -> None:
    log = world.subject.log
    digest = log.add_blob(BLOB)
    log.append(listing(501, {"length": len(BLOB), "sha256": digest, "type": "vpdq"}, signal(501)), listing(502))
    if name != "right":
        world.subject.alter(f"blob/{digest}", BLOBS[name])
    world.pull()
    assert world.claims(501, 502) == {501, 502}
    assert ("vpdq", digest) in world.export().signals("beta"), "the claim fell with its bytes"
