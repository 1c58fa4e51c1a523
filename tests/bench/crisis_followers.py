"""Many followers in one process: each a node with its own home, database and address, which answers and is rung.

What is left out is the schedule: polling, releasing and upkeep, which at fifty nodes would take more of one machine
than the crisis does, and of fifty machines nothing that counts. Run by ``bench.crisis`` as
``python crisis_followers.py PASSPHRASE HOME=PORT …``; it says when it is ready, and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import uvicorn

from hashpact_node.api.connections import server_config
from hashpact_node.app import create_app
from hashpact_node.assembly import Node, open_node, open_settings
from hashpact_node.jobs import waker
from hashpact_node.jobs.waker import Waker

READY = "ready"
LOOK_SECONDS = 5.0
"""How often a waker looks by itself; a ring that this process takes wakes it at once."""


def serve(node: Node, port: int, ends: ExitStack) -> None:
    """Serve a node and let it hear doorbells, until the stack is closed."""
    node.awakening.hear()  # nobody knows of anything that it signed
    listener = socket.create_server(("127.0.0.1", port), backlog=128)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server = uvicorn.Server(server_config(create_app(node, schedule=False), loop="asyncio"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
    thread.start()
    hears = Waker(node)
    hears.start()

    def end() -> None:
        server.should_exit = True
        hears.stop()
        thread.join()

    ends.callback(node.close)
    ends.callback(end)


def main() -> None:
    """Serve all, and wait for the end."""
    waker.LOOK_SECONDS = LOOK_SECONDS  # type: ignore[misc]  # for fifty of them
    passphrase, *homes = sys.argv[1:]
    with ExitStack() as ends:
        for home, port in (each.rsplit("=", 1) for each in homes):
            node = open_node(open_settings(Path(home), {}), passphrase.encode)
            serve(node, int(port), ends)
        print(READY, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
