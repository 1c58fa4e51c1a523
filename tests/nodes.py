"""Whole nodes for tests and benchmarks: each a process of its own, with home, keys, database and port on loopback."""

from __future__ import annotations

import os
import secrets
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from asking import MEMBERS_ONLY, MemberAuth, credentials_of, newest_credentials
from hashpact_keys.keystore import KeyStore
from hashpact_node import clock
from hashpact_node.assembly import Node
from hashpact_node.services.awakening import UNASKED
from hashpact_node.services.log_trust import card_of
from hashpact_node.services.setup import Founding, make_home
from hashpact_node.settings import Settings
from hashpact_node.store.database import Database, open_database
from hashpact_node.store.logs import Log, find_log
from hashpact_node.store.migrate import migrate
from hashpact_node.store.peers import find_own
from independent.sign_request import Credentials
from knowing import forget_known, know
from warm_program import Program, run_program, start_program

PASSPHRASE = "synthetic passphrase of a test"
PORTS = range(20_000, 32_768)
READY_SECONDS = 300.0
"""A node is ready within a second or two; a machine that has much else to do may take long."""

STOP_SECONDS = 180.0
COMMAND_SECONDS = 600.0
ANSWER_SECONDS = 300.0
PATIENCE_SECONDS = 120.0
PULLED_SECONDS = 300.0
CERTIFICATES = ssl.create_default_context()
"""Which no node of a test has; to read those of the system for each request takes 60 ms."""


def interruptible(environment: Mapping[str, str]) -> dict[str, str]:
    """Give the environment of a program that will hear Ctrl-C: its coverage is not measured.

    The exception of a Ctrl-C may fall between coverage taking its lock and giving it back, and then the program waits
    for that lock for ever, which it never would by itself.
    """
    return {name: value for name, value in environment.items() if not name.startswith("COVERAGE_")}


def is_warm(environment: Mapping[str, str]) -> bool:
    """Say whether a program may be forked from one that is loaded: not with other sources, nor while it is measured."""
    measured = any(name.startswith("COVERAGE_") for name in environment)
    return "PYTEST_CURRENT_TEST" in os.environ and "PYTHONPATH" not in environment and not measured


_GIVEN_OUT: deque[int] = deque(maxlen=1_000)


def free_port() -> int:
    """Find a TCP port on loopback that nobody listens on now.

    It lies below those that the system gives to outgoing connections, so that none of them takes it in between. Nor
    does another test, while whoever asked does not listen yet, or not now: processes that share a run have each their
    own ports, and one gives none out again soon.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        port = secrets.choice(PORTS[worker % workers :: workers])
        with socket.socket() as probe, suppress(OSError):
            if port not in _GIVEN_OUT:
                probe.bind(("127.0.0.1", port))
                _GIVEN_OUT.append(port)
                return port


@dataclass
class TestNode:
    """One member with its home; ``start`` runs it as a process."""

    __test__ = False

    member: str
    home: Path
    port: int
    database_url: str
    fingerprint: str
    settings: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | Program | None = None
    token: str = ""

    @property
    def authorization(self) -> dict[str, str]:
        """The header that opens its API."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    @property
    def url(self) -> str:
        """Its member URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def origin(self) -> str:
        """The origin of its first log."""
        return f"{self.url.removeprefix('http://')}/logs/listings-1"

    @property
    def environment(self) -> dict[str, str]:
        """What its processes are told."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HASHPACT_")}
        return kept | {
            "HASHPACT_HOME": str(self.home),
            "HASHPACT_PASSPHRASE": PASSPHRASE,
            "HASHPACT_DATABASE_URL": self.database_url,
            "HASHPACT_LOG_FORMAT": "json",
            **self.settings,
        }

    def command(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run ``hashpact`` with these arguments on its home, and give what came of it."""
        environment = options.pop("env", self.environment)
        if is_warm(environment) and not options:
            return run_program(arguments, environment, COMMAND_SECONDS)
        line = [str(Path(sys.executable).parent / "hashpact"), *arguments]
        told = {"capture_output": True, "text": True, "timeout": COMMAND_SECONDS, "env": environment, **options}
        return subprocess.run(line, check=False, **told)

    def start(self, *arguments: str) -> None:
        """Serve, with these arguments besides, and wait until it is ready, and has asked its peers before it signs."""
        line = ["serve", "--port", str(self.port), *arguments]
        with (self.home / "serve.log").open("ab") as log:
            if is_warm(self.environment):
                self.process = start_program(line, self.environment, log, log)
            else:
                line.insert(0, str(Path(sys.executable).parent / "hashpact"))
                self.process = subprocess.Popen(line, env=self.environment, stdout=log, stderr=log)
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            with suppress(httpx.HTTPError):
                told = httpx.get(f"http://127.0.0.1:{self.port}/readyz", timeout=5, verify=CERTIFICATES)
                if told.status_code == 200 and told.json()["signing"] != UNASKED:
                    return
            time.sleep(0.05)
        raise AssertionError(f"{self.member} did not get ready:\n{(self.home / 'serve.log').read_text()[-4000:]}")

    def stop(self) -> None:
        """Ask it to stop, and wait for it."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
            self.process = None

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(STOP_SECONDS)
            self.process = None

    @property
    def credentials(self) -> Credentials:
        """What its own member signs requests with: the last key of its card, once that has been replaced."""
        if [file.name for file in self.home.glob("keys/request*.key")] == ["request.key"]:
            return credentials_of(self.member, self.home, PASSPHRASE)
        database = open_database(self.database_url)
        try:
            with database.read() as connection:
                own = find_own(connection)
        finally:
            database.dispose()
        assert own is not None
        return newest_credentials(card_of(own), self.home, PASSPHRASE)

    def get(self, path: str, **options: Any) -> httpx.Response:
        """GET below its address, with its token, and signed by its own member where members are asked for."""
        return self._ask("GET", path, options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        """POST below its address, as ``get`` does."""
        return self._ask("POST", path, options)

    def _ask(self, method: str, path: str, options: dict[str, Any]) -> httpx.Response:
        told = {**options, "headers": {**self.authorization, **options.get("headers", {})}}
        url = f"http://127.0.0.1:{self.port}{path}"
        auth = MemberAuth(self.credentials, self.url) if path.startswith(MEMBERS_ONLY) else None
        return httpx.request(method, url, auth=auth, timeout=ANSWER_SECONDS, verify=CERTIFICATES, **told)

    def log(self, of: TestNode) -> Log:
        """Give the row that it keeps of another's first log, or of its own."""
        database = open_database(self.database_url)
        try:
            with database.read() as connection:
                log = find_log(connection, of.origin)
        finally:
            database.dispose()
        assert log is not None
        return log

    def digest(self, *members: TestNode) -> str:
        """Give the digest of what it has merged, of these members or of all, through its API."""
        names = ",".join(node.member for node in members)
        answer = self.get("/v1/blocklist/digest", params={"members": names} if names else {})
        answer.raise_for_status()
        return str(answer.json()["digest"])

    def pull(self, other: TestNode) -> dict[str, Any]:
        """Pull a peer until nothing is wrong, and give what that came to.

        Another pull may run, a busy peer may answer late, and a card that is new may be read a minute later.
        """
        deadline = time.monotonic() + PULLED_SECONDS
        while True:
            answer = self.post(f"/v1/peers/{other.member}/pull")
            found: dict[str, Any] = answer.json()
            if answer.status_code == 200 and not found["errors"]:
                return found
            assert time.monotonic() < deadline, answer.text
            time.sleep(0.2)

    def let_an_hour_pass(self) -> None:
        """Let it read its peers' cards at the next pull, which it does once an hour, and once a minute on a hint."""
        database = open_database(self.database_url)
        try:
            with database.write() as connection:
                connection.execute(text("UPDATE peer SET trust_checked_at = 0"))
        finally:
            database.dispose()

    def follow(self, other: TestNode) -> None:
        """Add a peer by its fingerprint: through the API where it runs, else through the command line.

        The other one then knows this one, since it answers nobody else.
        """
        meet(self.database_url, other)
        if self.process is None:
            done = self.command("peer", "add", other.member, other.url, "--fingerprint", other.fingerprint, "--yes")
            assert done.returncode == 0, done.stderr
        else:
            told = {"member": other.member, "url": other.url, "fingerprint": other.fingerprint}
            answer = self.post("/v1/peers", json=told)
            assert answer.status_code == 201, answer.text


def meet(url: str, other: TestNode) -> None:
    """Prepare that the member on the database at ``url`` adds another one, which then knows it."""
    know(other.database_url, url)
    forget_known(url, other.member)


def follow(node: Node, other: TestNode) -> None:
    """Let a node that is open in this process add a peer, which then knows it."""
    meet(node.settings.database_url, other)
    node.peering.add(other.member, other.url, fingerprint=other.fingerprint)


MakeNode = Callable[..., TestNode]
"""Sets up a member by its id, with settings by the names of their variables."""


def make_node(folder: Path, member: str, database_url: str | None = None, **settings: str) -> TestNode:
    """Set up a member in ``folder``, on a SQLite file of its own unless a database is given; not started yet."""
    home, port = folder / member, free_port()
    url = f"http://127.0.0.1:{port}"
    database_url = database_url or f"sqlite:///{home / 'node.sqlite3'}"
    home.mkdir(parents=True, exist_ok=True)
    database: Database = open_database(database_url)
    if database.file is not None and not database.file.exists():
        database.file.write_bytes(_migrated())
    try:
        keystore = KeyStore(home, PASSPHRASE.encode, kdf_rounds=1)
        plan = Settings(home=home, database_url=database_url)
        made = make_home(plan, Founding(member, url, member.capitalize()), keystore, database, now=clock.now)
    finally:
        database.dispose()
    told = {"HASHPACT_PULL_INTERVAL_SECONDS": "3600", **settings}
    return TestNode(member, home, port, database_url, made.fingerprint, told, token=made.token)


@cache
def _migrated() -> bytes:
    """Give the file of a new SQLite database: to migrate each anew takes most of the time that it takes to set up."""
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{folder}/new.sqlite3")
        migrate(database)
        database.dispose()
        return Path(folder, "new.sqlite3").read_bytes()


@contextmanager
def running(*nodes: TestNode) -> Iterator[None]:
    """Run nodes for the body."""
    try:
        for node in nodes:
            node.start()
        yield
    finally:
        for node in nodes:
            node.kill()


def wait_until(question: Any, *, seconds: float = PATIENCE_SECONDS) -> None:
    """Ask until the answer is yes, which is soon where nothing is wrong and the machine has nothing else to do."""
    deadline = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)
