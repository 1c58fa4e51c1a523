"""Rows 3, 4, 7, 8 and 51: versions that run back, leap or are told twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hashpact_conformance.cases import Layer, case
from hashpact_conformance.reader.trusting import NEW, READING, Attack, refuses, with_news
from hashpact_conformance.simulator.member import Member
from hashpact_conformance.simulator.trust import Edit, Signed, sign
from hashpact_conformance.simulator.world import World


def _rolled_back(world: World, attack: Callable[[Member, Member], None]) -> None:
    """Let the reader take a newer card; then serve something made of an older state of the same member."""
    old = world.subject.copy()
    member = world.subject
    with_news(member)
    member.publish()
    world.accepted(NEW)
    thief = member.copy()
    attack(thief, old)
    world.serve(thief)
    world.refused()
    assert world.claims(NEW), "the newer card was dropped"
    world.serve(member)
    member.publish()
    member.publish()
    world.recovers()


def _old_timestamp(thief: Member, old: Member) -> None:
    thief.trust.files["metadata/timestamp.json"] = old.trust.files["metadata/timestamp.json"]
    thief.trust.files |= {name: data for name, data in old.trust.files.items() if name not in thief.trust.files}


def _old_snapshot(thief: Member, old: Member) -> None:
    """Sign a new timestamp over the old snapshot, as the thief of an online key can."""
    thief.trust.versions["snapshot"] = old.trust.versions["snapshot"]
    thief.trust.stamp()


def _old_targets(thief: Member, old: Member) -> None:
    """Sign a new snapshot over the old targets, as the thief of an online key can."""
    thief.trust.versions["targets"] = old.trust.versions["targets"]
    thief.trust.renew()


ROLLBACKS = {"timestamp": _old_timestamp, "snapshot": _old_snapshot, "targets": _old_targets}


@case(Layer.TRUST, "an older {role} than the one accepted is refused, with an alarm", f"{READING}; attack 3")
@pytest.mark.parametrize("role", ROLLBACKS)
def test_rollback(world: World, role: str) -> None:
    _rolled_back(world, ROLLBACKS[role])


def _version(version: Any) -> Callable[[Signed], None]:
    return lambda signed: signed.update(version=version)


@case(Layer.TRUST, "a root whose version is {name} is refused", f"{READING}; attack 3")
@pytest.mark.parametrize("name", ["skipped", "repeated", "back"])
def test_root_version(world: World, name: str) -> None:
    steps = {"skipped": 1, "repeated": -1, "back": -2}

    def attack(member: Member) -> None:
        member.trust.write_root(Edit(lambda root: root.update(version=max(1, root["version"] + steps[name]))))
        member.publish()

    world.subject.trust.write_root()
    assert not world.pull().refused
    refuses(world, attack, root=True)


def _swapped_file(role: str) -> Attack:
    """Serve another file than the one that is named, signed by the right keys and of the right version."""

    def attack(member: Member) -> None:
        member.publish()
        trust = member.trust
        signed = trust.signed(role) | {"expires": "2100-01-01T00:00:00Z"}
        trust.files[trust.file(role)] = sign(signed, trust.keys(role))

    return attack


@case(Layer.TRUST, "{role} that is not the file that was named is refused", f"{READING}; attack 3")
@pytest.mark.parametrize("role", ["snapshot", "targets"])
def test_mix_and_match(world: World, role: str) -> None:
    refuses(world, _swapped_file(role))


@case(Layer.TRUST, "a card of another hash than targets say is refused: {name}", f"{READING}; attack 3")
@pytest.mark.parametrize("name", ["altered", "longer", "shorter", "empty"])
def test_another_card_than_named(world: World, name: str) -> None:
    change: dict[str, Callable[[bytes], bytes]] = {
        "altered": lambda data: data.replace(b"Beta", b"Beth"),
        "longer": lambda data: data + b" ",
        "shorter": lambda data: data[:-1],
        "empty": lambda _data: b"",
    }

    def attack(member: Member) -> None:
        member.publish()
        card = max((name for name in member.trust.files if name.startswith("targets/")), key=_written(member))
        member.trust.files[card] = change[name](member.trust.files[card])

    refuses(world, attack)


def _written(member: Member) -> Callable[[str], int]:
    order = list(member.trust.files)
    return order.index


@case(Layer.TRUST, "a rollback is refused after every file of metadata in the home was lost", f"{READING}; attack 4")
def test_rollback_after_loss(world: World) -> None:
    def attack(thief: Member, old: Member) -> None:
        for folder in ("trust", "metadata", "targets", "tuf", ".tuf"):
            for found in [*world.home.rglob(folder)]:
                for file in [*found.rglob("*")] if found.is_dir() else []:
                    if file.is_file():
                        file.unlink()
        _old_timestamp(thief, old)

    _rolled_back(world, attack)


@case(
    Layer.TRUST, "a thief's leap of versions is undone by a root that replaces the online keys", f"{READING}; attack 8"
)
@pytest.mark.parametrize("role", ["timestamp", "snapshot"])
def test_fast_forward(world: World, role: str) -> None:
    thief = world.subject.copy()
    thief.trust.versions[role] = 2**40
    thief.trust.renew()
    world.serve(thief)
    world.pull()
    member = thief.copy()
    member.trust.versions = {**world.stage.members["beta"].trust.versions}
    member.trust.rotate_online()
    with_news(member)
    member.publish()
    world.serve(member)
    world.pull()
    assert world.claims(NEW), "the reader did not recover from a leap of versions"


@case(Layer.TRUST, "another snapshot under the version of the accepted one is refused", f"{READING}, 7; attack 51")
def test_another_snapshot_of_one_version(world: World) -> None:
    def attack(member: Member) -> None:
        trust = member.trust
        trust.versions["snapshot"] -= 1
        member.publish()

    member = world.subject
    with_news(member)
    attack(member)
    world.refused()
    assert not world.claims(NEW)
    member.publish()
    world.recovers(NEW)


@case(Layer.TRUST, "an old card under fresh timestamps is refused by who has seen a newer one", f"{READING}; attack 51")
def test_old_card_under_fresh_timestamps(world: World) -> None:
    def attack(thief: Member, old: Member) -> None:
        for _ in range(3):
            _old_targets(thief, old)

    _rolled_back(world, attack)
