from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hashpact_keys.key_forms import crypto_key
from hashpact_keys.keystore import KeyStore
from hashpact_keys.public_keys import KeyKind, generate, public_key
from hashpact_keys.signers import open_trust_signer
from hashpact_protocol.errors import ConfigurationError, ConflictError, KeyUnavailableError


def nobody() -> bytes:
    raise AssertionError("no passphrase is needed")


@pytest.fixture
def keys(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path, lambda: b"secret words", kdf_rounds=1)


@pytest.mark.parametrize("kind", list(KeyKind))
def test_a_key_file_is_made_and_its_public_half_needs_no_passphrase(
    tmp_path: Path, keys: KeyStore, kind: KeyKind
) -> None:
    made = generate("file:root.key", keys, kind)
    assert public_key("file:root.key", KeyStore(tmp_path, nobody)) == made
    assert open_trust_signer("file:root.key", keys).public_key == made
    with pytest.raises(ConflictError, match="never overwritten"):
        generate("file:root.key", keys, kind)


def test_a_key_file_is_ed25519_unless_said_otherwise(keys: KeyStore) -> None:
    assert isinstance(crypto_key(generate("file:root.key", keys), where="x"), Ed25519PublicKey)


def test_what_is_not_there_or_no_uri_is_said(keys: KeyStore) -> None:
    with pytest.raises(KeyUnavailableError, match="No such file"):
        public_key("file:none.key", keys)
    with pytest.raises(ConfigurationError, match="no key URI"):
        generate("root.key", keys)
