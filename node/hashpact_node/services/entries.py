"""Read single entries and whole trees back out of the bundles and tiles that are stored."""

from __future__ import annotations

from collections import OrderedDict

from hashpact_node.net.decode import decode_body
from hashpact_node.store.bundles import read_bundle, read_tile
from hashpact_node.store.connection import Connection
from hashpact_protocol.claims import Place
from hashpact_protocol.errors import NotFoundError
from hashpact_protocol.growth import read_range
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merkle import HASH_BYTES, bundle_hashes
from hashpact_protocol.statements import Listing, parse_statement
from hashpact_protocol.tiles import TileReader, decode_bundle, decode_tile

KEPT_BUNDLES = 64


class EntryReader:
    """Reads entries within one transaction, and keeps the bundles that it read last."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._bundles: OrderedDict[tuple[int, int], list[bytes]] = OrderedDict()

    def entry(self, log: int, position: int) -> bytes:
        """Give the bytes of one entry as published; NotFoundError when it is not stored."""
        number, offset = divmod(position, LIMITS.bundle_width)
        entries = self.bundle(log, number)
        if offset >= len(entries):
            raise NotFoundError(f"there is no entry {position} in this log")
        return entries[offset]

    def listing(self, place: Place, kind: str) -> Listing:
        """Give the listing at a place in a log of that kind; NotFoundError when another statement stands there."""
        statement = parse_statement(self.entry(place.log, place.position), kind)
        if not isinstance(statement, Listing):
            raise NotFoundError(f"entry {place.position} is no listing")
        return statement

    def bundle(self, log: int, number: int) -> list[bytes]:
        """Give the entries of one bundle, as many as are stored; NotFoundError when there are none."""
        found = self._bundles.get((log, number))
        if found is None:
            stored = read_bundle(self._connection, log, number)
            if stored is None:
                raise NotFoundError(f"there is no bundle {number} of this log")
            found = decode_bundle(open_bundle(stored.data), stored.width)
            self._bundles[log, number] = found
            if len(self._bundles) > KEPT_BUNDLES:
                self._bundles.popitem(last=False)
        return found

    def leaf_hashes(self, log: int, number: int, width: int) -> list[bytes]:
        """Give the hashes of the first ``width`` entries of a bundle: a tile of level 0.

        It is computed, but for entries that were destroyed, of which nothing but their hashes is stored.
        """
        try:
            return bundle_hashes(self.bundle(log, number)[:width])[0]
        except NotFoundError:
            stored = read_tile(self._connection, log, 0, number)
            if stored is None:
                raise
            return decode_tile(stored, len(stored) // HASH_BYTES)[:width]

    def tree(self, log: int, size: int) -> TileReader:
        """Give a reader for the nodes of a log's tree of that size, no larger than what is stored."""

        def read(level: int, number: int, width: int) -> list[bytes]:
            if level == 0:
                return self.leaf_hashes(log, number, width)
            hashes = read_tile(self._connection, log, level, number)
            if hashes is None:
                raise NotFoundError(f"there is no tile {number} of level {level} of this log")
            return decode_tile(hashes, len(hashes) // HASH_BYTES)[:width]

        return TileReader(size, read)

    def root_at(self, log: int, size: int) -> bytes:
        """Compute the root over the first ``size`` entries, which must be stored."""
        return read_range(size, self.tree(log, size).node).root()


def open_bundle(data: bytes) -> bytes:
    """Decompress a stored bundle."""
    return decode_body(data, "zstd", max_bytes=LIMITS.bundle_max_bytes)
