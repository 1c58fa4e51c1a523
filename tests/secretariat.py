"""A consortium's secretariat for tests: its home, and a web server that shows what it published."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from hashpact_keys.keystore import KeyStore
from hashpact_node import clock
from hashpact_node.services.directory_home import DirectoryHome
from own_member import NOW

FINGERPRINT = f"1:sha256:{'a' * 64}"


class Secretariat:
    """A home below ``folder``, with an empty directory; its time is moved by tests. ``www`` is what it shows."""

    def __init__(self, folder: Path, name: str = "A Consortium", *, real_time: bool = False) -> None:
        self.clock = [NOW]
        self.real_time = real_time
        self.www = folder / "www"
        kept = folder / "kept"
        self.home = DirectoryHome(kept, KeyStore(kept, lambda: b"of a secretariat", kdf_rounds=1), self.now)
        self.fingerprint = self.home.found(name)

    def now(self) -> datetime:
        """Tell the time: the real one, or that which tests move."""
        return clock.now() if self.real_time else self.clock[0]

    def later(self, **time: float) -> None:
        """Let time pass."""
        self.clock[0] += timedelta(**time)

    def admit(self, member: str, url: str, fingerprint: str) -> None:
        """List a member, and show it."""
        self.home.admit(member, url, fingerprint)
        self.publish()

    def suspend(self, member: str, reason: str | None = None) -> None:
        """Suspend a member, and show it."""
        self.home.suspend(member, reason)
        self.publish()

    def readmit(self, member: str) -> None:
        """Readmit a member, and show it."""
        self.home.readmit(member)
        self.publish()

    def publish(self) -> None:
        """Show what is signed."""
        self.home.publish(self.www)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@contextmanager
def static_server(folder: Path) -> Iterator[str]:
    """Serve a folder as any web server does, for the body; give its URL."""
    folder.mkdir(parents=True, exist_ok=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
