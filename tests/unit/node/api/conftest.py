from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from hashpact_node.app import create_app
from hashpact_node.assembly import Node, open_node
from hashpact_node.store.database import Database
from own_member import NOW, found_member
from publisher import Publisher


@dataclass
class Served:
    """A node's application behind a real server on loopback; ``clock[0]`` is what time it is for the node."""

    node: Node
    app: FastAPI
    port: int
    client: httpx.Client

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.client.get(path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.client.post(path, **options)

    def raw(self, request: bytes) -> bytes:
        """Send bytes that no client would, and give all that comes back."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as link:
            link.sendall(request)
            answer = b""
            while chunk := link.recv(65_536):
                answer += chunk
        return answer

    def raw_get(self, path: str, *headers: str) -> tuple[int, bytes]:
        """GET a path exactly as written; status and the rest."""
        lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *headers, "", ""]
        answer = self.raw("\r\n".join(lines).encode("latin-1"))
        return int(answer.split(b" ", 2)[1]), answer


@contextmanager
def serving(node: Node) -> Iterator[Served]:
    """Serve a node, without its schedule, for the body."""
    app = create_app(node, schedule=False)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    config = uvicorn.Config(app, log_config=None, access_log=False, loop="asyncio", http="httptools", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
            yield Served(node, app, port, client)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def open_member(database: Database, home: Path, url: str) -> Node:
    """Set acme up and open its node; its time stands still."""
    own = found_member(database, home, url)
    return open_node(own.settings, lambda: b"passphrase of a test", now=lambda: NOW)


@pytest.fixture
def node(database: Database, database_url: str, tmp_path: Path) -> Iterator[Node]:
    """An initialised member's node, once on each kind of database."""
    node = open_member(database, tmp_path / "home", database_url)
    yield node
    node.close()


@pytest.fixture
def sqlite_node(sqlite_database: Database, tmp_path: Path) -> Iterator[Node]:
    """The same on SQLite alone, for what has nothing to do with SQL."""
    node = open_member(sqlite_database, tmp_path / "home", sqlite_database.where)
    yield node
    node.close()


@pytest.fixture
def served(node: Node) -> Iterator[Served]:
    """A node behind a server, once on each kind of database."""
    with serving(node) as one:
        yield one


@pytest.fixture
def sqlite_served(sqlite_node: Node) -> Iterator[Served]:
    """A node behind a server, on SQLite alone."""
    with serving(sqlite_node) as one:
        yield one


@pytest.fixture
def beta() -> Iterator[Publisher]:
    """A scripted publisher; in the end nobody may have asked it for what it did not expect."""
    with Publisher() as one:
        yield one
