"""Derive the merged state again from the stored bundles, and mend what differs: owners, claims, counts and more.

One member at a time, under the lock under which its logs are merged, so that nothing else moves them meanwhile:

1. its logs are merged from their first entry, in order, into a *draft* of the owners of their ids (rows of the
   statement table under the negative number of the sequence, which nothing else reads). What is stored must hash to
   what was verified when it was held, else nothing of this member is touched;
2. for each live listing of the draft it is checked that its claims stand, and what is missing is added;
3. every claim of this member's logs that stands is checked against those, and what is too much is removed;
4. counts, quarantine and owners are brought to what was derived, and the draft is deleted.

In the end all signals are judged anew by the policy in force.

So the blocklist is never emptied, and no withdrawn hash comes back for a moment, as would happen if a log were merged
over a cleared table. A reader sees the list as it was, with wrong signals mended a few thousand at a time, each in one
transaction with its change number; what was right keeps its number, and the change feed goes on. After a crash some
signals are mended and others are not yet; the next rebuild drops the draft, derives it anew, and mends the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Protocol

from hashpact_node.services.batches import QUARANTINE_KEPT, BatchRequest, Frame, read_batch
from hashpact_node.services.claims_check import ClaimSet, missing_claims, surplus_claims
from hashpact_node.services.collecting import without_collecting
from hashpact_node.services.digests import counting_logs, live_listings_of, live_map
from hashpact_node.services.entries import EntryReader
from hashpact_node.services.expiry import UNREADABLE, remember_expiring
from hashpact_node.services.incident_steps import remember_arrivals, steps_of
from hashpact_node.services.judging_anew import Rejudger
from hashpact_node.services.opinion_merging import resettle
from hashpact_node.services.rejudging import keys_at, rejudge_now
from hashpact_node.services.views import viewpoint
from hashpact_node.store.alarms import clear_alarm
from hashpact_node.store.bundles import stream_bundles
from hashpact_node.store.changes import Numbers, last_change
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.feed import find_claims, stream_claimed_by
from hashpact_node.store.incidents import PlacedStep, replace_steps
from hashpact_node.store.locks import Locks
from hashpact_node.store.logs import Log, list_logs, list_sequences, move_held, reset_held
from hashpact_node.store.owners import (
    OwnerRow,
    drop_owners,
    drop_sequence,
    find_owners,
    page_of_owners,
    set_owners,
)
from hashpact_node.store.peers import EVERY_STATE, OUT, Peer, list_peers
from hashpact_node.store.quarantine import Quarantined, add_quarantined, drop_quarantined
from hashpact_node.store.signals import SignalChange, change_signals
from hashpact_protocol.claims import EXPIRED, QUALITY_BYTE, pack_place
from hashpact_protocol.errors import EntriesError, FetchError, StoreError, TileError
from hashpact_protocol.incidents import STEPS_KEPT
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merge import About, Merged, Opined, Owner
from hashpact_protocol.merge import Quarantined as Odd
from hashpact_protocol.merkle import CompactRange
from hashpact_protocol.statement_fields import parse_time
from hashpact_protocol.statements import Listing
from hashpact_protocol.tiles import encode_bundle

LOCK_WAIT_SECONDS = 120.0
BATCH_BUNDLES = LIMITS.batch_max_entries // LIMITS.bundle_width
MENDED_AT_ONCE = 8_192
OWNERS_AT_ONCE = 8_192

Progress = Callable[[int, int], None]
"""Told how many entries have been read, and how many reads there will be; each entry is read twice."""


@dataclass(slots=True)
class Rebuilt:
    """What a rebuild did: the logs and entries that it went over, and how much was not right."""

    logs: int = 0
    entries: int = 0
    signals_mended: int = 0
    owners_mended: int = 0
    steps_mended: int = 0


@dataclass(frozen=True, slots=True)
class Rebuilder:
    """Rebuilds the merged state of a database, which may be in use meanwhile."""

    database: Database
    locks: Locks
    now: Callable[[], datetime]

    def rebuild(self, progress: Progress | None = None) -> Rebuilt:
        """Rebuild everything; give what was found.

        Raises StoreError, with the log in ``where``, when what is stored does not hash to what was verified: the
        members before it are done, it and those after it are untouched. StoreBusyError when a pull does not end.
        """
        with self.database.read() as connection:
            peers = list_peers(connection, own=True, states=EVERY_STATE)
            total = 2 * sum(log.held_size for peer in peers for log in _counting(connection, peer))
        rebuilt = Rebuilt()
        for peer in peers:
            with self._alone(peer), without_collecting():
                MemberRebuild(self.database, peer, self.now(), rebuilt, progress, total).run()
        rebuilt.signals_mended += Rejudger(self.database, self.now).all_anew()
        return rebuilt

    def _alone(self, peer: Peer) -> ExitStack:
        """Hold what a pull of this member, or a release of our own logs, holds."""
        with self.database.read() as connection:
            logs = list_logs(connection, peer=peer.number)
        names = [f"release/{log.number}" for log in logs] if peer.own else [f"peer/{peer.member}"]
        with ExitStack() as held:
            for name in names:
                held.enter_context(self.locks.hold(name, timeout=LOCK_WAIT_SECONDS))
            return held.pop_all()


def _counting(connection: Connection, peer: Peer) -> list[Log]:
    return [] if peer.state in OUT else counting_logs(list_logs(connection, peer=peer.number))


@dataclass(slots=True)
class _Derived:
    """What was found out about one log."""

    log: Log
    quarantined: list[Odd] = field(default_factory=list)
    opinions: dict[About, Opined] = field(default_factory=dict)
    odd_entries: int = 0
    odd_signals: int = 0
    unknown: int = 0
    stopped_at: int | None = None

    @property
    def size(self) -> int:
        return self.log.held_size if self.stopped_at is None else self.stopped_at

    @property
    def quarantine_room(self) -> int:
        return QUARANTINE_KEPT - len(self.quarantined)

    def take_odd(self, merged: Merged) -> None:
        self.quarantined += merged.quarantined[: self.quarantine_room]
        self.odd_entries += merged.odd_entries
        self.odd_signals += merged.odd_signals


class Transactions(Protocol):
    """Where a rebuild reads and writes: a database, or one transaction of it for everything."""

    def read(self) -> AbstractContextManager[Connection]:
        """Give a reading transaction."""
        ...

    def write(self) -> AbstractContextManager[Connection]:
        """Give a writing transaction."""
        ...


@dataclass(slots=True)
class MemberRebuild:
    """Rebuilds what is derived from one member's logs, or from those of the sequence ``only``."""

    database: Transactions
    peer: Peer
    now: datetime
    rebuilt: Rebuilt
    progress: Progress | None
    total: int
    logs: list[Log] = field(default_factory=list)
    sequences: list[int] = field(default_factory=list)  # those without a log too, as a renaming leaves them
    claimed: ClaimSet = field(default_factory=ClaimSet)
    only: int | None = None
    steps: dict[int, list[PlacedStep]] = field(default_factory=dict)

    def run(self) -> None:
        """Rebuild; StoreError when what is stored does not hash to what was verified."""
        with self.database.read() as connection:
            counting = [log for log in _counting(connection, self.peer) if self.only in (None, log.sequence)]
            self.sequences = list_sequences(connection, self.peer.number) if self.only is None else [self.only]
            self.logs = list_logs(connection, peer=self.peer.number, sequence=self.only)
        self._drop_drafts()
        derived = [self._derive(log) for log in counting]
        for one in derived:
            self._mend_claims(one)
        self._sweep()
        for one in derived:
            self._mend_counts(one)
        for sequence in self.sequences:
            self._mend_owners(sequence)
            self._mend_steps(sequence)
            self._mend_opinions(sequence, derived)
        self._drop_drafts()
        self.rebuilt.logs += len(counting)

    def _drop_drafts(self) -> None:
        for sequence in self.sequences:
            with self.database.write() as connection:
                drop_sequence(connection, _draft(sequence))

    def _tell(self, entries: int) -> None:
        if not entries:
            return
        self.rebuilt.entries += entries
        if self.progress is not None:
            self.progress(self.rebuilt.entries, self.total)

    def _derive(self, log: Log) -> _Derived:
        """Merge a log's stored entries, as far as they are held, into the draft of its sequence's owners."""
        derived, held, number = _Derived(log), CompactRange(), 0
        while number * LIMITS.bundle_width < log.held_size:
            with self.database.read() as connection:
                request = _request(connection, derived, number)
            try:
                batch = read_batch(request, lambda ids: self._drafted(log, ids))
            except (EntriesError, FetchError, TileError) as error:
                raise _altered(log, str(error)) from error
            held = held.extend_bundles(batch.roots).extend(batch.leaves)
            derived.take_odd(batch.merged)
            derived.opinions |= batch.merged.opinions
            derived.unknown += batch.merged.unknown
            derived.stopped_at = batch.merged.stopped_at if derived.stopped_at is None else derived.stopped_at
            steps = self.steps.setdefault(log.sequence, [])
            steps += steps_of(log.number, batch.merged)
            del steps[:-STEPS_KEPT]
            with self.database.write() as connection:
                set_owners(connection, batch.owners)
                remember_arrivals(connection, log.sequence, batch.merged, now=None)
            number += batch.consumed
            self._tell(batch.entries)
        if held.root() != CompactRange.decode(log.held_size, log.held_range).root():
            raise _altered(log, f"the {log.held_size} entries stored do not hash to what was verified")
        return derived

    def _drafted(self, log: Log, identifiers: set[bytes]) -> dict[bytes, Owner]:
        with self.database.read() as connection:
            return find_owners(connection, _draft(log.sequence), identifiers)

    def _mend_claims(self, derived: _Derived) -> None:
        """See that every claim of the draft's live listings in a log stands as it should."""
        log = derived.log
        with self.database.read() as connection:
            live = live_map(connection, log, derived.size, sequence=_draft(log.sequence))
        for first in range(0, -(-derived.size // LIMITS.bundle_width), BATCH_BUNDLES):
            with self.database.read() as connection:
                bundles = live_listings_of(connection, log, live, first, first + BATCH_BUNDLES)
                listings = list(chain.from_iterable(listings for _start, listings in bundles))
                claims = self._claims(log, listings)
                changes = missing_claims(find_claims(connection, sorted(claims)), claims)
            expiring = [(listing.expires, at) for at, listing in listings if listing.expires is not None]
            with self.database.write() as connection:
                remember_expiring(connection, log.number, [one for one in expiring if not self._is_over(one[0])])
            self._mend(changes)
            self._tell(min((first + BATCH_BUNDLES) * LIMITS.bundle_width, derived.size) - first * LIMITS.bundle_width)
        self._tell(log.held_size - derived.size)

    def _is_over(self, expires: str | None) -> bool:
        return expires is not None and parse_time(expires) <= self.now

    def _claims(self, log: Log, listings: Iterable[tuple[int, Listing]]) -> dict[bytes, bytes]:
        """Give the packed claims of some listings by signal key, and remember that they are right."""
        claims: dict[bytes, bytes] = {}
        for position, listing in listings:
            place, over = pack_place(log.number, position), self._is_over(listing.expires)
            for signal in listing.signals:
                last = QUALITY_BYTE[signal.quality]
                last = bytes([last[0] | EXPIRED]) if over else last
                claims[signal.key] = claims.get(signal.key, b"") + place + last
                self.claimed.add(signal.key, place)
        return claims

    def _sweep(self) -> None:
        """Remove every claim of this member's logs that no live listing makes."""
        changes: dict[bytes, SignalChange] = {}
        with self.database.read() as connection:
            logs = {log.number for log in self.logs}
            for rows in stream_claimed_by(connection, logs, last_change(connection)):
                changes |= surplus_claims(rows, logs, self.claimed)
                if len(changes) >= MENDED_AT_ONCE:
                    self._mend(changes)
                    changes = {}
        self._mend(changes)

    def _mend(self, changes: dict[bytes, SignalChange]) -> None:
        keys = sorted(changes)
        for at in range(0, len(keys), MENDED_AT_ONCE):
            part = {key: changes[key] for key in keys[at : at + MENDED_AT_ONCE]}
            with self.database.write() as connection:
                numbers = Numbers(connection, now=int(self.now.timestamp()))
                change_signals(connection, part, viewpoint(connection, self.now), numbers)
                numbers.close()
            self.rebuilt.signals_mended += len(part)

    def _mend_counts(self, derived: _Derived) -> None:
        """Bring a log's counts, its stop and its quarantine to what was derived, in one transaction."""
        log, held = derived.log, derived.log.held_size
        with self.database.write() as connection:
            reset_held(connection, log.number, old_size=held, new_size=held, range=log.held_range)
            move_held(
                connection,
                log.number,
                old_size=held,
                new_size=held,
                range=log.held_range,
                stopped_at=derived.stopped_at,
                quarantined=derived.odd_entries,
                dropped_signals=derived.odd_signals,
                unknown_statements=derived.unknown,
            )
            clear_alarm(connection, UNREADABLE, now=self.now, peer=log.peer, log=log.number)
            drop_quarantined(connection, log.number, 0)
            add_quarantined(connection, (Quarantined(log.number, *one) for one in derived.quarantined))

    def _mend_opinions(self, sequence: int, derived: Iterable[_Derived]) -> None:
        """Bring the opinions of a sequence to what was derived, and those about its listings to what wins now."""
        logs = [one for one in derived if one.log.sequence == sequence]
        with self.database.write() as connection:
            Numbers(connection, now=int(self.now.timestamp()))  # locked first, as wherever opinions are bound
            opined = [(one.log, one.opinions) for one in logs]
            settled = resettle(connection, sequence, opined, now=self.now)
            rejudge_now(connection, keys_at(connection, settled), now=self.now)

    def _mend_owners(self, sequence: int) -> None:
        """Write where the draft differs from what stands, a range of ids at a time."""
        with self.database.read() as connection:
            for right, standing in _ranges_of_owners(connection, sequence):
                wrong = [(sequence, *row[1:]) for row in right if standing.get(row[1]) != row[2:]]
                gone = standing.keys() - {row[1] for row in right}
                if wrong or gone:
                    with self.database.write() as writer:
                        set_owners(writer, wrong)
                        drop_owners(writer, sequence, gone)
                    self.rebuilt.owners_mended += len(wrong) + len(gone)

    def _mend_steps(self, sequence: int) -> None:
        with self.database.write() as connection:
            self.rebuilt.steps_mended += replace_steps(connection, sequence, self.steps.get(sequence, []))


def _draft(sequence: int) -> int:
    return -sequence


def _altered(log: Log, what: str) -> StoreError:
    return StoreError(
        what,
        where=log.origin,
        mend="the stored log was altered on disk; restore a backup, or remove this member, add it again and pull it",
    )


def _request(connection: Connection, derived: _Derived, first: int) -> BatchRequest:
    """Gather the stored bundles of the next batch, the last one cut to the size held."""
    log = derived.log
    width, frames = LIMITS.bundle_width, []
    last = min(first + BATCH_BUNDLES, -(-log.held_size // width))
    for bundle in stream_bundles(connection, log.number, first, last):
        wanted = min(width, log.held_size - bundle.number * width)
        if bundle.width == wanted:
            frames.append(Frame(bundle.number, wanted, bundle.data, "zstd"))
        elif bundle.width > wanted:
            entries = EntryReader(connection).bundle(log.number, bundle.number)
            frames.append(Frame(bundle.number, wanted, encode_bundle(entries[:wanted]), "identity"))
    if [frame.number for frame in frames] != list(range(first, last)):
        raise _altered(log, f"not all of the bundles from {first} to {last - 1} are stored")
    return BatchRequest(
        log.number,
        _draft(log.sequence),
        log.kind,
        tuple(frames),
        (),
        derived.stopped_at is None,
        derived.quarantine_room,
    )


def _ranges_of_owners(
    connection: Connection, sequence: int
) -> Iterator[tuple[list[OwnerRow], dict[bytes, tuple[int, int, int, bool]]]]:
    """Yield, range of ids by range, the rows of the draft, and what stands by id."""
    after = b""
    while True:
        right = page_of_owners(connection, _draft(sequence), after, limit=OWNERS_AT_ONCE)
        standing = page_of_owners(connection, sequence, after, limit=OWNERS_AT_ONCE)
        ends = [page[-1][1] for page in (right, standing) if len(page) == OWNERS_AT_ONCE]
        end = min(ends, default=None)
        if end is not None:
            right, standing = ([row for row in page if row[1] <= end] for page in (right, standing))
        yield right, {row[1]: row[2:] for row in standing}
        if end is None:
            return
        after = end
