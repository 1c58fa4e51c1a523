"""Keys from fixed seeds, and what they sign; Ed25519 is deterministic, so that every run writes the same bytes.

Nothing here uses the code under test: signatures, base64 and hashes come from hashlib, base64 and ``cryptography``.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


@dataclass(frozen=True)
class Signer:
    """A key made of a fixed seed."""

    name: str
    type: int = 1
    seed: str = "a"

    @property
    def secret(self) -> bytes:
        """The private key, 32 bytes (RFC 8032); it protects nothing."""
        return sha256(f"hashpact vectors {self.seed}".encode()).digest()

    @property
    def private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.secret)

    @property
    def material(self) -> bytes:
        return bytes([self.type]) + self.private.public_key().public_bytes_raw()

    @property
    def key_id(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + self.material).digest()[:4]

    @property
    def vkey(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{base64(self.material)}"

    def sign(self, text: str) -> str:
        return self.line(self.private.sign(text.encode()))

    def cosign(self, text: str, time: int = 1_790_000_000) -> str:
        signature = self.private.sign(f"cosignature/v1\ntime {time}\n{text}".encode())
        return self.line(time.to_bytes(8, "big") + signature)

    def line(self, signature: bytes) -> str:
        return f"\u2014 {self.name} {base64(self.key_id + signature)}\n"


def base64(data: bytes) -> str:
    return b64encode(data).decode()


LOG = Signer("acme.example/logs/listings-1")
OTHER = Signer("other.example/logs/listings-1", seed="b")
WITNESSES = [Signer(f"member{number}.example/witness-1", 4, f"w{number}") for number in range(3)]
ROOT_HASH = sha256(b"\x00entry").digest()


def checkpoint_text(size: str = "1", root: str = base64(ROOT_HASH), origin: str = LOG.name, *more: str) -> str:
    return "".join(f"{line}\n" for line in (origin, size, root, *more))
