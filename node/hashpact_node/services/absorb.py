"""Commit a batch that was read: bundles, tiles, owners, claims, quarantine and the held size, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from hashpact_node.services.batches import QUARANTINE_KEPT, Batch, BatchRequest, read_batch
from hashpact_node.services.collecting import without_collecting
from hashpact_node.services.entries import EntryReader
from hashpact_node.services.expiry import expire_due, remember_expiring
from hashpact_node.services.floods import hold_floods
from hashpact_node.services.incident_steps import remember_incidents
from hashpact_node.services.opinion_merging import count_delays, listings_of, settle_listings, take_opinions
from hashpact_node.services.rederiving import settle_crossing
from hashpact_node.services.rejudging import keys_at, rejudge
from hashpact_node.services.views import viewpoint
from hashpact_node.store.bulk import DuplicateRowsError
from hashpact_node.store.bundles import Bundle, Tile, put_bundles, put_tiles, read_tile
from hashpact_node.store.changes import Numbers
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.logs import Log, move_held
from hashpact_node.store.owners import add_owners, find_owners, set_owners
from hashpact_node.store.quarantine import Quarantined, add_quarantined
from hashpact_node.store.signals import Eyes, SignalChange, add_signals, change_signals
from hashpact_protocol.claims import Place, unpack_claims
from hashpact_protocol.growth import extend_tiles, whole_bundles
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merge import Merged, Owner
from hashpact_protocol.merkle import CompactRange

NEW_SIGNALS_AT_ONCE = 256
"""From this many signals on it is tried first whether all of them are new."""


class Absorber:
    """Takes batches of one log into the database, in order. The caller holds the lock of the log's member."""

    def __init__(
        self, database: Database, log: Log, held: CompactRange, *, now: Callable[[], datetime], stores: bool = True
    ) -> None:
        """``held``: what was committed before; ``stores``: False for an own log, whose bundles are there already."""
        self._database = database
        self._now = now
        self._stores = stores
        self.log = log
        self.held = held
        self.stopped_at = log.stopped_at
        self._began_at = held.size
        self._room = max(0, QUARANTINE_KEPT - log.quarantined - log.dropped_signals)

    @property
    def quarantine_room(self) -> int:
        """How many more records of what is malformed in this log are kept."""
        return self._room

    @property
    def merges(self) -> bool:
        """Whether claims are still taken from this log; not behind a critical statement."""
        return self.stopped_at is None

    def grown(self, batch: Batch) -> CompactRange:
        """Give the compact range that holds with this batch; nothing is stored."""
        grown = whole_bundles(self.held).extend_bundles(batch.roots)
        return grown.extend(batch.leaves)

    def absorb(self, request: BatchRequest, batch: Batch, *, fresh: bool) -> None:
        """Commit one batch; ``fresh`` says that it was merged in the hope that none of its ids was known.

        What was read behind a critical statement before that was found is stored, and gives no claims.
        Raises StoreError and its subclasses; nothing of the batch is stored then.
        """
        if not self.merges:
            batch.merged, batch.owners, batch.claims = Merged(), [], []
        with without_collecting():
            try:
                self._commit(batch, fresh=fresh)
            except DuplicateRowsError:
                again = replace(request, quarantine_room=self.quarantine_room)
                self._commit(read_batch(again, self.known), fresh=False)

    def known(self, identifiers: set[bytes]) -> Mapping[bytes, Owner]:
        """Ask the database who owns these ids in this log's sequence."""
        with self._database.read() as connection:
            return find_owners(connection, self.log.sequence, identifiers)

    def _commit(self, batch: Batch, *, fresh: bool) -> None:
        grown = self.grown(batch)
        now = self._now()
        with self._database.write() as connection:
            if self._stores:
                self._store(connection, batch)
            self._move(connection, batch, grown)
            self._store_owners(connection, batch, fresh=fresh)
            # First the counter is locked: then every log stands that has claims, whoever adds some meanwhile, and an
            # opinion and the listing that it is about do not miss each other when both come at once.
            numbers = Numbers(connection, now=int(now.timestamp()))
            # Before any claim is judged, so that it is judged by what members think of what wins now.
            touched = self._settle_opinions(connection, batch, now)
            remember_incidents(connection, self.log, batch.merged, now=now)
            eyes = viewpoint(connection, now)
            if self._stores and hold_floods(connection, self.log, batch, eyes, now=now):
                eyes = viewpoint(connection, now)
            self._store_claims(connection, batch, eyes, numbers)
            rejudge(connection, keys_at(connection, touched), eyes, numbers)
            remember_expiring(connection, self.log.number, batch.merged.expiring)
            expire_due(connection, eyes, numbers, now, log=self.log.number)
            numbers.close()
            if self.log.fresh is not None and self.held.size < self.log.fresh <= grown.size:
                settle_crossing(connection, self.log.number, now=now)
        self.held = grown
        self._room = max(0, self._room - len(batch.merged.quarantined))
        if batch.merged.stopped_at is not None:
            self.stopped_at = batch.merged.stopped_at

    def _store(self, connection: Connection, batch: Batch) -> None:
        log = self.log.number
        put_bundles(connection, log, (Bundle(*bundle) for bundle in batch.bundles))
        first = self.held.size // LIMITS.bundle_width
        tiles = extend_tiles(lambda level, number: read_tile(connection, log, level, number), first, batch.roots)
        put_tiles(connection, log, (Tile(level, number, hashes) for (level, number), hashes in tiles.items()))

    def _move(self, connection: Connection, batch: Batch, grown: CompactRange) -> None:
        move_held(
            connection,
            self.log.number,
            old_size=self.held.size,
            new_size=grown.size,
            range=grown.encode(),
            stopped_at=batch.merged.stopped_at,
            quarantined=batch.merged.odd_entries,
            dropped_signals=batch.merged.odd_signals,
            unknown_statements=batch.merged.unknown,
        )
        kept = batch.merged.quarantined[: self._room]
        add_quarantined(connection, (Quarantined(self.log.number, *one) for one in kept))

    def _store_owners(self, connection: Connection, batch: Batch, *, fresh: bool) -> None:
        if fresh:
            if find_owners(connection, self.log.sequence, batch.merged.unowned):
                raise DuplicateRowsError  # a withdrawal of a listing that stands before this batch
            add_owners(connection, batch.owners)
        else:
            set_owners(connection, batch.owners)

    def _settle_opinions(self, connection: Connection, batch: Batch, now: datetime) -> set[Place]:
        """Take opinions, or bind those about listings that changed; give the places of which others think otherwise."""
        touched = take_opinions(connection, self.log, batch.merged.opinions, now=now)
        if listings := listings_of(batch.owners):
            touched |= settle_listings(connection, self.log, listings, now=now)
        count_delays(connection, self.log, batch.merged.withdrawn, held=self._began_at, now=now)
        return touched

    def _store_claims(self, connection: Connection, batch: Batch, eyes: Eyes, numbers: Numbers) -> None:
        changes = self._ended_changes(connection, batch) if batch.merged.ended else {}
        hopeful = not changes and len(batch.claims) >= NEW_SIGNALS_AT_ONCE
        if hopeful and add_signals(connection, batch.claims, eyes, numbers):
            return
        for key, claims in batch.claims:
            changes.setdefault(key, SignalChange()).add = claims
        change_signals(connection, changes, eyes, numbers)

    def _ended_changes(self, connection: Connection, batch: Batch) -> dict[bytes, SignalChange]:
        """Give what ends with older revisions of listings, by signal key.

        What people see of a signal stays only where the newer revision claims it too, with the same labels.
        """
        reader, claimed = EntryReader(connection), dict(batch.claims)
        changes: dict[bytes, SignalChange] = {}
        for place in sorted(batch.merged.ended):
            listing = reader.listing(place, self.log.kind)
            position = batch.merged.restated.get(place)
            same = position is not None and batch.merged.labels.get(position) == listing.labels
            for signal in listing.signals:
                change = changes.setdefault(signal.key, SignalChange())
                change.remove.add(place)
                again = same and _claims_at(claimed.get(signal.key, b""), self.log.number, position)
                change.relabelled = change.relabelled or not again
        return changes


def _claims_at(claims: bytes, log: int, position: int | None) -> bool:
    return any((claim.log, claim.position) == (log, position) for claim in unpack_claims(claims))
