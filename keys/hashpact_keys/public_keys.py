"""The public half of a key wherever it lives, and new keys: what commands and ceremonies need of a key's URI."""

from __future__ import annotations

from securesystemslib.signer import Key  # type: ignore[attr-defined]  # it has no __all__; a documented name

from hashpact_keys.key_forms import fingerprint, key_from_pem, public_pem
from hashpact_keys.keystore import KeyStore
from hashpact_keys.kinds import KeyKind
from hashpact_keys.signers import find_public_key, make_key

__all__ = ["KeyKind", "fingerprint", "generate", "key_from_pem", "public_key", "public_pem"]


def public_key(uri: str, keystore: KeyStore) -> Key:
    """The public key that belongs to a key URI: of a file without its passphrase, of most tokens without a PIN.

    Raises:
        ConfigurationError: the URI is not understood, or an extra is not installed.
        KeyUnavailableError: the key cannot be had.
    """
    return find_public_key(uri, keystore)


def generate(uri: str, keystore: KeyStore, kind: KeyKind = KeyKind.ED25519) -> Key:
    """Make a new key in a file or on a token, which it cannot leave, and give its public half.

    Raises:
        ConfigurationError: the URI is not understood, names a service, or an extra is not installed.
        ConflictError: there is a key already.
        KeyUnavailableError: it cannot be made.
    """
    return make_key(uri, keystore, kind)
