"""What was withdrawn within a period, and how long that took, for a report."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from hashpact_node.services.claims_view import read_listings
from hashpact_node.services.report_entries import Withdrawal
from hashpact_node.services.report_words import known_labels
from hashpact_node.services.views import logs_by_number
from hashpact_node.store.connection import Connection
from hashpact_node.store.owners import find_owners
from hashpact_node.store.shown import list_shown
from hashpact_protocol.claims import Place
from hashpact_protocol.merge import Kind

Record = tuple[list[int], list[int]]
"""The sizes that an own log showed, the smallest first, and when each was first shown (Unix seconds)."""


class Withdrawn(NamedTuple):
    """A listing that was withdrawn; ``seconds`` from its newest revision to that, None where it cannot be read back."""

    member: str
    own: bool
    reason: str
    labels: tuple[str, ...]
    seconds: int | None


def withdrawn_listings(connection: Connection, withdrawals: Sequence[Withdrawal]) -> list[Withdrawn]:
    """Give the listings that these took back, and that nobody has listed again since; the last word of each counts."""
    last: dict[int, dict[bytes, Withdrawal]] = {}
    for one in withdrawals:
        last.setdefault(one.sequence, {})[one.listing] = one
    found = [
        (ones[listing], Place(owner.log, owner.position))
        for sequence, ones in last.items()
        for listing, owner in find_owners(connection, sequence, ones).items()
        if owner.kind == Kind.LISTING and not owner.live
    ]
    listings = read_listings(connection, {place for _, place in found}, logs_by_number(connection))
    records = {log: _record(connection, log) for log in {one.log for one, _ in found if one.own}}
    made = []
    for one, place in found:
        listing = listings.get(place)
        seconds = _between(records, one, place)
        if seconds is None and listing is not None:
            seconds = _seconds(one.time) - _seconds(listing.time)
        labels = () if listing is None else known_labels(listing.labels)
        made.append(Withdrawn(one.member, one.own, one.reason, labels, None if seconds is None else max(0, seconds)))
    return made


def _record(connection: Connection, log: int) -> Record:
    record = list_shown(connection, log)
    return [one.size for one in record], [one.shown_at for one in record]


def _between(records: Mapping[int, Record], one: Withdrawal, place: Place) -> int | None:
    """Give the seconds between both releases, where both are on record."""
    if place.log != one.log or one.log not in records:
        return None
    sizes, times = records[one.log]
    listed, withdrawn = (bisect_right(sizes, position) for position in (place.position, one.position))
    if listed == 0 or withdrawn == len(sizes):
        return None  # what stands in the first size on record may have been released long before
    return times[withdrawn] - times[listed]


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())
