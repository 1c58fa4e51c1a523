from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP521R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]  # it has no __all__; a documented name

from hashpact_keys.key_forms import (
    crypto_key,
    fingerprint,
    key_from_pem,
    kind_of,
    new_private_key,
    note_public,
    public_pem,
    tuf_key,
)
from hashpact_keys.kinds import KeyKind
from hashpact_protocol.errors import ConfigurationError, KeyUnavailableError


@pytest.mark.parametrize("kind", list(KeyKind))
def test_a_key_survives_its_pem_under_the_same_id(kind: KeyKind) -> None:
    key = tuf_key(new_private_key(kind).public_key())
    again = key_from_pem(b"a comment\n" + public_pem(key) + b"\n", where="x")
    assert again == key
    assert kind_of(again, where="x") is kind


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("kind", list(KeyKind))
def test_openssl_reads_the_pem_and_finds_the_same_fingerprint(tmp_path: Path, kind: KeyKind) -> None:
    key = tuf_key(new_private_key(kind).public_key())
    (tmp_path / "public").write_bytes(public_pem(key))
    command = ["openssl", "pkey", "-pubin", "-in", str(tmp_path / "public"), "-outform", "DER"]
    der = subprocess.run(command, check=True, capture_output=True).stdout
    assert hashlib.sha256(der).hexdigest() == fingerprint(key)


def test_other_kinds_are_refused() -> None:
    other = generate_private_key(SECP521R1()).public_key()
    pem = other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(KeyUnavailableError, match=r"another kind.*P-384"):
        key_from_pem(pem, where="x")
    with pytest.raises(KeyUnavailableError, match="another kind"):
        public_pem(tuf_key(other))


@pytest.mark.parametrize("data", [b"", b"\xff", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_what_is_no_pem_is_refused(data: bytes) -> None:
    with pytest.raises(KeyUnavailableError, match=r"x: this is no public key in PEM.*keys public"):
        key_from_pem(data, where="x")


def test_a_private_key_and_a_huge_file_are_refused() -> None:
    private = new_private_key(KeyKind.ED25519)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(KeyUnavailableError, match="private key, which nobody else may have"):
        key_from_pem(pem, where="x")
    public = public_pem(tuf_key(private.public_key()))
    with pytest.raises(KeyUnavailableError, match="longer than 4096 bytes"):
        key_from_pem(public + b" " * 4_096, where="x")


def test_note_rows_take_ed25519_and_say_so() -> None:
    public = new_private_key(KeyKind.ED25519).public_key()
    assert isinstance(public, Ed25519PublicKey)
    assert note_public(tuf_key(public), where="x") == public.public_bytes_raw()
    with pytest.raises(ConfigurationError, match=r"ECDSA P-384 key, and .* Ed25519 keys only"):
        note_public(tuf_key(new_private_key(KeyKind.P384).public_key()), where="x")


@pytest.mark.parametrize("public", ["no hex", "00", "ff" * 31])
def test_a_damaged_key_is_refused(public: str) -> None:
    with pytest.raises(KeyUnavailableError, match="damaged"):
        crypto_key(SSlibKey("id", "ed25519", "ed25519", {"public": public}), where="x")
