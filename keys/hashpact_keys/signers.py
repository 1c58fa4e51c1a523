"""From a key's URI to something that signs.

A URI says where a key lives: ``file:keys/release.key`` is an encrypted key file, relative paths taken from the home.
Everything above this module asks for signatures only, so that an HSM or a KMS can take a file's place.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import (  # type: ignore[attr-defined]  # it has no __all__; documented names
    CryptoSigner,
    Signer,
)

from hashpact_keys.key_forms import note_public, tuf_key
from hashpact_keys.keystore import KeyStore
from hashpact_protocol.errors import ConfigurationError

TrustSigner = Signer
"""Signs TUF metadata; securesystemslib's interface."""

_LATER: Final = {
    "pkcs11": "an HSM through PKCS#11",
    "awskms": "AWS KMS",
    "gcpkms": "Google Cloud KMS",
    "azurekms": "Azure Key Vault",
    "hv": "HashiCorp Vault",
}


class NoteSigner(Protocol):
    """Signs notes with one Ed25519 key."""

    @property
    def public(self) -> bytes:
        """The public key, 32 bytes."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature over ``message``, 64 bytes.

        Raises:
            KeyUnavailableError: the key cannot be had just now.
        """
        ...


class FileSigner:
    """A :class:`NoteSigner` whose key was unlocked from a file."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self._public = key.public_key().public_bytes_raw()

    @property
    def public(self) -> bytes:
        """The public key, 32 bytes."""
        return self._public

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature over ``message`` (RFC 8032), 64 bytes."""
        return self._key.sign(message)


def key_path(uri: str) -> Path:
    """The path in a ``file:`` URI, relative or absolute.

    Raises:
        ConfigurationError: another scheme, or no path.
    """
    scheme, colon, rest = uri.partition(":")
    if scheme in _LATER and colon:
        raise ConfigurationError(
            f"this version cannot sign with {_LATER[scheme]} yet",
            where=uri,
            mend="use an encrypted key file for now (file:keys/NAME.key)",
        )
    if scheme != "file" or not rest or rest.startswith("//"):
        raise ConfigurationError(
            "this is no key URI",
            where=uri,
            mend="write file:PATH, with a path from the home or an absolute one, for example file:keys/release.key",
        )
    return Path(rest)


def open_note_signer(uri: str, keystore: KeyStore) -> NoteSigner:
    """The signer of notes (release, crisis and witness rows) that a URI names.

    Raises:
        ConfigurationError: the URI is not understood, or the key is no Ed25519 key.
        KeyUnavailableError: the key cannot be had.
    """
    key = keystore.unlock(key_path(uri))
    if isinstance(key, Ed25519PrivateKey):
        return FileSigner(key)
    note_public(tuf_key(key.public_key()), where=uri)
    raise AssertionError(uri)


def open_trust_signer(uri: str, keystore: KeyStore) -> TrustSigner:
    """The signer of TUF metadata (root, targets and online rows) that a URI names.

    Raises:
        ConfigurationError: the URI is not understood.
        KeyUnavailableError: the key cannot be had.
    """
    return CryptoSigner(keystore.unlock(key_path(uri)))
