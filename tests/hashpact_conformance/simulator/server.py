"""HTTP on loopback for one simulated member: it answers what a scenario says, and remembers what it was asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from hashpact_conformance.simulator.replies import Reply

DRIP_SECONDS = 0.05
"""Between two bytes of a slow answer."""

HOSTILE_MAX_SECONDS = 120.0
"""No answer lasts longer, so that a reader without a deadline fails a test and does not hang it."""


@dataclass(frozen=True)
class Asked:
    """One request: method, path with its query, headers by lower-case name, and how many bytes were sent back."""

    method: str
    path: str
    headers: Mapping[str, str]
    sent: list[int]

    @property
    def bytes(self) -> int:
        """How much of a body was sent."""
        return sum(self.sent)


class Server:
    """A server on a port of its own; ``answer`` may be replaced for each scenario."""

    def __init__(self, port: int = 0) -> None:
        """Serve on a port of loopback, or on any that is free."""
        self.answer: Callable[[Asked], Reply] = lambda _asked: Reply(503, b"no scenario is running")
        self.asked: list[Asked] = []
        self._stop = threading.Event()
        self._http = _Http(("127.0.0.1", port), _handler(self))
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it is found."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def end_answers(self) -> None:
        """Let answers that hang come to an end, so that the next scenario starts alone."""
        self._stop.set()
        self._stop = threading.Event()
        self.asked.clear()

    def close(self) -> None:
        """Stop serving."""
        self._stop.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._serve()

        def do_HEAD(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0") or 0))
            self._serve()

        def log_message(self, *_arguments: object) -> None:
            pass  # the scenario remembers what was asked

        def _serve(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, self.path, headers, [])
            server.asked.append(asked)
            reply = server.answer(asked)
            with suppress(ConnectionError):
                _send(self, asked, reply, server._stop)

    return Handler


def _send(handler: BaseHTTPRequestHandler, asked: Asked, reply: Reply, stop: threading.Event) -> None:
    """Send one reply in its manner; the connection ends after every one that is not whole."""
    until = time.monotonic() + HOSTILE_MAX_SECONDS
    if reply.manner == "silent":
        handler.close_connection = True
        stop.wait(HOSTILE_MAX_SECONDS)
        return
    handler.send_response(reply.status)
    for name, value in reply.headers.items():
        handler.send_header(name, value)
    length = len(reply.body) if reply.length is None else reply.length
    honest = reply.manner == "whole" and length == len(reply.body)
    if length >= 0 and (reply.manner != "endless" or reply.length is not None) and reply.status != 304:
        handler.send_header("Content-Length", str(length))
    if not honest:
        handler.send_header("Connection", "close")
        handler.close_connection = True
    handler.end_headers()
    if handler.command == "HEAD":
        return
    _MANNERS[reply.manner](_Body(handler, asked, reply.body, stop, until))


@dataclass
class _Body:
    handler: BaseHTTPRequestHandler
    asked: Asked
    body: bytes
    stop: threading.Event
    until: float

    def write(self, data: bytes) -> None:
        self.handler.wfile.write(data)
        self.asked.sent.append(len(data))

    @property
    def over(self) -> bool:
        return self.stop.is_set() or time.monotonic() > self.until

    def whole(self) -> None:
        self.write(self.body)

    def cut(self) -> None:
        self.write(self.body[: len(self.body) // 2])

    def stall(self) -> None:
        self.stop.wait(HOSTILE_MAX_SECONDS)

    def drip(self) -> None:
        for at in range(len(self.body)):
            if self.over:
                return
            self.write(self.body[at : at + 1])
            self.stop.wait(DRIP_SECONDS)

    def endless(self) -> None:
        while not self.over:
            self.write(self.body or bytes(65_536))


_MANNERS: Mapping[str, Callable[[_Body], None]] = {
    "whole": _Body.whole,
    "cut": _Body.cut,
    "stall": _Body.stall,
    "drip": _Body.drip,
    "endless": _Body.endless,
}
