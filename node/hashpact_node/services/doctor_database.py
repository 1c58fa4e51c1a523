"""The doctor's look at the database: whether it can be used, and how its file or its server is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from hashpact_node.services.doctor_kinds import Diagnosis, diagnosis, well
from hashpact_node.services.doctor_visit import Visit
from hashpact_node.settings import Settings
from hashpact_node.store.condition import ServerCondition, server_condition, uses_write_ahead_log
from hashpact_node.store.database import Database, open_database
from hashpact_node.store.migrate import check_version, newest_revision
from hashpact_node.store.peers import find_own
from hashpact_protocol.errors import ConfigurationError, StoreError

SERVER_MAJOR_LEAST: Final = 14
"""Of PostgreSQL; older ones get no repairs any more."""

NETWORK_DISKS: Final = frozenset(
    ("9p", "afs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "gfs2", "lustre", "nfs", "nfs4", "smb3", "smbfs")
)
MOUNTS: Final = Path("/proc/self/mounts")


def look_at_database(settings: Settings) -> tuple[Database | None, Diagnosis | None]:
    """Give the database if it is this member's and of this version, else what is wrong with it; nothing is migrated."""
    try:
        database = open_database(settings.database_url)
    except ConfigurationError as error:
        return None, diagnosis("database-not-usable", error.what, mend=error.mend)
    trouble = None if database.file is None else judge_form(database.file)
    if trouble is not None:
        return None, trouble
    try:
        check_version(database)
        with database.read() as connection:
            own = find_own(connection)
    except StoreError as error:
        database.dispose()
        return None, diagnosis("database-not-usable", error.what, where=error.where, mend=error.mend)
    if own is None or own.member != settings.member:
        database.dispose()
        what = f"the database is that of {own.member if own else 'nobody'}, and node.toml says {settings.member}"
        return None, diagnosis("database-of-another", what, where=database.where)
    return database, None


def check_database(visit: Visit) -> Iterator[Diagnosis]:
    """Say which database it is, and what is wrong with its file or its server."""
    database = visit.database
    if database is None:
        if visit.trouble is not None:
            yield visit.trouble
        return
    if database.file is not None:
        yield well(f"SQLite, form {newest_revision()}", str(database.file))
        yield from judge_disk(database.file, disk_kind(database.file))
        return
    with database.read() as connection:
        condition = server_condition(connection)
    yield well(f"PostgreSQL {condition.major}, form {newest_revision()}", database.where)
    yield from judge_server(condition, database.where)


def judge_form(file: Path) -> Diagnosis | None:
    """Judge a SQLite file before it is opened, which would make a missing one, and change its form; OSError."""
    if not file.exists():
        return diagnosis("database-missing", where=str(file))
    wal = uses_write_ahead_log(file)
    if wal is None:
        return diagnosis("database-not-usable", "this is no SQLite file", where=str(file))
    return None if wal else diagnosis("database-not-wal", where=str(file))


def judge_disk(file: Path, kind: str) -> Iterable[Diagnosis]:
    """Judge the kind of file system that a SQLite file lies on."""
    if kind in NETWORK_DISKS:
        what = f"the SQLite file lies on a network file system ({kind}), whose locks cannot be relied upon"
        yield diagnosis("database-on-network-disk", what, where=str(file))


def judge_server(condition: ServerCondition, where: str) -> Iterable[Diagnosis]:
    """Judge a PostgreSQL server by what it says of itself and of our connection."""
    if condition.leaves and not condition.encrypted:
        yield diagnosis("database-in-clear", where=where)
    if condition.major < SERVER_MAJOR_LEAST:
        what = f"the server is PostgreSQL {condition.major}, which gets no repairs any more"
        yield diagnosis("database-server-old", what, where=where)


def disk_kind(path: Path, mounts: Path = MOUNTS) -> str:
    """Give the kind of file system that a path lies on, as the kernel calls it; empty where nobody says."""
    if not mounts.exists():
        return ""
    place, found = path.resolve(), (0, "")
    for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
        _, point, kind = line.split(" ")[:3]
        folder = Path(point.replace("\\040", " "))
        if place.is_relative_to(folder) and len(folder.parts) >= found[0]:
            found = (len(folder.parts), kind)
    return found[1]
