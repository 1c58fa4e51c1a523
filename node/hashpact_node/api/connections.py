"""What one connection may take: bytes of a request's head, time to send a request, time to read an answer.

uvicorn with httptools bounds none of it: a head may go on without end, and a client that reads nothing keeps a large
answer in memory for as long as it likes. :func:`server_config` is how a node is served; tests serve alike.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any, Final

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from hashpact_node.api.problems import MEDIA_TYPE

HEAD_MAX_BYTES: Final = 32 * 1024
"""Of the request line and the headers together; up to one piece more may pass."""

PIECE_BYTES: Final = 4 * 1024
HEAD_SECONDS: Final = 20.0
"""From the first byte of a head to its last, and from a connection to its first request."""

BODY_SECONDS: Final = 300.0
"""From the end of the head to the end of the body."""

UNREAD_SECONDS: Final = 120.0
"""How long an answer may lie unread, and what is left of one when a connection is closed; 16 MiB in that time is about
a megabit a second."""

LOOK_SECONDS: Final = 5.0
CONNECTIONS_MAX: Final = 800
"""Open connections; whoever comes beyond them is answered 503. It stays below the 1 024 files that systems allow."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection of a client, with an end to everything that it may draw out."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._head_bytes = 0
        self._head_since: float | None = self.loop.time()
        self._body_since: float | None = None
        self._unread_since: float | None = None
        self._closing_since: float | None = None
        self._look = self.loop.call_later(LOOK_SECONDS, self._look_at_the_clock)

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
            super().data_received(piece)
            if in_head and self._body_since is None and self._head_bytes > HEAD_MAX_BYTES:
                self._refuse(
                    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                    f"the request line and its headers are longer than {HEAD_MAX_BYTES:,} bytes",
                )

    def on_headers_complete(self) -> None:
        """A head has ended; its body follows, if it has one."""
        self._head_bytes, self._head_since = 0, None
        self._body_since = self.loop.time()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A request has ended; another may follow."""
        self._body_since = None
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
        self._look = self.loop.call_later(LOOK_SECONDS, self._look_at_the_clock)

    def _body_is_late(self, now: float) -> bool:
        # While reading is paused it is the node that keeps the client waiting.
        return not self.flow.read_paused and _over(self._body_since, BODY_SECONDS, now)

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Answer unless an answer is on its way already, and close."""
        cycle: RequestResponseCycle | None = self.cycle  # uvicorn says it is always there
        if cycle is None or cycle.response_complete or not cycle.response_started:
            self.transport.write(_problem(status, detail))
        self.transport.close()


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
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
