"""How many new listings of a sequence of logs came on which day, once it was read whole for the first time."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, bindparam, delete, func, select, text
from sqlmodel import col

from hashpact_node.store.database import insert_into
from hashpact_node.store.tables_holds import ListedCount

_BEGIN: Final = text(
    """
    INSERT INTO listed_count (sequence, day, listings)
    SELECT s.number, :day, 0 FROM sequence s
    WHERE s.peer = :peer
      AND NOT EXISTS (SELECT 1 FROM listed_count c WHERE c.sequence = s.number)
      AND EXISTS (SELECT 1 FROM log l WHERE l.sequence = s.number AND l.named AND l.kind IN ('listings', 'crisis'))
      AND NOT EXISTS (
        SELECT 1 FROM log l WHERE l.sequence = s.number AND l.named AND (
            l.held_size < l.accepted_size
            OR (l.state = 'open' AND l.accepted_note IS NULL)
            OR (l.state = 'closed' AND l.counts AND l.held_size < l.final_size)
        )
      )
    """
)
_DAYS: Final = (
    select(col(ListedCount.day), col(ListedCount.listings))
    .where(col(ListedCount.sequence) == bindparam("sequence"))
    .order_by(col(ListedCount.day))
)


def begin_counting(connection: Connection, peer: int, day: int) -> None:
    """Count from now on what comes of those sequences of a member that were read whole, and are not counted yet."""
    connection.execute(_BEGIN, {"peer": peer, "day": day})


def listed_by_day(connection: Connection, sequence: int) -> dict[int, int]:
    """Give how many new listings came by day, from the first day that was counted; nothing where none is."""
    rows = connection.execute(_DAYS, {"sequence": sequence}).all()
    return {row.day: row.listings for row in rows}


def set_listed(connection: Connection, sequence: int, day: int, listings: int) -> None:
    """Write down how many new listings came on a day."""
    row = insert_into(connection, ListedCount).values(sequence=sequence, day=day, listings=listings)
    same = ["sequence", "day"]
    connection.execute(row.on_conflict_do_update(index_elements=same, set_={"listings": row.excluded.listings}))


def forget_listed(connection: Connection, before: int) -> None:
    """Forget what came before a day; of each sequence the first row stays, which says since when it is counted."""
    first = ListedCount.__table__.alias("first")  # type: ignore[attr-defined]  # SQLModel does not tell of it
    since = select(func.min(first.c.day)).where(first.c.sequence == col(ListedCount.sequence)).scalar_subquery()
    connection.execute(delete(ListedCount).where(col(ListedCount.day) < before, col(ListedCount.day) > since))
