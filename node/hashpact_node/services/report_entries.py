"""One reading of all logs that are held, for a report: what is listed now, and what was listed and withdrawn when.

Logs are read a few bundles at a time. What is remembered of a live listing is one number of four bytes at its place,
its *face*: who lists what, under which labels. So the hashes that it claims can be told by the same, one by one.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Final, NamedTuple

from hashpact_node.services.digests import counting_logs, live_map, size_of
from hashpact_node.services.entries import open_bundle
from hashpact_node.services.report_words import (
    CONTENTS,
    WITHDRAWAL_REASONS,
    known_labels,
    known_type,
    known_word,
)
from hashpact_node.store.bundles import stream_bundles
from hashpact_node.store.connection import Connection
from hashpact_node.store.feed import stream_range
from hashpact_node.store.logs import Log, list_logs
from hashpact_node.store.peers import list_peers
from hashpact_protocol import statements
from hashpact_protocol.claims import unpack_claims
from hashpact_protocol.errors import FetchError, StoreError, TileError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merge import id_bytes
from hashpact_protocol.parsing import parse_entries
from hashpact_protocol.signals import parse_signal_key
from hashpact_protocol.statements import Listing, Malformed, Statement
from hashpact_protocol.tiles import decode_bundle

_KINDS: Final = ("listings", "crisis")
_LAST_KEY: Final = b"\xff" * 64
_BEFORE_ALL: Final = -1


class Face(NamedTuple):
    """What a report tells of a live listing."""

    member: str
    content: str
    labels: tuple[str, ...]
    preserve: bool


class Withdrawal(NamedTuple):
    """A withdrawal within the period: whose, where it stands, of which listing (16 bytes), when, and why."""

    member: str
    own: bool
    log: int
    position: int
    sequence: int
    listing: bytes
    time: str
    reason: str


@dataclass(slots=True)
class Reading:
    """What the logs say. ``items`` count live listings, ``hashes`` distinct signals, both by how they are called.

    ``listed`` counts listings within the period by their day, ``listed_by`` them by their publisher and labels.
    """

    items: dict[str, Counter[str]] = field(default_factory=dict)
    hashes: dict[str, Counter[str]] = field(default_factory=dict)
    items_total: int = 0
    hashes_total: int = 0
    preserved: int = 0
    listed: Counter[date] = field(default_factory=Counter)
    listed_by: dict[str, Counter[str]] = field(default_factory=dict)
    withdrawn: list[Withdrawal] = field(default_factory=list)


def read_entries(connection: Connection, first: date, last: date) -> Reading:
    """Read everything for the period from one day to another, both included; StoreError for a damaged log."""
    scan = _Scan(connection, f"{first}T00:00:00Z", f"{last}T23:59:59Z")
    for peer in list_peers(connection, own=True):
        logs = list_logs(connection, peer=peer.number)
        counting = {log.number for log in counting_logs(logs)}
        for log in logs:
            if log.kind in _KINDS and log.held_size:
                scan.read_log(peer.member, log, own=peer.own, counts=log.number in counting)
    scan.count_hashes()
    return scan.reading


class _Scan:
    def __init__(self, connection: Connection, first: str, last: str) -> None:
        self._connection = connection
        self._first, self._last = first, last
        self._faces: dict[Face, int] = {}
        self._by_number: list[Face] = []
        self._places: dict[int, array[int]] = {}
        self._seen: set[tuple[int, bytes]] = set()
        self.reading = Reading()

    def read_log(self, member: str, log: Log, *, own: bool, counts: bool) -> None:
        """Read one log; only listings of one that counts are on the list."""
        size = size_of(log)
        live = live_map(self._connection, log, size) if counts else bytearray(size)
        faces = array("I", bytes(4 * size))
        for position, statement in _statements(self._connection, log, size):
            if isinstance(statement, Listing):
                if live[position]:
                    faces[position] = self._face(member, statement)
                if self._first <= statement.time <= self._last:
                    self._listed(member, log, statement)
            elif isinstance(statement, statements.Withdrawal) and self._first <= statement.time <= self._last:
                self.reading.withdrawn.append(
                    Withdrawal(
                        member,
                        own,
                        log.number,
                        position,
                        log.sequence,
                        id_bytes(statement.listing),
                        statement.time,
                        known_word(statement.reason, WITHDRAWAL_REASONS),
                    )
                )
        if counts:
            self._places[log.number] = faces

    def _face(self, member: str, listing: Listing) -> int:
        """Count a live listing, and give the number of its face, from 1 on."""
        labels = known_labels(listing.labels)
        face = Face(member, known_word(listing.content, CONTENTS), labels, listing.preserve)
        number = self._faces.get(face)
        if number is None:
            self._by_number.append(face)
            number = self._faces[face] = len(self._by_number)
        reading = self.reading
        reading.items_total += 1
        reading.preserved += listing.preserve
        _count(reading.items, "publisher", member)
        _count(reading.items, "content", face.content)
        _count(reading.items, "label", *labels)
        _count(reading.items, "type", *{known_type(signal.type) for signal in listing.signals})
        return number

    def _listed(self, member: str, log: Log, listing: Listing) -> None:
        """Count a listing of the period, once however often it is said again."""
        key = (log.sequence, id_bytes(listing.id))
        if key in self._seen:
            return
        self._seen.add(key)
        self.reading.listed[date.fromisoformat(listing.time[:10])] += 1
        _count(self.reading.listed_by, "publisher", member)
        _count(self.reading.listed_by, "label", *known_labels(listing.labels))

    def count_hashes(self) -> None:
        """Count every claimed signal once for each publisher, label and content that it has."""
        hashes, reading = self.reading.hashes, self.reading
        for rows in stream_range(self._connection, _BEFORE_ALL, first=b"", end=_LAST_KEY):
            for row in rows:
                faces = self._faces_of(row.claims)
                if not faces:
                    continue
                reading.hashes_total += 1
                _count(hashes, "publisher", *{face.member for face in faces})
                _count(hashes, "content", *{face.content for face in faces})
                _count(hashes, "label", *{label for face in faces for label in face.labels})
                _count(hashes, "type", known_type(parse_signal_key(row.key)[0]))

    def _faces_of(self, claims: bytes) -> set[Face]:
        found = set()
        for claim in unpack_claims(claims):
            faces = self._places.get(claim.log, ())
            number = faces[claim.position] if claim.position < len(faces) else 0
            if number:
                found.add(self._by_number[number - 1])
        return found


def _count(counters: dict[str, Counter[str]], by: str, *names: str) -> None:
    counter = counters.setdefault(by, Counter())
    for name in names:
        counter[name] += 1


def _statements(connection: Connection, log: Log, size: int) -> Iterator[tuple[int, Statement | Malformed]]:
    """Yield the first ``size`` statements of a log with their places, as far as it was not erased."""
    for bundle in stream_bundles(connection, log.number):
        start = bundle.number * LIMITS.bundle_width
        try:
            entries = decode_bundle(open_bundle(bundle.data), bundle.width)
        except (FetchError, TileError) as error:
            raise StoreError(error.what, where=f"{log.origin}, bundle {bundle.number}") from error
        yield from enumerate(parse_entries(entries[: max(0, size - start)], log.kind), start)
