"""When listings stop acting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, select
from sqlmodel import col

from hashpact_node.store import tables
from hashpact_node.store.bulk import run_many
from hashpact_node.store.database import insert_into


class Expiring(NamedTuple):
    """A listing's place, and when it expires, in Unix seconds."""

    at: int
    log: int
    position: int


def add_expiring(connection: Connection, rows: Sequence[Expiring]) -> None:
    """Remember expiries; one that is there already stays."""
    if rows:
        insert = insert_into(connection, tables.Expiry).on_conflict_do_nothing()
        connection.execute(insert, [row._asdict() for row in rows])


def take_due(connection: Connection, now: int, *, limit: int, log: int | None = None) -> list[Expiring]:
    """Take out up to ``limit`` expiries, of one log or of all, due at ``now`` (Unix seconds), the oldest first."""
    row = tables.Expiry
    query = select(col(row.at), col(row.log), col(row.position)).where(col(row.at) <= now)
    if log is not None:
        query = query.where(col(row.log) == log)
    due = [Expiring(*found) for found in connection.execute(query.order_by(col(row.at)).limit(limit))]
    run_many(connection, "DELETE FROM expiry WHERE at = {mark} AND log = {mark} AND position = {mark}", due)
    return due


def drop_expiring(connection: Connection, log: int) -> None:
    """Forget the expiries of a log, before it is read anew."""
    connection.execute(delete(tables.Expiry).where(col(tables.Expiry.log) == log))
