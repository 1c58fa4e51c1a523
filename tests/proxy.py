"""A proxy before a node on loopback, which remembers what readers ask for and may alter what they get."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

TIMEOUT_SECONDS = 300
PASSED_ON = ("Content-Type", "Content-Encoding", "ETag", "Cache-Control", "Hashpact-Card", "Vary")

Alter = Callable[[bytes], bytes]
"""Makes what is answered out of what the node answered."""


class Proxy:
    """Serves on ``port``, and asks the node on ``behind``; ``alterations`` change bodies by path."""

    def __init__(self, port: int, behind: int) -> None:
        self.behind = behind
        self.asked: list[str] = []
        self.alterations: dict[str, Alter] = {}
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

    def ask(self, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Ask the node, and give status, headers and body as they are to be answered."""
        self.asked.append(path)
        link = http.client.HTTPConnection("127.0.0.1", self.behind, timeout=TIMEOUT_SECONDS)
        try:
            link.request("GET", path, headers=headers)
            answer = link.getresponse()
            body = answer.read()
            kept = {name: answer.headers[name] for name in PASSED_ON if name in answer.headers}
        finally:
            link.close()
        return answer.status, kept, self.alterations.get(path, bytes)(body)


def flip(place: int) -> Alter:
    """Flip the lowest bit of the byte at ``place``."""
    return lambda body: bytes(byte ^ 1 if at == place % len(body) else byte for at, byte in enumerate(body))


def _server(proxy: Proxy, port: int) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            status, kept, body = proxy.ask(self.path, headers)
            self.send_response(status)
            for name, value in kept.items():
                self.send_header(name, value)
            if status != 304:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, *_arguments: object) -> None:
            """Say nothing when a reader hangs up."""

    return Server(("127.0.0.1", port), Handler)
