"""Connections to peers: to a checked address, and never past the deadline of the request that they serve.

httpx counts its timeouts for each read, so a peer that drips header bytes keeps a request for hours. Here each read
and write of the socket gets what is left of the whole request's time.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpcore
import httpx

from hashpact_node.net.addresses import AddressRules
from hashpact_protocol.errors import FetchTimeoutError

_KEEPALIVE_SECONDS = 4.0  # below the 5 s after which uvicorn closes
_SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


class Deadline(threading.local):
    """The moment until which this thread's request must be done; each thread has its own."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._seconds = 0.0
        self._at: float | None = None

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Give what happens inside ``seconds`` from now."""
        self._seconds = seconds
        self._at = self._monotonic() + seconds
        try:
            yield
        finally:
            self._at = None

    def remaining(self) -> float:
        """Return the seconds that are left, always above 0; raises FetchTimeoutError when there are none."""
        left = 0.0 if self._at is None else self._at - self._monotonic()
        if left <= 0.0:
            raise FetchTimeoutError(
                f"no whole answer within {self._seconds:g} s", mend="the peer is slow or down; it is tried again later"
            )
        return left


class _Stream(httpcore.NetworkStream):
    """A connection whose every step is given what is left of the request's time."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002  the deadline is stricter
        return self._inner.read(max_bytes, self._deadline.remaining())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002  the deadline is stricter
        self._inner.write(buffer, self._deadline.remaining())

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002  the deadline is stricter
    ) -> httpcore.NetworkStream:
        inner = self._inner.start_tls(ssl_context, server_hostname, self._deadline.remaining())
        return _Stream(inner, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    """Connects to the addresses that the rules have checked; TLS still sees the name, not the address."""

    def __init__(self, rules: AddressRules, deadline: Deadline) -> None:
        self._inner = httpcore.SyncBackend()
        self._rules = rules
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002  the deadline is stricter
        local_address: str | None = None,
        socket_options: Iterable[_SocketOption] | None = None,
    ) -> httpcore.NetworkStream:
        *others, last = self._rules.addresses(host, port, timeout_seconds=self._deadline.remaining())
        for position, address in enumerate(others):
            # A dead address must not eat the time of those after it.
            share = self._deadline.remaining() / (len(others) - position + 1)
            with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return self._connect(address, port, share, local_address, socket_options)
        return self._connect(last, port, self._deadline.remaining(), local_address, socket_options)

    def _connect(
        self,
        address: str,
        port: int,
        seconds: float,
        local_address: str | None,
        socket_options: Iterable[_SocketOption] | None,
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.connect_tcp(address, port, seconds, local_address, socket_options), self._deadline)


class PeerTransport(httpx.HTTPTransport):
    """httpx's transport with our own way to connect; HTTP/1.1, nothing from the environment but the system's CAs."""

    def __init__(
        self, rules: AddressRules, deadline: Deadline, *, connections: int, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        context = ssl_context or ssl.create_default_context()
        super().__init__(verify=context, trust_env=False)
        # httpx has no parameter for this; its pool is replaced before it was used.
        self._pool = httpcore.ConnectionPool(
            ssl_context=context,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=_KEEPALIVE_SECONDS,
            network_backend=_Backend(rules, deadline),
        )
