"""Ask a node on loopback for something as often as it answers, and say how often that was: a program of its own.

``flooder.py PORT CONNECTIONS FILE`` sends the request in FILE over many connections, many at a time on each, until its
standard input ends. Then it prints as JSON how many were answered, by status, and the seconds that it took.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

AT_ONCE = 16
"""Requests that are sent before the first of them is answered; a node takes 32."""

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_LINE = 13
"""The length of what the pattern matches."""


def main(port: int, connections: int, request: bytes) -> None:
    """Flood until told to stop."""
    over, statuses = threading.Event(), [Counter[str]() for _ in range(connections)]
    start = time.perf_counter()
    threads = [threading.Thread(target=_flood, args=(port, request, over, one)) for one in statuses]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    over.set()
    for thread in threads:
        thread.join()
    print(json.dumps({"seconds": time.perf_counter() - start, "statuses": sum(statuses, Counter[str]())}))


def _flood(port: int, request: bytes, over: threading.Event, statuses: Counter[str]) -> None:
    while not over.is_set():
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=30) as link:
            while not over.is_set():
                link.sendall(request * AT_ONCE)
                if not _read(link, statuses):
                    break


def _read(link: socket.socket, statuses: Counter[str]) -> bool:
    """Count what is answered to what was sent at once; whether all of it was."""
    answered, rest = 0, b""
    while answered < AT_ONCE:
        data = link.recv(65_536)
        if not data:
            return False
        rest += data
        found = list(_STATUS.finditer(rest))
        statuses.update(one[1].decode() for one in found)
        answered += len(found)
        rest = rest[found[-1].end() :] if found else rest[-_LINE:]
    return True


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]).read_bytes())
