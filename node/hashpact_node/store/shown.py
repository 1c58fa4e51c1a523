"""The node's own record of what its logs showed, and when: where a log ends after the theft of its key is read here.

It begins with the first checkpoint that a node shows which keeps it. Of what was shown within the last day all is
kept; of older times the last of each minute, and of what is older than 30 days the last of each hour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, or_, select
from sqlmodel import col

from hashpact_node.store.database import insert_into
from hashpact_node.store.tables_shown import ShownSize

THINNED: Sequence[tuple[timedelta, timedelta]] = (
    (timedelta(days=1), timedelta(minutes=1)),
    (timedelta(days=30), timedelta(hours=1)),
)
"""From which age on how much time is told by one row: its last."""

THIN_EVERY_SECONDS = 3_600


@dataclass(frozen=True, slots=True)
class Shown:
    """What an own log showed: a size, its root, and when it was first shown (Unix seconds)."""

    size: int
    root: bytes
    shown_at: int


def record_shown(connection: Connection, log: int, *, size: int, root: bytes, shown_at: int) -> None:
    """Remember when a size was first shown, in the transaction that shows it, and thin out what is old."""
    largest = select(col(ShownSize.shown_at)).where(col(ShownSize.log) == log).order_by(col(ShownSize.size).desc())
    newest = connection.execute(largest.limit(1)).scalar_one_or_none()
    row = {"log": log, "size": size, "root": root, "shown_at": shown_at}
    connection.execute(insert_into(connection, ShownSize).values(row).on_conflict_do_nothing())
    if newest is not None and shown_at // THIN_EVERY_SECONDS > newest // THIN_EVERY_SECONDS:
        _thin(connection, log, shown_at)


def shown_until(connection: Connection, log: int, moment: datetime) -> Shown | None:
    """Give the last size that was shown before anything was that is newer than ``moment``; None for none.

    Where the clock ran ahead or was put back, that may be a smaller one than what was shown then, never a larger one.
    """
    row, at = ShownSize, int(moment.timestamp())
    mine = col(row.log) == log
    later = select(func.min(col(row.size))).where(mine, col(row.shown_at) > at).scalar_subquery()
    query = select(col(row.size), col(row.root), col(row.shown_at)).where(mine, col(row.shown_at) <= at)
    query = query.where(or_(later.is_(None), col(row.size) < later)).order_by(col(row.size).desc()).limit(1)
    found = connection.execute(query).one_or_none()
    return None if found is None else Shown(*found)


def list_shown(connection: Connection, log: int) -> list[Shown]:
    """List what is recorded of a log, the smallest size first."""
    row = ShownSize
    query = select(col(row.size), col(row.root), col(row.shown_at)).where(col(row.log) == log).order_by(col(row.size))
    return [Shown(*row) for row in connection.execute(query)]


def record_begins(connection: Connection, log: int) -> int | None:
    """Say when the record of a log begins (Unix seconds); None where there is none."""
    query = select(func.min(col(ShownSize.shown_at))).where(col(ShownSize.log) == log)
    return connection.execute(query).scalar_one()


def _thin(connection: Connection, log: int, now: int) -> None:
    row = ShownSize
    for age, step in THINNED:
        old = (col(row.log) == log) & (col(row.shown_at) < now - int(age.total_seconds()))
        last = select(func.max(col(row.size))).where(old).group_by(col(row.shown_at) // int(step.total_seconds()))
        connection.execute(delete(row).where(old, col(row.size).not_in(last)))
