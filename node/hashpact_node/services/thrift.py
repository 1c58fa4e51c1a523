"""Read a fresh successor thriftily: entries that are held in the logs before it are not fetched again.

The successor's tiles of level 0 hold the hashes of its entries, a third of what they are as transferred. Where all of a
bundle's are held, it is put together from what is stored. Nothing is believed for that: the bundle is checked as any.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hashpact_node.net.peer_logs import BundleAnswer
from hashpact_node.net.stopping import Stop
from hashpact_node.services.catch_up import LogSource
from hashpact_node.services.entries import EntryReader, open_bundle
from hashpact_node.store.bundles import stream_bundles
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.logs import Log, list_logs
from hashpact_protocol.errors import FetchError, TileError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merkle import leaf_hash
from hashpact_protocol.tiles import TileId, decode_bundle, decode_tile, encode_bundle

ENTRIES_MAX = 1 << 20
"""So many held entries are looked through, some 200 MB while it lasts; those beyond are fetched."""

MISSES_MAX = 4
"""After so many bundles with something new in them, the rest is fetched as it comes."""

Places = Mapping[bytes, tuple[int, int]]
"""Log and index of held entries, by leaf hash."""


@dataclass(slots=True)
class ThriftySource:
    """Reads one fresh log; everything but bundles among its first ``fresh`` entries comes from ``source`` as it is."""

    source: LogSource
    database: Database
    fresh: int
    places: Places
    used: int = field(default=0, init=False)
    _misses: int = field(default=0, init=False)

    @property
    def stop(self) -> Stop:
        """Says whether to go on."""
        return self.source.stop

    def tile(self, log_url: str, tile: TileId) -> bytes:
        """Give a tile; raises FetchError."""
        return self.source.tile(log_url, tile)

    def bundle(self, log_url: str, number: int, width: int) -> BundleAnswer:
        """Give a bundle, out of what is held where that is possible; raises FetchError."""
        if number * LIMITS.bundle_width < self.fresh and self._misses < MISSES_MAX:
            entries = self._entries(log_url, number, width)
            if entries is not None:
                self.used += 1
                return BundleAnswer(encode_bundle(entries), "identity", width)
            self._misses += 1
        return self.source.bundle(log_url, number, width)

    def _entries(self, log_url: str, number: int, width: int) -> list[bytes] | None:
        try:
            leaves = decode_tile(self.source.tile(log_url, TileId(0, number, width)), width)
        except (FetchError, TileError):
            return None
        places = [self.places[leaf] for leaf in leaves if leaf in self.places]
        if len(places) < width:
            return None
        with self.database.read() as connection:
            reader = EntryReader(connection)
            return [reader.entry(log, position) for log, position in places]


def thrifty(database: Database, source: LogSource, log: Log) -> ThriftySource | None:
    """Give a thrifty source for a log that starts afresh; None where nothing before it is held."""
    if log.fresh is None or log.held_size >= log.fresh:
        return None
    with database.read() as connection:
        before = [one for one in list_logs(connection, sequence=log.sequence) if one.number != log.number]
        places = _places(connection, [one for one in before if one.held_size])
    return ThriftySource(source, database, log.fresh, places) if places else None


def _places(connection: Connection, logs: list[Log]) -> Places:
    found: dict[bytes, tuple[int, int]] = {}
    for log in logs:
        for bundle in stream_bundles(connection, log.number):
            if len(found) >= ENTRIES_MAX:
                return found
            start = bundle.number * LIMITS.bundle_width
            for at, entry in enumerate(decode_bundle(open_bundle(bundle.data), bundle.width)):
                found[leaf_hash(entry)] = (log.number, start + at)
    return found
