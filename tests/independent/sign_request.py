"""Sign requests between nodes by what docs/protocol.md and RFC 9421 say alone; nothing of Hashpact is used."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class Credentials:
    """A request key of a member, under the id that the member's card gives it."""

    member: str
    key_id: str
    key: Ed25519PrivateKey
    clock: Callable[[], float] = time.time  # noqa: TID251  a program of its own, with the clock of its machine

    def headers(self, method: str, url: str, body: bytes = b"") -> dict[str, str]:
        """Give the header fields that sign one request, now (RFC 9421, sections 2.5 and 3.1)."""
        created = int(self.clock())
        lines = covered_lines(method, url)
        parameters = f';created={created};expires={created + 60};keyid="{self.member}/{self.key_id}";tag="hashpact"'
        digest = {}
        if method not in {"GET", "HEAD"}:
            digest = {"content-digest": content_digest(body)}
            lines.extend(digest.items())
            parameters += f';nonce="{secrets.token_urlsafe(18)}"'
        names = " ".join(f'"{name}"' for name, _ in lines)
        base = "".join(f'"{name}": {value}\n' for name, value in lines) + f'"@signature-params": ({names}){parameters}'
        signature = base64.b64encode(self.key.sign(base.encode("ascii"))).decode()
        return {"signature-input": f"sig=({names}){parameters}", "signature": f"sig=:{signature}:", **digest}


def content_digest(body: bytes) -> str:
    """Give the value of Content-Digest (RFC 9530, section 2)."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def covered_lines(method: str, url: str) -> list[tuple[str, str]]:
    """Give what is covered of every request, by the name of each component (RFC 9421, section 2.2)."""
    parts = urlsplit(url)
    return [
        ("@method", method),
        ("@authority", parts.netloc.lower().removesuffix(f":{DEFAULT_PORTS[parts.scheme]}")),
        ("@path", parts.path or "/"),
        ("@query", f"?{parts.query}"),
    ]
