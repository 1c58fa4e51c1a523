"""What one connection may take: bytes and fields of a request's head, time to send a request and to read an answer.

uvicorn with httptools bounds none of it: a head, or the trailer of a chunked body, may go on without end, requests may
wait for answers by the thousand, and a client that reads nothing keeps a large answer in memory for as long as it
likes. :func:`server_config` is how a node is served; tests serve alike.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, Final
from weakref import WeakKeyDictionary

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from hashpact_node.api.clients import client_key, organisation_key
from hashpact_node.api.problems import MEDIA_TYPE, RETRY_AFTER_SECONDS, RETRY_STATUSES, plain_problem
from hashpact_node.api.safe_headers import SAFE_HEADERS, SafeHeaders

HEAD_MAX_BYTES: Final = 32 * 1024
"""Of the request line and the headers together; up to one piece more may pass."""

FIELDS_MAX: Final = 100
"""Header fields of one request; as many as other servers take."""

FRAME_MAX_BYTES: Final = 16 * 1024
"""Of what frames a chunked body, between two pieces of its content: sizes, extensions, the trailer."""

PIPELINED_MAX: Final = 32
"""Requests that may wait for the answers to those before them on one connection."""

PIECE_BYTES: Final = 4 * 1024
HEAD_SECONDS: Final = 20.0
"""From the first byte of a head to its last, and from a connection to its first request."""

BODY_SECONDS: Final = 300.0
"""From the end of the head to the end of the body."""

ANSWERED_SECONDS: Final = 10.0
"""How long the rest of a body may still come that nobody waits for any more, since the request is answered."""

UNREAD_SECONDS: Final = 120.0
"""How long an answer may lie unread, and what is left of one when a connection is closed; 16 MiB in that time is about
a megabit a second."""

LOOK_SECONDS: Final = 5.0
CONNECTIONS_MAX: Final = 800
"""Open connections. It stays below the 1 024 files that systems allow. Whoever comes beyond them takes the place of
who is idle for the longest and was never let in by a door; where there is nobody like that, it is answered 503."""

CLIENT_CONNECTIONS_MAX: Final = 100
"""Of one client on the public internet. Elsewhere a proxy may stand between, which asks for everybody."""

ORGANISATION_CONNECTIONS_MAX: Final = 200
"""Of one /48 of IPv6, in which whoever has it is as many clients as they like."""

_KNOWN: Final = "hashpact.known"
"""The extension of ASGI by which a door says that whoever asks on this connection was let in."""

_CLIENTS: Final[WeakKeyDictionary[object, Counter[str]]] = WeakKeyDictionary()
"""How many connections each client and each /48 has, by server."""

_MISTAKES: Final = logging.getLogger("hashpact.connections")
_MISTAKES.setLevel(logging.ERROR)
"""Where uvicorn would write a line for every client that does something wrong: strangers write no log of ours."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection of a client, with an end to everything that it may draw out."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.logger = _MISTAKES
        self._most, self.limit_concurrency = self.limit_concurrency, None  # whoever is too much is answered here
        self._application: ASGIApp = self.app
        self._fields = 0
        self._frame_bytes = 0
        self._answered_since: float | None = None
        self._head_bytes = 0
        self._head_since: float | None = self.loop.time()
        self._body_since: float | None = None
        self._unread_since: float | None = None
        self._closing_since: float | None = None
        self._known = False
        self.asked_at = self.loop.time()
        self._keys: tuple[str, ...] = ()
        self._look = self.loop.call_later(LOOK_SECONDS, self._look_at_the_clock)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Take a client in, unless it has more than its part of all connections already."""
        super().connection_made(transport)
        host = self.client[0] if self.client else ""
        if is_public(host):
            organisation = organisation_key(host)
            self._keys = (client_key(host), *((organisation,) if organisation else ()))
            counts = _CLIENTS.setdefault(self.server_state, Counter())
            counts.update(self._keys)
            most = (CLIENT_CONNECTIONS_MAX, ORGANISATION_CONNECTIONS_MAX)
            if any(counts[key] > limit for key, limit in zip(self._keys, most, strict=False)):
                self._refuse(HTTPStatus.TOO_MANY_REQUESTS, "this client has too many connections open")
                return
        if self._most is not None and len(self.connections) >= self._most:
            self._make_room()

    def _make_room(self) -> None:
        """Close who is idle for the longest of those that no door let in; members and holders of tokens stay."""
        others = (one for one in self.connections if isinstance(one, BoundedProtocol) and one is not self)
        strangers = [one for one in others if one.is_idle_stranger]
        if strangers:
            min(strangers, key=lambda one: one.asked_at).transport.abort()

    @property
    def is_idle_stranger(self) -> bool:
        """Whether nobody who was let in ever asked here, and nobody waits for an answer."""
        cycle: RequestResponseCycle | None = self.cycle  # uvicorn says it is always there
        return not self._known and not self.transport.is_closing() and (cycle is None or cycle.response_complete)

    def become_known(self) -> None:
        """Keep this connection when others need room: somebody was let in on it."""
        self._known = True

    def data_received(self, data: bytes) -> None:
        """Take what came in pieces, so that a head that is too long ends soon after it is."""
        for start in range(0, len(data), PIECE_BYTES):
            if self.transport.is_closing():
                return
            piece = data[start : start + PIECE_BYTES]
            in_head = self._body_since is None
            if in_head:
                self._head_bytes += len(piece)
                if self._head_since is None:
                    self._head_since = self.loop.time()
            else:
                self._frame_bytes += len(piece)
            super().data_received(piece)
            if len(self.pipeline) > PIPELINED_MAX:
                self.transport.close()  # the answer that is due next is not that to the request that is one too many
                return
            if self._frame_bytes > FRAME_MAX_BYTES:
                self._refuse(
                    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                    f"what frames the body is longer than {FRAME_MAX_BYTES:,} bytes",
                )
                return
            if in_head and self._body_since is None and self._head_bytes > HEAD_MAX_BYTES:
                self._refuse(
                    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                    f"the request line and its headers are longer than {HEAD_MAX_BYTES:,} bytes",
                )

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  uvicorn's words are no problem of RFC 9457
        """Refuse what is no HTTP."""
        self._refuse(HTTPStatus.BAD_REQUEST, "this is no request of HTTP/1.1")

    def on_message_begin(self) -> None:
        """A request begins."""
        self._fields = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of a head; those of a trailer are nobody's header fields (RFC 9110, section 6.5.1)."""
        self._fields += 1
        if self._body_since is None and self._fields <= FIELDS_MAX:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """A head has ended; its body follows, if it has one."""
        self._head_bytes, self._head_since = 0, None
        self._body_since, self._frame_bytes = self.loop.time(), 0
        self.asked_at = self.loop.time()
        self.app = self._who_answers()
        self.scope.setdefault("extensions", {})[_KNOWN] = {"tell": self.become_known}
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of a body has come."""
        self._frame_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request has ended; another may follow."""
        self._body_since, self._frame_bytes = None, 0
        self._head_bytes = 0
        super().on_message_complete()

    def pause_writing(self) -> None:
        """More lies unread than the transport likes."""
        if self._unread_since is None:
            self._unread_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """The client has read it."""
        self._unread_since = None
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more."""
        self._look.cancel()
        if self._keys:
            counts = _CLIENTS[self.server_state]
            counts.subtract(self._keys)
            for key in self._keys:
                if counts[key] <= 0:
                    del counts[key]
            self._keys = ()
        super().connection_lost(exc)

    def _look_at_the_clock(self) -> None:
        now = self.loop.time()
        if self.transport.is_closing() and self._closing_since is None:
            self._closing_since = now
        if _over(self._unread_since, UNREAD_SECONDS, now) or _over(self._closing_since, UNREAD_SECONDS, now):
            # What was written waits in memory until it is read; a close would wait for that, too.
            self.transport.abort()
        elif self._closing_since is None and (_over(self._head_since, HEAD_SECONDS, now) or self._body_is_late(now)):
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "the request did not come to its end in time")
        elif self._lingers_too_long(now):
            self.transport.close()
        self._look = self.loop.call_later(LOOK_SECONDS, self._look_at_the_clock)

    def _body_is_late(self, now: float) -> bool:
        # While reading is paused it is the node that keeps the client waiting.
        return not self.flow.read_paused and _over(self._body_since, BODY_SECONDS, now)

    def _lingers_too_long(self, now: float) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # uvicorn says it is always there
        answered = self._body_since is not None and cycle is not None and cycle.response_complete
        self._answered_since = (self._answered_since or now) if answered else None
        return _over(self._answered_since, ANSWERED_SECONDS, now)

    def _who_answers(self) -> ASGIApp:
        if self._fields > FIELDS_MAX:
            return _TOO_MANY_FIELDS
        # Somebody who makes room may still be counted: whoever was let in does not wait for that.
        busy = len(self.tasks) if self._known else max(len(self.connections), len(self.tasks))
        return _FULL if self._most is not None and busy >= self._most else self._application

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Answer unless an answer is on its way already, and close."""
        cycle: RequestResponseCycle | None = self.cycle  # uvicorn says it is always there
        if cycle is None or cycle.response_complete or not cycle.response_started:
            self.transport.write(_problem(status, detail))
        self.transport.close()


def tell_known(scope: Scope) -> None:
    """Say that whoever asks was let in, so that their connection is not closed to make room for others."""
    extension = (scope.get("extensions") or {}).get(_KNOWN)
    if extension is not None:
        extension["tell"]()


def server_config(app: FastAPI, **options: Any) -> uvicorn.Config:
    """Give the configuration by which a node is served; ``options`` are further ones of uvicorn."""
    return uvicorn.Config(
        app,
        http=BoundedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # who asks is who is connected, whatever its headers say
        limit_concurrency=CONNECTIONS_MAX,
        **options,
    )


_CLOSE: Final = {"Connection": "close"}
_TOO_MANY_FIELDS: Final = SafeHeaders(
    plain_problem(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"a request has at most {FIELDS_MAX} header fields", headers=_CLOSE
    )
)
_FULL: Final = SafeHeaders(
    plain_problem(HTTPStatus.SERVICE_UNAVAILABLE, "this node has as many connections as it takes", headers=_CLOSE)
)


def is_public(host: str) -> bool:
    """Say whether an address is one of the public internet, where nobody asks for others."""
    try:
        return ip_address(host).is_global
    except ValueError:
        return False


def _over(since: float | None, seconds: float, now: float) -> bool:
    return since is not None and now - since > seconds


def _problem(status: HTTPStatus, detail: str) -> bytes:
    title = status.phrase
    problem = {
        "type": "about:blank",
        "title": title,
        "status": status.value,
        "code": title.lower().replace(" ", "-"),
        "detail": detail,
    }
    body = json.dumps(problem).encode()
    lines = (
        f"HTTP/1.1 {status.value} {title}",
        f"content-type: {MEDIA_TYPE}",
        f"content-length: {len(body)}",
        "cache-control: no-store",
        "connection: close",
        *(f"{name.decode()}: {value.decode()}" for name, value in SAFE_HEADERS),
        *((f"retry-after: {RETRY_AFTER_SECONDS}",) if status in RETRY_STATUSES else ()),
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
