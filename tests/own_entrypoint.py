"""Our own node behind the command protocol of the conformance suite (docs/conformance.md).

Reads batches in its own process and makes cheap key files; everything else is the node as it is assembled. Commands
are run by :mod:`entrypoint_server`, which imports all of this once, or by ``python own_entrypoint.py COMMAND …``.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import logging
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, redirect_stdout, suppress
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import httpx
import structlog
from sqlalchemy import URL, Engine

from hashpact_conformance.simulator.member import Member
from hashpact_conformance.simulator.server import Server
from hashpact_conformance.simulator.statements import listing
from hashpact_keys.keystore import KeyStore
from hashpact_keys.rows import TrustRole
from hashpact_keys.trust_files import newest
from hashpact_node import assembly, clock
from hashpact_node.assembly import Node, open_node
from hashpact_node.cli.common import is_running
from hashpact_node.net import peer_logs, trust
from hashpact_node.services.batches import Batch, BatchRequest, read_batch_unknown
from hashpact_node.services.digests import Digester, digested_logs, live_listings_of, live_map, size_of
from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.quarantined import list_malformed
from hashpact_node.services.setup import Founding, make_home
from hashpact_node.services.workers import Workers
from hashpact_node.settings import Settings, load_settings
from hashpact_node.store import database as store_database
from hashpact_node.store.alarms import list_alarms
from hashpact_node.store.database import open_database
from hashpact_node.store.logs import list_logs
from hashpact_node.store.migrate import migrate
from hashpact_node.store.peers import get_peer, list_peers
from hashpact_node.store.trust import load_files
from hashpact_protocol.errors import HashpactError
from hashpact_protocol.merkle import CompactRange
from hashpact_protocol.signals import make_signal

PASSPHRASE: Final = "synthetic passphrase of a test"
DONE, REFUSED, USAGE, NOT_SUPPORTED = 0, 1, 2, 3
READY_SECONDS = 110.0
FETCH_MAX_BYTES: Final = 32 * 1024 * 1024
"""The suite gives each command two minutes."""

PREPARED: Final[dict[str, bytes]] = {}
"""The file of a new database, once :func:`warm_up` has made one: to migrate each home's anew takes most of ``init``."""


class FailedError(Exception):
    """A command has failed in part, and has something to tell all the same."""

    def __init__(self, what: str, value: Any) -> None:
        super().__init__(what)
        self.value = value


class InlineWorkers(Workers):
    """Reads batches here and at once: a process that lives for one command has no use for others."""

    def start(self) -> None:
        """Start nothing."""

    def submit(self, request: BatchRequest) -> Future[Batch]:
        """Read the batch now; the future holds what came of it."""
        future: Future[Batch] = Future()
        try:
            future.set_result(read_batch_unknown(request))
        except HashpactError as error:
            future.set_exception(error)
        return future


# What a command tells is on standard output, what the node logs belongs on the other.
structlog.configure(
    logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
)
# Reading the system's certificates takes a tenth of a second, and peers of the suite have none.
vars(ssl)["create_default_context"] = cache(ssl.create_default_context)
# The assembly makes what stands under this name.
vars(assembly)["Workers"] = InlineWorkers


def environment(home: Path) -> dict[str, str]:
    """What a node in this home is told, beside its node.toml."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HASHPACT_")}
    told = json.loads((home / "entrypoint.json").read_bytes()) if (home / "entrypoint.json").exists() else {}
    return kept | {
        "HASHPACT_HOME": str(home),
        "HASHPACT_PASSPHRASE": PASSPHRASE,
        "HASHPACT_LOG_FORMAT": "json",
        "HASHPACT_PULL_INTERVAL_SECONDS": "3600",
        **told,
    }


@contextmanager
def opened(home: Path, *, now: clock.Now = clock.now) -> Iterator[Node]:
    """Open the node of a home; a running one releases what is published here."""
    settings = load_settings(environment(home), home)
    node = open_node(settings, PASSPHRASE.encode, releases=not is_running(home), now=now)
    vars(node.publisher)["_wait_seconds"] = READY_SECONDS
    try:
        yield node
    finally:
        node.close()


def init(told: argparse.Namespace) -> Any:
    home: Path = told.home
    home.mkdir(parents=True, exist_ok=True)
    port = int(told.url.rpartition(":")[2])
    settings = Settings(home=home, port=port)
    keystore = KeyStore(home, PASSPHRASE.encode, kdf_rounds=1)
    database = open_database(settings.database_url)
    if "database" in PREPARED and database.file is not None:
        database.file.write_bytes(PREPARED["database"])
    try:
        made = make_home(
            settings, Founding(told.member, told.url, told.member.title()), keystore, database, now=clock.now
        )
        with database.read() as connection:
            root = newest(load_files(connection, get_peer(connection, told.member).number), TrustRole.ROOT)
    finally:
        database.dispose()
    assert root is not None
    (home / "entrypoint.json").write_text(json.dumps({"HASHPACT_REQUIRE_WITNESSES": str(told.require_witnesses)}))
    place = home / "1.root.json"
    place.write_bytes(root)
    return {"root": str(place), "fingerprint": made.fingerprint}


def follow(told: argparse.Namespace) -> Any:
    with opened(told.home) as node:
        node.peering.add(told.peer, told.peer_url, root=told.root.read_bytes())


def pull(told: argparse.Namespace) -> Any:
    """Pull; the process ends with the command, so that what is set here holds for nothing else."""
    wrong: list[str] = []
    if told.deadline:
        seconds = float(told.deadline)
        vars(peer_logs).update(CHECKPOINT_DEADLINE_SECONDS=seconds, TILE_DEADLINE_SECONDS=seconds)
        (trust.refresh_trust.__kwdefaults__ or {})["deadline_seconds"] = seconds
    at = datetime.fromisoformat(told.now) if told.now else None
    with opened(told.home, now=(lambda: at) if at else clock.now) as node:
        with node.database.read() as connection:
            peers = list_peers(connection)
        for peer in peers:
            if not told.plan:
                with node.locks.hold(f"peer/{peer.member}", timeout=60):
                    node.trusting.refresh(peer)
            with node.database.read() as connection:
                raised = {alarm.code for alarm in list_alarms(connection) if alarm.peer == peer.number}
            wrong += [f"{peer.member}: {code}" for code in raised & {"trust-repository"}]
            pulled = node.puller.pull(peer.member, wait_seconds=60)
            wrong += [f"{peer.member}: {error.code}: {error}" for error in pulled.errors]
        held = what_is_held(node)
    if wrong:
        raise FailedError("\n".join(wrong), held)
    return held


def export(told: argparse.Namespace) -> Any:
    with opened(told.home) as node:
        return what_is_held(node)


def what_is_held(node: Node) -> dict[str, Any]:
    with node.database.read() as connection:
        peers = list_peers(connection, own=True)
        logs = [log for peer in peers if not peer.own for log in list_logs(connection, peer=peer.number)]
        claims = {
            (log.member, claim.type, claim.value)
            for log in digested_logs(connection)
            for _, listings in live_listings_of(connection, log, live_map(connection, log, size_of(log)))
            for _, listing in listings
            for claim in listing.signals
        }
        names = {peer.number: peer.member for peer in peers}
        alarms = [(names.get(alarm.peer or 0, ""), alarm.code) for alarm in list_alarms(connection)]
    malformed = [
        {"member": peer.member, "origin": one.origin, "index": one.position}
        for peer in peers
        for one in list_malformed(node.database, peer.member, limit=1_000)
    ]
    digest = Digester(node.database).digest().hex
    return {
        "logs": [
            {
                "member": log.member,
                "origin": log.origin,
                "held": _head(log.held_size, CompactRange.decode(log.held_size, log.held_range).root()),
                "accepted": _head(log.accepted_size, log.accepted_root),
            }
            for log in logs
            if log.named
        ],
        "claims": [dict(zip(("member", "type", "value"), claim, strict=True)) for claim in sorted(claims)],
        "alarms": [{"member": member, "code": code} for member, code in alarms],
        "malformed": malformed,
        "digest": digest,
    }


def _head(size: int, root: bytes) -> dict[str, Any]:
    return {"size": size, "root": base64.b64encode(root).decode()}


def digest(told: argparse.Namespace) -> Any:
    with opened(told.home) as node:
        return {"digest": Digester(node.database).digest(told.members.split(",")).hex}


def fetch(told: argparse.Namespace) -> Any:
    """Ask a node as this member."""
    with opened(told.home) as node:
        answer = node.fetcher.get(told.url, max_bytes=FETCH_MAX_BYTES, deadline_seconds=READY_SECONDS)
    return {"status": answer.status, "body": base64.b64encode(answer.body).decode()}


def publish(told: argparse.Namespace) -> Any:
    quality = 100 if told.type == "pdq" else None
    draft = ListingDraft(content="image", signals=(make_signal(told.type, told.value, quality),))
    with opened(told.home) as node:
        return {"listing": _released(node.publisher.publish([draft])[0]).id}


def withdraw(told: argparse.Namespace) -> Any:
    with opened(told.home) as node:
        _released(node.publisher.withdraw(told.listing, "error"))


def succeed(told: argparse.Namespace) -> Any:
    with opened(told.home) as node:
        node.succession.open("listings", fresh=True)


def erase(told: argparse.Namespace) -> Any:
    with opened(told.home) as node:
        _released(node.publisher.withdraw(told.listing, "error", erase=True))
        node.succession.open("listings", fresh=True)
        node.erasing.destroy()


def tidy(told: argparse.Namespace) -> Any:
    with opened(told.home) as node:
        node.erasing.destroy()


def _released(published: Any) -> Any:
    if published.notice is not None:
        raise SystemExit(published.notice)
    return published


def start(told: argparse.Namespace) -> Any:
    home: Path = told.home
    url = f"http://127.0.0.1:{load_settings(environment(home), home).port}/readyz"
    if not is_running(home):
        line = [str(Path(sys.executable).parent / "hashpact"), "serve"]
        with (home / "serve.log").open("ab") as log:
            process = subprocess.Popen(
                line, env=environment(home), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        (home / "serve.pid").write_text(str(process.pid))
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        with suppress(httpx.HTTPError):
            if httpx.get(url, timeout=5, trust_env=False).status_code == httpx.codes.OK:
                return
        time.sleep(0.05)
    raise SystemExit(f"the node did not get ready: {(home / 'serve.log').read_text()[-2000:]}")


def stop(told: argparse.Namespace, how: signal.Signals = signal.SIGTERM) -> Any:
    place: Path = told.home / "serve.pid"
    if not place.exists():
        return
    pid = int(place.read_text())
    with suppress(ProcessLookupError):
        os.kill(pid, how)
    deadline = time.monotonic() + READY_SECONDS
    while is_running(told.home):
        if time.monotonic() > deadline:
            raise SystemExit(f"the node with process id {pid} does not stop")
        time.sleep(0.05)
    place.unlink()


def restart(told: argparse.Namespace) -> Any:
    """End it as a power cut would, and start it again."""
    stop(told, signal.SIGKILL)
    start(told)


def warm_up() -> None:
    """Do once what commands do, so that processes forked from this one find compiled queries and certificates."""
    share_compiled_queries()
    server = Server()
    try:
        with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
            place = Path(folder) / "prepared"
            database = open_database(f"sqlite:///{place}")
            migrate(database)
            database.dispose()
            PREPARED["database"] = place.read_bytes()
            peer = Member("peer", server.url, clock.now().replace(microsecond=0))
            peer.log.append(listing(1))
            server.answer = peer.answer
            root = Path(folder) / "root.json"
            root.write_bytes(peer.trust.root)
            home = ["--home", str(Path(folder) / "home")]
            main(["init", *home, "--member", "warm", "--url", "http://127.0.0.1:9"])
            main(["follow", *home, "--peer", "peer", "--peer-url", server.url, "--root", str(root)])
            main(["pull", *home])
            main(["export", *home])
    finally:
        server.close()


def share_compiled_queries() -> None:
    """Let all databases that are opened here share what SQLAlchemy has compiled, which it keeps by dialect object."""
    make = vars(store_database)["_sqlite_engine"]
    first: list[Engine] = []

    def sharing(url: URL, pool_size: int) -> Engine:
        engine: Engine = make(url, pool_size)
        first.append(engine)
        engine.dialect = first[0].dialect
        vars(engine)["_compiled_cache"] = vars(first[0])["_compiled_cache"]
        return engine

    vars(store_database)["_sqlite_engine"] = sharing


COMMANDS: Final[dict[str, tuple[Callable[[argparse.Namespace], Any], tuple[str, ...]]]] = {
    "init": (init, ("member", "url", "require-witnesses")),
    "follow": (follow, ("peer", "peer-url", "root")),
    "pull": (pull, ("now", "deadline", "plan")),
    "export": (export, ()),
    "start": (start, ()),
    "stop": (stop, ()),
    "restart": (restart, ()),
    "fetch": (fetch, ("url",)),
    "publish": (publish, ("type", "value")),
    "withdraw": (withdraw, ("listing",)),
    "succeed": (succeed, ()),
    "erase": (erase, ("listing",)),
    "tidy": (tidy, ()),
    "digest": (digest, ("members",)),
}
OPTIONAL: Final = {"require-witnesses", "now", "deadline", "plan"}
_KINDS: Final[dict[str, Callable[[str], Any]]] = {"root": Path, "require-witnesses": int}


def main(arguments: Sequence[str]) -> int:
    """Run one command, and give its exit code."""
    name = arguments[0] if arguments else ""
    if name not in COMMANDS:
        print(f"this node has no command {name}", file=sys.stderr)
        return NOT_SUPPORTED
    command, options = COMMANDS[name]
    parser = argparse.ArgumentParser(prog=name)
    parser.add_argument("--home", type=Path, required=True)
    for option in options:
        parser.add_argument(f"--{option}", type=_KINDS.get(option, str), required=option not in OPTIONAL, default=0)
    code = DONE
    try:
        value = command(parser.parse_args(arguments[1:]))
    except FailedError as failure:
        print(failure, file=sys.stderr)
        code, value = REFUSED, failure.value
    except HashpactError as error:
        print(f"{error.code}: {error}", file=sys.stderr)
        return REFUSED
    except SystemExit as error:
        if isinstance(error.code, int):
            return error.code
        print(error.code, file=sys.stderr)
        return REFUSED
    if value is not None:
        print(json.dumps(value))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
