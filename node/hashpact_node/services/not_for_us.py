"""Logs of others that belong to an audience of which we are none: seen in the card, and left to whom they are for.

Their publisher answers as if there were no such log, or as if nobody had asked. That is no failure of anybody, and no
reason to look for a newer card.
"""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Final

from hashpact_node.services.polling import PASSING, STALE, Polled
from hashpact_node.services.readers import is_of_audience
from hashpact_node.store.alarms import clear_alarm, clear_alarms, raise_alarm
from hashpact_node.store.audiences import forget_not_for_us, logs_not_for_us, note_not_for_us
from hashpact_node.store.database import Database
from hashpact_node.store.logs import Log
from hashpact_protocol.errors import FetchStatusError, HashpactError

NOT_FOR_US: Final = "not-for-us"
"""In place of a verdict: the log belongs to an audience of its member, and we are none of its readers."""

ASK_AGAIN_SECONDS: Final = 15 * 60
"""How long the schedule leaves a log alone that is not for us. Whoever asks by hand, or is rung for, asks at once."""

LEFT: Final = "audience-left"
OVER: Final = (*PASSING, STALE)
"""Alarms that mean nothing where nobody expects to read."""


def refuses(error: HashpactError, log: Log) -> bool:
    """Say whether an error means that a publisher keeps an audience's log from us."""
    refusals = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
    return is_of_audience(log) and isinstance(error, FetchStatusError) and error.status in refusals


def leave_to_others(database: Database, log: Log, now: datetime) -> Polled:
    """Take it that a log is not for us.

    What was read of it before stays in force, as whatever is held does; a person is told that no correction of it
    reaches us any more.
    """
    with database.write() as connection:
        clear_alarms(connection, OVER, now=now, peer=log.peer, log=log.number)
        note_not_for_us(connection, log.number, now=now)
        if log.held_size:
            what = f"{log.origin}: its publisher lets us read it no more; the {log.held_size} entries held still count"
            mend = "ask the member whether that was meant, and whether what it listed there still stands"
            raise_alarm(connection, LEFT, what, now=now, mend=mend, peer=log.peer, log=log.number)
    return Polled(log.origin, log.held_size, log.held_size, NOT_FOR_US, None)


def is_left_alone(database: Database, log: Log, now: datetime) -> bool:
    """Say whether a log was not for us when we asked a short while ago."""
    if not is_of_audience(log):
        return False
    with database.read() as connection:
        asked_at = logs_not_for_us(connection).get(log.number)
    return asked_at is not None and 0 <= now.timestamp() - asked_at < ASK_AGAIN_SECONDS


def take_as_ours(database: Database, log: Log, now: datetime) -> None:
    """Take it that a log is for us: it could be read."""
    if not is_of_audience(log):
        return
    with database.read() as connection:
        refused = log.number in logs_not_for_us(connection)
    if refused:
        with database.write() as connection:
            forget_not_for_us(connection, log.number)
            clear_alarm(connection, LEFT, now=now, peer=log.peer, log=log.number)
