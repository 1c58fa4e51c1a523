"""How a stored log grows: which tiles are new, and what must be kept to go on (C2SP tlog-tiles)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hashpact_protocol.errors import TileError
from hashpact_protocol.merkle import HASH_BYTES, CompactRange, NodeReader, subtree_root
from hashpact_protocol.tiles import FULL_WIDTH

ReadStoredTile = Callable[[int, int], bytes | None]
"""Gives the concatenated hashes stored of the tile (level, number), or None."""


def read_range(size: int, read: NodeReader) -> CompactRange:
    """Read the compact range of a tree's first ``size`` entries out of its nodes; errors of ``read`` pass through."""
    hashes = []
    start = 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            hashes.append(read(level, start >> level))
            start += 1 << level
    return CompactRange(size, tuple(hashes))


def whole_bundles(held: CompactRange) -> CompactRange:
    """Give the part of a compact range that covers whole bundles of 256 entries."""
    bundles = held.size // FULL_WIDTH
    return CompactRange(bundles * FULL_WIDTH, held.hashes[: bundles.bit_count()])


def extend_tiles(read: ReadStoredTile, first_bundle: int, roots: Sequence[bytes]) -> dict[tuple[int, int], bytes]:
    """Give the tiles of level 1 and above that change when full bundles are appended, by (level, number).

    ``roots`` are the hashes of the bundles from number ``first_bundle`` on. TileError when a stored tile lacks hashes
    that must be there.
    """
    changed: dict[tuple[int, int], bytes] = {}
    level, index, hashes = 1, first_bundle, list(roots)
    while hashes:
        above: list[bytes] = []
        first = index // FULL_WIDTH
        row = _stored_row(read, level, index) + hashes
        for start in range(0, len(row), FULL_WIDTH):
            tile = row[start : start + FULL_WIDTH]
            changed[level, first + start // FULL_WIDTH] = b"".join(tile)
            if len(tile) == FULL_WIDTH:
                above.append(subtree_root(tile))
        level, index, hashes = level + 1, first, above
    return changed


def _stored_row(read: ReadStoredTile, level: int, index: int) -> list[bytes]:
    """Give the hashes that stand before ``index`` in its tile."""
    number, width = divmod(index, FULL_WIDTH)
    data = (read(level, number) or b"") if width else b""
    if len(data) < width * HASH_BYTES:
        raise TileError(f"{width} hashes must be stored here, and are not", where=f"tile {number} of level {level}")
    return [data[at : at + HASH_BYTES] for at in range(0, width * HASH_BYTES, HASH_BYTES)]
