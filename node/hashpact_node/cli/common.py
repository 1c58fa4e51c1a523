"""What all commands share: exit codes, the home, and how a node's parts are opened for one command.

Commands go to the database, never to a node's HTTP, so that they work whether or not a node runs on the home. Where
one does, a command stores what it publishes, and the running node, whose keys are open, releases it.
"""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hashpact_protocol.errors import (
    CardError,
    ConflictError,
    DirectoryError,
    HashpactError,
    KeyUnavailableError,
    MalformedError,
    NoteError,
    NotFoundError,
    RequestError,
    StoreBusyError,
    StoreError,
    StoreMovedError,
    TileError,
)

if TYPE_CHECKING:
    from hashpact_node.assembly import Node

DEFAULT_HOME: Final = Path("var/node")
"""Where a node lives when neither ``--home`` nor HASHPACT_HOME says otherwise, below the working folder."""

LOOKS_AT_HOME: Final = 3
LOOK_AGAIN_SECONDS: Final = 0.03


class ExitCode(IntEnum):
    """How a command ended, for scripts."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    BUSY = 4
    KEYS = 5
    STORAGE = 6
    FOUND = 7
    INTERRUPTED = 130


EXIT_MEANINGS: Final = {
    ExitCode.OK: "done",
    ExitCode.FAILED: "it failed: a verification, a fetch, a peer",
    ExitCode.USAGE: "the command, a file or a setting is not right",
    ExitCode.NOT_FOUND: "there is no such peer, listing or alarm",
    ExitCode.BUSY: "busy, in conflict, or stored and not yet released",
    ExitCode.KEYS: "a key or the passphrase is missing or wrong",
    ExitCode.STORAGE: "the database or the disk could not do it",
    ExitCode.FOUND: "something was found to mend: `hashpact keys check`, `hashpact doctor`",
    ExitCode.INTERRUPTED: "stopped by Ctrl-C; nothing is half done",
}
"""The one table of exit codes; ``hashpact --help`` prints it. A stopped node ends with 0."""

_CODES: Final[tuple[tuple[type[HashpactError], ExitCode], ...]] = (
    (NotFoundError, ExitCode.NOT_FOUND),
    (ConflictError, ExitCode.BUSY),
    (StoreBusyError, ExitCode.BUSY),
    (StoreMovedError, ExitCode.BUSY),
    (StoreError, ExitCode.STORAGE),
    (KeyUnavailableError, ExitCode.KEYS),
    (RequestError, ExitCode.USAGE),
    # These are what a peer serves, hardly what somebody typed.
    (CardError, ExitCode.FAILED),
    (DirectoryError, ExitCode.FAILED),
    (NoteError, ExitCode.FAILED),
    (TileError, ExitCode.FAILED),
    (MalformedError, ExitCode.USAGE),
)


def exit_code(error: HashpactError) -> ExitCode:
    """Give the exit code of an error."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.FAILED)


Home = Annotated[
    Path,
    typer.Option("--home", envvar="HASHPACT_HOME", metavar="FOLDER", help="The folder of the node."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON for programs instead of words and tables.")]


@contextmanager
def opened(home: Path, *, signs: bool = False, publishes: bool = False) -> Iterator[Node]:
    """Open the node of a home for one command, and close it afterwards.

    Where a node is running on the home, what is published is stored, and waited for until that has released it. Else a
    command that ``signs`` does it itself: a passphrase that does not open the release key is told before anything is
    stored, and so is that no peer says what it knows of our logs. A command that ``publishes`` signs, unless somebody
    else has to approve that first. What changes something is recorded in the audit log.
    Raises ConfigurationError, ConflictError, KeyUnavailableError and StoreError.
    """
    from hashpact_keys.rows import RowName
    from hashpact_node.assembly import open_node, open_settings
    from hashpact_node.cli.log_output import log_to_stderr
    from hashpact_node.cli.passphrase import PassphraseSource
    from hashpact_node.cli.recording import recorded

    settings = open_settings(home)
    log_to_stderr("console", level="warning")
    signs = signs or (publishes and not settings.four_eyes)
    runs = signs and is_running(home)
    secrets = PassphraseSource(settings)
    node = open_node(settings, secrets, pin=secrets.pin, releases=not runs)
    try:
        with recorded(node.audit):
            if signs and not runs:
                node.keyring.note_signer(RowName.RELEASE)
                wake(node)
                node.upkeep.release_waiting()  # what an earlier command stored, and was stopped before it was released
            card = node.card_bell.version()
            yield node
            if node.card_bell.version() != card:
                node.card_bell.tell()  # whichever command signed it
    finally:
        node.close()


def wake(node: Node) -> None:
    """Let a command sign: hear a peer, or a node that has, and read back what of our own logs only peers hold.

    Raises ConflictError where nobody answers, or where what is known contradicts what is here.
    """
    from hashpact_node.cli.output import note

    node.awakening.hear()
    if node.card_restorer.behind():
        note("this database is an old copy: taking our own newer card back from a peer …")
        version = node.card_restorer.restore()
        node.awakening.ask_anew()
        note(f"in force again: version {version}")
    node.awakening.require()
    for number in node.restorer.behind():
        note("this database is an old copy: reading our own entries back from a peer …")
        size = node.restorer.restore(number)
        note(f"read back: {size:,} entries")


def is_running(home: Path) -> bool:
    """Say whether a node is running on the home.

    Another command that asks the same at the same moment is no node, so it is asked more than once.
    """
    from hashpact_node.store.locks import HomeLock

    for look in range(LOOKS_AT_HOME):
        if look:
            time.sleep(LOOK_AGAIN_SECONDS)
        try:
            with HomeLock(home).exclusive():
                return False
        except StoreBusyError:
            continue
    return True
