"""Requests that are signed by a member whom the node under test knows (docs/protocol.md, Requests)."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_ssh_private_key

from hashpact_conformance import clock
from hashpact_conformance.main import PASSPHRASE
from hashpact_protocol.errors import RequestError
from hashpact_protocol.requests import sign_request


@dataclass(frozen=True)
class Credentials:
    """A request key of a member, by the id that its card gives it."""

    member: str
    key_id: str
    sign: Callable[[bytes], bytes]

    def fields(self, method: str, url: str, body: bytes = b"", **told: Any) -> dict[str, str]:
        """Give the header fields that sign a request; ``told`` replaces what is signed otherwise.

        For a URL that no member has, such as one with a broken escape, there is no signature.
        """
        parts = {
            "member": self.member,
            "key_id": self.key_id,
            "created": int(clock.now().timestamp()),
            "nonce": secrets.token_urlsafe(18),
            "sign": self.sign,
        }
        try:
            return sign_request(method, url, body, **{**parts, **told})
        except RequestError:
            return {}


def read_credentials(name: str, key: Path) -> Credentials:
    """Read ``MEMBER/KEY-ID`` and a key file in OpenSSH's form; ValueError and OSError say what is wrong with them."""
    member, slash, key_id = name.partition("/")
    if not slash or not member or not key_id:
        raise ValueError(f"{name!r} is not a member's id, a slash, and the id of its request key")
    passphrase = os.environ.get(PASSPHRASE)
    private = load_ssh_private_key(key.read_bytes(), passphrase.encode() if passphrase else None)
    if not isinstance(private, Ed25519PrivateKey):
        raise ValueError(f"{key} holds no Ed25519 key")  # noqa: TRY004  the file is wrong, not the call
    return Credentials(member, key_id, private.sign)
