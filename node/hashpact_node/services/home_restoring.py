"""Make a home out of a backup: database, ``node.toml`` and what else it holds, all of it or nothing.

The database is loaded in one transaction in the form that it had, and brought to this version's. Files are written in
there last, ``node.toml`` the last of all. Nothing is signed: whoever starts the node finds that it asks its peers what
they saw since (``services.awakening``).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hashpact_node.services.backing_up import DATABASE_URL, PINS
from hashpact_node.services.backup_form import CONFIGURATION, File, Head, Rows, Table, read_records
from hashpact_node.services.setup import check_unused
from hashpact_node.settings import Settings, load_settings
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.dump import DumpedTable, TableLoader, must_be_empty, set_counters
from hashpact_node.store.locks import HomeLock
from hashpact_node.store.migrate import bring_to, newest_revision
from hashpact_node.store.peers import Peer, find_own
from hashpact_protocol.errors import ConflictError, RequestError

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore made: whose home, out of a backup of when (UTC), and what is still ``missing``, in words."""

    member: str
    url: str
    home: Path
    database: str
    made_at: datetime
    rows: int
    files: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(slots=True)
class _Loaded:
    head: Head
    rows: int
    files: list[File]


def restore_home(
    settings: Settings, path: Path, database: Database, *, progress: Progress = lambda _done, _total: None
) -> Restored:
    """Restore a backup into a home that is not set up and an empty database.

    What fails half way is taken back. Raises ConflictError for a home or database that is in use, RequestError for a
    file that is no sound backup, StoreNewerError for one of a newer version, StoreError and OSError.
    """
    home = settings.home
    path = path.absolute()
    with path.open("rb"):  # before anything is made
        pass
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with HomeLock(home).exclusive():
        check_unused(home)
        fresh = database.file is not None and not database.file.exists()
        made: list[Path] = []
        try:
            with database.write() as connection:
                must_be_empty(connection, database.where)
                loaded = _load(connection, path, database.where, progress)
                _write_files(home, loaded.files, made)
                restored = load_settings({}, home)
                own = _owner(connection, restored, loaded.head, str(path))
        except BaseException:
            for one in reversed(made):
                one.unlink(missing_ok=True)
            if fresh:
                _drop_file(database)
            raise
    return Restored(
        member=own.member,
        url=own.url,
        home=home,
        database=settings.shown_database_url,
        made_at=datetime.fromtimestamp(loaded.head.made_at, UTC),
        rows=loaded.rows,
        files=tuple(one.path for one in loaded.files),
        missing=_missing(restored, settings, loaded.head),
    )


def _owner(connection: Connection, restored: Settings, head: Head, where: str) -> Peer:
    """Give the member whose database this is; RequestError where the backup names another anywhere."""
    own = find_own(connection)
    if own is None or not own.member == restored.member == head.member:
        raise RequestError(
            "the database in this backup is not that of the member whom its configuration names",
            where=where,
            mend="take another backup",
        )
    return own


def _load(connection: Connection, path: Path, where: str, progress: Progress) -> _Loaded:
    """Load all rows in the form that they have, and bring the database to this version's form once all is proven."""
    size = path.stat().st_size
    loaded: _Loaded | None = None
    loader: TableLoader | None = None
    with path.open("rb") as file:
        for record in read_records(file, str(path)):
            progress(file.tell(), size)
            if isinstance(record, Head):
                bring_to(connection, record.revision, str(path))
                loaded = _Loaded(record, 0, [])
            elif isinstance(record, Table):
                loader = TableLoader(connection, DumpedTable(record.name, record.columns))
            elif isinstance(record, Rows) and loader is not None and loaded is not None:
                loader.load(record.rows)
                loaded.rows += len(record.rows)
            elif isinstance(record, File) and loaded is not None:
                loaded.files.append(record)
    if loaded is None:
        raise RequestError("this backup is empty", where=str(path))
    set_counters(connection)
    bring_to(connection, newest_revision(), where)
    return loaded


def _write_files(home: Path, files: list[File], made: list[Path]) -> None:
    """Write all files, each only where none is yet, ``node.toml`` last: with it a home is set up."""
    for file in sorted(files, key=lambda one: one.path == CONFIGURATION):
        place = home / file.path
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not place.parent.resolve().is_relative_to(home.resolve()):
            raise ConflictError("this folder leads out of the home", where=str(place.parent), mend="remove the link")
        try:
            descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except FileExistsError as error:
            raise ConflictError(
                "there is a file already, and nothing is written over it",
                where=str(place),
                mend="restore into an empty folder, and bring back by hand what the backup does not hold",
            ) from error
        made.append(place)
        with os.fdopen(descriptor, "wb") as out:
            out.write(file.data)
            out.flush()
            os.fsync(out.fileno())


def _drop_file(database: Database) -> None:
    """Delete the SQLite file that was made for what failed."""
    database.dispose()
    if database.file is not None:
        for end in ("", "-wal", "-shm"):
            database.file.with_name(database.file.name + end).unlink(missing_ok=True)


def _missing(restored: Settings, given: Settings, head: Head) -> tuple[str, ...]:
    """Say what a person has to bring before the node can sign, and what the backup left out on purpose."""
    missing = []
    for row, uris in restored.keys.items():
        for uri in uris:
            scheme, _, place = uri.partition(":")
            if scheme != "file":
                missing.append(f"the {row} key must be reached from this machine: {uri}")
            elif not (restored.home / place).exists():
                missing.append(f"the {row} key is not here: {restored.home / place}")
    missing += [f"not in the backup: {what}" for what in head.left_out if what in {DATABASE_URL, PINS}]
    if given.database_url != restored.database_url:
        missing.append("the node needs the database URL of this restore, too: in node.toml, or HASHPACT_DATABASE_URL")
    if restored.passphrase_file is not None and not restored.passphrase_file.exists():
        missing.append(f"the passphrase file is not here: {restored.passphrase_file}")
    elif restored.passphrase_file is None:
        missing.append("the passphrase of the key files is never in a backup")
    return tuple(missing)
