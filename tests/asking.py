"""Ask a node as one of its members does: with requests that are signed by a request key."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_ssh_private_key

from independent.sign_request import Credentials

MEMBERS_ONLY = ("/logs", "/witness", "/mirror")


class Signs(Protocol):
    """Whatever signs requests as a member, a test's own or a node's."""

    def headers(self, method: str, url: str, body: bytes, /) -> Mapping[str, str]:
        """Give the header fields that sign one request, now."""
        ...


class MemberAuth(httpx.Auth):
    """Signs what is asked below ``/logs``, ``/witness`` and ``/mirror`` of the node at a member URL."""

    requires_request_body = True

    def __init__(self, credentials: Signs, url: str) -> None:
        self.credentials = credentials
        self.url = url

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]  # nothing comes back
        """Sign one request."""
        target = request.url.raw_path.decode()
        if target.startswith(MEMBERS_ONLY):
            headers = self.credentials.headers(request.method, f"{self.url}{target}", request.content)
            request.headers.update(headers)
        yield request


def credentials_of(member: str, home: Path, passphrase: str, clock: Callable[[], float] | None = None) -> Credentials:
    """Give the credentials of a member by the first request key in its home; ``clock`` gives Unix seconds."""
    key = load_ssh_private_key((home / "keys/request.key").read_bytes(), passphrase.encode())
    assert isinstance(key, Ed25519PrivateKey)
    found = Credentials(member, f"{member}-request-1", key)
    return found if clock is None else replace(found, clock=clock)
