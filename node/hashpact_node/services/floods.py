"""A member that suddenly lists far more than is usual for it: what comes is held for review (docs/policy.md, Floods).

New listings of each sequence of logs are counted by day, once it was read whole for the first time. A day on which more
come than policy allows is a flood: the batch with which that is noticed is held, and whatever comes behind it that day.
"""

from __future__ import annotations

from datetime import datetime
from statistics import median
from typing import Final

from hashpact_node.services.batches import Batch
from hashpact_node.services.judge import Judge
from hashpact_node.store.alarms import clear_alarm, raise_alarm
from hashpact_node.store.connection import Connection
from hashpact_node.store.holds import Held, NewHold, Notice, add_hold, grow_hold, standing_hold
from hashpact_node.store.listed import listed_by_day, set_listed
from hashpact_node.store.logs import Log
from hashpact_node.store.outcomes import day_of
from hashpact_protocol.merge import Kind
from hashpact_protocol.policy_form import Flood, FloodTerms

LISTING_FLOOD: Final = "listing-flood"
"""The alarm for a member whose listings are held, about the log in which they stand."""

MATCH_FLOOD: Final = "match-flood"
"""The alarm for signals that are held since they matched far more often than usual."""


def hold_floods(connection: Connection, log: Log, batch: Batch, eyes: Judge, *, now: datetime) -> bool:
    """Count the new listings of a batch of a peer's log, and hold it where they are a flood; whether anything is held.

    What was held is held where it is restated, too. The caller has locked the change counter. Raises StoreError.
    """
    found = _flood(connection, log, batch, eyes.policy.flood, now) or _carried(log, batch, eyes.held)
    if found is None:
        return False
    _hold(connection, log, found, now)
    return True


def usual_of(days: dict[int, int], today: int, terms: FloodTerms) -> int:
    """Give what is usual on a day: the median of the days before ``today`` on which it was counted.

    A day that is not named had none. With a median, a flood does not make the next one usual.
    """
    first = max(min(days, default=today), today - terms.days)
    before = [days.get(day, 0) for day in range(first, today)]
    return int(median(before)) if before else 0


def allowed(usual: int, terms: FloodTerms) -> int:
    """Give how many may come on a day, where so many are usual."""
    return max(terms.at_least, terms.times * usual)


def count_anew(connection: Connection, log: Log, *, now: datetime) -> None:
    """Count the listings of this day from nothing, since a person let through what came, and clear the alarm."""
    days = listed_by_day(connection, log.sequence)
    today = day_of(now.date())
    if today in days:
        set_listed(connection, log.sequence, today, 0)
    if standing_hold(connection, log.number) is None:
        clear_alarm(connection, LISTING_FLOOD, now=now, peer=log.peer, log=log.number)


def new_listings(batch: Batch) -> int:
    """Count the listings of a batch that live, and did not before it."""
    living = sum(1 for row in batch.owners if row[2] == Kind.LISTING and row[5])
    return living - len(batch.merged.restated)


def _flood(connection: Connection, log: Log, batch: Batch, flood: Flood, now: datetime) -> NewHold | None:
    """Add the new listings of a batch to those of today; give what is to be held where these are far too many."""
    new = new_listings(batch)
    days = listed_by_day(connection, log.sequence) if new else {}
    if not days:
        return None
    today, terms = day_of(now.date()), flood.listings
    came = days.get(today, 0) + new
    set_listed(connection, log.sequence, today, came)
    usual = usual_of(days, today, terms)
    if not terms.hold or came <= allowed(usual, terms):
        return None
    notice = Notice.DUE if flood.notify else Notice.NONE
    return NewHold(came, usual, notice, log.peer, log.number, batch.start, batch.start + batch.entries)


def _carried(log: Log, batch: Batch, held: Held) -> NewHold | None:
    """Give what is to be held since a batch restates what is; None where it restates nothing of it elsewhere."""
    if not held.spans:
        return None
    again = [position for place, position in batch.merged.restated.items() if held.holds_entry(*place)]
    if not again:
        return None
    return NewHold(len(again), 0, Notice.NONE, log.peer, log.number, min(again), max(again) + 1)


def _hold(connection: Connection, log: Log, new: NewHold, now: datetime) -> None:
    standing = standing_hold(connection, log.number)
    if standing is not None and standing.last == new.first and new.last is not None:
        number = standing.number
        grow_hold(connection, number, new.last, new.came, now=now)
    else:
        number = add_hold(connection, new, now=now)
    raise_alarm(
        connection,
        LISTING_FLOOD,
        f"{log.origin}: {new.came:,} listings came within a day, where {new.usual:,} are usual; "
        "they are held for review",
        now=now,
        mend=f"ask the member; see `hashpact hold show {number}`, `hashpact hold release {number}` lets them through",
        peer=log.peer,
        log=log.number,
    )
