"""Rows 1 to 9, 51 and 52: trust repositories that a reader must refuse, and some that it must not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from hashpact_conformance.cases import Layer, case
from hashpact_conformance.simulator.keys import EllipticKey, Key, key_id
from hashpact_conformance.simulator.member import Member
from hashpact_conformance.simulator.replies import Alter, html, manner, says, status
from hashpact_conformance.simulator.statements import listing
from hashpact_conformance.simulator.trust import Edit, Signed, TrustRepository, resigned, sign
from hashpact_conformance.simulator.world import World

READING = "Trust: reading"
NEW = 900
"""The listing that is taken only if a new card is."""

Attack = Callable[[Member], None]


def with_news(member: Member) -> None:
    """Let the next card name one more log, and list something there."""
    log = member.add_log("crisis-1", name="crisis", kind="crisis")
    log.append(listing(NEW))


def refuses(world: World, attack: Attack, *, root: bool = False) -> None:
    """See that a card is not taken, and that a right one of the same member is; ``root``: its newest root is wrong."""
    member = world.subject
    with_news(member)
    attack(member)
    world.refused()
    assert not world.claims(NEW), "a card was taken that must be refused"
    if root:
        member.trust.forget_root()
    member.publish()
    world.recovers(NEW)


# Rows 1 and 2: who signed.


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


def _publish(role: str, edit: Edit) -> Attack:
    return lambda member: member.publish_with(role, edit)


@case(Layer.TRUST, "{role} that nobody signed who may is refused: {name}", f"{READING}; attack 1")
@pytest.mark.parametrize("name", ["wrong-signature", "no-signature", "by-a-stranger"])
@pytest.mark.parametrize("role", ["targets", "snapshot", "timestamp"])
def test_forged(world: World, role: str, name: str) -> None:
    refuses(world, _publish(role, FORGED[name]))


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


# Rows 3, 4, 8 and 51: versions.


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


# Rows 5 and 6: what is not served.


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
    refuses(world, _publish(role, Edit(_expired)))


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


NO_ANSWERS: dict[str, Alter] = {
    "401": status(401),
    "403": status(403),
    "410": status(410),
    "429": status(429),
    "500": status(500),
    "503": status(503),
    "204": status(204),
    "redirect": status(302, Location="https://login.example/"),
    "login-page": html,
    "empty": says(b""),
    "null": says(b"null"),
    "cut": manner("cut"),
}


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


# Row 9: the form.


def _set(name: str, value: Any) -> Callable[[Signed], None]:
    return lambda signed: signed.update({name: value})


def _text(old: str, new: str) -> Callable[[bytes], bytes]:
    """Change a file's bytes after it was signed, so that another parser sees the same as was signed."""

    def change(data: bytes) -> bytes:
        assert old.encode() in data, f"{old} is not in {data[:300]!r}"
        return data.replace(old.encode(), new.encode(), 1)

    return change


MALFORMED: dict[str, Edit] = {
    "spec-version-2": Edit(_set("spec_version", "2.0.0")),
    "spec-version-number": Edit(_set("spec_version", 1)),
    "spec-version-missing": Edit(lambda signed: signed.pop("spec_version")),
    "version-2-70": Edit(_set("version", 2**70)),
    "version-true": Edit(_set("version", True)),  # noqa: FBT003  the value is the fault
    "version-text": Edit(_set("version", "9")),
    "version-0": Edit(_set("version", 0)),
    "version-negative": Edit(_set("version", -1)),
    "expires-no-time": Edit(_set("expires", "tomorrow")),
    "expires-month-13": Edit(_set("expires", "2100-13-01T00:00:00Z")),
    "expires-offset": Edit(_set("expires", "2100-01-01T00:00:00+01:00")),
    "type-of-another-role": Edit(_set("_type", "mirrors")),
    "doubled-name": Edit(write=_text('"signed":{', '"signed":{"_type":"root",')),
    "doubled-signatures": Edit(write=_text('{"signatures":', '{"signatures":[],"signatures":')),
    "byte-order-mark": Edit(write=lambda data: b"\xef\xbb\xbf" + data),
    "not-json": Edit(write=lambda data: data[:-1]),
    "two-values": Edit(write=lambda data: data + b"{}"),
    "an-array": Edit(write=lambda data: b"[" + data + b"]"),
    "nan": Edit(write=_text('"signed":{', '"signed":{"x":NaN,')),
    "deep": Edit(write=lambda data: data[:-1] + b',"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}"),
    "too-long": Edit(write=lambda data: data[:-1] + b',"x":"' + b"x" * 600_000 + b'"}'),
    "huge-number": Edit(write=lambda data: data[:-1] + b',"x":' + b"9" * 5_000 + b"}"),
    "empty": Edit(write=lambda _data: b""),
}


@case(Layer.TRUST, "timestamp that is malformed is refused: {name}", f"{READING}, 1 and 2; attack 9")
@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_timestamp(world: World, name: str) -> None:
    refuses(world, _publish("timestamp", MALFORMED[name]))


MALFORMED_DEEPER = ("spec-version-2", "version-true", "doubled-name", "expires-no-time", "not-json", "deep")


@case(Layer.TRUST, "{role} that is malformed is refused: {name}", f"{READING}, 1 and 2; attack 9")
@pytest.mark.parametrize("name", MALFORMED_DEEPER)
@pytest.mark.parametrize("role", ["targets", "snapshot"])
def test_malformed(world: World, role: str, name: str) -> None:
    refuses(world, _publish(role, MALFORMED[name]))


def _without(*path: str) -> Callable[[Signed], None]:
    def change(signed: Signed) -> None:
        value: Any = signed
        for name in path[:-1]:
            value = value[name]
        del value[path[-1]]

    return change


UNNAMED: dict[str, tuple[str, Callable[[Signed], None]]] = {
    "timestamp-without-length": ("timestamp", _without("meta", "snapshot.json", "length")),
    "timestamp-without-hash": ("timestamp", _without("meta", "snapshot.json", "hashes")),
    "timestamp-without-snapshot": ("timestamp", _without("meta", "snapshot.json")),
    "snapshot-without-length": ("snapshot", _without("meta", "targets.json", "length")),
    "snapshot-without-hash": ("snapshot", _without("meta", "targets.json", "hashes")),
    "snapshot-without-targets": ("snapshot", _without("meta", "targets.json")),
    "targets-without-card": ("targets", _without("targets", "member.json")),
    "targets-without-hash": ("targets", _without("targets", "member.json", "hashes")),
    "targets-without-length": ("targets", _without("targets", "member.json", "length")),
}


@case(Layer.TRUST, "metadata that leaves out what it must name is refused: {name}", f"{READING}, 2; attack 9")
@pytest.mark.parametrize("name", UNNAMED)
def test_unnamed(world: World, name: str) -> None:
    role, change = UNNAMED[name]
    refuses(world, _publish(role, Edit(change)))


def _foreign_key(kind: str, scheme: str, public: str) -> Callable[[Signed], None]:
    def change(root: Signed) -> None:
        named = {"keytype": kind, "scheme": scheme, "keyval": {"public": public}}
        root["keys"]["ab" * 32] = named

    return change


ROOTS: dict[str, Callable[[Signed], None]] = {
    "unknown-key-type": _foreign_key("gost", "gost-2012", "00"),
    "rsa-key": _foreign_key("rsa", "rsassa-pss-sha256", "00"),
    "scheme-of-another-key": _foreign_key("ed25519", "ecdsa-sha2-nistp256", "00" * 32),
    "key-without-value": lambda root: root["keys"].update({"cd" * 32: {"keytype": "ed25519", "scheme": "ed25519"}}),
    "no-consistent-snapshot": _set("consistent_snapshot", False),  # noqa: FBT003  the value is the fault
    "role-missing": _without("roles", "snapshot"),
    "role-unknown": lambda root: root["roles"].update(mirrors={"keyids": [], "threshold": 1}),
    "threshold-0": lambda root: root["roles"]["timestamp"].update(threshold=0),
    "threshold-negative": lambda root: root["roles"]["timestamp"].update(threshold=-1),
    "threshold-true": lambda root: root["roles"]["timestamp"].update(threshold=True),
    "no-keys": _set("keys", {}),
    "spec-version-2": _set("spec_version", "2.0.0"),
    "version-2-70": _set("version", 2**70),
}


@case(Layer.TRUST, "a root that is malformed is refused whole: {name}", f"{READING}, 1 to 3; attack 9")
@pytest.mark.parametrize("name", ROOTS)
def test_malformed_root(world: World, name: str) -> None:
    def attack(member: Member) -> None:
        member.trust.write_root(Edit(ROOTS[name]))
        member.publish()

    refuses(world, attack, root=True)


@case(Layer.TRUST, "a root that gives one key to two rows is refused", "Trust: rows of keys; attack 10")
@pytest.mark.parametrize("name", ["root-and-targets", "targets-and-online"])
def test_one_key_in_two_rows(world: World, name: str) -> None:
    def attack(member: Member) -> None:
        trust = member.trust
        old = [*trust.targets_keys]
        trust.targets_keys[:] = trust.root_keys if name == "root-and-targets" else trust.online_keys
        trust.write_root()
        trust.targets_keys[:] = old
        member.publish()

    refuses(world, attack, root=True)


# Row 52.


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
