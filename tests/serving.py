"""A node's application behind a real HTTP server on loopback, for tests of what goes over the wire."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from asking import MEMBERS_ONLY, MemberAuth
from hashpact_node.api.connections import server_config
from hashpact_node.api.member_door import MemberDoor
from hashpact_node.api.token_door import TokenDoor
from hashpact_node.app import create_app
from hashpact_node.assembly import Node, open_node
from hashpact_node.services.actors import Actor, ActorKind
from hashpact_node.services.credentials import Credentials
from hashpact_node.services.tokens import TokenPlan, scopes_of
from hashpact_node.store.database import Database
from own_member import NOW, found_member


@dataclass
class Served:
    """A node's application, and a client of it."""

    node: Node
    app: FastAPI
    port: int
    client: httpx.Client
    token: str = ""
    signs: bool = True
    """Whether requests that are written by hand are signed, too."""

    @property
    def authorization(self) -> dict[str, str]:
        """The header that opens its API; none where it asks for none."""
        return bearer(self.token)

    def get(self, path: str, **options: Any) -> httpx.Response:
        """GET a path."""
        return self.client.get(path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        """POST to a path."""
        return self.client.post(path, **options)

    def header_lines(self, path: str) -> list[str]:
        """Give the lines of a GET that its API, or its door for members, asks for."""
        fields = dict(self.authorization)
        if self.signs and path.startswith(MEMBERS_ONLY):
            fields.update(credentials_of_node(self.node).headers("GET", f"{self.node.doorkeeper.url}{path}", b""))
        return [f"{name}: {value}" for name, value in fields.items()]

    def raw(self, request: bytes) -> bytes:
        """Send bytes that no client would, and give all that comes back."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=120) as link:
            link.sendall(request)
            answer = b""
            while chunk := link.recv(65_536):
                answer += chunk
        return answer

    def raw_get(self, path: str, *headers: str) -> tuple[int, bytes]:
        """GET a path exactly as written; status and the rest."""
        lines = [
            f"GET {path} HTTP/1.1",
            "Host: 127.0.0.1",
            "Connection: close",
            *headers,
            *self.header_lines(path),
            "",
            "",
        ]
        answer = self.raw("\r\n".join(lines).encode("latin-1"))
        return int(answer.split(b" ", 2)[1]), answer


@contextmanager
def serving(node: Node, *, schedule: bool = False, port: int = 0) -> Iterator[Served]:
    """Serve a node, without its schedule unless that is wanted, for the body.

    Its client has a token that may do everything, and signs as the node's own member.
    """
    token = make_token(node)
    app = create_app(node, schedule=schedule)
    listener = socket.create_server(("127.0.0.1", port))
    # uvloop does this for each connection; asyncio does not for those of such a listener, and each answer waits 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    port = listener.getsockname()[1]
    config = server_config(app, loop="asyncio")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120, trust_env=False) as client:
            client.headers.update(bearer(token))
            client.auth = MemberAuth(credentials_of_node(node), str(node.doorkeeper.url))
            yield Served(node, app, port, client, token)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def without_doors(app: FastAPI) -> FastAPI:
    """Take the doors off an application, for whoever stands in their place."""
    doors: set[object] = {MemberDoor, TokenDoor}
    app.user_middleware = [one for one in app.user_middleware if one.cls not in doors]
    return app


def credentials_of_node(node: Node) -> Credentials:
    """Give a node's own credentials, at its own time."""
    return Credentials(node.database, node.keyring, node.doorkeeper.now)


def make_token(node: Node, *scopes: str, **plan: Any) -> str:
    """Make a token for a node's API, which may do everything unless scopes are named."""
    wanted = scopes_of(scopes or ("admin",))
    return node.tokens.create(TokenPlan("of a test", wanted, **plan), by=Actor(ActorKind.COMMAND, "tester")).text


def bearer(token: str) -> dict[str, str]:
    """Give the header that sends a token; none for none."""
    return {"Authorization": f"Bearer {token}"} if token else {}


def open_member(database: Database, home: Path, url: str, **settings: Any) -> Node:
    """Set acme up and open its node, with further settings; its time stands still."""
    own = found_member(database, home, url)
    return open_node(replace(own.settings, **settings), lambda: b"passphrase of a test", now=lambda: NOW)
