"""What a client may draw out is bounded: over raw sockets, since no client library does what these do."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from time import sleep

import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import Response

from hashpact_node.api import connections
from hashpact_node.api.connections import (
    FIELDS_MAX,
    FRAME_MAX_BYTES,
    HEAD_MAX_BYTES,
    PIECE_BYTES,
    server_config,
    tell_known,
)
from hashpact_node.api.problems import Shield
from hashpact_node.api.safe_headers import SAFE_HEADERS
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

    @app.post("/told")
    async def told(request: Request) -> bool:
        await request.body()
        return "x-told" in request.headers

    @app.get("/known")
    async def known(request: Request) -> bool:
        tell_known(request.scope)
        return True

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


def ask_as_one_let_in(link: socket.socket) -> bytes:
    link.sendall(b"GET /known HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = b""
    while not answer.endswith(b"\r\n\r\ntrue"):
        piece = link.recv(65_536)
        assert piece, "it was closed"
        answer += piece
    return answer


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
    known = []
    for _ in range(2):
        known.append(server.connect())
        ask_as_one_let_in(known[-1])
    assert server.exchange(post()).startswith(b"HTTP/1.1 503 ")
    for link in known:
        link.close()
    wait_until(lambda: not server.open_connections)
    assert server.exchange(post()).startswith(b"HTTP/1.1 200 ")


def test_who_asks_is_who_is_connected() -> None:
    assert server_config(FastAPI()).proxy_headers is False


# Fields of a head, and what frames a body


def fields(count: int) -> list[str]:
    return [f"X-{number}: y" for number in range(count)]


def test_more_fields_than_there_may_be_are_refused(server: Server) -> None:
    most = FIELDS_MAX - 3  # Host, Content-Length and Connection are there, too
    assert server.exchange(post(*fields(most), body=b"abc")).endswith(b"\r\n\r\n3")
    for count in (most + 1, 2_000):
        answer = server.exchange(post(*fields(count), body=b"abc"))
        assert problem_in(answer) == (431, "request-header-fields-too-large")
        assert answer.count(b"HTTP/1.1 ") == 1


def chunked(*pieces: bytes, trailer: bytes = b"", extension: bytes = b"") -> bytes:
    head = b"POST /count HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    sent = b"".join(f"{len(piece):x}".encode() + extension + b"\r\n" + piece + b"\r\n" for piece in pieces)
    return head + sent + b"0\r\n" + trailer + b"\r\n"


def test_a_body_in_many_pieces_is_read(server: Server) -> None:
    assert server.exchange(chunked(*[b"x"] * 20_000, trailer=b"X: y\r\n")).endswith(b"20000")


@pytest.mark.parametrize(
    ("trailer", "extension"),
    [
        (b"X: " + b"y" * 1_000_000, b""),
        (b"X: y\r\n" * 200_000, b""),
        (b"", b";" + b"y" * 1_000_000),
    ],
    ids=["one long field", "many fields", "an extension"],
)
def test_what_frames_a_body_has_an_end(server: Server, trailer: bytes, extension: bytes) -> None:
    sent = chunked(b"abc", trailer=trailer, extension=extension)[: FRAME_MAX_BYTES + 4 * PIECE_BYTES]
    with server.connect() as link:
        link.sendall(sent)
        assert problem_in(rest_of(link)) == (431, "request-header-fields-too-large")
    with server.connect() as link, pytest.raises(OSError, match=r"reset|pipe"):  # noqa: PT012  one of many fails
        link.sendall(sent)
        for _ in range(1_000):
            link.sendall(b"y" * 65_536)


def test_a_trailer_s_fields_are_no_header_fields(server: Server) -> None:
    sent = chunked(b"abc", trailer=b"X-Told: y\r\n").replace(b"/count", b"/told")
    assert server.exchange(sent).endswith(b"false")
    assert server.exchange(sent.replace(b"Host: x", b"X-Told: y\r\nHost: x")).endswith(b"true")


def test_what_is_no_http_is_told_so_once(server: Server) -> None:
    assert problem_in(server.exchange(b"\x16\x03\x01 this is no request\r\n\r\n")) == (400, "bad-request")
    answer = server.exchange(
        b"GET /large HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    assert problem_in(answer)[0] == 400


def test_requests_that_wait_for_answers_are_few(server: Server) -> None:
    one = post(body=b"abc", close=False)
    with server.connect() as link:
        link.sendall(one * 3 + post(body=b"abcd"))
        assert rest_of(link).count(b"HTTP/1.1 200 ") == 4
    with suppress(OSError), server.connect() as link:
        link.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n" * 20_000)
        assert rest_of(link).count(b"HTTP/1.1 200 ") <= 1
    wait_until(lambda: not server.open_connections)


@pytest.mark.usefixtures("impatient")
def test_an_answered_request_whose_body_never_ends_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with server.connect() as link:
        link.sendall(b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc")
        assert link.recv(65_536).startswith(b"HTTP/1.1 404 ")
        monkeypatch.setattr(connections, "ANSWERED_SECONDS", 0.2)

        def drip() -> bool:
            with suppress(OSError):
                link.sendall(b"x")
            return not server.open_connections

        wait_until(drip)


# Who is turned away


def test_who_comes_beyond_all_connections_is_told_when_to_come_again(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.server.config, "limit_concurrency", 1)
    with server.connect() as idle:
        wait_until(lambda: server.open_connections == 1)
        answer = server.exchange(post())
        assert problem_in(answer) == (503, "service-unavailable")
        assert b"\r\nretry-after: 1\r\n" in answer.lower()
        idle.close()


def test_one_address_has_a_part_of_the_connections(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CLIENT_CONNECTIONS_MAX", 2)
    idle = [server.connect() for _ in range(3)]  # loopback is where a proxy asks from
    wait_until(lambda: server.open_connections == 3)
    for link in idle:
        link.close()
    wait_until(lambda: not server.open_connections)
    monkeypatch.setattr(connections, "is_public", lambda _host: True)
    idle = [server.connect() for _ in range(2)]
    wait_until(lambda: server.open_connections == 2)
    with server.connect() as link:
        answer = rest_of(link)
    assert problem_in(answer) == (429, "too-many-requests")
    assert b"\r\nretry-after: 1\r\n" in answer
    for link in idle:
        link.close()
    wait_until(lambda: not server.open_connections)
    assert server.exchange(post()).startswith(b"HTTP/1.1 200 ")


def test_who_is_idle_and_was_never_let_in_makes_room(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.server.config, "limit_concurrency", 4)
    with server.connect() as member, server.connect() as oldest:
        assert ask_as_one_let_in(member).startswith(b"HTTP/1.1 200 ")
        wait_until(lambda: server.open_connections == 2)
        sleep(0.05)  # a loop's clock counts milliseconds
        with server.connect(), server.connect() as newest:
            assert rest_of(oldest) == b"", "it is closed"
            sleep(0.05)
            newest.sendall(post(close=False))
            assert newest.recv(65_536).startswith(b"HTTP/1.1 200 ")
            with server.connect():
                assert ask_as_one_let_in(member).startswith(b"HTTP/1.1 200 "), "though it is as many as there may be"
                wait_until(lambda: server.open_connections == 3)
            assert ask_as_one_let_in(member).startswith(b"HTTP/1.1 200 "), "who was let in stays"


def test_one_organisation_has_a_part_of_the_connections(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "ORGANISATION_CONNECTIONS_MAX", 2)
    monkeypatch.setattr(connections, "is_public", lambda _host: True)
    monkeypatch.setattr(connections, "client_key", lambda _host: str(server.open_connections))
    monkeypatch.setattr(connections, "organisation_key", lambda _host: "x::/48")
    idle = []
    for number in range(1, 3):
        idle.append(server.connect())
        wait_until(lambda number=number: server.open_connections == number)
    with server.connect() as link:
        assert problem_in(rest_of(link)) == (429, "too-many-requests")
    for link in idle:
        link.close()
    wait_until(lambda: not server.open_connections)
    assert server.exchange(post()).startswith(b"HTTP/1.1 200 ")


def test_what_is_refused_before_the_application_has_safe_headers(server: Server) -> None:
    answer = server.exchange(b"\x16\x03\x01\r\n\r\n").lower()
    for name, value in SAFE_HEADERS:
        assert b"\r\n" + name + b": " + value + b"\r\n" in answer
