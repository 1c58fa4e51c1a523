"""What is held of the directory that is followed: its trust files, and what was last accepted, by its pin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select
from sqlmodel import col

from hashpact_node.store.database import insert_into, upsert
from hashpact_node.store.tables_directory import Directory, DirectoryFile
from hashpact_node.store.trust import METADATA, ROOT_SUFFIX, FileName


@dataclass(frozen=True, slots=True)
class HeldDirectory:
    """What is held of a directory; times are Unix seconds, ``error`` is a problem body, None after a good look."""

    pin: str
    url: str
    version: int | None
    accepted_at: int | None
    checked_at: int | None
    data: bytes | None
    error: dict[str, Any] | None


def find_directory(connection: Connection, pin: str) -> HeldDirectory | None:
    """Give what is held of the directory with that pin."""
    row = connection.execute(select(Directory).where(col(Directory.pin) == pin)).mappings().one_or_none()
    return None if row is None else HeldDirectory(**row)


def newest_directory(connection: Connection) -> HeldDirectory | None:
    """Give what is held of the directory that was read last: there is never more than one."""
    row = connection.execute(select(Directory).order_by(col(Directory.checked_at).desc()).limit(1)).mappings()
    found = row.one_or_none()
    return None if found is None else HeldDirectory(**found)


def load_directory_files(connection: Connection, pin: str) -> dict[FileName, bytes]:
    """Load the trust files of the directory with that pin, by (place, name)."""
    row = DirectoryFile
    query = select(col(row.place), col(row.name), col(row.data)).where(col(row.pin) == pin)
    return {(place, name): data for place, name, data in connection.execute(query)}


def save_directory_files(connection: Connection, pin: str, files: Mapping[FileName, bytes]) -> None:
    """Hold these files of a directory and its roots, which are never dropped, and no others."""
    held = load_directory_files(connection, pin)
    row = DirectoryFile
    for place, name in held.keys() - files.keys():
        if place != METADATA or not name.endswith(ROOT_SUFFIX):
            gone = (col(row.pin) == pin, col(row.place) == place, col(row.name) == name)
            connection.execute(delete(row).where(*gone))
    rows = [{"pin": pin, "place": place, "name": name, "data": data} for (place, name), data in sorted(files.items())]
    upsert(connection, row, rows, keys=("pin", "place", "name"))


def record_directory(
    connection: Connection,
    pin: str,
    url: str,
    *,
    now: datetime,
    error: Mapping[str, Any] | None,
    accepted: tuple[int, bytes] | None = None,
) -> None:
    """Store how a look went, and the version and bytes that were ``accepted``; those of other pins are forgotten."""
    for table in (Directory, DirectoryFile):
        connection.execute(delete(table).where(col(table.pin) != pin))
    at = int(now.timestamp())
    values: dict[str, Any] = {"url": url, "checked_at": at, "error": None if error is None else dict(error)}
    if accepted is not None:
        values |= {"version": accepted[0], "data": accepted[1], "accepted_at": at}
    insert = insert_into(connection, Directory).values(pin=pin, **values)
    connection.execute(insert.on_conflict_do_update(index_elements=["pin"], set_=values))
