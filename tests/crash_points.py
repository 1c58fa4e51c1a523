"""Run a command of ``hashpact`` on copies of a home, kill each run before another of its durable steps, run it again.

A durable step is a transaction that writes and is about to be committed, or a file that is about to get its name. As
a program, ``crash_points.py FOLDER ARGUMENT…`` copies the home that the environment names to ``FOLDER/1/killed``,
``FOLDER/2/killed`` and so on, and runs the command there, killed before step 1, 2, and so on, until it ends by itself.
What a kill left is copied to ``FOLDER/N/again``, and the command is run there once more; its exit code is printed, a
line a kill. What was signed in a home is appended to its file ``signed``. One process that forks does it all, since
most of what a command costs is to load it.
"""

from __future__ import annotations

import base64
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event

from hashpact_keys.keystore import KeyStore
from hashpact_keys.signers import FileSigner
from hashpact_node.cli.main import main
from hashpact_node.store.database import WRITES
from nodes import TestNode

SECONDS = 1_200
KILLED, AGAIN, SIGNED = "killed", "again", "signed"


@dataclass(frozen=True, slots=True)
class Crashed:
    """A node as a kill left it, as it was after the command had been run again, and the exit code of that."""

    killed: TestNode
    again: TestNode
    code: int


def crash(node: TestNode, folder: Path, *arguments: str) -> list[Crashed]:
    """Run a command on copies of a node that keeps all in its home, one copy for each step that it can be killed at.

    Raises AssertionError where a command ended before it was killed, and not well.
    """
    folder.mkdir()
    line = [sys.executable, __file__, str(folder), *arguments]
    ended = subprocess.run(line, check=False, capture_output=True, text=True, timeout=SECONDS, env=node.environment)
    assert ended.returncode == 0, ended.stderr
    codes = [int(line.removeprefix("again: ")) for line in ended.stdout.splitlines() if line.startswith("again: ")]

    def moved(home: Path) -> TestNode:
        return replace(node, home=home, database_url=node.database_url.replace(str(node.home), str(home)))

    return [
        Crashed(moved(folder / str(step) / KILLED), moved(folder / str(step) / AGAIN), code)
        for step, code in enumerate(codes, 1)
    ]


def signed_in(node: TestNode) -> list[bytes]:
    """All checkpoints that were signed or cosigned in a home while it was run here, as their bodies."""
    texts = [base64.b64decode(line) for line in (node.home / SIGNED).read_bytes().splitlines()]
    return [text.split(b"\n", 2)[2] if text.startswith(b"cosignature/") else text for text in texts]


class _Steps:
    """Counts durable steps, and kills this process before a certain one."""

    def __init__(self, fatal: int) -> None:
        self._left = fatal

    def take(self) -> None:
        self._left -= 1
        if not self._left:
            os.kill(os.getpid(), signal.SIGKILL)

    def committing(self, connection: Connection) -> None:
        if connection.get_execution_options().get(WRITES):
            self.take()

    def before(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def taken(*arguments: Any, **options: Any) -> Any:
            self.take()
            return function(*arguments, **options)

        return taken


def _tell_signatures(place: Path) -> None:
    sign = FileSigner.sign

    def sign_and_tell(self: FileSigner, message: bytes) -> bytes:
        with place.open("ab") as told:
            told.write(base64.b64encode(message) + b"\n")
        return sign(self, message)

    FileSigner.sign = sign_and_tell  # type: ignore[method-assign]  # this process lives for one command


def _run(home: Path, step: int, arguments: list[str]) -> None:
    """Be the command on this home, until it ends or is killed."""
    before = os.environ["HASHPACT_HOME"]
    os.environ["HASHPACT_DATABASE_URL"] = os.environ["HASHPACT_DATABASE_URL"].replace(before, str(home))
    os.environ["HASHPACT_HOME"] = str(home)
    steps = _Steps(step)
    event.listen(Engine, "commit", steps.committing)
    for name in ("link", "replace", "rename"):
        setattr(os, name, steps.before(getattr(os, name)))
    _tell_signatures(home / SIGNED)
    assert KeyStore.__init__.__kwdefaults__ is not None
    KeyStore.__init__.__kwdefaults__["kdf_rounds"] = 1  # a new key file costs no time
    sys.argv = ["hashpact", *arguments]
    main()


def _ended(home: Path, arguments: list[str], *, step: int = 0) -> int:
    """Run the command in a process of its own; its exit code."""
    child = os.fork()
    if not child:
        _run(home, step, arguments)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _crash_all(folder: Path, arguments: list[str]) -> int:
    for step in count(1):
        home = folder / str(step)
        shutil.copytree(os.environ["HASHPACT_HOME"], home / KILLED)
        (home / KILLED / SIGNED).touch()
        code = _ended(home / KILLED, arguments, step=step)
        if code != -signal.SIGKILL:
            return code
        shutil.copytree(home / KILLED, home / AGAIN)
        sys.stdout.write(f"again: {_ended(home / AGAIN, arguments)}\n")
        sys.stdout.flush()
    raise AssertionError("a command has an end")


if __name__ == "__main__":
    import_module("hashpact_node.assembly")  # which commands load by themselves, each anew
    sys.exit(_crash_all(Path(sys.argv[1]), sys.argv[2:]))
