"""Rows 9 and 10: metadata of a form that a reader must refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hashpact_conformance.cases import Layer, case
from hashpact_conformance.reader.trusting import READING, publishing, refuses
from hashpact_conformance.simulator.member import Member
from hashpact_conformance.simulator.trust import Edit, Signed
from hashpact_conformance.simulator.world import World


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
    refuses(world, publishing("timestamp", MALFORMED[name]))


MALFORMED_DEEPER = ("spec-version-2", "version-true", "doubled-name", "expires-no-time", "not-json", "deep")


@case(Layer.TRUST, "{role} that is malformed is refused: {name}", f"{READING}, 1 and 2; attack 9")
@pytest.mark.parametrize("name", MALFORMED_DEEPER)
@pytest.mark.parametrize("role", ["targets", "snapshot"])
def test_malformed(world: World, role: str, name: str) -> None:
    refuses(world, publishing(role, MALFORMED[name]))


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
    refuses(world, publishing(role, Edit(change)))


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
