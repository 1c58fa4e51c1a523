"""``hashpact serve``: run a node in this process until it is told to stop; ``hashpact openapi``: describe its API."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

import errno
import os
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hashpact_node.cli.common import DEFAULT_HOME, Home
from hashpact_node.cli.output import note, say_json, warn
from hashpact_protocol.errors import ConfigurationError, ConflictError, HashpactError, StoreBusyError

if TYPE_CHECKING:
    from hashpact_node.assembly import Node
    from hashpact_node.settings import Settings
    from hashpact_node.store.audit_form import Value

GRACE_SECONDS: Final = 10
"""How long requests that run may go on after a signal; another signal ends them at once."""

LOCK_TRIES: Final = 20
LOCK_AGAIN_SECONDS: Final = 0.05
BACKLOG: Final = 2_048


def serve(
    host: Annotated[str | None, typer.Option(metavar="ADDRESS", help="The address to listen on.")] = None,
    port: Annotated[str | None, typer.Option(metavar="NUMBER", help="The TCP port to listen on.")] = None,
    *,
    alone: Annotated[
        bool, typer.Option("--alone", help="Sign though no peer has said what it knows; never with an old database.")
    ] = False,
    home: Home = DEFAULT_HOME,
) -> None:
    """Run the node: serve its API and logs, pull its peers.

    Logs go to standard error. Ctrl-C or SIGTERM stops it cleanly, with exit code 0.

    After a start nothing is signed before a peer has said what it holds of this node's own logs, lest a database that
    was restored from an old copy tells a second story.
    """
    from hashpact_node.assembly import open_settings

    environment = dict(os.environ)
    if host is not None:
        environment["HASHPACT_HOST"] = host
    if port is not None:
        environment["HASHPACT_PORT"] = port
    try:
        settings = open_settings(home, environment)
    except ConfigurationError as error:
        given = {"host": host and "--host", "HASHPACT_HOST": host and "--host", "HASHPACT_PORT": port and "--port"}
        raise ConfigurationError(
            error.what, where=given.get(error.where or "") or error.where, mend=error.mend
        ) from None
    run_node(settings, alone=alone)


def openapi() -> None:
    """Write the OpenAPI document of the node's API."""
    from hashpact_node.app import create_app

    say_json(create_app(None).openapi())


def run_node(settings: Settings, *, alone: bool = False) -> None:
    """Run the node of a home until a signal ends it; ``alone`` lets it sign before a peer has said what it knows.

    Raises ConflictError for a port that is in use, before anything starts; ConfigurationError, KeyUnavailableError for
    a passphrase that does not open the release key, StoreBusyError for a home that is being set up, and StoreError.
    """
    from hashpact_node.cli.log_output import log_to_stderr

    with _listening(settings.host, settings.port) as listener, _home_shared(settings.home):
        from hashpact_keys.rows import RowName
        from hashpact_node.assembly import open_node
        from hashpact_node.cli.passphrase import PassphraseSource

        log_to_stderr(settings.log_format)
        secrets = PassphraseSource(settings)
        node = open_node(settings, secrets, pin=secrets.pin)
        try:
            with _start_recorded(node, alone=alone):
                # A wrong passphrase or PIN is told now and here, not by jobs that fail for ever.
                node.keyring.note_signer(RowName.RELEASE)
            node.awakening.alone = alone
            _tell(node)
            _serve(node, listener)
        finally:
            node.close()


@contextmanager
def _start_recorded(node: Node, *, alone: bool) -> Iterator[None]:
    """Record in the audit log who starts the node, or whose passphrase did not open it."""
    from hashpact_node.cli.recording import actor

    detail: dict[str, Value] = {"alone": alone, "host": node.settings.host, "port": node.settings.port}
    try:
        yield
    except HashpactError as error:
        node.audit.try_record(actor(), "serve", result=error.code, detail=detail)
        raise
    node.audit.try_record(actor(), "serve", detail=detail)


def _serve(node: Node, listener: socket.socket) -> None:
    import uvicorn

    from hashpact_node.api.connections import server_config
    from hashpact_node.app import create_app

    tls = _tls(node.settings)
    config = server_config(create_app(node), loop="uvloop", timeout_graceful_shutdown=GRACE_SECONDS, **tls)
    server = uvicorn.Server(config)
    with _signals_left_to(server):
        server.run(sockets=[listener])
    if not server.started:
        raise HashpactError("the node did not start", where=str(node.settings.home), mend="the lines above say why")
    note(f"{node.member} has stopped")


def _tls(settings: Settings) -> dict[str, Path]:
    """Give what uvicorn needs to end TLS itself: nothing where a proxy does; ConfigurationError for unfit files."""
    if settings.tls_certificate is None or settings.tls_key is None:
        return {}
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
            settings.tls_certificate, settings.tls_key, password=_no_passphrase
        )
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise ConfigurationError(
            f"TLS cannot be ended with these files: {error}",
            where=f"{settings.tls_certificate}, {settings.tls_key}",
            mend="tls_certificate and tls_key name files in PEM that belong together, the key without a passphrase",
        ) from None
    return {"ssl_certfile": settings.tls_certificate, "ssl_keyfile": settings.tls_key}


def _no_passphrase() -> str:
    raise ValueError("the key has a passphrase")


@contextmanager
def _signals_left_to(server: object) -> Iterator[None]:
    """Let the server handle signals; it raises them again when it has stopped, and then they have done their work."""

    def done(_number: int, _frame: FrameType | None) -> None:
        server.should_exit = True  # type: ignore[attr-defined]  # uvicorn.Server; a signal before it looks ends it, too

    before = {number: signal.signal(number, done) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """Bind the port before anything else is done."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    where = f"{host}:{port}"
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(BACKLOG)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                mend = "stop the program that has it, or give another with --port or HASHPACT_PORT"
                raise ConflictError("the port is in use", where=where, mend=mend) from None
            raise ConfigurationError(
                f"the node cannot listen there: {error.strerror}", where=where, mend="give another --host or --port"
            ) from None
        yield listener


@contextmanager
def _home_shared(home: Path) -> Iterator[None]:
    """Share the lock of the home; a command that looks whether a node runs has it for a moment only."""
    from hashpact_node.store.locks import HomeLock

    for left in reversed(range(LOCK_TRIES)):
        try:
            with HomeLock(home).shared():
                yield
                return
        except StoreBusyError:
            if not left:
                raise
        time.sleep(LOCK_AGAIN_SECONDS)


def _tell(node: Node) -> None:
    host, port = node.settings.host, node.settings.port
    shown = f"[{host}]" if ":" in host else host
    scheme = "http" if node.settings.tls_certificate is None else "https"
    note(f"{node.member} listens on {scheme}://{shown}:{port}, its home is {node.settings.home}; Ctrl-C stops it")
    if node.awakening.alone:
        warn(
            "THIS NODE SIGNS ALONE: it does not wait for a peer to say what it knows of our logs",
            "if this database is older than what was signed, stop it now: it would tell a second story, for good",
        )
