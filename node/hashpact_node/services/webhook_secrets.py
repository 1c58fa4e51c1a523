"""Secrets that sign webhooks: made, sealed at rest, and used (Standard Webhooks 1.0.0, Signature scheme).

A secret must be there whole whenever something is signed, so a hash of it would not do. It lies in the database under
AES-256-GCM, bound to its endpoint's id. The key of that follows (HKDF-SHA256, RFC 5869) from a key file of the home,
which the passphrase of the home opens. So neither the database nor a backup without keys gives a secret away.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hashpact_keys.keystore import KeyStore
from hashpact_protocol.errors import ConflictError, KeyUnavailableError

KEY_FILE: Final = Path("keys/webhooks.key")
"""Where in the home the key lies under which secrets are sealed; it is made with the first endpoint."""

SECRET_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_SEALING: Final = b"hashpact webhook secrets 1"
_MEND: Final = "restore keys/webhooks.key from a backup; without it, remove the endpoint and add it again"


class Scheme(StrEnum):
    """How an endpoint's batches are signed, by the word that stands before a signature."""

    HMAC = "v1"
    ED25519 = "v1a"


@dataclass(frozen=True, slots=True)
class Shown:
    """What the receiver needs to verify: ``whsec_…``, a secret, or ``whpk_…``, which is none."""

    text: str
    secret: bool


class WebhookSecrets:
    """Makes, seals and opens secrets with a key of the home."""

    def __init__(self, keystore: KeyStore) -> None:
        self._keystore = keystore
        self._sealing: AESGCM | None = None

    def seal(self, identifier: str, secret: bytes) -> bytes:
        """Give what is stored of an endpoint's secret; the key is made if there is none yet. KeyUnavailableError."""
        if not self._keystore.locate(KEY_FILE).exists():
            with suppress(ConflictError):  # where somebody else was faster, theirs is taken
                self._keystore.create(KEY_FILE)
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._key().encrypt(nonce, secret, identifier.encode())

    def open(self, identifier: str, sealed: bytes) -> bytes:
        """Give an endpoint's secret; KeyUnavailableError where the key is not here, or is another."""
        try:
            return self._key().decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], identifier.encode())
        except InvalidTag as error:
            raise KeyUnavailableError(
                "the secret of this webhook was sealed under another key", where=identifier, mend=_MEND
            ) from error

    def _key(self) -> AESGCM:
        if self._sealing is None:
            private = self._keystore.unlock(KEY_FILE)
            if not isinstance(private, Ed25519PrivateKey):
                raise KeyUnavailableError("this is no Ed25519 key", where=str(KEY_FILE), mend=_MEND)
            derived = HKDF(SHA256(), 32, salt=None, info=_SEALING).derive(private.private_bytes_raw())
            self._sealing = AESGCM(derived)
        return self._sealing


def new_secret() -> bytes:
    """Make a secret of 32 random bytes."""
    return secrets.token_bytes(SECRET_BYTES)


def shown(scheme: Scheme, secret: bytes) -> Shown:
    """Give what the receiver is told when the endpoint is made."""
    public = public_of(scheme, secret)
    if public is not None:
        return Shown(public_text(public), secret=False)
    return Shown(f"whsec_{base64.b64encode(secret).decode()}", secret=True)


def public_of(scheme: Scheme, secret: bytes) -> bytes | None:
    """Give the public key of a secret; None where there is none."""
    if scheme is Scheme.HMAC:
        return None
    return Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def public_text(public: bytes) -> str:
    """Give a public key as receivers read it."""
    return f"whpk_{base64.b64encode(public).decode()}"


def sign(scheme: Scheme, secret: bytes, identifier: str, timestamp: int, body: bytes) -> str:
    """Give the value of ``webhook-signature``, over id, time of the attempt (Unix seconds) and body."""
    signed = b"%s.%d.%s" % (identifier.encode(), timestamp, body)
    if scheme is Scheme.HMAC:
        signature = hmac.digest(secret, signed, "sha256")
    else:
        signature = Ed25519PrivateKey.from_private_bytes(secret).sign(signed)
    return f"{scheme.value},{base64.b64encode(signature).decode()}"
