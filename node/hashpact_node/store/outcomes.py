"""Counts of matches, and of what became of them, by day. A day is a number of Unix days in UTC."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, func, select
from sqlmodel import col

from hashpact_node.store.database import insert_into
from hashpact_node.store.tables_outcomes import MatchCount, Outcome

COUNTS: Final = ("matched", "removed", "appealed", "reinstated")
"""What is counted of a signal, in the order of ``Counts``."""

_EPOCH: Final = date(1970, 1, 1).toordinal()


class MatchKey(NamedTuple):
    """What matches are counted by."""

    day: int
    action: str
    type: str
    surface: str


class Counts(NamedTuple):
    """How often a signal matched, and of that: removed, appealed against, put back."""

    matched: int = 0
    removed: int = 0
    appealed: int = 0
    reinstated: int = 0


def day_of(day: date) -> int:
    """Give the number of a day."""
    return day.toordinal() - _EPOCH


def date_of(day: int) -> date:
    """Give the day of a number."""
    return date.fromordinal(day + _EPOCH)


def add_matches(connection: Connection, counts: Mapping[MatchKey, int]) -> None:
    """Add to the numbers of lookups."""
    for key, count in sorted(counts.items()):
        row = insert_into(connection, MatchCount).values(**key._asdict(), lookups=count)
        more = {"lookups": col(MatchCount.lookups) + row.excluded.lookups}
        connection.execute(row.on_conflict_do_update(index_elements=list(MatchKey._fields), set_=more))


def list_matches(connection: Connection, first: int, last: int) -> dict[MatchKey, int]:
    """Give the numbers of lookups from one day to another, both included."""
    row = MatchCount
    query = select(col(row.day), col(row.action), col(row.type), col(row.surface), col(row.lookups))
    query = query.where(col(row.day) >= first, col(row.day) <= last)
    return {MatchKey(*found[:4]): int(found[4]) for found in connection.execute(query)}


def first_matches(connection: Connection) -> int | None:
    """Give the first day of which lookups were counted; None where none ever were."""
    return connection.execute(select(func.min(col(MatchCount.day)))).scalar_one()


def add_outcomes(connection: Connection, day: int, source: str, outcomes: Iterable[tuple[bytes, Counts]]) -> None:
    """Add to what became of matches of some signals, as one source says it."""
    for key, counts in sorted(outcomes):
        row = insert_into(connection, Outcome).values(day=day, key=key, source=source, **counts._asdict())
        more = {name: col(getattr(Outcome, name)) + getattr(row.excluded, name) for name in COUNTS}
        connection.execute(row.on_conflict_do_update(index_elements=["day", "key", "source"], set_=more))


def outcomes_of(connection: Connection, key: bytes) -> tuple[Counts, int | None]:
    """Give what became of matches of one signal in all, and the last day of which something was said."""
    query = select(*_sums(), func.max(col(Outcome.day))).where(col(Outcome.key) == key)
    *counts, last = connection.execute(query).one()
    return Counts(*map(int, counts)), last


def first_outcome(connection: Connection) -> int | None:
    """Give the first day of which something was said; None where nothing ever was."""
    return connection.execute(select(func.min(col(Outcome.day)))).scalar_one()


def sum_outcomes(connection: Connection, first: int, last: int) -> tuple[Counts, int]:
    """Give what became of all matches from one day to another, both included, and how many rows said so."""
    query = select(*_sums(), func.count()).where(col(Outcome.day) >= first, col(Outcome.day) <= last)
    *counts, rows = connection.execute(query).one()
    return Counts(*map(int, counts)), int(rows)


def _sums() -> list[ColumnElement[int]]:
    return [func.coalesce(func.sum(col(getattr(Outcome, name))), 0) for name in COUNTS]
