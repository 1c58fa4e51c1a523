"""What a person must see: raised once, counted when it happens again, cleared when it is over."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, select, update
from sqlmodel import col

from hashpact_node.store import tables
from hashpact_node.store.audit import append
from hashpact_node.store.audit_form import Event
from hashpact_node.store.database import insert_into


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm; ``peer`` and ``log`` are numbers of rows, None where it concerns none; times are Unix seconds."""

    number: int
    peer: int | None
    log: int | None
    code: str
    what: str
    mend: str | None
    first_at: int
    last_at: int
    times: int
    cleared_at: int | None
    evidence: bytes | None


def raise_alarm(
    connection: Connection,
    code: str,
    what: str,
    *,
    now: datetime,
    mend: str | None = None,
    peer: int | None = None,
    log: int | None = None,
    evidence: bytes | None = None,
) -> Alarm:
    """Raise an alarm, or count it once more; one that was cleared starts anew. The first evidence stays.

    One that is raised, and not only counted, goes to the audit log.
    """
    at = int(now.timestamp())
    row = {"code": code, "what": what, "mend": mend, "peer": peer or 0, "log": log or 0, "evidence": evidence}
    insert = insert_into(connection, tables.Alarm).values(first_at=at, last_at=at, times=1, **row)
    over = col(tables.Alarm.cleared_at).is_not(None)
    again = insert.on_conflict_do_update(
        index_elements=["peer", "log", "code"],
        set_={
            "what": what,
            "mend": mend,
            "first_at": case((over, at), else_=col(tables.Alarm.first_at)),
            "last_at": at,
            "times": case((over, 1), else_=col(tables.Alarm.times) + 1),
            "cleared_at": None,
            "evidence": func.coalesce(col(tables.Alarm.evidence), insert.excluded.evidence),
        },
    )
    number = connection.execute(again.returning(col(tables.Alarm.number))).scalar_one()
    query = select(tables.Alarm).where(col(tables.Alarm.number) == number)
    raised = _alarm(connection.execute(query).mappings().one())
    if raised.times == 1:
        append(connection, Event("job", "alarms", "raise alarm", subject=code, detail={"what": what}), now=now)
    return raised


def clear_alarm(
    connection: Connection, code: str, *, now: datetime, peer: int | None = None, log: int | None = None
) -> bool:
    """Clear an alarm; whether there was one."""
    return _clear(connection, now, _about(code, peer, log)) > 0


def clear_alarms(connection: Connection, codes: Collection[str], *, now: datetime, peer: int, log: int) -> int:
    """Clear some alarms about a log; how many there were."""
    return _clear(connection, now, _among(codes, peer, log))


def clear_alarm_number(connection: Connection, number: int, *, now: datetime) -> bool:
    """Clear the alarm that a person picked by its number; whether there was one."""
    return _clear(connection, now, col(tables.Alarm.number) == number) > 0


def clear_alarms_of(connection: Connection, peer: int, *, now: datetime) -> int:
    """Clear all alarms about a member and its logs; how many there were."""
    return _clear(connection, now, col(tables.Alarm.peer) == peer)


def find_alarm(connection: Connection, code: str, *, peer: int | None = None, log: int | None = None) -> Alarm | None:
    """Find an alarm, cleared or not."""
    row = connection.execute(select(tables.Alarm).where(_about(code, peer, log))).mappings().one_or_none()
    return None if row is None else _alarm(row)


def list_alarms(connection: Connection, *, cleared: bool = False) -> list[Alarm]:
    """List alarms, the newest first; those that are over only where ``cleared`` is set."""
    query = select(tables.Alarm).order_by(col(tables.Alarm.last_at).desc(), col(tables.Alarm.number).desc())
    if not cleared:
        query = query.where(col(tables.Alarm.cleared_at).is_(None))
    return [_alarm(row) for row in connection.execute(query).mappings()]


def raised_among(connection: Connection, codes: Collection[str], *, peer: int, log: int) -> set[str]:
    """Say which of these alarms about a log are raised and not cleared."""
    query = select(col(tables.Alarm.code)).where(_among(codes, peer, log), col(tables.Alarm.cleared_at).is_(None))
    return set(connection.execute(query).scalars())


def _about(code: str, peer: int | None, log: int | None) -> ColumnElement[bool]:
    return _among([code], peer, log)


def _among(codes: Collection[str], peer: int | None, log: int | None) -> ColumnElement[bool]:
    return (
        col(tables.Alarm.code).in_(codes)
        & (col(tables.Alarm.peer) == (peer or 0))
        & (col(tables.Alarm.log) == (log or 0))
    )


def _clear(connection: Connection, now: datetime, condition: ColumnElement[bool]) -> int:
    open_ones = update(tables.Alarm).where(condition, col(tables.Alarm.cleared_at).is_(None))
    return connection.execute(open_ones.values(cleared_at=int(now.timestamp()))).rowcount


def _alarm(row: Any) -> Alarm:
    return Alarm(**{**row, "peer": row["peer"] or None, "log": row["log"] or None})
