"""GET from a peer, or POST to it: one answer or one FetchError, within a cap of bytes and a total deadline.

Nothing is decoded here: the answer's body is what was transferred, for :func:`hashpact_node.net.decode.decode_body`.
Redirects are refused, cookies, proxies and the environment are ignored, and the connection goes to an address that
:class:`hashpact_node.net.addresses.AddressRules` has checked.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from types import TracebackType
from typing import Self

import httpx

from hashpact_node import clock
from hashpact_node.net.addresses import AddressRules, parse_url
from hashpact_node.net.peer_clocks import PeerClocks
from hashpact_node.net.transport import Deadline, PeerTransport
from hashpact_protocol.errors import (
    FetchError,
    FetchRefusedError,
    FetchTimeoutError,
    FetchTooLargeError,
    HashpactError,
)

USER_AGENT = f"hashpact/{version('hashpact')}"
Signs = Callable[[str, str, bytes], Mapping[str, str]]
"""Gives the header fields that sign a request, by method, URL and body."""

_PUBLIC = re.compile(r"/trust/(?:metadata|targets)/[^/]+")
_ERROR_BODY_MAX_BYTES = 16_384
_FIRST_ERROR_STATUS = 400
_REDIRECTS = range(300, 400)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a peer answered: ``body`` as transferred, ``headers`` by lower-case name (doubled ones joined by commas).

    The body of an error (status 400 and above) may be cut after 16 KiB or at the caller's cap.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class CannotSignError(FetchError):
    """Nobody was asked, since this node could not sign: nothing is said about whoever was to be. ``reason`` is why."""

    def __init__(self, reason: HashpactError) -> None:
        super().__init__(f"the request cannot be signed: {reason}", mend="peers answer nobody who does not")
        self.reason = reason


class Fetcher:
    """Asks peers over a pool of kept-alive connections; may be shared by threads.

    ``rules`` say where it may connect; ``signs`` signs all requests but those for what is public, a trust repository;
    ``ssl_context`` replaces the system's certificate authorities;
    ``escapes`` lets paths hold some, which those of members never do; ``transport`` replaces the network in tests.
    """

    def __init__(
        self,
        rules: AddressRules | None = None,
        *,
        connections: int = 32,
        signs: Signs | None = None,
        ssl_context: ssl.SSLContext | None = None,
        escapes: bool = False,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.clocks = PeerClocks()
        self._escapes = escapes
        self._signs = signs
        self._deadline = Deadline(clock.monotonic)
        # The transport is used without a client around it: a client would add cookies, redirects and proxies, which
        # are not wanted, and a third of the time that a request takes.
        self._transport = transport or PeerTransport(
            rules or AddressRules(), self._deadline, connections=connections, ssl_context=ssl_context
        )

    def get(
        self, url: str, *, max_bytes: int, deadline_seconds: float, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Return the answer to one GET, whatever its status but a redirect.

        Raises FetchRefusedError for a URL or address that is not allowed and for a redirect, FetchTooLargeError for a
        body over ``max_bytes`` as transferred, FetchTimeoutError when all of it took longer than
        ``deadline_seconds``, and FetchError for anything else that went wrong on the way.
        """
        parse_url(url, escapes=self._escapes)
        return self._ask(httpx.Request("GET", url, headers=_headers(headers)), max_bytes, deadline_seconds)

    def post(
        self,
        url: str,
        body: bytes,
        *,
        max_bytes: int,
        deadline_seconds: float,
        headers: Mapping[str, str] | None = None,
        whole: bool = True,
    ) -> Answer:
        """Return the answer to one POST, which must be one that may be repeated; else as :meth:`get`.

        Unless it is wanted ``whole``, only its beginning is given of an answer that is too long.
        """
        parse_url(url, escapes=self._escapes)
        request = httpx.Request("POST", url, headers=_headers(headers), content=body)
        return self._ask(request, max_bytes, deadline_seconds, whole=whole)

    def _ask(self, request: httpx.Request, max_bytes: int, deadline_seconds: float, *, whole: bool = True) -> Answer:
        url = str(request.url)
        request.extensions = {"timeout": {"pool": deadline_seconds}}  # the rest is seen to by PeerTransport
        with self._deadline.within(deadline_seconds), _told(url, deadline_seconds):
            sent = clock.now()
            response = self._send(request)
            self.clocks.hear(request.url.netloc.decode(), response.headers, sent, clock.now())
            try:
                return self._read(response, url, max_bytes, whole=whole)
            finally:
                response.close()

    def _send(self, request: httpx.Request) -> httpx.Response:
        """Send, and once more when a kept-alive connection turns out to be closed before any answer came."""
        try:
            return self._transport.handle_request(self._signed(request))
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            self._deadline.remaining()
            return self._transport.handle_request(self._signed(request))

    def _signed(self, request: httpx.Request) -> httpx.Request:
        """Sign a request, anew each time that it is sent: what was signed before may have arrived."""
        if self._signs is None or _PUBLIC.search(request.url.path):
            return request
        try:
            request.headers.update(self._signs(request.method, str(request.url), request.content))
        except HashpactError as error:
            raise CannotSignError(error) from error
        return request

    def _read(self, response: httpx.Response, url: str, max_bytes: int, *, whole: bool) -> Answer:
        if response.status_code in _REDIRECTS and "location" in response.headers:
            raise FetchRefusedError(
                f"the peer answered with a redirect (status {response.status_code})",
                where=url,
                mend="a peer must serve its trust repository and logs at the URL that it names",
            )
        failed = response.status_code >= _FIRST_ERROR_STATUS
        cap = min(max_bytes, _ERROR_BODY_MAX_BYTES) if failed else max_bytes
        declared = _declared_bytes(response)
        body = b"" if declared > cap else self._read_body(response, cap)
        if max(declared, len(body)) > cap and whole and not failed:
            raise FetchTooLargeError(
                f"the answer is longer than {cap} bytes", where=url, mend="the peer must keep to the limits"
            )
        return Answer(response.status_code, dict(response.headers), body[:cap])

    def _read_body(self, response: httpx.Response, cap: int) -> bytes:
        """Return the raw body; reading stops as soon as there is more than ``cap``."""
        chunks: list[bytes] = []
        total = 0
        # Not iter_raw(size), which gathers chunks and so does not come back before a deadline.
        for chunk in response.iter_raw():
            self._deadline.remaining()
            chunks.append(chunk)
            total += len(chunk)
            if total > cap:
                break
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _headers(more: Mapping[str, str] | None) -> dict[str, str]:
    return {"user-agent": USER_AGENT, "accept": "*/*", **(more or {})}


def _declared_bytes(response: httpx.Response) -> int:
    """Return the length that the answer announces, 0 where it announces none."""
    text = response.headers.get("content-length", "")
    return int(text[:20]) if text.isascii() and text.isdigit() else 0


@contextmanager
def _told(url: str, deadline_seconds: float) -> Iterator[None]:
    """Turn everything that httpx raises, while sending or iterating, into a FetchError that says where."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise FetchTimeoutError(
            f"no whole answer within {deadline_seconds:g} s", where=url, mend="the peer is slow or down; see its status"
        ) from error
    except httpx.HTTPError as error:
        raise FetchError(
            f"the peer could not be read: {str(error) or type(error).__name__}",
            where=url,
            mend="see whether the peer is up, and its URL and certificate right",
        ) from error
    except HashpactError as error:
        if error.where is None:
            error.where = url
        raise
