"""What a client may draw out is bounded: over raw sockets, since no client library does what these do."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import Response

from hashpact_node.api import connections
from hashpact_node.api.connections import HEAD_MAX_BYTES, PIECE_BYTES, server_config
from hashpact_node.api.problems import Shield
from nodes import wait_until

LARGE = 64 * 1024 * 1024
GENEROUS_SECONDS = 120


@dataclass
class Server:
    """A server of two paths: one that counts what it gets, one with a large answer."""

    server: uvicorn.Server
    port: int

    def connect(self) -> socket.socket:
        """Open a connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=GENEROUS_SECONDS)

    def exchange(self, *pieces: bytes) -> bytes:
        """Send pieces one by one, and give all that comes back before the connection ends."""
        with self.connect() as link:
            for piece in pieces:
                link.sendall(piece)
            return rest_of(link)

    @property
    def open_connections(self) -> int:
        """How many clients the server holds on to."""
        return len(self.server.server_state.connections)


def rest_of(link: socket.socket) -> bytes:
    answer = bytearray()
    with suppress(ConnectionResetError):
        while chunk := link.recv(65_536):
            answer += chunk
    return bytes(answer)


def problem_in(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    problem = json.loads(body)
    assert head.split(b" ", 2)[1] == str(problem["status"]).encode()
    return problem["status"], problem["code"]


@pytest.fixture(params=["asyncio", "uvloop"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    app = FastAPI(openapi_url=None)

    @app.post("/count")
    async def count(request: Request) -> int:
        return len(await request.body())

    @app.get("/large")
    async def large() -> Response:
        return Response(b" " * LARGE)

    app.add_middleware(Shield)
    listener = socket.create_server(("127.0.0.1", 0))
    config = server_config(app, loop=request.param, timeout_graceful_shutdown=1)
    running = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: running.run(sockets=[listener]))
    thread.start()
    try:
        wait_until(lambda: running.started)
        yield Server(running, listener.getsockname()[1])
    finally:
        running.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LOOK_SECONDS", 0.05)


def post(*headers: str, body: bytes = b"", close: bool = True) -> bytes:
    lines = ["POST /count HTTP/1.1", "Host: x", *headers, f"Content-Length: {len(body)}"]
    if close:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode() + body


def test_a_long_head_is_read(server: Server) -> None:
    answer = server.exchange(post("X: " + "y" * (HEAD_MAX_BYTES - PIECE_BYTES), body=b"abc"))
    assert answer.endswith(b"\r\n\r\n3")


@pytest.mark.parametrize("header", ["X: " + "y" * 4_000_000, "\r\n".join(["X: y"] * 400_000)])
def test_a_head_without_end_is_refused(server: Server, header: str) -> None:
    with server.connect() as link:
        link.sendall(b"POST /count HTTP/1.1\r\nHost: x\r\n" + header[: HEAD_MAX_BYTES + PIECE_BYTES].encode())
        assert problem_in(rest_of(link)) == (431, "request-header-fields-too-large")
    with pytest.raises(OSError, match=r"reset|pipe"), server.connect() as link:  # noqa: PT012  one of many sends fails
        for _ in range(1_000):
            link.sendall(header[:65_536].encode())


def test_a_path_without_end_is_refused(server: Server) -> None:
    assert problem_in(server.exchange(b"GET /" + b"a" * (HEAD_MAX_BYTES + PIECE_BYTES)))[0] == 431


def test_heads_are_counted_one_by_one(server: Server) -> None:
    one = post("X: " + "y" * (HEAD_MAX_BYTES // 2), body=b"abc", close=False)
    last = post("X: " + "y" * (HEAD_MAX_BYTES // 2), body=b"abcd")
    with server.connect() as link:
        for _ in range(5):
            link.sendall(one)
            answer = b""
            while not answer.endswith(b"\r\n\r\n3"):
                answer += link.recv(65_536)
        link.sendall(last)
        assert rest_of(link).endswith(b"\r\n\r\n4")
    # A body is no head, however long.
    assert server.exchange(post(body=b"x" * 1_000_000)).endswith(b"1000000")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("begun", [b"", b"POST /count HT", b"POST /count HTTP/1.1\r\nX: "])
def test_a_head_that_takes_too_long_is_given_up(server: Server, begun: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    assert problem_in(server.exchange(begun)) == (408, "request-timeout")


@pytest.mark.usefixtures("impatient")
def test_a_body_that_takes_too_long_is_given_up(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(connections, "BODY_SECONDS", 0.2)
    assert problem_in(server.exchange(post(body=b"abc")[:-1])) == (408, "request-timeout")
    wait_until(lambda: not server.open_connections)
    wait_until(lambda: not server.server.server_state.tasks)
    assert "a request broke" not in capsys.readouterr().out


@pytest.mark.usefixtures("impatient")
def test_an_answer_that_nobody_reads_is_dropped(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n"
    with server.connect() as link:
        link.sendall(ask)
        assert link.recv(12) == b"HTTP/1.1 200"
        assert server.open_connections == 1
        monkeypatch.setattr(connections, "UNREAD_SECONDS", 0.2)
        wait_until(lambda: not server.open_connections)
        assert len(rest_of(link)) < LARGE


@pytest.mark.usefixtures("impatient")
def test_a_connection_that_is_closed_but_not_read_is_dropped(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "UNREAD_SECONDS", 0.2)
    with server.connect() as link:
        link.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert link.recv(1) == b"H"  # before, the connection may not even be open there
        wait_until(lambda: not server.open_connections)
        assert len(rest_of(link)) < LARGE


def test_an_answer_is_read_whole_by_who_reads(server: Server) -> None:
    answer = server.exchange(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert len(answer.partition(b"\r\n\r\n")[2]) == LARGE


def test_more_connections_than_there_may_be(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.server.config, "limit_concurrency", 3)
    idle = [server.connect() for _ in range(3)]
    wait_until(lambda: server.open_connections == 3)
    assert server.exchange(post()).startswith(b"HTTP/1.1 503 ")
    for link in idle:
        link.close()
    wait_until(lambda: not server.open_connections)
    assert server.exchange(post()).startswith(b"HTTP/1.1 200 ")


def test_who_asks_is_who_is_connected() -> None:
    assert server_config(FastAPI()).proxy_headers is False
