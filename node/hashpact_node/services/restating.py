"""What lives in a sequence of own logs, byte for byte, as a fresh successor restates it (docs/protocol.md, Card)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from hashpact_node.services.digests import live_map, size_of
from hashpact_node.services.entries import open_bundle
from hashpact_node.store.bundles import stream_bundles
from hashpact_node.store.connection import Connection
from hashpact_node.store.logs import Log
from hashpact_node.store.owners import find_owners
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.statements import Incident, Opinion, parse_statement
from hashpact_protocol.tiles import decode_bundle

CONCLUDED = "concluded"
TAKEN_BACK = "none"


@dataclass(frozen=True, slots=True)
class Restated:
    """The entries of a successor to be, in order, and the listings (ids) that were left out to be erased."""

    entries: tuple[bytes, ...]
    left_out: frozenset[bytes]


def restate(connection: Connection, logs: Sequence[Log], erased: Collection[bytes]) -> Restated:
    """Gather what lives in the counting logs of one sequence, given in order, without some listings.

    Live listings; incidents not concluded; each newest opinion but ``none``; in order of place.
    """
    left_out = frozenset(erased)
    gone: set[tuple[int, int]] = set()
    if logs and left_out:
        owners = find_owners(connection, logs[0].sequence, left_out)
        gone = {(owner.log, owner.position) for owner in owners.values()}
    others = _others(connection, logs)
    entries: list[bytes] = []
    for log in logs:
        size = size_of(log)
        live = live_map(connection, log, size)
        for position, entry in _entries(connection, log, size):
            place = (log.number, position)
            if (live[position] or place in others) and place not in gone:
                entries.append(entry)
    return Restated(tuple(entries), left_out)


def _others(connection: Connection, logs: Sequence[Log]) -> set[tuple[int, int]]:
    """Give the places of incidents and opinions that live; logs of listings hold neither."""
    incidents: dict[str, str] = {}
    steps: list[tuple[tuple[int, int], str]] = []
    opinions: dict[tuple[str, str, str], tuple[tuple[int, int], str]] = {}
    for log in logs:
        if log.kind == "listings":
            continue
        for position, entry in _entries(connection, log, size_of(log)):
            statement = parse_statement(entry, log.kind)
            place = (log.number, position)
            if isinstance(statement, Incident):
                incidents[statement.incident] = statement.status
                steps.append((place, statement.incident))
            elif isinstance(statement, Opinion):
                opinions[statement.member, statement.log, statement.listing] = (place, statement.verdict)
    living = {place for place, incident in steps if incidents[incident] != CONCLUDED}
    return living | {place for place, verdict in opinions.values() if verdict != TAKEN_BACK}


def _entries(connection: Connection, log: Log, size: int) -> Iterator[tuple[int, bytes]]:
    width = LIMITS.bundle_width
    for bundle in stream_bundles(connection, log.number, 0, -(-size // width)):
        start = bundle.number * width
        entries = decode_bundle(open_bundle(bundle.data), bundle.width)
        yield from enumerate(entries[: size - start], start)
