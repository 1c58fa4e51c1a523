"""Expiry acts on actions, never on claims: a listing that has expired is marked in its signals' claims."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from hashpact_node.services.entries import EntryReader
from hashpact_node.services.views import logs_by_number
from hashpact_node.store.alarms import raise_alarm
from hashpact_node.store.changes import Numbers
from hashpact_node.store.connection import Connection
from hashpact_node.store.expiries import Expiring, add_expiring, take_due
from hashpact_node.store.logs import Log
from hashpact_node.store.signals import Eyes, SignalChange, change_signals
from hashpact_protocol.claims import Place
from hashpact_protocol.errors import FetchError, MalformedError, NotFoundError, VerificationError
from hashpact_protocol.statement_fields import parse_time

DUE_AT_ONCE = 10_000

UNREADABLE = "expiry-unreadable"
"""The alarm for a log of which a listing that has expired cannot be read back."""


def remember_expiring(connection: Connection, log: int, expiring: Iterable[tuple[str, int]]) -> None:
    """Remember when listings of a log expire, given as (time on the wire, index)."""
    rows = [Expiring(int(parse_time(text).timestamp()), log, position) for text, position in expiring]
    add_expiring(connection, rows)


def expire_due(connection: Connection, eyes: Eyes, numbers: Numbers, now: datetime, *, log: int | None = None) -> int:
    """Mark the listings of all logs, or of one, that have expired by ``now``; give how many were due.

    At most 10 000 at once: fewer than that say that no more are due. A listing that was withdrawn or restated
    meanwhile has no claims at that place any more, and nothing changes. What cannot be read back is passed over, so
    that one log never stands in the way of another, and an alarm says so; its claims stay as they are.
    """
    due = take_due(connection, int(now.timestamp()), limit=DUE_AT_ONCE, log=log)
    if not due:
        return 0
    reader, logs = EntryReader(connection), logs_by_number(connection)
    changes: dict[bytes, SignalChange] = {}
    passed: dict[int, list[int]] = {}
    for place in sorted(Place(one.log, one.position) for one in due):  # in this order each bundle is read once
        try:
            listing = reader.listing(place, logs[place.log].kind)
        except (FetchError, MalformedError, NotFoundError, VerificationError):
            passed.setdefault(place.log, []).append(place.position)
            continue
        for signal in listing.signals:
            changes.setdefault(signal.key, SignalChange()).expire.add(place)
    change_signals(connection, changes, eyes, numbers)
    _tell_unreadable(connection, logs, passed, now)
    return len(due)


def _tell_unreadable(
    connection: Connection, logs: Mapping[int, Log], passed: Mapping[int, list[int]], now: datetime
) -> None:
    for number, positions in passed.items():
        log = logs[number]
        what = (
            f"{log.origin}: {len(positions)} listings that have expired cannot be read back, first entry {positions[0]}"
        )
        mend = "what they claim goes on acting: run `hashpact rebuild`"
        raise_alarm(connection, UNREADABLE, what, now=now, mend=mend, peer=log.peer, log=number)
