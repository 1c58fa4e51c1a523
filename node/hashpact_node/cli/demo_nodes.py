"""The nodes of ``hashpact demo``: each a process of its own, used as everybody uses one: by commands, and by HTTP."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final

from hashpact_node import clock
from hashpact_node.cli.passphrase import make_passphrase_file
from hashpact_protocol.errors import ConfigurationError, HashpactError

HOST: Final = "127.0.0.1"
PULL_INTERVAL_SECONDS: Final = 1
READY_SECONDS: Final = 180.0
LOOK_AGAIN_SECONDS: Final = 0.05
HTTP_TIMEOUT_SECONDS: Final = 120.0
STOP_SECONDS: Final = 10.0
PASSPHRASE_BYTES: Final = 24
LOG_LINES: Final = 12
OUTPUT: Final = "serve.log"
JSON: Final = "application/json"


@dataclass(slots=True)
class DemoNode:
    """One member with its home and its port, which is kept free for it until it starts; times are in seconds."""

    member: str
    home: Path
    port: int
    fingerprint: str = ""
    token: str = field(default="", repr=False)
    process: subprocess.Popen[bytes] | None = None
    _kept: socket.socket | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Its member URL."""
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The id of its process, once it serves."""
        return None if self.process is None else self.process.pid

    @property
    def environment(self) -> dict[str, str]:
        """What its processes are told: nothing that is meant for another node of this machine."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HASHPACT_")}
        return kept | {
            "HASHPACT_HOME": str(self.home),
            "HASHPACT_PULL_INTERVAL_SECONDS": str(PULL_INTERVAL_SECONDS),
            "HASHPACT_LOG_FORMAT": "console",
        }

    @property
    def authorization(self) -> dict[str, str]:
        """What opens its API."""
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def output(self) -> Path:
        """Where the running node logs to."""
        return self.home / OUTPUT

    def serve(self) -> None:
        """Start to serve, apart from the terminal, so that Ctrl-C there is left to the demo."""
        if self._kept is not None:
            self._kept.close()
        with self.output.open("ab") as log, _heard_later():
            self.process = subprocess.Popen(  # noqa: S603  our own program
                [program(), "serve"],
                cwd=self.home,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_ready(self) -> None:
        """Wait until it serves; HashpactError when it ends before, or takes too long."""
        deadline = clock.monotonic() + READY_SECONDS
        while self.process is not None and self.process.poll() is None and clock.monotonic() < deadline:
            with suppress(HashpactError):
                self.get("/readyz")
                return
            time.sleep(LOOK_AGAIN_SECONDS)
        raise HashpactError(f"the node of {self.member} did not get ready", where=self.url, mend=self.last_words())

    def last_words(self) -> str:
        """Give the end of what the running node logged."""
        with suppress(OSError):
            lines = self.output.read_text(errors="replace").splitlines()[-LOG_LINES:]
            return "\n".join([f"it said last, in {self.output}:", *lines])
        return "it said nothing"

    def get(self, path: str) -> Any:
        """GET below its address; raises HashpactError for what is not a success."""
        return self._success("GET", path)

    def post(self, path: str, body: object = None) -> Any:
        """POST JSON below its address; raises HashpactError for what is not a success."""
        return self._success("POST", path, json.dumps(body).encode())

    def post_file(self, path: str, file: Path) -> Any:
        """POST a file below its address; raises HashpactError for what is not a success."""
        return self._success("POST", path, file.read_bytes(), "application/octet-stream")

    def refusal(self, path: str, body: object) -> str:
        """POST JSON that is to be refused, and give the code of the problem; the status where it is none."""
        status, found = self._ask("POST", path, json.dumps(body).encode(), JSON)
        return str(found.get("code", status)) if isinstance(found, dict) else str(status)

    def unknown(self, path: str) -> int:
        """GET as somebody who signs nothing and has no token; the status of the answer."""
        return self._ask("GET", path, None, JSON, known=False)[0]

    def _success(self, method: str, path: str, body: bytes | None = None, media_type: str = JSON) -> Any:
        status, found = self._ask(method, path, body, media_type)
        if status >= HTTPStatus.BAD_REQUEST:
            told = found if isinstance(found, dict) else {}
            raise HashpactError(
                f"{self.member} answered {status}: {told.get('detail', found)}", where=f"{method} {self.url}{path}"
            )
        return found

    def _ask(
        self, method: str, path: str, body: bytes | None, media_type: str, *, known: bool = True
    ) -> tuple[int, Any]:
        """Give status and JSON of an answer; HashpactError where there is none."""
        connection = HTTPConnection(HOST, self.port, timeout=HTTP_TIMEOUT_SECONDS)
        try:
            headers = {} if body is None else {"Content-Type": media_type}
            connection.request(method, path, body, headers | (self.authorization if known else {}))
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, HTTPException, ValueError) as error:
            where = f"{method} {self.url}{path}"
            raise HashpactError(f"{self.member} does not answer as it should: {error}", where=where) from None
        finally:
            connection.close()


def program() -> str:
    """Give the path of ``hashpact``: that of this environment, else the one that is found; ConfigurationError."""
    beside = Path(sys.executable).with_name("hashpact")
    found = str(beside) if beside.exists() else shutil.which("hashpact")
    if found is None:
        raise ConfigurationError("the program hashpact is not installed", where=sys.executable, mend="run make install")
    return found


def shown_program() -> str:
    """Give the path of ``hashpact`` as one types it in the working folder."""
    path = Path(program())
    return shlex.quote(str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path))


def make_nodes(folder: Path, members: Iterable[str]) -> list[DemoNode]:
    """Give each member a home below ``folder``, its passphrase in it, and a free port."""
    nodes = []
    for member in members:
        kept = socket.socket()
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind((HOST, 0))
        nodes.append(DemoNode(member, folder / member, kept.getsockname()[1], _kept=kept))
        make_passphrase_file(nodes[-1].home, secrets.token_urlsafe(PASSPHRASE_BYTES))
    return nodes


Call = tuple[DemoNode, Sequence[str]]
"""A command on the home of a node: its words behind ``hashpact``, without ``--json``."""


def run_commands(*calls: Call) -> list[Any]:
    """Run commands side by side, and give what each wrote as JSON; HashpactError for one that fails, in its words."""
    started: list[tuple[Call, subprocess.Popen[bytes]]] = []
    try:
        for node, words in calls:
            line = [program(), *words, "--json"]
            pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
            process = subprocess.Popen(line, env=node.environment, **pipes)  # type: ignore[call-overload]  # noqa: S603
            started.append(((node, words), process))
        return [_finish(*one) for one in started]
    finally:
        for _, process in started:
            if process.poll() is None:
                process.kill()
                process.communicate()


def _finish(call: Call, process: subprocess.Popen[bytes]) -> Any:
    node, words = call
    written, told = process.communicate()
    if process.returncode:
        raise HashpactError(
            f"`hashpact {words[0]}` ended with {process.returncode}: {_said(told)}", where=str(node.home)
        )
    return json.loads(written)


def _said(told: bytes) -> str:
    """Give the words of a failed command: of its JSON, or its last line where it wrote none."""
    lines = told.decode(errors="replace").splitlines() or ["it said nothing"]
    try:
        error = json.loads(lines[-1])["error"]
    except (ValueError, KeyError, TypeError):
        return lines[-1]
    return ", ".join(str(error[name]) for name in ("what", "where", "mend") if error.get(name))


@contextmanager
def _heard_later() -> Iterator[None]:
    """Hear of Ctrl-C only once a process that is being started is known, so that it is ended with the others."""
    heard: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: heard.append(number))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if heard:
        raise KeyboardInterrupt


def stop_nodes(nodes: Iterable[DemoNode]) -> None:
    """Ask all nodes to stop, wait for them, and end those that do not."""
    running = [node.process for node in nodes if node.process is not None]
    for process in running:
        process.send_signal(signal.SIGTERM)
    deadline = clock.monotonic() + STOP_SECONDS
    for process in running:
        try:
            process.wait(max(0.0, deadline - clock.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
