"""``hashpact backup`` and ``hashpact restore``: everything of a node in one file, and a node out of it."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hashpact_node.cli.common import DEFAULT_HOME, AsJson, Home, opened
from hashpact_node.cli.output import note, progress, say_json, warn
from hashpact_protocol.errors import RequestError

if TYPE_CHECKING:
    from hashpact_node.services.backing_up import Backup
    from hashpact_node.services.home_restoring import Restored

BackupFile = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")]


def backup(
    file: BackupFile,
    with_keys: Annotated[bool, typer.Option("--with-keys", help="Take the encrypted key files along.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Check a file that is there, and write nothing.")] = False,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Write the database, the trust repository and the configuration into one new file.

    A node may serve, publish and pull meanwhile: all of it is of one moment. The passphrase is never in it, and
    database_url, which may hold a password, neither.
    """
    from hashpact_node.services.backing_up import check_backup

    if check and with_keys:
        raise RequestError("--check looks at a file as it is, so --with-keys says nothing there")
    if check:
        with progress("checking", unit="bytes") as told:
            made = check_backup(file, progress=told)
    else:
        made = _make(home, file, with_keys=with_keys)
    if as_json:
        say_json(made)
        return
    _tell(made, "A sound backup" if check else "A backup")
    if not check and with_keys:
        warn(
            "THIS FILE HOLDS THE ENCRYPTED KEYS: whoever has it and the passphrase can sign in this member's name",
            "keep it apart from the passphrase",
        )


def _make(home: Path, file: Path, *, with_keys: bool) -> Backup:
    from importlib.metadata import version

    from hashpact_node import clock
    from hashpact_node.services.backing_up import make_backup

    with opened(home) as node, progress("writing", unit="rows") as told:
        return make_backup(
            node.database,
            node.settings,
            file,
            with_keys=with_keys,
            program=version("hashpact"),
            now=clock.now,
            progress=told,
        )


def restore(file: BackupFile, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Make a node out of a backup, in a home that is not set up and an empty database.

    The database is node.sqlite3 in the home, or what HASHPACT_DATABASE_URL names, of either kind. What fails half way
    is taken back. Keep the old node stopped for good: two nodes of one member would tell two stories.
    """
    from hashpact_node import clock
    from hashpact_node.cli.recording import actor
    from hashpact_node.services.audit import AuditLog
    from hashpact_node.services.home_restoring import restore_home
    from hashpact_node.settings import load_settings
    from hashpact_node.store.database import open_database

    settings = load_settings(os.environ, home)
    database = open_database(settings.database_url)
    try:
        with progress("restoring", unit="bytes") as told:
            made = restore_home(settings, file, database, progress=told)
        AuditLog(database, clock.now).try_record(actor(), "restore", str(file))
    finally:
        database.dispose()
    if as_json:
        say_json(made)
        return
    _tell_restored(made)


def _tell(made: Backup, title: str) -> None:
    from hashpact_node.cli.tables import count, show_fields

    fields = [
        ("file", str(made.path)),
        ("made", f"{made.made_at:%Y-%m-%dT%H:%M:%SZ}"),
        ("version", f"{made.program}, form {made.revision}"),
        ("size", count(made.bytes, "byte")),
        ("rows", f"{made.rows:,}"),
    ]
    fields += [("holds", path) for path in made.files]
    show_fields(fields, title=f"{title} of {made.member}, {made.url}")
    for what in made.left_out:
        note(f"Not in it: {what}.")


def _tell_restored(made: Restored) -> None:
    from hashpact_node.cli.tables import show_fields

    fields = [
        ("url", made.url),
        ("home", str(made.home)),
        ("database", made.database),
        ("as of", f"{made.made_at:%Y-%m-%dT%H:%M:%SZ}"),
    ]
    fields += [("rows", f"{made.rows:,}"), *(("restored", path) for path in made.files)]
    show_fields(fields, title=f"The node of {made.member} as it was")
    for what in made.missing:
        note(f"To do: {what}.")
    note("Then `hashpact serve`. It signs nothing before a peer has said what it saw of this member since, and reads")
    note("that back by itself; `hashpact status` shows how far it is. Never start the old node again.")
