"""Malformed entries and signals, with their reasons: counted and shown, never silently dropped."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select
from sqlmodel import col

from hashpact_node.store import tables
from hashpact_node.store.database import upsert


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One malformed entry (``part`` 0), or one malformed signal of a sound entry (``part`` from 1)."""

    log: int
    position: int
    part: int
    code: str
    reason: str


def add_quarantined(connection: Connection, rows: Iterable[Quarantined]) -> None:
    """Store what was malformed; the same place again replaces its reason."""
    values = [
        {"log": row.log, "position": row.position, "part": row.part, "code": row.code, "reason": row.reason}
        for row in rows
    ]
    upsert(connection, tables.Quarantine, values, keys=("log", "position", "part"))


def list_quarantined(
    connection: Connection, log: int, *, after: tuple[int, int] = (-1, -1), limit: int = 100
) -> list[Quarantined]:
    """List what was malformed in a log, in order, from behind the place (position, part) on."""
    position, part = col(tables.Quarantine.position), col(tables.Quarantine.part)
    behind = (position > after[0]) | ((position == after[0]) & (part > after[1]))
    query = (
        select(tables.Quarantine).where(col(tables.Quarantine.log) == log, behind).order_by(position, part).limit(limit)
    )
    return [Quarantined(**row) for row in connection.execute(query).mappings()]


def count_quarantined(connection: Connection, log: int | None = None) -> int:
    """How much was malformed, in all or in one log."""
    query = select(func.count()).select_from(tables.Quarantine)
    if log is not None:
        query = query.where(col(tables.Quarantine.log) == log)
    return connection.execute(query).scalar_one()


def drop_quarantined(connection: Connection, log: int, size: int) -> None:
    """Forget what was malformed at or beyond entry ``size``, before it is read anew."""
    condition = (col(tables.Quarantine.log) == log, col(tables.Quarantine.position) >= size)
    connection.execute(delete(tables.Quarantine).where(*condition))
