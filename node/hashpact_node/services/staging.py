"""Fetch what is to replace what is held of a log, prove it, and keep it beside the log: nothing of it counts yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hashpact_node.net.peer_logs import PeerLogs
from hashpact_node.services.batches import Batch, BatchRequest
from hashpact_node.services.catch_up import CatchUp, LogSource
from hashpact_node.services.entries import EntryReader
from hashpact_node.services.thrift import thrifty
from hashpact_node.services.workers import Workers
from hashpact_node.store.bundles import Bundle, read_tile
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.logs import Log
from hashpact_node.store.succession import drop_staged, stage
from hashpact_protocol.authenticate import TreeAuthenticator
from hashpact_protocol.errors import EntriesError, FetchError, NotFoundError, TileError
from hashpact_protocol.follow import Head
from hashpact_protocol.growth import read_range, whole_bundles
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merge import Owner
from hashpact_protocol.merkle import HASH_BYTES, CompactRange


@dataclass(frozen=True, slots=True)
class Staged:
    """What is to become of a log: its first ``kept`` entries stay, what is staged follows, up to ``head``."""

    log: Log
    kept: int
    head: Head


@dataclass(slots=True)
class Stager:
    """Takes proven batches of a log beside it, in place of an ``Absorber``."""

    database: Database
    log: Log
    held: CompactRange

    @property
    def merges(self) -> bool:
        """No: nothing counts yet."""
        return False

    @property
    def quarantine_room(self) -> int:
        """None: what is malformed is found when it is taken up."""
        return 0

    def known(self, identifiers: set[bytes]) -> Mapping[bytes, Owner]:
        """Give no owners: nothing is merged."""
        del identifiers
        return {}

    def grown(self, batch: Batch) -> CompactRange:
        """Give the compact range with this batch."""
        return whole_bundles(self.held).extend_bundles(batch.roots).extend(batch.leaves)

    def absorb(self, request: BatchRequest, batch: Batch, *, fresh: bool) -> None:
        """Keep one batch; StoreError."""
        del request, fresh
        grown = self.grown(batch)
        with self.database.write() as connection:
            stage(connection, self.log.number, (Bundle(*bundle) for bundle in batch.bundles))
        self.held = grown


@dataclass(frozen=True, slots=True)
class Staging:
    """Stages logs of one peer. The caller holds the lock of the peer."""

    database: Database
    source: PeerLogs
    workers: Workers
    fetch_threads: int

    def stage(self, log: Log, head: Head) -> Staged:
        """Stage what it takes to hold a log up to ``head`` and no other story; what was staged before is dropped.

        Raises FetchError, EntriesError and TileError when that cannot be had, and StoreError.
        """
        with self.database.write() as connection:
            drop_staged(connection, log.number)
        with self.database.read() as connection:
            if log.held_size >= head.size and EntryReader(connection).root_at(log.number, head.size) == head.root:
                return Staged(log, head.size, head)
        kept = self._common(log, head)
        with self.database.read() as connection:
            start = read_range(kept, EntryReader(connection).tree(log.number, kept).node)
        saving = None if kept else thrifty(self.database, self.source, replace(log, held_size=0))
        if saving is not None:
            try:
                self._fetch(saving, log, start, head)
            except EntriesError:  # tiles that name the wrong entries are no proof that those served are wrong
                with self.database.write() as connection:
                    drop_staged(connection, log.number)
            else:
                return Staged(log, kept, head)
        self._fetch(self.source, log, start, head)
        return Staged(log, kept, head)

    def _fetch(self, source: LogSource, log: Log, start: CompactRange, head: Head) -> None:
        CatchUp(
            source=source,
            absorber=Stager(self.database, log, start),
            held_leaves=(),
            head=head,
            accept=lambda: None,
            workers=self.workers,
            fetch_threads=self.fetch_threads,
        ).run()

    def _common(self, log: Log, head: Head) -> int:
        """Say up to where whole bundles that are held are those of ``head``; 0 where its tiles do not tell."""
        width = LIMITS.bundle_width
        last = min(log.held_size, head.size) // width
        if not last:
            return 0
        tree = TreeAuthenticator(head)
        try:
            tree.accept_edge({tile: self.source.tile(log.url, tile) for tile in tree.edge()})
            for number in range(last):
                while wanted := tree.missing_for_bundles(number, number + 1):
                    for tile in wanted:
                        tree.accept(tile, self.source.tile(log.url, tile))
                with self.database.read() as connection:
                    ours = _bundle_root(connection, log.number, number)
                if tree.bundle_hash(number) != ours:
                    return number * width
        except (EntriesError, FetchError, TileError):
            return 0
        return last * width


def _bundle_root(connection: Connection, log: int, number: int) -> bytes:
    tile, at = divmod(number, LIMITS.bundle_width)
    hashes = read_tile(connection, log, 1, tile)
    if hashes is None:
        raise NotFoundError(f"there is no tile {tile} of level 1 of this log")
    return hashes[at * HASH_BYTES : (at + 1) * HASH_BYTES]
