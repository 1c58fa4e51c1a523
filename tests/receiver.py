"""A receiver of webhooks on loopback: it keeps what came, and answers as it is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Came:
    """One request: its path, its headers by lower-case name, its body."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Receiver:
    """``answers`` are given one after another, then ``status``; ``holds`` keeps an answer back until it is set.

    ``says`` is the body of each.
    """

    port: int = 0
    came: list[Came] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    status: int = 204
    holds: threading.Event | None = None
    says: bytes = b""

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hook"

    def answer(self, came: Came) -> tuple[int, dict[str, str]]:
        """Keep a request, and give the answer to it."""
        self.came.append(came)
        if self.holds is not None:
            self.holds.wait(60)
        return self.answers.pop(0) if self.answers else (self.status, {})


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver for the body."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, more = receiver.answer(Came(self.path, headers, body))
            self.send_response(status)
            for name, value in {"content-length": str(len(receiver.says)), **more}.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(ConnectionError):  # whoever has heard enough may go
                self.wfile.write(receiver.says)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class has it
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        if receiver.holds is not None:
            receiver.holds.set()
        server.shutdown()
        thread.join()
        server.server_close()
