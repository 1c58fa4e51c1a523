"""Reads a log whole, once: every bundle against the tree, every statement; cases look at what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from hashpact_conformance.publisher.site import Answer, Site
from hashpact_protocol.card_logs import CardLog
from hashpact_protocol.errors import TileError
from hashpact_protocol.follow import Head
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merkle import CompactRange, leaf_hash, subtree_root
from hashpact_protocol.parsing import parse_entries
from hashpact_protocol.statements import Listing, Malformed, Unknown, Withdrawal
from hashpact_protocol.tiles import TileId, decode_bundle, encode_tile, tile_count, tile_width

WIDTH = LIMITS.bundle_width
SHOWN = 5
_THREADS = 4


@dataclass
class LogReading:
    """What reading the first ``head.size`` entries of a log came to; lists of problems are sentences."""

    log: CardLog
    head: Head
    problems: list[str] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    malformed: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    owners: dict[str, str] = field(default_factory=dict)
    reused: list[str] = field(default_factory=list)
    live: dict[str, bytes] = field(default_factory=dict)
    blobs: dict[str, int] = field(default_factory=dict)

    @property
    def root(self) -> bytes:
        """The root over the entries that were read."""
        return CompactRange().extend(self.leaves).root()

    def row(self, level: int) -> list[bytes]:
        """Give all complete hashes of a level of tiles, out of the entries."""
        hashes = self.leaves
        for _ in range(level):
            hashes = [subtree_root(hashes[at : at + WIDTH]) for at in range(0, len(hashes) // WIDTH * WIDTH, WIDTH)]
        return hashes


def all_tiles(size: int, level: int) -> Iterator[TileId]:
    """Give the tiles of one level of a tree of this size; none once the level is empty."""
    for number in range(tile_count(level, size)):
        yield TileId(level, number)
    width = tile_width(level, tile_count(level, size), size)
    if width:
        yield TileId(level, tile_count(level, size), width)


def bundles(size: int) -> Iterator[TileId]:
    """Give the bundles of a log of this size."""
    return (TileId(None, tile.number, tile.width) for tile in all_tiles(size, 0))


def fetch_all(site: Site, log: CardLog, tiles: Iterator[TileId]) -> Iterator[tuple[TileId, Answer]]:
    """Fetch tiles or bundles, several at once, in their order."""
    with ThreadPoolExecutor(_THREADS) as pool:
        wanted = list(tiles)
        yield from zip(wanted, pool.map(lambda tile: site.get(f"{log.url}/{tile}"), wanted), strict=True)


def read_log(site: Site, log: CardLog, head: Head) -> LogReading:
    """Read a log up to a head; what is wrong with its entries is written down, and what cannot be had fails."""
    reading = LogReading(log, head)
    for tile, answer in fetch_all(site, log, bundles(head.size)):
        try:
            entries = decode_bundle(answer.ok().body, tile.width)
        except TileError as error:
            reading.problems.append(f"{answer.url}: {error}")
            return reading
        reading.leaves += [leaf_hash(entry) for entry in entries]
        _read_statements(reading, tile.number * WIDTH, entries)
    return reading


def _read_statements(reading: LogReading, start: int, entries: list[bytes]) -> None:
    for index, (entry, found) in enumerate(zip(entries, parse_entries(entries, reading.log.kind), strict=True), start):
        if isinstance(found, Malformed):
            reading.malformed.append(f"entry {index} of {reading.log.origin}: {found.reason}")
        elif not isinstance(found, Unknown):
            before = reading.owners.setdefault(found.id, found.kind)
            if before != found.kind:
                reading.reused.append(f"entry {index} of {reading.log.origin}: {found.id} is the id of a {before}")
        if isinstance(found, Listing):
            reading.dropped += [f"entry {index} of {reading.log.origin}: {why}" for why in found.dropped]
            reading.live.pop(found.id, None)  # a restated listing stands where it was restated
            reading.live[found.id] = entry
            reading.blobs |= {one.value: one.blob_length for one in found.signals if one.blob_length is not None}
        elif isinstance(found, Withdrawal):
            reading.live.pop(found.listing, None)


def wrong_tiles(site: Site, reading: LogReading, level: int) -> list[str]:
    """Compare the tiles of a level with the entries; gives what is wrong with them."""
    hashes = reading.row(level)
    wrong = []
    for tile, answer in fetch_all(site, reading.log, all_tiles(reading.head.size, level)):
        expected = encode_tile(hashes[tile.number * WIDTH : tile.number * WIDTH + tile.width])
        if answer.status != 200:
            wrong.append(f"{answer.url} answers {answer.status}")
        elif answer.body != expected:
            same = len(answer.body) == len(expected)
            what = (
                "holds other hashes than its entries" if same else f"has {len(answer.body)} bytes, not {len(expected)}"
            )
            wrong.append(f"{answer.url} {what}")
    return wrong


def some(problems: list[str]) -> str:
    """Write the first few of some problems."""
    more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    return "; ".join(problems[:SHOWN]) + more
