"""The kinds of keys that Hashpact signs with."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class KeyKind(StrEnum):
    """The kinds of keys, as people write them."""

    ED25519 = "ed25519"
    P256 = "p256"
    P384 = "p384"

    @property
    def words(self) -> str:
        """The kind in words."""
        return _WORDS[self]


_WORDS: Final = {KeyKind.ED25519: "Ed25519", KeyKind.P256: "ECDSA P-256", KeyKind.P384: "ECDSA P-384"}
