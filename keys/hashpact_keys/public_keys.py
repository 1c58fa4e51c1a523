"""The public half of a key wherever it lives, and new keys: what commands and ceremonies need of a key's URI."""

from __future__ import annotations

from securesystemslib.signer import Key  # type: ignore[attr-defined]  # it has no __all__; a documented name

from hashpact_keys.key_forms import KeyKind, fingerprint, key_from_pem, public_pem, tuf_key
from hashpact_keys.keystore import KeyStore, inspect_key_file
from hashpact_keys.signers import key_path

__all__ = ["KeyKind", "fingerprint", "generate", "key_from_pem", "public_key", "public_pem"]


def public_key(uri: str, keystore: KeyStore) -> Key:
    """The public key that belongs to a key URI; of a file without its passphrase.

    Raises:
        ConfigurationError: the URI is not understood.
        KeyUnavailableError: the key cannot be had.
    """
    return tuf_key(inspect_key_file(keystore.locate(key_path(uri))).key)


def generate(uri: str, keystore: KeyStore, kind: KeyKind = KeyKind.ED25519) -> Key:
    """Make a new key where the URI says, and give its public half.

    Raises:
        ConfigurationError: the URI is not understood.
        ConflictError: there is a key already.
        KeyUnavailableError: it cannot be made.
    """
    return tuf_key(keystore.generate(key_path(uri), kind))
