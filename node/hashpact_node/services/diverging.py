"""Find where the tree of a checkpoint goes another way than what was shown before: the proof in evidence.

Nothing that a server says is believed: what it gives must lead to the root that was signed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from hashpact_protocol.errors import ConsistencyError, EntriesError, FetchError, TileError
from hashpact_protocol.evidence import Divergence, find_divergence
from hashpact_protocol.follow import Head
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merkle import HASH_BYTES, bundle_hashes, subtree_root
from hashpact_protocol.tiles import TileId, TileReader, decode_tile

ReadTile = Callable[[TileId], bytes]
"""Gives a tile, or the full one in its place; raises FetchError."""

Bundles = Callable[[], Iterable[tuple[int, list[bytes]]]]
"""Gives all bundles from the first on: number, and entries."""

FAILURES = (ConsistencyError, EntriesError, FetchError, TileError)


def divergence(smaller_size: int, larger: Head, tile: ReadTile, bundles: Bundles | None) -> Divergence | None:
    """Prove by tiles, or else by all entries, what root the larger tree has at the smaller size; None if neither can.

    ``bundles`` is None where the entries are too many to be read for it.
    """
    if not 0 <= smaller_size < larger.size:
        return None
    try:
        return find_divergence(smaller_size, larger, TileReader(larger.size, _reading(tile)).node)
    except FAILURES:
        if bundles is None:
            return None
    try:
        read = _EntryTiles({smaller_size // LIMITS.bundle_width, larger.size // LIMITS.bundle_width}, bundles())
        return find_divergence(smaller_size, larger, TileReader(larger.size, read.tile).node)
    except FAILURES:
        return None


def _reading(tile: ReadTile) -> Callable[[int, int, int], list[bytes]]:
    def read(level: int, number: int, width: int) -> list[bytes]:
        data = tile(TileId(level, number, width))
        full = len(data) // HASH_BYTES == LIMITS.bundle_width
        return decode_tile(data, LIMITS.bundle_width if full else width)[:width]

    return read


@dataclass(slots=True)
class _EntryTiles:
    """Tiles made of entries; of level 0 only those that are ``wanted``."""

    wanted: set[int]
    bundles: Iterable[tuple[int, list[bytes]]]
    _leaves: dict[int, list[bytes]] = field(default_factory=dict, init=False)
    _roots: list[bytes] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        for number, entries in self.bundles:
            leaves, root = bundle_hashes(entries)
            self._roots.append(root)
            if number in self.wanted:
                self._leaves[number] = leaves

    def tile(self, level: int, number: int, width: int) -> list[bytes]:
        if level == 0:
            return self._leaves.get(number, [])[:width]
        first = number * LIMITS.bundle_width
        return [self._hash(level, index) for index in range(first, first + width)]

    def _hash(self, level: int, index: int) -> bytes:
        if level == 1:
            return self._roots[index]
        first = index * LIMITS.bundle_width
        return subtree_root([self._hash(level - 1, n) for n in range(first, first + LIMITS.bundle_width)])
