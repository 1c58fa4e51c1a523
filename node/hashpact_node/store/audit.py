"""The audit log: rows that are only ever appended, one after another, whoever appends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import Connection, Select, select, update
from sqlmodel import col

from hashpact_node.store.audit_form import TEXT_MAX, Event, clean, write_entry
from hashpact_node.store.database import do_last, insert_into
from hashpact_node.store.tables_audit import AuditEntry, AuditHead
from hashpact_protocol.errors import TileError
from hashpact_protocol.merkle import CompactRange, leaf_hash

ONE: Final = 1
STREAM_ROWS: Final = 256

Row = tuple[int, int, bytes]
"""Number, time in Unix seconds, entry."""

DAMAGED: Final = "the audit log is damaged, and this could not be appended: see `hashpact audit verify`"

log = structlog.get_logger(__name__)


def append(connection: Connection, event: Event, *, now: datetime) -> None:
    """Append an entry to the audit log, as the last thing that this writing transaction does.

    The row of the head is locked until its end, and nothing is locked after it: so nobody waits for each other. Where
    somebody damaged the rows of the log, the process log says so, and the rest of the transaction goes on: who can
    write to the database must not be able to stop the node by it.
    """
    do_last(connection, lambda last: _append(last, event, now))


def read_head(connection: Connection) -> CompactRange:
    """Give the size of the log and the range over it, as the row of the head has them; TileError if it is damaged."""
    return _head(connection, lock=False) or CompactRange()


def stream_entries(connection: Connection, *, after: int = 0) -> Iterator[Row]:
    """Yield all entries behind a number, in order of their numbers, a few at a time."""
    query = _rows().where(col(AuditEntry.number) > after).order_by(col(AuditEntry.number))
    for row in connection.execute(query, execution_options={"yield_per": STREAM_ROWS}):
        yield (row[0], row[1], row[2])


def stream_newest(connection: Connection, *, since: int = 0) -> Iterator[Row]:
    """Yield entries, the newest first; none of before ``since``, in Unix seconds."""
    query = _rows().where(col(AuditEntry.time) >= since).order_by(col(AuditEntry.number).desc())
    for row in connection.execute(query, execution_options={"yield_per": STREAM_ROWS}):
        yield (row[0], row[1], row[2])


def page_entries(connection: Connection, *, after: int, limit: int) -> list[Row]:
    """Give up to ``limit`` entries behind a number, in order."""
    query = _rows().where(col(AuditEntry.number) > after).order_by(col(AuditEntry.number)).limit(limit)
    return [(row[0], row[1], row[2]) for row in connection.execute(query)]


def _rows() -> Select[int, int, bytes]:
    return select(col(AuditEntry.number), col(AuditEntry.time), col(AuditEntry.entry))


def _append(connection: Connection, event: Event, now: datetime) -> None:
    try:
        head = _locked_head(connection)
    except TileError:
        _tell_damaged(event)
        return
    number = head.size + 1
    entry = write_entry(event, number, head.root(), now)
    row = insert_into(connection, AuditEntry).values(number=number, time=int(now.timestamp()), entry=entry)
    added = row.on_conflict_do_nothing().returning(col(AuditEntry.number))
    if connection.execute(added).scalar_one_or_none() is None:
        _tell_damaged(event)
        return
    grown = head.extend([leaf_hash(entry)])
    connection.execute(update(AuditHead).where(col(AuditHead.one) == ONE).values(size=grown.size, range=grown.encode()))


def _tell_damaged(event: Event) -> None:
    told = {"actor": event.name, "action": event.action, "subject": event.subject, "result": event.result}
    log.error(DAMAGED, **{name: clean(text, TEXT_MAX) for name, text in told.items()})


def _locked_head(connection: Connection) -> CompactRange:
    head = _head(connection, lock=True)
    if head is None:
        # Two first writers may both come here: the later one waits, adds nothing, and locks what the other wrote.
        row = insert_into(connection, AuditHead).values(one=ONE, size=0, range=b"")
        connection.execute(row.on_conflict_do_nothing())
        head = _head(connection, lock=True)
    return head or CompactRange()


def _head(connection: Connection, *, lock: bool) -> CompactRange | None:
    query = select(col(AuditHead.size), col(AuditHead.range)).where(col(AuditHead.one) == ONE)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else CompactRange.decode(row[0], row[1])
