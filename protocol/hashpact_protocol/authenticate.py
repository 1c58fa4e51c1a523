"""Believing tiles and entries from a server that may lie, against one size and root (docs/protocol.md, Reading).

Tiles are believed from the top down: those at the right edge hash to the root, and every other one hashes to a hash
that its believed parent holds. So each answer is known to be right or wrong as it comes, and a wrong tile is asked for
again without losing the others. Where no tiles can be had, entries alone prove as much (``extend_by_entries``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hashpact_protocol.errors import ConsistencyError, EntriesError, TileError
from hashpact_protocol.follow import Head
from hashpact_protocol.merkle import HASH_BYTES, CompactRange, bundle_hashes, subtree_root
from hashpact_protocol.tiles import FULL_WIDTH, TileId, decode_tile, partial_width, tile_count

_LEVEL_BITS = 8


class TreeAuthenticator:
    """Holds the believed tiles of one tree; ask what is missing, fetch it, hand it in.

    Sizes are in entries, bundle and tile numbers as in C2SP tlog-tiles. Memory: about 17 KiB for each tile that was
    accepted and not forgotten. ``ValueError`` for questions that the tree, or what was accepted so far, cannot answer:
    a fault of the caller, never of the server.
    """

    def __init__(self, head: Head) -> None:
        self._head = head
        self._edge: dict[int, list[bytes]] | None = None
        self._tiles: dict[tuple[int, int], list[bytes]] = {}

    def edge(self) -> list[TileId]:
        """The partial tiles, one for each level that has one, lowest level first; none for an empty tree."""
        size = self._head.size
        levels = range((size.bit_length() + _LEVEL_BITS - 1) // _LEVEL_BITS)
        widths = ((level, partial_width(level, size)) for level in levels)
        return [TileId(level, tile_count(level, size), width) for level, width in widths if width]

    def accept_edge(self, tiles: Mapping[TileId, bytes]) -> None:
        """Believe the tiles of ``edge`` if together they hash to the root; ``EntriesError`` otherwise.

        Where a partial tile is gone, the full one may stand in for it, under either of the two ids.
        """
        edge = {tile.level: _edge_hashes(tile, tiles) for tile in self.edge() if tile.level is not None}
        peaks = [peak for level in sorted(edge, reverse=True) for peak in _row_peaks(edge[level])]
        if CompactRange(self._head.size, tuple(peaks)).root() != self._head.root:
            raise EntriesError(
                "the tiles at the right edge do not hash to the root",
                where=f"size {self._head.size}",
                mend="fetch them again; if they stay wrong, check the entries themselves",
            )
        self._edge = edge

    def missing_for_bundles(self, first: int, last: int) -> list[TileId]:
        """The tiles to fetch next so that bundles ``first`` to ``last - 1`` can be checked; none when ready."""
        self._check_bundles(first, last)
        full = min(last, tile_count(0, self._head.size))
        return self._missing((1, number) for number in _parents(first, full))

    def missing_for_leaves(self, first: int, last: int) -> list[TileId]:
        """The same for the leaf hashes of those bundles, as ``leaves`` gives them."""
        self._check_bundles(first, last)
        full = min(last, tile_count(0, self._head.size))
        return self._missing((0, number) for number in range(first, full))

    def missing_for_prefix(self, size: int) -> list[TileId]:
        """The tiles to fetch next so that a compact range of ``size``, a multiple of 256, can be checked."""
        return self._missing((level, number) for level, number, _ in self._prefix_rows(size))

    def accept(self, tile: TileId, data: bytes) -> None:
        """Believe a full tile of hashes if it hashes to what its parent holds; ``EntriesError`` otherwise."""
        level, number = tile.level, tile.number
        if level is None or tile.width != FULL_WIDTH or number >= tile_count(level, self._head.size):
            raise ValueError(f"{tile} is no full tile of hashes of a tree of size {self._head.size}")
        expected = self._hash(level + 1, number)
        hashes = _decode(tile, data, FULL_WIDTH)
        if subtree_root(hashes) != expected:
            raise EntriesError(
                "the tile does not hash to what the tile above it holds", where=str(tile), mend="fetch it again"
            )
        self._tiles[level, number] = hashes

    def check_prefix(self, held: CompactRange) -> None:
        """Raise ``ConsistencyError`` unless the tree begins with what ``held`` covers, a multiple of 256 entries."""
        peaks = [
            peak
            for level, number, width in reversed(self._prefix_rows(held.size))
            for peak in _row_peaks(self._row(level, number)[:width])
        ]
        if tuple(peaks) != held.hashes:
            raise ConsistencyError(
                f"the first {held.size} entries are not those that are held",
                where=f"size {self._head.size}",
                mend="fetch the entries and check them against the root: if they hash to it, the log told two stories",
            )

    def bundle_hash(self, number: int) -> bytes:
        """The root over the 256 entries of a full bundle."""
        if not 0 <= number < tile_count(0, self._head.size):
            raise ValueError(f"a tree of size {self._head.size} has no full bundle {number}")
        return self._hash(1, number)

    def leaves(self, number: int) -> list[bytes]:
        """The leaf hashes of a bundle, full or partial."""
        self._check_bundles(number, number + 1)
        return list(self._row(0, number))

    def last_leaves(self) -> list[bytes]:
        """The leaf hashes of the partial last bundle; none when the size is a multiple of 256."""
        return list(self._believed_edge().get(0, ()))

    def forget_below(self, bundle_number: int) -> None:
        """Drop the tiles that only bundles below that one need."""
        self._tiles = {
            (level, number): hashes
            for (level, number), hashes in self._tiles.items()
            # Tile n of level L lies above as many bundles as a node of level L has leaves.
            if (number + 1) << (_LEVEL_BITS * level) > bundle_number
        }

    def _believed_edge(self) -> dict[int, list[bytes]]:
        if self._edge is None:
            raise ValueError("the right edge was not accepted yet")
        return self._edge

    def _find(self, level: int, number: int) -> list[bytes] | None:
        edge = self._believed_edge()
        if number == tile_count(level, self._head.size):
            return edge.get(level)
        return self._tiles.get((level, number))

    def _row(self, level: int, number: int) -> list[bytes]:
        hashes = self._find(level, number)
        if hashes is None:
            raise ValueError(f"{TileId(level, number)} was not accepted yet")
        return hashes

    def _hash(self, level: int, index: int) -> bytes:
        """The believed hash at ``index`` of all hashes of that tile level."""
        number, place = divmod(index, FULL_WIDTH)
        return self._row(level, number)[place]

    def _missing(self, wanted: Iterable[tuple[int, int]]) -> list[TileId]:
        """For each wanted tile that is not believed, the one nearest above or at it whose parent is."""
        missing: dict[TileId, None] = {}
        for level, number in wanted:
            nearest: TileId | None = None
            while self._find(level, number) is None:
                nearest = TileId(level, number)
                level, number = level + 1, number // FULL_WIDTH  # noqa: PLW2901 - climbing from the wanted tile
            if nearest is not None:
                missing[nearest] = None
        return list(missing)

    def _prefix_rows(self, size: int) -> list[tuple[int, int, int]]:
        """Level, number and width of the tiles that hold the peaks of a prefix, lowest level first."""
        if size % FULL_WIDTH or not 0 <= size <= self._head.size:
            raise ValueError(f"{size} is no multiple of 256 within a tree of size {self._head.size}")
        levels = range(1, (size.bit_length() + _LEVEL_BITS - 1) // _LEVEL_BITS)
        rows = ((level, tile_count(level, size), partial_width(level, size)) for level in levels)
        return [row for row in rows if row[2]]

    def _check_bundles(self, first: int, last: int) -> None:
        if not 0 <= first <= last <= -(-self._head.size // FULL_WIDTH):
            raise ValueError(f"a tree of size {self._head.size} has no bundles {first} to {last}")


def extend_by_entries(
    held: CompactRange, held_leaves: Sequence[bytes], bundles: Iterable[Sequence[bytes]]
) -> tuple[CompactRange, list[bytes]]:
    """Append the entries of bundles to what is held, so that the caller can compare roots without any tile.

    ``held`` covers whole bundles, ``held_leaves`` are the leaf hashes held of the partial one after them. ``bundles``
    are entry lists, the first being the bundle of entry ``held.size``, and only the last may hold fewer than 256.
    Returns the range over whole bundles and the leaf hashes of the partial one; the root of both together is that of
    ``range.extend(leaves)``.

    Raises ``EntriesError`` when the first bundle does not begin with the held leaves, or a width is wrong.
    """
    if held.size % FULL_WIDTH or len(held_leaves) >= FULL_WIDTH:
        raise ValueError("what is held is split into whole bundles and the leaves of one that is not full")
    leaves = list(held_leaves)
    ended = False
    for entries in bundles:
        number = held.size // FULL_WIDTH
        if ended or not 1 <= len(entries) <= FULL_WIDTH:
            raise _entries_error(number, f"{len(entries)} entries cannot stand here")
        hashes, root = bundle_hashes(entries)
        if hashes[: len(leaves)] != leaves:
            raise _entries_error(number, f"it does not begin with the {len(leaves)} entries held of it")
        if len(hashes) == FULL_WIDTH:
            held, leaves = held.extend_bundles((root,)), []
        else:
            leaves, ended = hashes, True
    return held, leaves


def _entries_error(number: int, what: str) -> EntriesError:
    return EntriesError(what, where=str(TileId(None, number)), mend="fetch the bundle again")


def _parents(first: int, last: int) -> range:
    """The numbers of the tiles above the tiles ``first`` up to, without, ``last``."""
    return range(first // FULL_WIDTH, -(-last // FULL_WIDTH)) if first < last else range(0)


def _decode(tile: TileId, data: bytes, width: int) -> list[bytes]:
    try:
        return decode_tile(data, width)
    except TileError as error:
        raise EntriesError(error.what, where=str(tile), mend="fetch the tile again") from error


def _edge_hashes(tile: TileId, tiles: Mapping[TileId, bytes]) -> list[bytes]:
    full = TileId(tile.level, tile.number)
    data = tiles.get(tile, tiles.get(full))
    if data is None:
        raise EntriesError("a tile at the right edge was not given", where=str(tile), mend="fetch it, or the full one")
    width = FULL_WIDTH if len(data) == FULL_WIDTH * HASH_BYTES else tile.width
    return _decode(tile, data, width)[: tile.width]


def _row_peaks(hashes: Sequence[bytes]) -> list[bytes]:
    """The roots of the complete subtrees over a row of fewer than 256 hashes, largest first."""
    peaks = []
    start = 0
    for bit in reversed(range(_LEVEL_BITS)):
        if len(hashes) >> bit & 1:
            peaks.append(subtree_root(hashes[start : start + (1 << bit)]))
            start += 1 << bit
    return peaks
