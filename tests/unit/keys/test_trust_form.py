from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from hashpact_keys.rows import TrustRole
from hashpact_keys.trust_files import newest
from hashpact_keys.trust_form import check_form, parse_expires, parse_strict
from hashpact_protocol.errors import TrustError
from hashpact_protocol.limits import LIMITS
from unit.keys.trust_simulator import Member, with_raw

FILES = Member().files


def document(role: TrustRole) -> dict[str, Any]:
    data = newest(FILES, role)
    assert data is not None
    value: dict[str, Any] = json.loads(data)
    return value


@pytest.mark.parametrize("role", TrustRole)
def test_what_we_build_has_its_form(role: TrustRole) -> None:
    value = document(role)
    assert check_form(role, json.dumps(value).encode(), where="x") == value["signed"]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "no JSON"),
        (b"<html>Please log in</html>", "no JSON"),
        (b"\xef\xbb\xbf{}", "no JSON"),
        (b'{"a":1}{', "no JSON"),
        (b"\xff{}", "not UTF-8"),
        (b'{"a":1,"a":1}', "twice"),
        (b'{"a":[{"b":{},"b":1}]}', "twice"),
        (b'{"a":NaN}', "no integer"),
        (b'{"a":-Infinity}', "no integer"),
        (b'{"a":1.0}', "no integer"),
        (b'{"a":1e2}', "no integer"),
        (b'{"a":9007199254740993}', "beyond"),
        (b'{"a":-9007199254740993}', "beyond"),
        (b'{"a":' + b"9" * 10_000 + b"}", "beyond"),
        (b"[" * 100_000, "nested too deeply"),
        (b" " * (LIMITS.trust_metadata_max_bytes + 1), "longer than"),
    ],
)
def test_loose_json_is_refused(data: bytes, what: str) -> None:
    with pytest.raises(TrustError, match=what) as raised:
        parse_strict(data, where="here")
    assert raised.value.where == "here"
    assert raised.value.mend


def test_the_largest_number_is_2_to_the_53() -> None:
    assert parse_strict(b"[9007199254740992,-9007199254740992,0]", where="x") == [2**53, -(2**53), 0]


@pytest.mark.parametrize(
    "data", [b"[]", b"null", b"true", b"{}", b'{"signatures":[]}', b'{"signatures":{},"signed":{}}']
)
def test_what_is_no_metadata_is_refused(data: bytes) -> None:
    with pytest.raises(TrustError):
        check_form(TrustRole.ROOT, data, where="x")


@pytest.mark.parametrize("role", TrustRole)
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("_type", "mirrors"),
        ("_type", None),
        ("version", True),
        ("version", 0),
        ("version", -1),
        ("version", "1"),
        ("version", None),
        ("spec_version", "2.0.0"),
        ("spec_version", "1"),
        ("spec_version", "1.0.31-beta"),
        ("spec_version", "1.\u0660.1"),
        ("spec_version", "11.0.0"),
        ("spec_version", 1),
        ("expires", "2027-11-24"),
        ("expires", "2027-1-4T04:00:00Z"),
        ("expires", "2027-02-30T04:00:00Z"),
        ("expires", "2027-11-24T04:00:00+00:00"),
        ("expires", "2027-11-24T04:00:00.5Z"),
        ("expires", None),
        ("expires", 1),
    ],
)
def test_common_fields_have_their_form(role: TrustRole, field: str, value: object) -> None:
    changed = document(role)
    changed["signed"][field] = value
    with pytest.raises(TrustError):
        check_form(role, json.dumps(changed).encode(), where="x")


def first_key(root: dict[str, Any]) -> dict[str, Any]:
    key: dict[str, Any] = next(iter(root["keys"].values()))
    return key


def refuse(role: TrustRole, change: Callable[[dict[str, Any]], object], what: str) -> None:
    value = document(role)
    change(value["signed"])
    with pytest.raises(TrustError, match=what):
        check_form(role, json.dumps(value).encode(), where="x")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda root: root.update(consistent_snapshot=False), "consistent_snapshot"),
        (lambda root: root.pop("consistent_snapshot"), "consistent_snapshot"),
        (lambda root: root.update(consistent_snapshot=1), "consistent_snapshot"),
        (lambda root: root.update(keys=[]), "keys"),
        (lambda root: root["keys"].update(x="key"), "key 'x'"),
        (lambda root: first_key(root).update(keytype="rsa", scheme="rsassa-pss-sha256"), "neither Ed25519 nor ECDSA"),
        (lambda root: first_key(root).update(keytype="falcon"), "neither Ed25519 nor ECDSA"),
        (lambda root: first_key(root).update(scheme=["ed25519"]), "neither Ed25519 nor ECDSA"),
        (lambda root: root.update(roles=None), "roles"),
        (lambda root: root["roles"].pop("targets"), "roles are not"),
        (lambda root: root["roles"].update(mirrors={}), "roles are not"),
        (lambda root: root["roles"].update(root=[]), "role root"),
        (lambda root: root["roles"]["root"].update(threshold=True), "threshold of root"),
        (lambda root: root["roles"]["root"].update(threshold=0), "threshold of root"),
        (lambda root: root["roles"]["root"].update(keyids="abc"), "keyids of root"),
        (lambda root: root["roles"]["root"].update(keyids=[1]), "keyids of root"),
    ],
)
def test_a_root_has_its_form(change: Callable[[dict[str, Any]], object], what: str) -> None:
    refuse(TrustRole.ROOT, change, what)


@pytest.mark.parametrize(
    ("role", "name"), [(TrustRole.TIMESTAMP, "snapshot.json"), (TrustRole.SNAPSHOT, "targets.json")]
)
@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda meta: meta.update(version=True), "version"),
        (lambda meta: meta.pop("length"), "length"),
        (lambda meta: meta.update(length=False), "length"),
        (lambda meta: meta.update(length=-1), "length"),
        (lambda meta: meta.pop("hashes"), "hashes"),
        (lambda meta: meta.update(hashes={}), "sha256"),
        (lambda meta: meta["hashes"].update(sha256="AB" * 32), "sha256"),
        (lambda meta: meta["hashes"].update(md5="../../../etc/passwd"), "a hash"),
        (lambda meta: meta["hashes"].update(md5=None), "a hash"),
    ],
)
def test_metas_have_lengths_and_hashes(
    role: TrustRole, name: str, change: Callable[[dict[str, Any]], object], what: str
) -> None:
    refuse(role, lambda signed: change(signed["meta"][name]), what)


@pytest.mark.parametrize("role", [TrustRole.TIMESTAMP, TrustRole.SNAPSHOT])
def test_metas_name_the_next_file(role: TrustRole) -> None:
    refuse(role, lambda signed: signed["meta"].clear(), "meta does not name")
    refuse(role, lambda signed: signed.update(meta=[]), "meta is missing")
    refuse(role, lambda signed: signed["meta"].update(other=[]), "meta of 'other'")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda targets: targets.clear(), "do not name member.json"),
        (
            lambda targets: targets.update({"directory.json": targets["member.json"]}),
            "targets name member.json and directory.json",
        ),
        (lambda targets: targets.update(other=1), "target 'other'"),
        (lambda targets: targets["member.json"].pop("hashes"), "hashes"),
        (lambda targets: targets["member.json"].update(length=True), "length"),
    ],
)
def test_targets_have_their_form(change: Callable[[dict[str, Any]], object], what: str) -> None:
    refuse(TrustRole.TARGETS, lambda signed: change(signed["targets"]), what)


def test_unknown_fields_are_left_alone() -> None:
    value = document(TrustRole.TARGETS)
    value["signed"]["x-note"] = {"deep": [True, None]}
    check_form(TrustRole.TARGETS, json.dumps(value).encode(), where="x")


def test_what_a_peer_names_is_shown_escaped() -> None:
    value = document(TrustRole.ROOT)
    value["signed"]["keys"] = {"\x1b[31m\ud800" + "x" * 1_000: 1}
    with pytest.raises(TrustError) as raised:
        check_form(TrustRole.ROOT, json.dumps(value).encode(), where="x")
    assert str(raised.value).isascii()
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 300


def test_a_doubled_version_is_refused_though_tuf_would_take_the_last() -> None:
    data = newest(FILES, TrustRole.ROOT)
    assert data is not None
    doubled = with_raw(data, b'"version":1', b'"version":7,"version":1')
    with pytest.raises(TrustError, match="twice"):
        check_form(TrustRole.ROOT, doubled, where="x")


def test_expiry_is_utc() -> None:
    assert parse_expires("2027-11-24T04:00:00Z") == datetime(2027, 11, 24, 4, tzinfo=UTC)
