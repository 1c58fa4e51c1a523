"""From a key's URI to something that signs.

A URI says where a key lives: ``file:keys/release.key`` is an encrypted key file, relative paths taken from the home;
``pkcs11:`` (RFC 7512) a token; ``awskms:``, ``gcpkms:``, ``azurekms:`` and ``hv:`` a service. Everything above this
module asks for signatures only. What a kind of URI needs is imported when one of its kind is first opened.
"""

# ruff: noqa: PLC0415  tokens and services need packages that are not installed everywhere
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import (  # type: ignore[attr-defined]  # it has no __all__; documented names
    CryptoSigner,
    Key,
    Signer,
)

from hashpact_keys.key_forms import note_public, tuf_key
from hashpact_keys.keystore import KeyStore, inspect_key_file
from hashpact_keys.kinds import KeyKind
from hashpact_protocol.errors import ConfigurationError

if TYPE_CHECKING:
    from hashpact_keys.pkcs11_uri import Pkcs11Uri

TrustSigner = Signer
"""Signs TUF metadata; securesystemslib's interface."""

TrustKey = Key
"""A public key as TUF metadata name it; securesystemslib's interface."""

FILE: Final = "file"
PKCS11: Final = "pkcs11"
SERVICES: Final = ("awskms", "gcpkms", "azurekms", "hv")
SCHEMES: Final = (FILE, PKCS11, *SERVICES)


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


class RemoteSigner:
    """A :class:`NoteSigner` whose key is on a token or in a service."""

    def __init__(self, signer: TrustSigner, uri: str) -> None:
        self._signer = signer
        self._public = note_public(signer.public_key, where=uri)

    @property
    def public(self) -> bytes:
        """The public key, 32 bytes."""
        return self._public

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature over ``message`` (RFC 8032), 64 bytes; raises KeyUnavailableError."""
        return bytes.fromhex(self._signer.sign(message).signature)


def scheme_of(uri: str) -> str:
    """The scheme of a key URI, one of ``SCHEMES``.

    Raises:
        ConfigurationError: it is none.
    """
    scheme, colon, rest = uri.partition(":")
    if scheme not in SCHEMES or not colon or not rest:
        raise ConfigurationError(
            "this is no key URI",
            where=uri,
            mend=f"write file:PATH, for example file:keys/release.key, or one of {', '.join(SCHEMES[1:])}",
        )
    return scheme


def key_path(uri: str) -> Path:
    """The path in a ``file:`` URI, relative or absolute.

    Raises:
        ConfigurationError: another scheme, or no path.
    """
    path = uri.removeprefix(f"{FILE}:")
    if scheme_of(uri) != FILE or path.startswith("//"):
        raise ConfigurationError(
            "this is no URI of a key file",
            where=uri,
            mend="write file:PATH, with a path from the home or an absolute one, for example file:keys/release.key",
        )
    return Path(path)


def open_note_signer(uri: str, keystore: KeyStore) -> NoteSigner:
    """The signer of notes (release, crisis and witness rows) that a URI names.

    Raises:
        ConfigurationError: the URI is not understood, the key is no Ed25519 key, or an extra is not installed.
        KeyUnavailableError: the key cannot be had.
    """
    if scheme_of(uri) != FILE:
        return RemoteSigner(open_trust_signer(uri, keystore), uri)
    key = keystore.unlock(key_path(uri))
    if isinstance(key, Ed25519PrivateKey):
        return FileSigner(key)
    return RemoteSigner(CryptoSigner(key), uri)  # which says that it is no Ed25519 key


def open_trust_signer(uri: str, keystore: KeyStore) -> TrustSigner:
    """The signer of TUF metadata (root, targets and online rows) that a URI names.

    Raises:
        ConfigurationError: the URI is not understood, or an extra is not installed.
        KeyUnavailableError: the key cannot be had.
    """
    scheme = scheme_of(uri)
    if scheme == FILE:
        return CryptoSigner(keystore.unlock(key_path(uri)))
    if scheme == PKCS11:
        with _extra(uri):
            from hashpact_keys.pkcs11_signers import open_token_signer
        return open_token_signer(uri, _pin(keystore))
    from hashpact_keys.cloud import open_cloud_signer

    return open_cloud_signer(uri)


def find_public_key(uri: str, keystore: KeyStore) -> Key:
    """The public key that a URI names; see ``public_keys.public_key``."""
    scheme = scheme_of(uri)
    if scheme == FILE:
        return tuf_key(inspect_key_file(keystore.locate(key_path(uri))).key)
    if scheme == PKCS11:
        with _extra(uri):
            from hashpact_keys.pkcs11_signers import token_public_key
        return token_public_key(uri, _pin(keystore))
    from hashpact_keys.cloud import cloud_public_key

    return cloud_public_key(uri)


def make_key(uri: str, keystore: KeyStore, kind: KeyKind) -> Key:
    """Make a key where a URI says; see ``public_keys.generate``."""
    scheme = scheme_of(uri)
    if scheme == FILE:
        return tuf_key(keystore.generate(key_path(uri), kind))
    if scheme == PKCS11:
        with _extra(uri):
            from hashpact_keys.pkcs11_signers import generate_on_token
        return generate_on_token(uri, _pin(keystore), kind)
    raise ConfigurationError(
        "keys are not made in a service from here",
        where=uri,
        mend="make the key with the tools of the service, then give its URI: ECDSA P-256 for TUF rows, or Ed25519",
    )


def _pin(keystore: KeyStore) -> Callable[[Pkcs11Uri], str]:
    return lambda uri: keystore.pin_of(uri.token_name, uri.pin_file)


@contextmanager
def _extra(uri: str) -> Iterator[None]:
    """Say which extra brings a package that is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "keys of pkcs11: need a package that is not installed", where=uri, mend='pip install "hashpact[pkcs11]"'
        ) from error
