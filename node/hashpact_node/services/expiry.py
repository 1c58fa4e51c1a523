"""Expiry acts on actions, never on claims: a listing that has expired is marked in its signals' claims."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from hashpact_node.services.entries import EntryReader
from hashpact_node.services.views import logs_by_number
from hashpact_node.store.changes import Numbers
from hashpact_node.store.connection import Connection
from hashpact_node.store.expiries import Expiring, add_expiring, take_due
from hashpact_node.store.signals import SignalChange, Viewpoint, change_signals
from hashpact_protocol.claims import Place
from hashpact_protocol.statement_fields import parse_time

DUE_AT_ONCE = 10_000


def remember_expiring(connection: Connection, log: int, expiring: Iterable[tuple[str, int]]) -> None:
    """Remember when listings of a log expire, given as (time on the wire, index)."""
    rows = [Expiring(int(parse_time(text).timestamp()), log, position) for text, position in expiring]
    add_expiring(connection, rows)


def expire_due(connection: Connection, eyes: Viewpoint, numbers: Numbers, now: datetime) -> int:
    """Mark the listings that have expired by ``now``, at most 10 000 at once; give how many were due.

    A listing that was withdrawn or restated meanwhile has no claims at that place any more, and nothing changes.
    """
    due = take_due(connection, int(now.timestamp()), limit=DUE_AT_ONCE)
    if not due:
        return 0
    reader, logs = EntryReader(connection), logs_by_number(connection)
    changes: dict[bytes, SignalChange] = {}
    for one in due:
        place = Place(one.log, one.position)
        for signal in reader.listing(place, logs[one.log].kind).signals:
            changes.setdefault(signal.key, SignalChange()).expire.add(place)
    change_signals(connection, changes, eyes, numbers)
    return len(due)
