"""Ask a node as one of its members does: with requests that are signed by a request key."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_ssh_private_key

from hashpact_node import clock
from hashpact_protocol.card import Card
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


def credentials_of(member: str, home: Path, passphrase: str, time: Callable[[], float] | None = None) -> Credentials:
    """Give the credentials of a member by the first request key in its home; ``time`` gives Unix seconds."""
    key = _read_key(home / "keys/request.key", passphrase)
    found = Credentials(member, f"{member}-request-1", key)
    return found if time is None else replace(found, clock=time)


def newest_credentials(card: Card, home: Path, passphrase: str) -> Credentials:
    """Give the credentials of a member by the last of its card's request keys that counts, and lies in its home."""
    now = clock.now()
    keys = [_read_key(file, passphrase) for file in home.glob("keys/request*.key")]
    here = {key.public_key().public_bytes_raw(): key for key in keys}
    counting = (one for one in card.request_keys if one.public in here and one.valid_from <= now <= one.valid_until)
    newest = max(counting, key=lambda one: one.valid_from)
    return Credentials(card.member, newest.id, here[newest.public])


def _read_key(file: Path, passphrase: str) -> Ed25519PrivateKey:
    key = load_ssh_private_key(file.read_bytes(), passphrase.encode())
    assert isinstance(key, Ed25519PrivateKey)
    return key
