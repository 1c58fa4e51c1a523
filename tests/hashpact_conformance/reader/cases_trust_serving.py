"""Rows 5, 6, 7 and 52: trust repositories that stand still or are not served, and the first contact."""

from __future__ import annotations

import json

import pytest

from hashpact_conformance.cases import Layer, case
from hashpact_conformance.reader.trusting import NEW, NO_ANSWERS, READING, publishing, refuses, with_news
from hashpact_conformance.simulator.keys import Key
from hashpact_conformance.simulator.trust import Edit, Signed, resigned
from hashpact_conformance.simulator.world import World


@case(
    Layer.TRUST,
    "a repository that stands still past its expiry is stale: an alarm, and its list stays",
    f"{READING}; attack 5",
)
@pytest.mark.parametrize("days", [2, 8, 370])
def test_frozen(world: World, days: int) -> None:
    world.later(renewed=False, days=days)
    world.other.trust.write_root()
    world.other.publish()
    before = world.export()
    answer = world.pull()
    after = world.export()
    assert answer.code or after.alarms - before.alarms, "the reader says nothing of an expired repository"
    assert before.signals("beta") <= after.signals("beta"), "the list was dropped"
    world.subject.trust.write_root()
    world.subject.publish()
    world.recovers()


def _expired(signed: Signed) -> None:
    signed["expires"] = "2020-01-01T00:00:00Z"


@case(Layer.TRUST, "{role} that has expired is refused", f"{READING}; attack 5")
@pytest.mark.parametrize("role", ["targets", "snapshot", "timestamp"])
def test_expired(world: World, role: str) -> None:
    refuses(world, publishing(role, Edit(_expired)))


@case(Layer.TRUST, "a root that has expired is no root to go on from", f"{READING}; attack 5")
def test_expired_root(world: World) -> None:
    member = world.subject
    with_news(member)
    member.trust.write_root(Edit(_expired))
    member.publish()
    world.refused()
    assert not world.claims(NEW)
    member.trust.write_root()
    member.publish()
    world.recovers(NEW)


@case(
    Layer.TRUST,
    "{name} where the next root should be is an error, and never the end of the roots",
    f"{READING}, 6; attack 6",
)
@pytest.mark.parametrize("name", NO_ANSWERS)
def test_next_root(world: World, name: str) -> None:
    member = world.subject
    after = member.trust.versions["root"] + 1
    with_news(member)
    if name == "cut":
        member.trust.write_root()
    member.publish()
    member.alter(f"/trust/metadata/{after}.root.json", NO_ANSWERS[name])
    world.refused()
    assert not world.claims(NEW), "the reader took a failure for the end of the roots"
    world.recovers(NEW)


@case(Layer.TRUST, "{name} in place of {file} changes nothing", f"{READING}; attack 6")
@pytest.mark.parametrize("name", ["403", "500", "login-page"])
@pytest.mark.parametrize("file", ["timestamp", "snapshot", "targets", "card"])
def test_not_served(world: World, file: str, name: str) -> None:
    member = world.subject
    with_news(member)
    member.publish()
    path = "targets/*" if file == "card" else f"metadata/{'' if file == 'timestamp' else '*'}"
    path = f"metadata/{member.trust.versions[file]}.{file}.json" if file in ("snapshot", "targets") else path
    path = "metadata/timestamp.json" if file == "timestamp" else path
    member.alter(f"/trust/{path}", NO_ANSWERS[name])
    world.refused()
    assert not world.claims(NEW)
    world.recovers(NEW)


@case(Layer.TRUST, "a reader that missed 300 rotations of the root reaches the newest", f"{READING}; attack 7")
def test_many_rotations(world: World) -> None:
    member = world.subject
    for _ in range(300):
        old = list(member.trust.root_keys)
        member.trust.root_keys[:] = [Key()]
        member.trust.write_root(signed_by_old=old)
    with_news(member)
    member.publish()
    world.requests_max = 700
    world.accepted(NEW)


@case(Layer.TRUST, "a new root is kept even if the card that came with it is refused", f"{READING}, 9; attack 52")
def test_root_is_kept_and_card_refused(world: World) -> None:
    member = world.subject
    with_news(member)
    member.trust.write_root()
    member.publish(lambda card: card.update(member="gamma"))
    world.refused()
    assert not world.claims(NEW)
    version = member.trust.versions["root"]
    world.forget()
    member.publish()
    world.accepted(NEW)
    asked = [one.path for one in world.asked(beginning="trust/metadata/") if one.path.endswith(".root.json")]
    assert f"/trust/metadata/{version}.root.json" not in asked, "the root that had been verified was read again"
    assert f"/trust/metadata/{version + 1}.root.json" in asked


@case(Layer.TRUST, "a first root that is not the pinned one is refused", "Trust: pinning; attack 1")
@pytest.mark.parametrize("name", ["another-members", "unsigned", "malformed"])
def test_pin(newcomer: World, name: str) -> None:
    member = newcomer.subject
    roots = {
        "another-members": newcomer.other.trust.root,
        "unsigned": resigned(member.trust.root, lambda _signatures: []),
        "malformed": json.dumps({"signed": {}, "signatures": []}).encode(),
    }
    assert newcomer.follow(member, roots[name]).refused, "a member was followed under a wrong pin"
    assert newcomer.pull().code in (0, 1)
    assert not newcomer.export().signals("beta")
    assert not newcomer.follow(member).refused
    newcomer.accepted(1, 2, 3, 4, 5)


@case(Layer.TRUST, "a first contact to a repository that is not whole is refused: {name}", "Trust: pinning; attack 6")
@pytest.mark.parametrize("name", ["403", "500", "login-page", "redirect"])
def test_first_contact(newcomer: World, name: str) -> None:
    member = newcomer.subject
    member.alter("/trust/metadata/timestamp.json", NO_ANSWERS[name])
    assert newcomer.follow(member).refused
    member.mend()
    assert not newcomer.follow(member).refused
    newcomer.accepted(1, 2, 3, 4, 5)
