"""Counts of what was decided, disputed and said of incidents within a time, for reports; Unix seconds."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, func, select
from sqlmodel import col

from hashpact_node.store.tables import Log
from hashpact_node.store.tables_decisions import Decision
from hashpact_node.store.tables_incidents import IncidentStep
from hashpact_node.store.tables_opinions import CorrectionDelay, Dispute


class DisputeRow(NamedTuple):
    """A dispute of an own listing: since when, answered when and how, and why."""

    since: int
    answered_at: int | None
    answer: str | None
    reason: str | None


class Arrivals(NamedTuple):
    """How many withdrawals of others arrived here, and how many of them soon after they were made."""

    arrived: int
    within_minute: int
    within_hour: int
    within_day: int


def has_log(connection: Connection, kind: str) -> bool:
    """Say whether any member whose cards are held has a log of that kind."""
    query = select(col(Log.number)).where(col(Log.kind) == kind, col(Log.named).is_(True)).limit(1)
    return connection.execute(query).first() is not None


def disputes_between(connection: Connection, begin: int, end: int) -> list[DisputeRow]:
    """Give the disputes that began, or were answered, from ``begin`` up to but without ``end``."""
    row = Dispute
    began = (col(row.since) >= begin) & (col(row.since) < end)
    answered = (col(row.answered_at) >= begin) & (col(row.answered_at) < end)
    query = select(col(row.since), col(row.answered_at), col(row.answer), col(row.reason)).where(began | answered)
    return [DisputeRow(*found) for found in connection.execute(query)]


def open_disputes(connection: Connection) -> int:
    """Count the disputes of own listings that nobody has answered."""
    return connection.execute(select(func.count()).where(col(Dispute.answered_at).is_(None))).scalar_one()


def arrivals_between(connection: Connection, first: int, last: int) -> Arrivals:
    """Sum up how withdrawals of others arrived, from one day (Unix days) to another, both included."""
    row = CorrectionDelay
    columns = (row.count, row.within_minute, row.within_hour, row.within_day)
    query = select(*[func.coalesce(func.sum(col(column)), 0) for column in columns]).where(
        col(row.day) >= first, col(row.day) <= last
    )
    return Arrivals(*map(int, connection.execute(query).one()))


def decisions_between(connection: Connection, begin: int, end: int) -> dict[str, int]:
    """Count the decisions made from ``begin`` up to but without ``end``, by their verdict."""
    row = Decision
    query = select(col(row.verdict), func.count()).where(col(row.made_at) >= begin, col(row.made_at) < end)
    return {verdict: int(count) for verdict, count in connection.execute(query.group_by(col(row.verdict)))}


def standing_decisions(connection: Connection) -> dict[str, int]:
    """Count the decisions that stand, by their verdict."""
    row = Decision
    query = select(col(row.verdict), func.count()).where(col(row.ended_at).is_(None)).group_by(col(row.verdict))
    return {verdict: int(count) for verdict, count in connection.execute(query)}


def incident_steps(connection: Connection) -> list[tuple[bytes, bytes]]:
    """Give of every step of an incident that is kept the incident (16 bytes), and what was said, as JSON."""
    query = select(col(IncidentStep.incident), col(IncidentStep.said))
    return [(bytes(incident), bytes(said)) for incident, said in connection.execute(query)]
