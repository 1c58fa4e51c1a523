"""Cut what is stored of a log back to a size, and keep what is cut as evidence, outside the claims."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime

from hashpact_node.services.batches import compress
from hashpact_node.services.entries import EntryReader
from hashpact_node.store.bundles import Bundle, Tile, drop_from, put_bundles, put_tiles, read_tile, stream_bundles
from hashpact_node.store.connection import Connection
from hashpact_node.store.succession import keep_cut
from hashpact_protocol.growth import read_range
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merkle import HASH_BYTES, CompactRange
from hashpact_protocol.tiles import encode_bundle

LEVELS = range(8)


def trim(connection: Connection, log: int, size: int, *, now: datetime) -> CompactRange:
    """Cut a log's bundles and tiles back to ``size`` entries, which must be stored; give the compact range there.

    Raises NotFoundError and what reading back stored bundles raises.
    """
    reader = EntryReader(connection)
    kept = read_range(size, reader.tree(log, size).node)
    first, ahead = divmod(size, LIMITS.bundle_width)
    entries = reader.bundle(log, first)[:ahead] if ahead else []
    tiles = [tile for level in LEVELS if (tile := _edge(connection, log, level, size)) is not None]
    with closing(stream_bundles(connection, log, first)) as bundles:
        keep_cut(connection, log, (one for one in bundles if one.number > first or one.width > ahead), now=now)
    drop_from(connection, log, size)
    if entries:
        put_bundles(connection, log, [Bundle(first, ahead, compress(encode_bundle(entries)))])
    put_tiles(connection, log, tiles)
    return kept


def _edge(connection: Connection, log: int, level: int, size: int) -> Tile | None:
    """Give the partial tile at the right edge of a level, cut to that size; None where there is none."""
    number, width = divmod(size // LIMITS.bundle_width**level, LIMITS.bundle_width)
    hashes = read_tile(connection, log, level, number) if width else None
    return Tile(level, number, hashes[: width * HASH_BYTES]) if hashes else None
