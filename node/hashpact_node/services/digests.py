"""The digest of what was merged, by which members prove to each other that they merged alike."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from hashpact_node.services.entries import EntryReader, open_bundle
from hashpact_node.store.bundles import Bundle, stream_bundles
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.logs import Log, list_logs
from hashpact_node.store.owners import stream_live
from hashpact_node.store.peers import list_peers
from hashpact_protocol.digest import BlocklistDigest
from hashpact_protocol.errors import FetchError, NotFoundError, StoreError, TileError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merkle import CompactRange
from hashpact_protocol.parsing import parse_entries
from hashpact_protocol.statements import Listing
from hashpact_protocol.tiles import decode_bundle

OPEN = "open"
_MEND = "the stored log was altered or is incomplete: run `hashpact rebuild`, which says more, or restore a backup"


@dataclass(frozen=True, slots=True)
class DigestedLog:
    """One log as the digest speaks of it: the prefix from which claims are taken, and its root."""

    member: str
    origin: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Digest:
    """The digest, lower-case hex, and what it is over; ``claims`` counts a signal once for each listing."""

    hex: str
    logs: tuple[DigestedLog, ...]
    listings: int
    claims: int


Progress = Callable[[int, int], None]
"""Told how many entries have been read, and how many there are."""


@dataclass(frozen=True, slots=True)
class Digester:
    """Computes digests; one is one snapshot of the database."""

    database: Database

    def digest(self, members: Collection[str] | None = None, *, progress: Progress | None = None) -> Digest:
        """Compute the digest over this member and all that it follows, or over those of them that are named.

        Its memory grows by one byte an entry of the longest log. Raises NotFoundError for a member that is not
        followed, StoreError when what is stored cannot be read back.
        """
        with self.database.read() as connection:
            logs = digested_logs(connection, members)
            return _Digesting(connection, sum(size_of(log) for log in logs), progress).run(logs)


def digested_logs(connection: Connection, members: Collection[str] | None = None) -> list[Log]:
    """Give the logs that a digest speaks of, in its order: those of the cards in force that no successor replaced.

    Logs for audiences stay out: their name differs from their kind. NotFoundError for a member that is not followed.
    """
    followed = {peer.member: peer.number for peer in list_peers(connection, own=True)}
    wanted = followed.keys() if members is None else set(members)
    for member in sorted(set(wanted) - followed.keys()):
        raise NotFoundError(f"no member {member} is followed here", mend="see `hashpact peer list`")
    found = [
        log
        for member in wanted
        for log in counting_logs(list_logs(connection, peer=followed[member]))
        if log.name == log.kind
    ]
    return sorted(found, key=lambda log: log.origin.encode())


def counting_logs(logs: Sequence[Log]) -> list[Log]:
    """Give those of one member's logs from which claims are taken, each sequence in the order in which they count.

    Its card names them, and no fresh successor replaces them: one whose first ``fresh`` entries are held, or one at
    which we start, because nothing of the logs before it is held (docs/protocol.md, Card). ``Log.counts`` says the
    same (``counting.settle_counting``).
    """
    found: list[Log] = []
    for sequence in dict.fromkeys(log.sequence for log in logs):
        # The closed ones in card order, then the open one.
        named = sorted(
            (log for log in logs if log.sequence == sequence and log.named),
            key=lambda log: (log.state == OPEN, log.position),
        )
        found += named[max(_starts(named), default=0) :]
    return found


def _starts(sequence: Sequence[Log]) -> Iterator[int]:
    """Yield where in a sequence a fresh log stands that replaces those before it."""
    nothing_held = True
    for at, log in enumerate(sequence):
        if log.fresh is not None and (nothing_held or log.held_size >= log.fresh):
            yield at
        nothing_held = nothing_held and not log.held_size


def size_of(log: Log) -> int:
    """Give the size of the prefix from which claims are taken: what is held, up to a critical statement."""
    return log.held_size if log.stopped_at is None else log.stopped_at


def root_of(connection: Connection, log: Log) -> bytes:
    """Give the root over that prefix; raises StoreError when its tiles cannot be read back."""
    if log.stopped_at is None:
        return CompactRange.decode(log.held_size, log.held_range).root()
    try:
        return EntryReader(connection).root_at(log.number, log.stopped_at)
    except (FetchError, NotFoundError, TileError) as error:
        raise StoreError(error.what, where=log.origin, mend=_MEND) from error


def live_map(connection: Connection, log: Log, size: int, *, sequence: int | None = None) -> bytearray:
    """Say for each of the first ``size`` entries of a log, by one byte, whether a live listing stands there."""
    live = bytearray(size)
    for position in stream_live(connection, log.number, sequence=log.sequence if sequence is None else sequence):
        if position < size:  # a rebuild may have moved the size, and is about to move the owners
            live[position] = 1
    return live


class _Digesting:
    def __init__(self, connection: Connection, total: int, progress: Progress | None) -> None:
        self._connection = connection
        self._total = total
        self._progress = progress
        self._done = self._listings = self._claims = 0
        self._digest = BlocklistDigest()

    def run(self, logs: Sequence[Log]) -> Digest:
        return Digest(
            logs=tuple([self._add(log) for log in logs]),  # first: the others count what it does
            hex=self._digest.hexdigest(),
            listings=self._listings,
            claims=self._claims,
        )

    def _add(self, log: Log) -> DigestedLog:
        size, root = size_of(log), root_of(self._connection, log)
        self._digest.add_log(log.origin, size, root)
        live = live_map(self._connection, log, size)
        for start, listings in live_listings_of(self._connection, log, live):
            for position, listing in listings:
                self._digest.add_listing(
                    position, listing.id, [(signal.type, signal.value) for signal in listing.signals]
                )
                self._listings += 1
                self._claims += len(listing.signals)
            if self._progress is not None:
                self._progress(self._done + min(size, start + LIMITS.bundle_width), self._total)
        self._done += size
        return DigestedLog(log.member, log.origin, size, root)


def live_listings_of(
    connection: Connection, log: Log, live: bytearray, first: int = 0, end: int | None = None
) -> Iterator[tuple[int, list[tuple[int, Listing]]]]:
    """Yield, bundle by bundle from number ``first`` up to but without ``end``, its start and its live listings.

    Each with its index. Raises StoreError where a bundle or a listing is missing or cannot be read back.
    """
    width = LIMITS.bundle_width
    last = -(-len(live) // width)
    last = last if end is None else min(end, last)
    expected = first
    for bundle in stream_bundles(connection, log.number, first, last):
        _check_there(log, expected, bundle.number)
        expected += 1
        start = bundle.number * width
        wanted = [offset for offset, alive in enumerate(live[start : start + width]) if alive]
        yield start, _listings(log, bundle, wanted) if wanted else []
    _check_there(log, expected, last)


def _check_there(log: Log, expected: int, found: int) -> None:
    if found != expected:
        raise StoreError("the bundle is not stored", where=f"{log.origin}, bundle {expected}", mend=_MEND)


def _listings(log: Log, bundle: Bundle, offsets: list[int]) -> list[tuple[int, Listing]]:
    start = bundle.number * LIMITS.bundle_width
    try:
        entries = decode_bundle(open_bundle(bundle.data), bundle.width)
    except (FetchError, TileError) as error:
        raise StoreError(error.what, where=f"{log.origin}, bundle {bundle.number}", mend=_MEND) from error
    found = parse_entries([entries[offset] for offset in offsets if offset < len(entries)], log.kind)
    listings = [
        (start + offset, statement)
        for offset, statement in zip(offsets, found, strict=False)
        if isinstance(statement, Listing)
    ]
    if len(listings) < len(offsets):
        raise StoreError(
            "a live listing cannot be read back", where=f"{log.origin}, bundle {bundle.number}", mend=_MEND
        )
    return listings
