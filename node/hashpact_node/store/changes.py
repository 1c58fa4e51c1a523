"""Change numbers from one locked counter (an identity column skips rows on PostgreSQL), and the time of each."""

from __future__ import annotations

from sqlalchemy import Connection, func, insert, select, update
from sqlmodel import col

from hashpact_node.store.database import insert_into
from hashpact_node.store.tables import ChangeTime, Counter

CHANGES = "changes"


class Numbers:
    """Hands out change numbers within one write transaction, from the locked counter; ``close`` writes it back."""

    def __init__(self, connection: Connection, *, now: int) -> None:
        """Lock the counter; ``now`` in Unix seconds, and the time of the changes never runs back behind the last."""
        self._connection = connection
        query = select(col(Counter.value)).where(col(Counter.name) == CHANGES).with_for_update()
        found = connection.execute(query).scalar_one_or_none()
        if found is None:
            # Two first writers may both come here: the later one waits, adds nothing, and locks what the other wrote.
            connection.execute(insert_into(connection, Counter).values(name=CHANGES, value=0).on_conflict_do_nothing())
            found = connection.execute(query).scalar_one()
        self._first = self._last = found
        self._now = now

    def take(self, count: int) -> int:
        """Take ``count`` numbers and give the first of them."""
        first = self._last + 1
        self._last += count
        return first

    def give_back(self, count: int) -> None:
        """Give back the ``count`` numbers taken last, because nothing was done with them."""
        self._last -= count

    @property
    def taken(self) -> int:
        """How many numbers have been taken."""
        return self._last - self._first

    def close(self) -> None:
        """Write the counter back, and the time of the numbers taken."""
        if not self.taken:
            return
        self._connection.execute(update(Counter).where(col(Counter.name) == CHANGES).values(value=self._last))
        latest = select(col(ChangeTime.time)).order_by(col(ChangeTime.first).desc()).limit(1)
        before = self._connection.execute(latest).scalar_one_or_none()
        if before is None or before < self._now:
            self._connection.execute(insert(ChangeTime).values(first=self._first + 1, time=self._now))
        self._first = self._last


def last_change(connection: Connection) -> int:
    """Give the number of the newest change; 0 when there is none."""
    query = select(col(Counter.value)).where(col(Counter.name) == CHANGES)
    return connection.execute(query).scalar_one_or_none() or 0


def change_times(connection: Connection, first: int, last: int) -> list[tuple[int, int]]:
    """Give ``(number, time)`` steps, in order, that tell the time of every change from ``first`` to ``last``."""
    before = (
        select(col(ChangeTime.first))
        .where(col(ChangeTime.first) <= first)
        .order_by(col(ChangeTime.first).desc())
        .limit(1)
        .scalar_subquery()
    )
    query = (
        select(col(ChangeTime.first), col(ChangeTime.time))
        .where(col(ChangeTime.first) >= func.coalesce(before, first), col(ChangeTime.first) <= last)
        .order_by(col(ChangeTime.first))
    )
    return [(number, time) for number, time in connection.execute(query)]
