"""The time of a request reaches every step of its connection, and the connection goes where the rules say."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterable
from ipaddress import ip_network
from typing import Any

import httpcore
import httpx
import pytest

from hashpact_node.net.addresses import AddressRules
from hashpact_node.net.transport import Deadline, PeerTransport, _Backend, _Stream
from hashpact_protocol.errors import FetchRefusedError, FetchTimeoutError

LOOPBACK = AddressRules((ip_network("127.0.0.0/8"),))


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class Inner(httpcore.NetworkStream):
    """Takes down how long each step may take; every step takes a second."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.steps: list[tuple[str, Any]] = []

    def took(self, step: str, timeout: Any) -> None:
        self.steps.append((step, timeout))
        self.clock.seconds += 1

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self.took(f"read {max_bytes}", timeout)
        return b"x"

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.took(f"write {buffer!r}", timeout)

    def close(self) -> None:
        self.steps.append(("close", None))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        assert isinstance(ssl_context, ssl.SSLContext)
        self.took(f"tls {server_hostname}", timeout)
        return self

    def get_extra_info(self, info: str) -> Any:
        return f"extra {info}"


class Connects(httpcore.NetworkBackend):
    """Connects to those addresses that ``fails`` does not name, each try in a second."""

    def __init__(self, clock: Clock, fails: dict[str, Exception]) -> None:
        self.clock = clock
        self.fails = fails
        self.tried: list[tuple[str, int, float | None]] = []
        self.more: list[object] = []

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        self.tried.append((host, port, timeout))
        self.more = [local_address, socket_options]
        self.clock.seconds += 1
        if host in self.fails:
            raise self.fails[host]
        return Inner(self.clock)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_what_is_left_of_the_time(clock: Clock) -> None:
    deadline = Deadline(clock)
    with deadline.within(5):
        assert deadline.remaining() == 5
        clock.seconds += 4.75
        assert deadline.remaining() == 0.25
        clock.seconds += 0.25
        with pytest.raises(FetchTimeoutError, match="within 5 s") as caught:
            deadline.remaining()
    assert caught.value.mend


def test_there_is_no_time_before_and_after_a_request(clock: Clock) -> None:
    deadline = Deadline(clock)
    with pytest.raises(FetchTimeoutError):
        deadline.remaining()
    with pytest.raises(LookupError), deadline.within(5):
        raise LookupError
    with pytest.raises(FetchTimeoutError):
        deadline.remaining()


def test_each_thread_has_its_own_time(clock: Clock) -> None:
    deadline = Deadline(clock)
    found: list[float | str] = []

    def other() -> None:
        try:
            deadline.remaining()
        except FetchTimeoutError:
            found.append("none")
        with deadline.within(7):
            found.append(deadline.remaining())

    with deadline.within(5):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert found == ["none", 7]
        assert deadline.remaining() == 5


def test_every_step_gets_what_is_left(clock: Clock) -> None:
    inner = Inner(clock)
    deadline = Deadline(clock)
    stream = _Stream(inner, deadline)
    with deadline.within(10):
        secure = stream.start_tls(ssl.create_default_context(), "acme.example", timeout=99)
        secure.write(b"GET", timeout=99)
        assert secure.read(7, timeout=99) == b"x"
        assert stream.read(8) == b"x"
    assert inner.steps == [("tls acme.example", 10), ("write b'GET'", 9), ("read 7", 8), ("read 8", 7)]


def test_no_step_is_begun_when_time_is_up(clock: Clock) -> None:
    inner = Inner(clock)
    deadline = Deadline(clock)
    stream = _Stream(inner, deadline)
    with deadline.within(2):
        clock.seconds += 2
        for step in (
            lambda: stream.read(1),
            lambda: stream.write(b"x"),
            lambda: stream.start_tls(ssl.create_default_context()),
        ):
            with pytest.raises(FetchTimeoutError):
                step()
    assert inner.steps == []


def test_a_connection_is_closed_and_asked_without_time(clock: Clock) -> None:
    """As the pool does between requests."""
    inner = Inner(clock)
    stream = _Stream(inner, Deadline(clock))
    assert stream.get_extra_info("socket") == "extra socket"
    stream.close()
    assert inner.steps == [("close", None)]


def backend(clock: Clock, answers: tuple[str, ...], fails: dict[str, Exception]) -> tuple[_Backend, Deadline, Connects]:
    deadline = Deadline(clock)
    made = _Backend(AddressRules(LOOPBACK.allow_networks, lambda _host, _port: answers), deadline)
    made._inner = connects = Connects(clock, fails)  # type: ignore[assignment]  # a network that is not there
    return made, deadline, connects


def test_a_dead_address_does_not_eat_the_time_of_those_after_it(clock: Clock) -> None:
    answers = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
    fails: dict[str, Exception] = {
        "127.0.0.1": httpcore.ConnectTimeout("slow"),
        "127.0.0.2": httpcore.ConnectError("refused"),
    }
    made, deadline, connects = backend(clock, answers, fails)
    with deadline.within(9):
        stream = made.connect_tcp("acme.example", 443, timeout=99)
        assert connects.tried == [("127.0.0.1", 443, 3), ("127.0.0.2", 443, 4), ("127.0.0.3", 443, 7)]
        stream.write(b"x")
    assert isinstance(stream, _Stream)


def test_the_first_that_answers_is_taken(clock: Clock) -> None:
    made, deadline, connects = backend(clock, ("127.0.0.1", "127.0.0.2"), {})
    with deadline.within(9):
        made.connect_tcp("acme.example", 443, local_address="127.0.0.9", socket_options=[(1, 2, 3)])
    assert connects.tried == [("127.0.0.1", 443, 4.5)]
    assert connects.more == ["127.0.0.9", [(1, 2, 3)]]


def test_the_error_of_the_last_address_is_told(clock: Clock) -> None:
    fails: dict[str, Exception] = {"127.0.0.1": httpcore.ConnectError("one"), "127.0.0.2": httpcore.ConnectError("two")}
    made, deadline, _ = backend(clock, ("127.0.0.1", "127.0.0.2"), fails)
    with deadline.within(9), pytest.raises(httpcore.ConnectError, match="two"):
        made.connect_tcp("acme.example", 443)


def test_addresses_are_not_tried_when_time_is_up(clock: Clock) -> None:
    answers = tuple(f"127.0.0.{number}" for number in range(1, 9))
    fails: dict[str, Exception] = {address: httpcore.ConnectError("no") for address in answers}
    made, deadline, connects = backend(clock, answers, fails)
    with deadline.within(3), pytest.raises(FetchTimeoutError):
        made.connect_tcp("acme.example", 443)
    assert len(connects.tried) == 3


def test_nothing_is_tried_when_one_address_is_not_allowed(clock: Clock) -> None:
    made, deadline, connects = backend(clock, ("127.0.0.1", "10.0.0.1"), {})
    with deadline.within(9), pytest.raises(FetchRefusedError):
        made.connect_tcp("acme.example", 443)
    assert connects.tried == []


def test_a_request_goes_through_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing of the environment leads it astray."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    clock = Clock()
    deadline = Deadline(clock)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsaid")

        thread = threading.Thread(target=serve)
        thread.start()
        transport = PeerTransport(AddressRules(), deadline, connections=1)
        with transport, deadline.within(5):
            response = transport.handle_request(httpx.Request("GET", f"http://127.0.0.1:{port}/x"))
            assert response.read() == b"said"
        thread.join()


def test_the_pool_is_as_large_as_it_was_told() -> None:
    context = ssl.create_default_context()
    with PeerTransport(AddressRules(), Deadline(Clock()), connections=3, ssl_context=context) as transport:
        pool: Any = transport._pool
        assert (pool._max_connections, pool._max_keepalive_connections) == (3, 3)
        assert pool._ssl_context is context
        assert pool._keepalive_expiry < 5  # after which the other side closes
        assert (pool._http1, pool._http2) == (True, False)


def test_certificates_are_checked_by_default() -> None:
    with PeerTransport(AddressRules(), Deadline(Clock()), connections=1) as transport:
        context: Any = transport._pool._ssl_context
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
