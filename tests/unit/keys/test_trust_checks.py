from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.signer import (  # type: ignore[attr-defined]  # it has no __all__; documented names
    CryptoSigner,
    Signer,
    SSlibKey,
)
from tuf.api.metadata import Root  # type: ignore[attr-defined]  # it has no __all__; a documented name

from hashpact_keys.rows import TrustRole
from hashpact_keys.trust_checks import check_role, check_root, check_rows, check_snapshot, key_identity, load
from hashpact_keys.trust_files import newest
from hashpact_protocol.card import parse_card
from hashpact_protocol.errors import TrustError
from unit.keys.trust_simulator import Member, new_signer, raw_public


def alias(signer: CryptoSigner, public: str, keyid: str = "alias") -> CryptoSigner:
    """The same key under another id and spelling."""
    key = signer.public_key
    return CryptoSigner(signer._private_key, SSlibKey(keyid, key.keytype, key.scheme, {"public": public}))


def p256_spellings() -> tuple[CryptoSigner, CryptoSigner]:
    signer = CryptoSigner(generate_private_key(SECP256R1()))
    pem = signer.public_key.keyval["public"]
    return signer, alias(signer, "# backup\n" + pem)


def ed25519_spellings() -> tuple[CryptoSigner, CryptoSigner]:
    signer = new_signer()
    return signer, alias(signer, signer.public_key.keyval["public"].upper())


def with_root_keys(member: Member, signers: list[Signer], threshold: int) -> None:
    """Rotate to root keys that a thief, or a fool, has chosen."""

    def swap(root: Root) -> None:
        for keyid in list(root.roles["root"].keyids):
            root.revoke_key(keyid, "root")
        for signer in signers:
            root.add_key(signer.public_key, "root")
        root.roles["root"].threshold = threshold

    member.rotate(swap, signers=[*member.root, *signers])


def next_root(member: Member) -> tuple[bytes, bytes]:
    """The newest root and the one before."""
    roots = [data for (_, name), data in sorted(member.files.items()) if name.endswith("root.json")]
    return roots[-1], roots[-2]


@pytest.mark.parametrize("spellings", [ed25519_spellings, p256_spellings])
def test_one_key_under_two_ids_is_one_signer(spellings: object) -> None:
    assert callable(spellings)
    member = Member()
    with_root_keys(member, list(spellings()), threshold=2)
    data, previous = next_root(member)
    with pytest.raises(TrustError, match="root is signed by 1 different keys of the 2"):
        check_root(data, previous, where="2.root.json")


def test_distinct_keys_of_both_kinds_are_two_signers() -> None:
    member = Member()
    with_root_keys(member, [new_signer(), p256_spellings()[0]], threshold=2)
    data, previous = next_root(member)
    check_root(data, previous, where="2.root.json")


def test_a_doubled_key_in_the_previous_root_is_one_signer_too() -> None:
    member = Member()
    keys = ed25519_spellings()
    with_root_keys(member, [*keys, new_signer()], threshold=2)
    member.root = list(keys)
    with_root_keys(member, [new_signer()], threshold=1)
    data, previous = next_root(member)
    with pytest.raises(TrustError, match="1 different keys of the 2"):
        check_root(data, previous, where="3.root.json")


@pytest.mark.parametrize("role", [TrustRole.TARGETS, TrustRole.TIMESTAMP, TrustRole.SNAPSHOT])
def test_doubled_keys_meet_no_threshold_of_other_roles(role: TrustRole) -> None:
    member = Member()
    owner = member.targets if role is TrustRole.TARGETS else member.online
    other = alias(owner, owner.public_key.keyval["public"].upper())

    def add(root: Root) -> None:
        root.add_key(other.public_key, role.value)
        root.roles[role.value].threshold = 2

    member.rotate(add)
    member.edit(role, lambda _signed: None, signers=[owner, other])
    data = newest(member.files, role)
    assert data is not None
    with pytest.raises(TrustError, match=f"{role.value} is signed by 1 different keys of the 2"):
        check_role(member.root_bytes, role, data, where="x")


def test_a_root_follows_the_one_before_it() -> None:
    member = Member()
    first = member.root_bytes
    member.rotate()
    second = member.root_bytes
    check_root(second, first, where="x")
    member.rotate()
    for data in (first, member.root_bytes):
        with pytest.raises(TrustError, match="cannot follow root 1"):
            check_root(data, first, where="x")


def test_a_root_by_a_stranger_is_refused() -> None:
    member = Member()
    first = member.root_bytes
    member.rotate(signers=[new_signer()])
    with pytest.raises(TrustError, match="root is signed by 0"):
        check_root(member.root_bytes, first, where="x")


@pytest.mark.parametrize("role", ["targets", "snapshot", "timestamp"])
def test_a_root_key_in_another_row_is_refused(role: str) -> None:
    member = Member()
    first = member.root_bytes
    member.rotate(lambda root: root.add_key(alias(member.root[0], raw_public(member.root[0]).hex()).public_key, role))
    with pytest.raises(TrustError, match="one key serves as root key and as"):
        check_root(member.root_bytes, first, where="x")


def test_a_key_id_without_a_key_is_passed_over() -> None:
    member = Member()
    first = member.root_bytes
    member.rotate(lambda root: root.roles["targets"].keyids.append("gone"))
    check_root(member.root_bytes, first, where="x")


@pytest.mark.parametrize("row", ["root", "targets", "online"])
def test_a_key_of_the_repository_in_the_card_is_refused(row: str) -> None:
    member = Member()
    signer = member.root[0] if row == "root" else getattr(member, row)
    check_rows(member.root_bytes, parse_card(member.card(), member="acme", url=member.url), where="x")
    member.witness = raw_public(signer)
    card = parse_card(member.card(), member="acme", url=member.url)
    with pytest.raises(TrustError, match=f"one key serves as {row} key and as witness key"):
        check_rows(member.root_bytes, card, where="x")


def test_a_timestamp_names_one_snapshot() -> None:
    files = Member().files
    timestamp, snapshot = newest(files, TrustRole.TIMESTAMP), newest(files, TrustRole.SNAPSHOT)
    assert timestamp is not None
    assert snapshot is not None
    check_snapshot(timestamp, snapshot, where="x")
    with pytest.raises(TrustError, match="another snapshot"):
        check_snapshot(timestamp, snapshot + b" ", where="x")


@pytest.mark.parametrize(
    ("keytype", "scheme", "public"),
    [
        ("ed25519", "ed25519", "no hex"),
        ("ed25519", "ed25519", "00"),
        ("ecdsa", "ecdsa-sha2-nistp256", "no PEM"),
        (
            "ecdsa",
            "ecdsa-sha2-nistp256",
            Ed25519PrivateKey.generate()
            .public_key()
            .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            .decode(),
        ),
    ],
)
def test_what_is_no_key_of_its_type_is_refused(keytype: str, scheme: str, public: str) -> None:
    with pytest.raises(TrustError, match="is no"):
        key_identity(SSlibKey("x", keytype, scheme, {"public": public}), where="x")


def test_what_tuf_cannot_read_is_said_escaped() -> None:
    value = json.loads(Member().root_bytes)
    value["signed"]["roles"]["root"]["keyids"] = ["\x1b[31m"] * 2
    with pytest.raises(TrustError, match="TUF cannot read") as raised:
        load(json.dumps(value).encode(), where="x")
    assert str(raised.value).isprintable()


def test_what_tuf_cannot_write_again_is_refused() -> None:
    value = json.loads(Member().root_bytes)
    value["signed"]["note"] = "\ud800"
    with pytest.raises(TrustError, match="as it is signed"):
        check_root(json.dumps(value).encode(), None, where="x")
