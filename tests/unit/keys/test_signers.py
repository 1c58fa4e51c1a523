from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from securesystemslib.signer import Signature  # type: ignore[attr-defined]  # it has no __all__; a documented name

from hashpact_keys.key_forms import KeyKind
from hashpact_keys.keystore import KeyStore
from hashpact_keys.signers import key_path, open_note_signer, open_trust_signer
from hashpact_protocol.errors import ConfigurationError, KeyUnavailableError


@pytest.fixture
def keys(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path, lambda: b"secret words", kdf_rounds=1)


def test_a_note_signer_signs_with_the_key_of_the_file(keys: KeyStore) -> None:
    public = keys.create("keys/release.key")
    signer = open_note_signer("file:keys/release.key", keys)
    assert signer.public == public
    Ed25519PublicKey.from_public_bytes(public).verify(signer.sign(b"message"), b"message")
    assert "secret" not in repr(signer)


def test_a_trust_signer_signs_as_tuf_wants(keys: KeyStore) -> None:
    public = keys.create("keys/online.key")
    signer = open_trust_signer("file:keys/online.key", keys)
    signature = signer.sign(b"message")
    assert isinstance(signature, Signature)
    signer.public_key.verify_signature(signature, b"message")
    assert signer.public_key.keyval == {"public": public.hex()}


@pytest.mark.parametrize(("uri", "path"), [("file:keys/a.key", "keys/a.key"), ("file:/etc/a.key", "/etc/a.key")])
def test_paths_may_be_relative_or_absolute(uri: str, path: str) -> None:
    assert key_path(uri) == Path(path)


@pytest.mark.parametrize("scheme", ["pkcs11", "awskms", "gcpkms", "azurekms", "hv"])
def test_signers_of_later_versions_are_named(scheme: str) -> None:
    with pytest.raises(ConfigurationError, match=r"yet.*file:keys/NAME\.key"):
        key_path(f"{scheme}:something")


@pytest.mark.parametrize("uri", ["", "file:", "file://host/a", "keys/a.key", "file2:a", "pkcs11", "FILE:a"])
def test_what_is_no_key_uri_is_refused(uri: str) -> None:
    with pytest.raises(ConfigurationError, match="no key URI"):
        key_path(uri)


def test_a_missing_key_is_said(keys: KeyStore) -> None:
    with pytest.raises(KeyUnavailableError):
        open_trust_signer("file:keys/none.key", keys)


@pytest.mark.parametrize("kind", [KeyKind.P256, KeyKind.P384])
def test_an_ecdsa_file_signs_tuf_metadata_and_no_notes(keys: KeyStore, kind: KeyKind) -> None:
    keys.generate("keys/root.key", kind)
    signer = open_trust_signer("file:keys/root.key", keys)
    signer.public_key.verify_signature(signer.sign(b"message"), b"message")
    with pytest.raises(ConfigurationError, match=f"{kind.words} key, and the rows .* take Ed25519 keys only"):
        open_note_signer("file:keys/root.key", keys)
