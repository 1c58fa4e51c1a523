"""Runs commands of an entrypoint, each in a process forked from one that has imported everything.

Starting Python and importing a node takes seconds, and the suite calls hundreds of commands. What is called is still a
command line of its own: a client (:mod:`entrypoint_client`) that tells this server what it was called with.
"""

from __future__ import annotations

import gc
import json
import os
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent


@contextmanager
def entrypoint_server(*preparations: str, roots: Sequence[Path] = ()) -> Iterator[str]:
    """Run a server for the body, and give the command line of its entrypoint.

    ``preparations`` are names ``module:function`` that the server calls before it forks anything: to put a fault into
    the node that it runs. ``roots`` hold other sources of the node than this tree's.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "socket"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (*roots, HERE)))}
        line = [sys.executable, str(HERE / "entrypoint_server.py"), str(place), *preparations]
        with subprocess.Popen(line, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
            try:
                assert process.stdout is not None
                said = process.stdout.readline()
                assert said == b"ready\n", f"the server of the entrypoint did not start: {said!r}"
                yield shlex.join([sys.executable, "-S", "-E", str(HERE / "entrypoint_client.py"), str(place)])
            finally:
                process.kill()


def serve(place: str) -> None:
    """Answer one caller after another: read arguments as JSON, run them in a child, tell what came of it."""
    import own_entrypoint  # noqa: PLC0415  (slow, and the caller of this module does not need it)

    own_entrypoint.warm_up()
    gc.freeze()  # children then leave the objects that they share with this process where they are
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(place)
        listener.listen(64)
        print("ready", flush=True)
        while True:
            link, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _answer(link, own_entrypoint.main)
            link.close()
            _reap()


def _answer(link: socket.socket, main: object) -> None:
    """Run a command in this child, and end it."""
    assert callable(main)
    with link, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as said:
        os.dup2(out.fileno(), 1)
        os.dup2(said.fileno(), 2)
        code = 70
        try:
            code = main(json.loads(link.makefile("rb").readline()))
        except BaseException:  # noqa: BLE001  (whatever it is, the caller is told, and this process ends)
            sys.excepthook(*sys.exc_info())
        sys.stdout.flush()
        sys.stderr.flush()
        answer = {"code": code, "out": _text(out.fileno()), "said": _text(said.fileno())}
        link.sendall(json.dumps(answer).encode())
    os._exit(0)


def _text(number: int) -> str:
    os.lseek(number, 0, os.SEEK_SET)
    with os.fdopen(os.dup(number), "rb") as file:
        return file.read().decode(errors="replace")


def _reap() -> None:
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                return
        except ChildProcessError:
            return


def _prepare(names: list[str]) -> None:
    import importlib  # noqa: PLC0415  (only the server process needs it)

    for name in names:
        module, _, function = name.partition(":")
        getattr(importlib.import_module(module), function)()


if __name__ == "__main__":
    _prepare(sys.argv[2:])
    serve(sys.argv[1])
