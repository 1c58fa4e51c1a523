"""Keep the rows of logs that a member's card names no more within bounds, however often it renames its logs."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, delete, exists, select
from sqlalchemy import Table as SqlTable
from sqlmodel import col

from hashpact_node.store.tables import Alarm, Log, Table
from hashpact_node.store.tables_audiences import NotForUs

UNNAMED_MAX = 256
"""How many logs that its card names no more are kept of one member, with what is stored of them; the newest."""

HISTORY = ("bundle", "tile", "quarantine", "expiry", "staged_bundle", "cut_bundle", "erased_log")
"""What is deleted with a log. Whatever else points to it, as evidence does, keeps it."""


def prune_logs(connection: Connection, peer: int) -> list[str]:
    """Delete the rows of unnamed logs of a member of which nothing was ever held; and the oldest ones over the cap.

    What counts, or still has claims, is never touched. Give the origins of those over the cap.
    """
    row = Log
    unnamed = (col(row.peer) == peer) & col(row.named).is_(False) & (col(row.held_size) == 0)
    untouched = (
        (col(row.accepted_size) == 0)
        & col(row.accepted_note).is_(None)
        & (col(row.cosigned_size) == 0)
        & (col(row.placed_size) == 0)
        & col(row.pending_size).is_(None)
    )
    unused = select(col(row.number)).where(unnamed, untouched, *_unused(_referring()))
    for number in connection.execute(unused).scalars().all():
        _drop_row(connection, number)
    query = select(col(row.number), col(row.origin)).where(unnamed).order_by(col(row.number).desc())
    over = connection.execute(query.offset(UNNAMED_MAX)).all()
    kept_for = [(table, name) for table, name in _referring() if table.name not in HISTORY]
    gone = []
    for number, origin in over:
        free = select(col(row.number)).where(col(row.number) == number, *_unused(kept_for))
        if connection.execute(free).first() is None:
            continue
        for name in HISTORY:
            table = Table.metadata.tables[name]
            connection.execute(delete(table).where(table.c.log == number))
        _drop_row(connection, number)
        gone.append(origin)
    return gone


def _drop_row(connection: Connection, number: int | None) -> None:
    """Delete the row of a log with its alarms and what is noted of it: SQLite may give its number to another."""
    connection.execute(delete(Alarm).where(col(Alarm.log) == number))
    connection.execute(delete(NotForUs).where(col(NotForUs.log) == number))
    connection.execute(delete(Log).where(col(Log.number) == number))


def _referring() -> list[tuple[SqlTable, str]]:
    """Give every table and column that points to a log."""
    return [
        (table, key.parent.name)
        for table in Table.metadata.tables.values()
        for key in table.foreign_keys
        if key.column.table.name == Log.__tablename__
    ]


def _unused(referring: list[tuple[SqlTable, str]]) -> list[ColumnElement[bool]]:
    return [~exists().where(table.c[name] == col(Log.number)) for table, name in referring]
