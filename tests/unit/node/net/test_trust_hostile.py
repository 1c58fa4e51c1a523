"""Trust repositories that lie: signatures, rollbacks, loose bytes and bad cards, over real HTTP."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from securesystemslib.signer import (  # type: ignore[attr-defined]  # it has no __all__; documented names
    CryptoSigner,
    SSlibKey,
)
from tuf.api.metadata import Root  # type: ignore[attr-defined]  # it has no __all__; documented names

from hashpact_keys.rows import TrustRole
from hashpact_keys.trust import describe
from hashpact_keys.trust_files import TIMESTAMP_FILE, versioned
from hashpact_protocol.errors import (
    CardError,
    FetchTooLargeError,
    TrustError,
)
from unit.keys.trust_simulator import Member, later, new_signer, nothing, put_card, raw_public, relink, with_raw
from unit.node.net.trust_reader import Reader

HOUR = timedelta(hours=1)


@pytest.mark.parametrize("role", [TrustRole.TARGETS, TrustRole.SNAPSHOT, TrustRole.TIMESTAMP])
def test_metadata_by_a_stranger_is_refused(reader: Reader, role: TrustRole) -> None:
    reader.member.now += HOUR
    reader.member.publish(reader.member.card(name="Acme"))
    reader.member.edit(role, nothing, signers=[new_signer()])
    relink(reader.member, role)
    reader.publish()
    reader.refused(TrustError, "not signed by enough of the right keys")


def test_a_doubled_signature_is_refused(reader: Reader) -> None:
    reader.member.now += HOUR
    reader.member.renew()
    value = json.loads(reader.member.files[TIMESTAMP_FILE])
    value["signatures"] *= 2
    reader.member.files[TIMESTAMP_FILE] = json.dumps(value).encode()
    reader.publish()
    reader.refused(TrustError, "metadata is refused")


def test_a_revoked_key_is_refused(reader: Reader) -> None:
    stolen = reader.member.online
    reader.member.replace_online()
    reader.accepted()
    reader.member.now += HOUR
    reader.member.renew()
    reader.member.edit(TrustRole.TIMESTAMP, nothing, signers=[stolen])
    reader.publish()
    reader.refused(TrustError, "not signed by enough of the right keys")


def test_a_root_by_a_stranger_is_refused(reader: Reader) -> None:
    reader.member.rotate(signers=[new_signer()])
    reader.publish()
    assert reader.refused(TrustError, "not signed by enough").new_roots == ()


def doubled(signer: CryptoSigner) -> CryptoSigner:
    key = signer.public_key
    again = SSlibKey("again", key.keytype, key.scheme, {"public": key.keyval["public"].upper()})
    return CryptoSigner(signer._private_key, again)


def test_a_root_whose_threshold_one_key_meets_twice_is_refused_and_roots_before_it_are_kept(reader: Reader) -> None:
    member = reader.member
    member.rotate()
    twin = doubled(member.root[0])

    def widen(root: Root) -> None:
        root.add_key(twin.public_key, "root")
        root.roles["root"].threshold = 2

    member.rotate(widen, signers=[member.root[0], twin])
    member.now += HOUR
    member.publish(member.card(name="Acme"))
    reader.publish()
    held = reader.stored[TIMESTAMP_FILE]
    update = reader.refused(TrustError, "1 different keys of the 2")
    assert [name for name, _ in update.new_roots] == ["2.root.json"]
    assert reader.stored[TIMESTAMP_FILE] == held


@pytest.mark.parametrize("role", [TrustRole.TARGETS, TrustRole.SNAPSHOT, TrustRole.TIMESTAMP])
def test_other_roles_count_distinct_keys_too(reader: Reader, role: TrustRole) -> None:
    member = reader.member
    owner = member.targets if role is TrustRole.TARGETS else member.online
    twin = doubled(owner)

    def widen(root: Root) -> None:
        root.add_key(twin.public_key, role.value)
        root.roles[role.value].threshold = 2

    member.now += HOUR
    member.publish(member.card(name="Acme"))
    member.rotate(widen)
    member.edit(role, nothing, signers=[owner, twin])
    relink(member, role)
    reader.publish()
    update = reader.refused(TrustError, f"{role.value} is signed by 1 different keys of the 2")
    assert [name for name, _ in update.new_roots] == ["2.root.json"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b'"spec_version":"1.0.31"', b'"spec_version":"2.0.0"', "spec_version"),
        (b'"version":2', b'"version":1180591620717411303424', "beyond 2^53"),
        (b'"version":2', b'"version":true', "version"),
        (b'"version":2', b'"version":2,"version":2', "twice"),
        (b'"consistent_snapshot":true', b'"consistent_snapshot":false', "consistent_snapshot"),
        (b'"_type":"root"', b'"_type":"timestamp"', "no root metadata"),
    ],
)
def test_a_loose_root_is_refused(reader: Reader, old: bytes, new: bytes, words: str) -> None:
    reader.member.rotate()
    file = versioned(TrustRole.ROOT, 2)
    reader.member.files[file] = with_raw(reader.member.files[file], old, new)
    reader.publish()
    update = reader.refused(TrustError, words)
    assert update.new_roots == ()
    assert update.problems[0].where == f"{reader.server.url}/trust/metadata/2.root.json"


@pytest.mark.parametrize("role", [TrustRole.SNAPSHOT, TrustRole.TIMESTAMP])
def test_metas_without_hashes_are_refused(reader: Reader, role: TrustRole) -> None:
    def strip(signed: Any) -> None:
        meta = signed.snapshot_meta if role is TrustRole.TIMESTAMP else signed.meta["targets.json"]
        meta.hashes = None

    reader.member.now += HOUR
    reader.member.renew()
    reader.member.edit(role, strip, signers=[reader.member.online])
    relink(reader.member, role)
    reader.publish()
    reader.refused(TrustError, "hashes")


def bad_cards(member: Member) -> dict[str, bytes]:
    return {
        "another member": member.card(member="beta"),
        "another url": member.card(url="https://other.example"),
        "no json": b"<html></html>",
        "bad schema": member.card(logs=3),
    }


@pytest.mark.parametrize("case", ["another member", "another url", "no json", "bad schema"])
def test_a_card_that_breaks_a_rule_is_refused_and_the_new_root_is_kept(reader: Reader, case: str) -> None:
    member = reader.member
    member.rotate()
    member.now += HOUR
    held = describe(reader.stored)
    put_card(member, bad_cards(member)[case])
    reader.publish()
    update = reader.refused(CardError, "")
    assert [name for name, _ in update.new_roots] == ["2.root.json"]
    assert describe(reader.stored).card == held.card
    assert describe(reader.stored).roles[2].version > held.roles[2].version
    put_card(member, member.card(name="Acme"))
    assert reader.accepted().card == member.card(name="Acme")


@pytest.mark.parametrize("row", ["root", "targets", "online"])
def test_a_card_that_reuses_a_key_of_the_repository_is_refused(reader: Reader, row: str) -> None:
    signer = reader.member.root[0] if row == "root" else getattr(reader.member, row)
    request = {"id": "x", "from": "2026-11-24T00:00:00Z", "until": "2027-11-24T00:00:00Z"}
    request["key"] = base64.b64encode(raw_public(signer)).decode()
    put_card(reader.member, reader.member.card(request_keys=[request]))
    reader.publish()
    reader.refused(TrustError, f"one key serves as {row} key and as request key")


def test_a_card_of_65_kib_is_refused_whatever_was_signed(reader: Reader) -> None:
    put_card(reader.member, reader.member.card(name="x" * 66_560))
    reader.publish()
    reader.refused(FetchTooLargeError, "65536")


def test_targets_without_a_card_are_refused(reader: Reader) -> None:
    def clear(targets: Any) -> None:
        targets.targets.clear()
        targets.version += 1

    reader.member.edit(TrustRole.TARGETS, clear, signers=[reader.member.targets])
    relink(reader.member, TrustRole.TARGETS)
    reader.member.edit(TrustRole.TIMESTAMP, later, signers=[reader.member.online])
    reader.publish()
    reader.refused(TrustError, "do not name member.json")


def test_a_card_whose_bytes_were_changed_is_refused(reader: Reader) -> None:
    put_card(reader.member, reader.member.card(name="Acme"))
    reader.publish()
    for file, data in reader.server.files.items():
        if file[0] == "targets":
            reader.server.files[file] = data.replace(b"Acme", b"Ecma")
    reader.refused(TrustError, "hash")
