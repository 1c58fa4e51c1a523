"""Keys of a simulated member: Ed25519 for everything, and P-256 for trust repositories that use it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.formats import encode_canonical


@dataclass(frozen=True)
class Key:
    """An Ed25519 key; ``seed`` is its private half, so that a scenario can be copied whole."""

    seed: bytes = field(default_factory=lambda: os.urandom(32))

    @property
    def public(self) -> bytes:
        """Its 32 public bytes."""
        return self._private.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Sign; 64 bytes."""
        return self._private.sign(message)

    @property
    def named(self) -> dict[str, Any]:
        """The key as TUF metadata names it."""
        return {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": self.public.hex()}}

    @property
    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)


@dataclass(frozen=True)
class EllipticKey:
    """A P-256 key; ``compressed`` is another PEM spelling of the same public key."""

    secret: int = field(default_factory=lambda: 1 + int.from_bytes(os.urandom(31), "big"))
    compressed: bool = False

    def sign(self, message: bytes) -> bytes:
        """Sign with ECDSA over SHA-256, in DER."""
        return self._private.sign(message, ec.ECDSA(hashes.SHA256()))

    @property
    def named(self) -> dict[str, Any]:
        """The key as TUF metadata names it."""
        spelled = self._private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        if self.compressed:
            spelled = _compressed_pem(self._private)
        return {"keytype": "ecdsa", "scheme": "ecdsa-sha2-nistp256", "keyval": {"public": spelled}}

    @property
    def _private(self) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(self.secret, ec.SECP256R1())


TrustKey = Key | EllipticKey


def key_id(key: TrustKey) -> str:
    """Give the id under which TUF metadata names a key: SHA-256 over its canonical form."""
    return sha256(encode_canonical(key.named).encode()).hexdigest()  # type: ignore[union-attr]  # text when no writer is given


def _compressed_pem(private: ec.EllipticCurvePrivateKey) -> str:
    """Write a SubjectPublicKeyInfo with the compressed point (RFC 5480, section 2.2)."""
    import base64  # noqa: PLC0415  used here alone

    point = private.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    # SEQUENCE { SEQUENCE { ecPublicKey, prime256v1 }, BIT STRING }
    algorithm = bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107")
    bits = b"\x03" + bytes([len(point) + 1]) + b"\x00" + point
    body = algorithm + bits
    der = b"\x30" + bytes([len(body)]) + body
    text = base64.encodebytes(der).decode().replace("\n", "")
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""])
