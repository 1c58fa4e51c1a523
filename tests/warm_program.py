"""Runs ``hashpact``, each time in a process forked from one that has loaded it, which takes seconds each time else.

What runs is the program as it stands, with a process, arguments, environment and standard streams of its own; it is
stopped and killed as any other. The process that is forked from lives as long as whoever started it.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import pkgutil
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO

LOADED = ("hashpact_node.app", "hashpact_node.assembly", "hashpact_node.services.hashing")
"""What is loaded before anything runs, beside all commands."""

READY = b"ready\n"
PAUSE_SECONDS = 0.02


class Program:
    """One process of ``hashpact``, with those of the methods of ``subprocess.Popen`` that tests need."""

    def __init__(self, link: socket.socket, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._link = link

    def poll(self) -> int | None:
        """Give its exit code, as ``subprocess`` has it; None while it runs."""
        if self.returncode is None and select.select([self._link], [], [], 0)[0]:
            told = self._link.recv(16)
            assert told, "the process that programs are forked from has ended"
            self.returncode = int(told)
            self._link.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended; TimeoutExpired."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("hashpact", timeout or 0.0)
            time.sleep(PAUSE_SECONDS)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to stop."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


def start_program(arguments: Sequence[str], environment: Mapping[str, str], out: IO[bytes], said: IO[bytes]) -> Program:
    """Start ``hashpact`` with these arguments and this environment alone, its output going into files."""
    link = socket.socket(socket.AF_UNIX)
    link.connect(_place())
    asked = json.dumps({"arguments": list(arguments), "environment": dict(environment), "folder": str(Path.cwd())})
    socket.send_fds(link, [f"{len(asked.encode()):08}".encode()], [out.fileno(), said.fileno()])
    link.sendall(asked.encode())
    return Program(link, int(_exactly(link, 8)))


def run_program(
    arguments: Sequence[str], environment: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run ``hashpact`` to its end; TimeoutExpired after so many seconds, when it is killed."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as said:
        program = start_program(arguments, environment, out, said)
        try:
            code = program.wait(timeout)
        finally:
            program.kill()
        return subprocess.CompletedProcess(["hashpact", *arguments], code, _text(out), _text(said))


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def _exactly(link: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = link.recv(count - len(data))
        assert part, "the process that programs are forked from has ended"
        data += part
    return data


@cache
def _place() -> str:
    """Start the process that is forked from, once; it ends when its standard input does, which is with this process."""
    folder = tempfile.mkdtemp(prefix="hashpact-warm-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    place = f"{folder}/socket"
    process = subprocess.Popen(
        [sys.executable, __file__, place], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == READY, "what programs are forked from did not start"
    _place.process = process  # type: ignore[attr-defined]  # else its standard input would end with this function
    return place


class _Server:
    """Forks a program for whoever connects, and tells the connection the exit code in the end."""

    def __init__(self, place: str) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(place)
        self.listener.listen(64)
        self.running: dict[int, socket.socket] = {}
        waker, self.woken = socket.socketpair()
        waker.settimeout(0)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        self.waker = waker

    def serve(self) -> None:
        """Answer until standard input ends, which is when whoever runs tests has ended; then no program is left."""
        while True:
            ready, _, _ = select.select([0, self.listener.fileno(), self.woken.fileno()], [], [])
            if 0 in ready:
                for pid in self.running:
                    os.kill(pid, signal.SIGKILL)
                return
            if self.woken.fileno() in ready:
                self.woken.recv(4_096)
                self._reap()
            if self.listener.fileno() in ready:
                self._answer(self.listener.accept()[0])

    def _answer(self, link: socket.socket) -> None:
        size, streams, _, _ = socket.recv_fds(link, 8, 2)
        asked = json.loads(_exactly(link, int(size + _exactly(link, 8 - len(size)))))
        pid = os.fork()
        if pid == 0:
            self._become(asked, streams, link)
        for stream in streams:
            os.close(stream)
        link.sendall(f"{pid:08}".encode())
        self.running[pid] = link
        self._reap()

    def _become(self, asked: dict[str, object], streams: list[int], link: socket.socket) -> None:
        """Be the program, in the child; what only this server needs is closed."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for one in (self.listener, self.waker, self.woken, link, *self.running.values()):
            one.close()
        nothing = os.open(os.devnull, os.O_RDONLY)
        for number, descriptor in enumerate((nothing, *streams)):
            os.dup2(descriptor, number)
            os.close(descriptor)
        environment, arguments = asked["environment"], asked["arguments"]
        assert isinstance(environment, dict)
        assert isinstance(arguments, list)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(str(asked["folder"]))
        sys.argv = [str(Path(sys.executable).parent / "hashpact"), *arguments]
        raise _Be

    def _reap(self) -> None:
        while self.running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            with self.running.pop(pid) as link:
                try:
                    link.sendall(str(os.waitstatus_to_exitcode(status)).encode())
                except BrokenPipeError:  # nobody waits for it any more
                    continue


class _Be(Exception):  # noqa: N818  it is no error
    """Leave all that the server is doing, and be the program."""


def _serve(place: str) -> None:
    commands = import_module("hashpact_node.cli")
    for name in (*LOADED, *(f"{commands.__name__}.{one.name}" for one in pkgutil.iter_modules(commands.__path__))):
        import_module(name)
    gc.freeze()  # children then leave the objects that they share with this process where they are
    server = _Server(place)
    sys.stdout.buffer.write(READY)
    sys.stdout.flush()
    server.serve()


def _is_program(place: str) -> bool:
    """Serve; whether this is a child that is to be the program."""
    try:
        _serve(place)
    except _Be:
        return True
    return False


if __name__ == "__main__" and _is_program(sys.argv[1]):
    from hashpact_node.cli.start import main

    main()
