"""What members ever said of a signal or a listing: each revision and withdrawal with its place, read out of the logs.

The database keeps what stands now. What stood before is in the entries alone, so that all of those held are looked
through: some hundred thousand a second.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from hashpact_node.services.entries import open_bundle
from hashpact_node.store.bundles import stream_bundles
from hashpact_node.store.connection import Connection
from hashpact_node.store.logs import Log, list_logs
from hashpact_protocol.errors import FetchError, TileError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merkle import leaf_hash
from hashpact_protocol.parsing import parse_entries
from hashpact_protocol.statements import Listing, Withdrawal
from hashpact_protocol.tiles import decode_bundle

EVENTS_MAX: Final = 1_000
"""How many events are told at most, and of how many listings."""

KINDS: Final = ("listings", "crisis")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a member said: it ``listed``, ``restated`` or ``withdrew`` the listing ``listing``.

    ``log`` is an origin, ``index`` the place in it, ``leaf`` the hash of the entry (RFC 6962) in hex; ``time`` is what
    the member says. ``names`` says whether a revision names the signal. ``counts``: whether its log counts here.
    """

    time: str
    member: str
    what: str
    listing: str
    log: str
    index: int
    leaf: str
    names: bool
    counts: bool
    reason: str | None = None
    note: str | None = None
    labels: tuple[str, ...] = ()
    expires: str | None = None


@dataclass(frozen=True, slots=True)
class History:
    """Events by member and place; ``more`` where there are more than are told; ``damaged`` bundles cannot be read."""

    events: tuple[Event, ...] = ()
    more: bool = False
    damaged: int = 0


@dataclass(slots=True)
class _Search:
    """What is looked for in the logs of one name of one member: a value, and listings by id as they are found."""

    value: str | None
    ids: set[str]
    listed: set[str] = field(default_factory=set)

    def pattern(self) -> re.Pattern[bytes]:
        """Give what finds all of it in the bytes of a bundle, where values stand as JSON has them."""
        words = sorted(self.ids) + ([] if self.value is None else [json.dumps(self.value)[1:-1]])
        return re.compile(b"|".join(re.escape(word.encode()) for word in words))


def history_of(
    connection: Connection,
    *,
    value: str | None = None,
    listings: Iterable[tuple[int, str]] = (),
    most: int = EVENTS_MAX,
) -> History:
    """Give all events about whatever ever named a signal's value, and about listings, given as (sequence, id)."""
    by_sequence: dict[int, set[str]] = {}
    for sequence, identifier in listings:
        by_sequence.setdefault(sequence, set()).add(identifier)
    logs: list[Log] = [log for log in list_logs(connection) if log.kind in KINDS]
    logs.sort(key=lambda log: (log.member, log.name))
    events: list[Event] = []
    damaged: list[int] = []
    for _, of_one in groupby(logs, key=lambda log: log.sequence):
        parts = sorted(of_one, key=lambda log: (log.position, log.number))
        ids = by_sequence.get(parts[0].sequence, set())
        if value is None and not ids:
            continue
        for event in _search(connection, parts, _Search(value, ids), damaged):
            if len(events) == most:
                return History(tuple(events), more=True, damaged=len(damaged))
            events.append(event)
    return History(tuple(events), damaged=len(damaged))


def _search(connection: Connection, logs: Sequence[Log], search: _Search, damaged: list[int]) -> Iterator[Event]:
    pattern = search.pattern()
    for log in logs:
        for bundle in stream_bundles(connection, log.number):
            try:
                data = open_bundle(bundle.data)
                entries = decode_bundle(data, bundle.width) if pattern.search(data) else []
            except (FetchError, TileError):
                damaged.append(bundle.number)
                continue
            for offset, entry in enumerate(entries):
                if not pattern.search(entry):
                    continue
                event = _event(search, log, bundle.number * LIMITS.bundle_width + offset, entry)
                if event is None:
                    continue
                if event.listing not in search.ids:
                    search.ids.add(event.listing)
                    pattern = search.pattern()
                yield event


def _event(search: _Search, log: Log, index: int, entry: bytes) -> Event | None:
    (statement,) = parse_entries([entry], log.kind)
    place = (log.origin, index, leaf_hash(entry).hex())
    if isinstance(statement, Listing):
        names = search.value is not None and any(signal.value == search.value for signal in statement.signals)
        if not names and statement.id not in search.ids:
            return None
        what = "restated" if statement.id in search.listed else "listed"
        search.listed.add(statement.id)
        return Event(
            statement.time,
            log.member,
            what,
            statement.id,
            *place,
            names=names or search.value is None,
            counts=log.counts,
            note=statement.note,
            labels=statement.labels,
            expires=statement.expires,
        )
    if isinstance(statement, Withdrawal) and statement.listing in search.ids:
        return Event(
            statement.time,
            log.member,
            "withdrew",
            statement.listing,
            *place,
            names=False,
            counts=log.counts,
            reason=statement.reason,
            note=statement.note,
        )
    return None
