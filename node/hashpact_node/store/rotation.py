"""Since when a new log key stands beside the old one in the card, and from when on it may stand alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select
from sqlmodel import col

from hashpact_node.store.database import insert_into
from hashpact_node.store.tables_rotation import KeyRotation


@dataclass(frozen=True, slots=True)
class Began:
    """A rotation: the new key (32 bytes), and times in Unix seconds."""

    public: bytes
    began_at: int
    ready_at: int


def begin_rotation(connection: Connection, row: str, public: bytes, *, now: datetime, ready_at: datetime) -> None:
    """Write down that a card names a new key of a row beside the old one; one of the same key stays as it is."""
    values = {"public": public, "began_at": int(now.timestamp()), "ready_at": int(ready_at.timestamp())}
    insert = insert_into(connection, KeyRotation).values(row=row, **values)
    again = insert.on_conflict_do_update(
        index_elements=["row"], set_=values, where=col(KeyRotation.public) != insert.excluded.public
    )
    connection.execute(again)


def find_rotation(connection: Connection, row: str) -> Began | None:
    """Give the rotation of a row that is under way."""
    query = select(col(KeyRotation.public), col(KeyRotation.began_at), col(KeyRotation.ready_at))
    found = connection.execute(query.where(col(KeyRotation.row) == row)).one_or_none()
    return None if found is None else Began(*found)


def end_rotation(connection: Connection, row: str) -> None:
    """Forget the rotation of a row."""
    connection.execute(delete(KeyRotation).where(col(KeyRotation.row) == row))
