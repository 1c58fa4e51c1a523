from __future__ import annotations

import asyncio
from ipaddress import ip_network
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from hashpact_node.api import token_door
from hashpact_node.api.forwarded import Forwarded
from hashpact_node.store.database import Database
from serving import open_member, serving

PROXIES = [ip_network("127.0.0.0/8"), ip_network("10.1.0.0/16"), ip_network("fd00::/8")]


def client_behind(client: str | None, *fields: str, proxies: list[object] | None = None) -> str | None:
    """Give who asks, as what stands behind sees it."""
    seen: list[Scope] = []

    async def behind(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope)

    async def receive() -> Message:
        raise AssertionError("nothing is read")

    async def send(_message: Message) -> None:
        raise AssertionError("nothing is sent")

    headers = [(b"x-forwarded-for", field.encode()) for field in fields]
    scope = {"type": "http", "headers": headers, "client": None if client is None else (client, 4711)}
    app = Forwarded(behind, PROXIES if proxies is None else proxies)  # type: ignore[arg-type]  # networks
    asyncio.run(app(scope, receive, send))
    found = seen[0]["client"]
    return None if found is None else str(found[0])


@pytest.mark.parametrize(
    ("client", "fields", "found"),
    [
        ("127.0.0.1", ("192.0.2.1",), "192.0.2.1"),
        ("127.0.0.1", ("203.0.113.9, 192.0.2.1",), "192.0.2.1"),
        ("127.0.0.1", ("203.0.113.9", "192.0.2.1"), "192.0.2.1"),
        ("127.0.0.1", ("203.0.113.9, 192.0.2.1, 10.1.2.3",), "192.0.2.1"),
        ("127.0.0.1", ("10.1.2.3",), "10.1.2.3"),
        ("127.0.0.1", ("2001:DB8::1",), "2001:db8::1"),
        ("127.0.0.1", ("::ffff:192.0.2.1",), "192.0.2.1"),
        ("::ffff:127.0.0.1", ("192.0.2.1",), "192.0.2.1"),
        ("fd00::5", ("192.0.2.1,2001:db8::1",), "2001:db8::1"),
        ("127.0.0.1", (), "127.0.0.1"),
        ("127.0.0.1", ("",), "127.0.0.1"),
        ("127.0.0.1", ("192.0.2.1, unknown",), "127.0.0.1"),
        ("127.0.0.1", ("192.0.2.1, \xff",), "127.0.0.1"),
        ("198.51.100.7", ("192.0.2.1",), "198.51.100.7"),
        ("2001:db8::7", ("127.0.0.1",), "2001:db8::7"),
        (None, ("192.0.2.1",), None),
    ],
)
def test_who_asks(client: str | None, fields: tuple[str, ...], found: str | None) -> None:
    assert client_behind(client, *fields) == found


def test_without_trusted_proxies_nobody_is_believed() -> None:
    assert client_behind("127.0.0.1", "192.0.2.1", proxies=[]) == "127.0.0.1"


@pytest.mark.parametrize("trusted", [True, False])
def test_failures_count_against_who_asked_the_proxy(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, trusted: bool
) -> None:
    """Whoever is no trusted proxy changes nothing by what it says."""
    monkeypatch.setattr(token_door, "FAILURES_BURST", 2.0)
    monkeypatch.setattr(token_door, "FAILURES_PER_SECOND", 1e-9)
    proxies = (ip_network("127.0.0.1/32" if trusted else "192.0.2.0/24"),)
    node = open_member(sqlite_database, tmp_path / "home", sqlite_database.where, trusted_proxies=proxies)
    with serving(node) as served:
        statuses = [
            served.get("/v1/status", headers={"Authorization": "", "X-Forwarded-For": host}).status_code
            for host in ("198.51.100.1", "198.51.100.2", "198.51.100.3")
        ]
    node.close()
    assert statuses == ([401, 401, 401] if trusted else [401, 401, 429])
