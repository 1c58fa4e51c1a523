"""Tiles and entry bundles: their paths, widths and bytes (C2SP tlog-tiles).

A tile of level L holds 256 hashes, each over ``256**L`` entries; a partial one holds fewer and stands at the right edge
alone. A bundle holds the entries below the tile of level 0 of the same number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hashpact_protocol.errors import TileError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merkle import HASH_BYTES, split_hashes, subtree_root

FULL_WIDTH = LIMITS.bundle_width
LEVEL_MAX = 63
NUMBER_MAX = 2**63 - 1
_LEVEL_BITS = 8
_PATH = re.compile(r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


@dataclass(frozen=True, slots=True)
class TileId:
    """Which tile, or which bundle where ``level`` is None; ``width`` counts hashes or entries, 256 when full."""

    level: int | None
    number: int
    width: int = FULL_WIDTH

    def __post_init__(self) -> None:
        if self.level is not None and not 0 <= self.level <= LEVEL_MAX:
            raise TileError(f"tiles have no level {self.level}")
        if not 0 <= self.number <= NUMBER_MAX:
            raise TileError(f"there is no tile number {self.number}")
        if not 1 <= self.width <= FULL_WIDTH:
            raise TileError(f"tiles have no width of {self.width}")

    def __str__(self) -> str:
        """The path below the log's URL, without a slash before it."""
        level = "entries" if self.level is None else str(self.level)
        partial = "" if self.width == FULL_WIDTH else f".p/{self.width}"
        return f"tile/{level}/{_number_path(self.number)}{partial}"


def _number_path(number: int) -> str:
    path = f"{number % 1000:03}"
    while number := number // 1000:
        path = f"x{number % 1000:03}/{path}"
    return path


def tile_path(level: int, number: int, width: int = FULL_WIDTH) -> str:
    """Write the path of a tile of hashes, as ``tile/1/x001/234.p/17``; TileError when there can be no such tile."""
    return str(TileId(level, number, width))


def bundle_path(number: int, width: int = FULL_WIDTH) -> str:
    """Write the path of an entry bundle, as ``tile/entries/000``; TileError when there can be no such bundle."""
    return str(TileId(None, number, width))


def parse_path(path: str) -> TileId:
    """Read a path back, the exact inverse of ``tile_path`` and ``bundle_path``: every other spelling is a TileError."""
    match = _PATH.fullmatch(path)
    if match is None:
        raise TileError("no path of a tile or an entry bundle", where=repr(path[:80]))
    level, groups, width = match.groups()
    tile = TileId(
        level=None if level == "entries" else int(level),
        number=int(groups.replace("/", "").replace("x", "")),
        width=FULL_WIDTH if width is None else int(width),
    )
    # Leading groups of zeros and a suffix .p/256 match the pattern, and are no spelling of ours.
    if str(tile) != path:
        raise TileError("no canonical path of a tile or an entry bundle", where=repr(path[:80]))
    return tile


def tile_count(level: int, size: int) -> int:
    """How many full tiles of ``level`` a tree of ``size`` has; bundles count as level 0."""
    return size >> (_LEVEL_BITS * (level + 1))


def partial_width(level: int, size: int) -> int:
    """The width of the partial tile of ``level`` in a tree of ``size``, or 0 (tlog-tiles, Partial Tiles)."""
    return (size >> (_LEVEL_BITS * level)) & (FULL_WIDTH - 1)


def tile_width(level: int, number: int, size: int) -> int:
    """The width, 0..256, of tile ``number`` of ``level`` in a tree of ``size``; 0 where there is no such tile."""
    full = tile_count(level, size)
    if number < full:
        return FULL_WIDTH
    return partial_width(level, size) if number == full else 0


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Write 1..256 entries of at most 65 535 bytes, each behind its length as a big-endian uint16.

    TileError when there are too many, none, or one is too long.
    """
    _check_width(len(entries))
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > LIMITS.bundle_entry_max_bytes:
            raise TileError(f"an entry of {len(entry)} bytes does not fit a bundle")
        parts += (len(entry).to_bytes(2, "big"), entry)
    return b"".join(parts)


def decode_bundle(data: bytes, width: int) -> list[bytes]:
    """Read exactly ``width`` entries, of 0..65 535 bytes each; TileError when fewer or more bytes are there."""
    _check_width(width)
    entries = []
    end = 0
    try:
        for _ in range(width):
            start = end + 2
            end = start + (data[end] << 8 | data[end + 1])
            entries.append(data[start:end])
    except IndexError:
        raise TileError(f"a bundle ends before its {width} entries do") from None
    if end > len(data):
        raise TileError(f"a bundle ends before its {width} entries do")
    if end < len(data):
        raise TileError(f"a bundle goes on for {len(data) - end} bytes after its {width} entries")
    return entries


def encode_tile(hashes: Sequence[bytes]) -> bytes:
    """Write 1..256 hashes of 32 bytes one after another; TileError when they are not."""
    _check_width(len(hashes))
    if any(len(value) != HASH_BYTES for value in hashes):
        raise TileError("a tile holds hashes of 32 bytes only")
    return b"".join(hashes)


def decode_tile(data: bytes, width: int) -> list[bytes]:
    """Read exactly ``width`` hashes; TileError when the length is any other."""
    _check_width(width)
    if len(data) != width * HASH_BYTES:
        raise TileError(f"a tile of width {width} has {width * HASH_BYTES} bytes, not {len(data)}")
    return list(split_hashes(data))


def _check_width(width: int) -> None:
    if not 1 <= width <= FULL_WIDTH:
        raise TileError(f"a tile or bundle has 1..{FULL_WIDTH} hashes or entries, not {width}")


ReadTile = Callable[[int, int, int], Sequence[bytes]]
"""Gives the hashes of the tile ``(level, number, width)``, exactly ``width`` of them."""


@dataclass(slots=True)
class TileReader:
    """Gives any complete node of the tree of ``size`` out of its tiles; ``node`` is what the proof functions read.

    Each tile is read once and kept as long as the reader lives. Nothing is verified here: a proof out of wrong tiles
    does not hold.
    """

    size: int
    read_tile: ReadTile
    _tiles: dict[tuple[int, int], Sequence[bytes]] = field(default_factory=dict, init=False, repr=False)

    def node(self, level: int, index: int) -> bytes:
        """Compute the node ``(level, index)``, level 0 being leaves.

        ValueError when the tree has no such complete node; TileError when a tile has not the width asked for.
        """
        if level < 0 or index < 0 or (index + 1) << level > self.size:
            raise ValueError(f"a tree of size {self.size} has no complete node ({level}, {index})")
        tile_level, height = divmod(level, _LEVEL_BITS)
        number, offset = divmod(index << height, FULL_WIDTH)
        return subtree_root(self._tile(tile_level, number)[offset : offset + (1 << height)])

    def _tile(self, level: int, number: int) -> Sequence[bytes]:
        tile = self._tiles.get((level, number))
        if tile is None:
            width = tile_width(level, number, self.size)
            tile = self.read_tile(level, number, width)
            if len(tile) != width:
                raise TileError(f"{len(tile)} hashes, not {width}", where=tile_path(level, number, width))
            self._tiles[level, number] = tile
        return tile
