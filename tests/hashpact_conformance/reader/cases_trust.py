"""Rows 1 and 2: trust repositories that are signed wrongly, and some that are not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hashpact_conformance.cases import Layer, case
from hashpact_conformance.reader.trusting import NEW, READING, Attack, publishing, refuses, with_news
from hashpact_conformance.simulator.keys import EllipticKey, Key, key_id
from hashpact_conformance.simulator.member import Member
from hashpact_conformance.simulator.trust import Edit, Signed, TrustRepository, resigned
from hashpact_conformance.simulator.world import World


def _flip(signatures: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{**one, "sig": one["sig"][:-2] + ("00" if one["sig"][-2:] != "00" else "01")} for one in signatures]


FORGED: dict[str, Edit] = {
    "wrong-signature": Edit(write=lambda data: resigned(data, _flip)),
    "no-signature": Edit(signers=[]),
    "by-a-stranger": Edit(signers=[Key()]),
    "signature-of-another-file": Edit(
        write=lambda data: resigned(data, lambda old: [{**one, "sig": Key().sign(b"another").hex()} for one in old])
    ),
    "signature-no-hexadecimal": Edit(write=lambda data: resigned(data, lambda old: [{**o, "sig": "zz"} for o in old])),
}


@case(Layer.TRUST, "{role} that nobody signed who may is refused: {name}", f"{READING}; attack 1")
@pytest.mark.parametrize("name", ["wrong-signature", "no-signature", "by-a-stranger"])
@pytest.mark.parametrize("role", ["targets", "snapshot", "timestamp"])
def test_forged(world: World, role: str, name: str) -> None:
    refuses(world, publishing(role, FORGED[name]))


@case(Layer.TRUST, "a root that nobody signed who may is refused: {name}", f"{READING}; attack 1")
@pytest.mark.parametrize("name", FORGED)
def test_forged_root(world: World, name: str) -> None:
    def attack(member: Member) -> None:
        member.trust.write_root(FORGED[name])
        member.publish()

    refuses(world, attack, root=True)


def _two(trust: TrustRepository, role: str) -> tuple[Key, Key]:
    """Ask for two signatures in a role from the next root on."""
    first, second = Key(), Key()
    old = list(trust.root_keys)
    keys = {"root": trust.root_keys, "targets": trust.targets_keys}.get(role, trust.online_keys)
    keys[:] = [first, second]
    trust.thresholds[role] = 2
    trust.write_root(signed_by_old=old)
    return first, second


@case(Layer.TRUST, "one of two signatures that {role} needs is not enough", f"{READING}; attack 1")
@pytest.mark.parametrize("role", ["targets", "snapshot", "timestamp"])
def test_below_threshold(world: World, role: str) -> None:
    def attack(member: Member) -> None:
        first, _second = _two(member.trust, role)
        member.publish_with(role, Edit(signers=[first]))

    refuses(world, attack)


@case(Layer.TRUST, "a root that one of its two signers signed is refused", f"{READING}; attack 1")
def test_root_below_threshold(world: World) -> None:
    member = world.subject
    first, _second = _two(member.trust, "root")
    assert not world.pull().refused

    def attack(member: Member) -> None:
        member.trust.write_root(Edit(signers=[first]))
        member.publish()

    refuses(world, attack, root=True)


@case(Layer.TRUST, "one signature twice counts once: {role}", f"{READING}; attack 1")
@pytest.mark.parametrize("role", ["targets", "snapshot", "timestamp"])
def test_one_signature_twice(world: World, role: str) -> None:
    def attack(member: Member) -> None:
        first, _second = _two(member.trust, role)
        member.publish_with(role, Edit(signers=[first], write=lambda data: resigned(data, lambda one: one * 2)))

    refuses(world, attack)


@case(Layer.TRUST, "{role} signed by a key that a root revoked is refused", f"{READING}; attack 1")
@pytest.mark.parametrize("role", ["targets", "snapshot", "timestamp"])
def test_revoked_key(world: World, role: str) -> None:
    def attack(member: Member) -> None:
        keys = member.trust.targets_keys if role == "targets" else member.trust.online_keys
        stolen = list(keys)
        keys[:] = [Key()]
        member.trust.write_root()
        member.publish_with(role, Edit(signers=stolen))

    refuses(world, attack)


ROOT_SIGNERS: dict[str, Callable[[Key, Key], list[Key]]] = {
    "by-its-own-keys-alone": lambda _old, new: [new],
    "by-the-old-keys-alone": lambda old, _new: [old],
    "by-nobody": lambda _old, _new: [],
}


@case(Layer.TRUST, "a root that is not signed by the old and the new keys is refused: {name}", f"{READING}; attack 1")
@pytest.mark.parametrize("name", ROOT_SIGNERS)
def test_root_signed_in_part(world: World, name: str) -> None:
    def attack(member: Member) -> None:
        old, new = Key(), Key()
        known = list(member.trust.root_keys)
        member.trust.root_keys[:] = [new]
        signers = ROOT_SIGNERS[name](old, new)
        member.trust.write_root(Edit(signers=[known[0] if key is old else key for key in signers]))
        member.trust.root_keys[:] = known
        member.publish()

    refuses(world, attack, root=True)


@case(Layer.TRUST, "a root signed by a root key that was revoked is refused", f"{READING}; attack 1")
def test_root_by_a_revoked_key(world: World) -> None:
    member = world.subject
    old = list(member.trust.root_keys)
    member.trust.root_keys[:] = [Key()]
    member.trust.write_root(signed_by_old=old)
    assert not world.pull().refused

    def attack(member: Member) -> None:
        member.trust.write_root(Edit(signers=old))
        member.publish()

    refuses(world, attack, root=True)


def _one_key_twice(role: str) -> Attack:
    """Name one key under two ids for a role with a threshold of two."""

    def attack(member: Member) -> None:
        trust = member.trust
        key = (trust.root_keys if role == "root" else trust.targets_keys)[0]
        assert isinstance(key, Key)
        again = "00" + key_id(key)[2:]

        def change(root: Signed) -> None:
            root["keys"][again] = key.named
            root["roles"][role] = {"keyids": [key_id(key), again], "threshold": 2}

        def twice(data: bytes) -> bytes:
            return resigned(data, lambda signatures: _under(signatures, key_id(key), again))

        trust.write_root(Edit(change, write=twice if role == "root" else lambda data: data))
        if role == "root":
            member.publish()
        else:
            member.publish(targets=Edit(write=twice))

    return attack


def _under(signatures: list[dict[str, str]], old: str, new: str) -> list[dict[str, str]]:
    return signatures + [{**one, "keyid": new} for one in signatures if one["keyid"] == old]


@case(Layer.TRUST, "one key under two ids is one signer: {role}", f"{READING}; attack 2")
@pytest.mark.parametrize("role", ["root", "targets"])
def test_one_key_under_two_ids(world: World, role: str) -> None:
    if role == "root":
        refuses(world, _one_key_twice(role), root=True)
        return
    member = world.subject
    with_news(member)
    _one_key_twice(role)(member)
    world.refused()
    assert not world.claims(NEW), "one signer met a threshold of two"
    member.trust.write_root()
    member.publish()
    world.recovers(NEW)


@case(Layer.TRUST, "one P-256 key in two PEM spellings is one signer", f"{READING}; attack 2")
def test_one_key_in_two_spellings(world: World) -> None:
    def attack(member: Member) -> None:
        key = EllipticKey()
        old = list(member.trust.root_keys)
        member.trust.root_keys[:] = [key, EllipticKey(key.secret, compressed=True)]
        member.trust.thresholds["root"] = 2
        member.trust.write_root(signed_by_old=old)
        member.trust.root_keys[:] = old
        member.trust.thresholds["root"] = 1
        member.publish()

    refuses(world, attack, root=True)


@case(Layer.TRUST, "two P-256 keys are two signers", f"{READING}; attack 2")
def test_two_elliptic_keys(world: World) -> None:
    member = world.subject
    old = list(member.trust.root_keys)
    member.trust.root_keys[:] = [EllipticKey(), EllipticKey()]
    member.trust.thresholds["root"] = 2
    member.trust.write_root(signed_by_old=old)
    with_news(member)
    member.publish()
    world.accepted(NEW)
