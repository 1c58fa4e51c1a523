"""A proxy in front of an honest server that puts faults into what it answers, to see whether a suite finds them."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

TIMEOUT_SECONDS = 300


@dataclass(frozen=True)
class Reply:
    """One answer; names of headers are in lower case. ``path`` is what was asked for, without a slash before it."""

    method: str
    path: str
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def told(self, **headers: str | None) -> Reply:
        """Give it with other headers, names with ``_`` for ``-``; None takes one away."""
        changed = {name.replace("_", "-"): value for name, value in headers.items()}
        kept = {name: value for name, value in self.headers.items() if name not in changed}
        return replace(self, headers=kept | {name: value for name, value in changed.items() if value is not None})

    def says(self, status: int, body: bytes = b"") -> Reply:
        """Give another answer, with no headers of this one."""
        return Reply(self.method, self.path, status, {}, body)

    def holds(self, body: bytes) -> Reply:
        """Give it with another body."""
        return replace(self, body=body)


Fault = Callable[[Reply], Reply | None]
"""Makes what is answered out of what would honestly be answered; None hangs up."""


def honest(reply: Reply) -> Reply:
    """Put no fault in."""
    return reply


class FaultyProxy:
    """Serves on ``port``, asks the server on ``behind``, and answers as ``fault`` makes it."""

    def __init__(self, port: int, behind: int) -> None:
        self.behind = behind
        self.fault: Fault = honest
        self._server = _server(self, port)
        self._thread = threading.Thread(target=lambda: self._server.serve_forever(poll_interval=0.05), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def ask(self, method: str, path: str, headers: Sequence[tuple[str, str]], body: bytes) -> Reply | None:
        """Ask the server, and give what is to be answered."""
        link = http.client.HTTPConnection("127.0.0.1", self.behind, timeout=TIMEOUT_SECONDS)
        try:
            link.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers:  # as they came, doubled ones included
                link.putheader(name, value)
            link.endheaders(body or None)
            answer = link.getresponse()
            told = {name.lower(): value for name, value in answer.headers.items()}
            told.pop("transfer-encoding", None)
            reply = Reply(method, path.removeprefix("/"), answer.status, told, answer.read())
        finally:
            link.close()
        return self.fault(reply)


def _server(proxy: FaultyProxy, port: int) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            passed_on = [(name, value) for name, value in self.headers.items() if name.lower() != "connection"]
            reply = proxy.ask(self.command, self.path, passed_on, self.rfile.read(length))
            if reply is None:
                self.close_connection = True
                return
            self.send_response_only(reply.status)
            for name, value in reply.headers.items():
                if name != "content-length":
                    self.send_header(name, value)
            if reply.status != 304:
                wrong = reply.headers.get("x-wrong-length")
                self.send_header("Content-Length", wrong or str(len(reply.body)))
                self.close_connection = self.close_connection or bool(wrong)  # else a client waits for what never comes
            self.end_headers()
            if self.command != "HEAD" or "x-body" in reply.headers:
                self.wfile.write(reply.body)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = _any  # noqa: N815  (http.server's names)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_arguments: object) -> None:
            """Clients of this server hang up, and send what is no HTTP."""

    return Server(("127.0.0.1", port), Handler)
