"""A peer's trust repository on loopback, honest or not: every answer can be replaced."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from hashpact_keys.trust_files import TrustFiles

Script = Callable[[BaseHTTPRequestHandler], None]


class TrustServer:
    """Serves ``files`` below ``/trust``; ``scripts`` answer paths (``metadata/timestamp.json``) in their own way."""

    def __init__(self) -> None:
        self.files: TrustFiles = {}
        self.scripts: dict[str, Script] = {}
        self.requests: list[str] = []
        self.stopping = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=lambda: self.server.serve_forever(poll_interval=0.01), daemon=True)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = handler.path.removeprefix("/trust/")
        self.requests.append(path)
        place, _, name = path.partition("/")
        body = self.files.get((place, name))
        if path in self.scripts:
            self.scripts[path](handler)
        elif body is None:
            send(handler, b"nothing here", status=404)
        else:
            send(handler, body)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stopping.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def send(handler: BaseHTTPRequestHandler, body: bytes, *, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def says(body: bytes, *, status: int = 200, **headers: str) -> Script:
    return lambda handler: send(handler, body, status=status, **headers)
