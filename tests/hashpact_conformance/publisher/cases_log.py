"""Logs: entries, tiles and proofs against the tree, and what follows a log that is closed."""

from __future__ import annotations

import itertools

import pytest

from hashpact_conformance.cases import Layer, case, not_supported
from hashpact_conformance.publisher.reading import LogReading, all_tiles, bundles, read_log, some, wrong_tiles
from hashpact_conformance.publisher.shown import Shown, show
from hashpact_conformance.publisher.site import Site
from hashpact_protocol.card import Card
from hashpact_protocol.card_logs import CardLog
from hashpact_protocol.errors import HashpactError
from hashpact_protocol.follow import Head
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merkle import (
    EMPTY_ROOT,
    CompactRange,
    consistency_proof,
    inclusion_proof,
    verify_consistency,
    verify_inclusion,
)
from hashpact_protocol.tiles import TileId, TileReader, decode_tile, tile_path, tile_width

TILES = "docs/protocol.md, Logs: tiles and bundles"
GROWING = "docs/protocol.md, Reading: growing"
SEQUENCES = "docs/protocol.md, Card: sequences"
GONE = 410
NOT_FOUND = 404


@case(Layer.LOG, "Every bundle holds exactly its entries", TILES)
def test_bundles(readings: list[LogReading]) -> None:
    problems = [problem for one in readings for problem in one.problems]
    assert not problems, some(problems)


@case(Layer.LOG, "All entries together hash to the root of the checkpoint", GROWING)
def test_root(readings: list[LogReading]) -> None:
    for one in readings:
        assert len(one.leaves) == one.head.size, f"{one.log.origin}: {len(one.leaves)} of {one.head.size} entries came"
        assert one.root == one.head.root, f"the entries of {one.log.origin} hash to another root than it signed"


@case(Layer.LOG, "The tiles of level {level} hold what the entries hash to", TILES)
@pytest.mark.parametrize("level", [0, 1, 2])
def test_tiles(site: Site, filled: list[LogReading], level: int) -> None:
    tall = [one for one in filled if any(True for _ in all_tiles(one.head.size, level))]
    if not tall:
        not_supported(f"no log is so long that it has tiles of level {level}")
    for one in tall:
        wrong = wrong_tiles(site, one, level)
        assert not wrong, some(wrong)


@case(Layer.LOG, "A proof of inclusion out of the tiles holds for entries all over the log", TILES)
def test_inclusion(site: Site, filled: list[LogReading]) -> None:
    for one in filled:
        reader = tile_reader(site, one)
        size = one.head.size
        for index in sorted({0, size // 2, size - 1, *(at for at in (255, 256) if at < size)}):
            proof = inclusion_proof(index, size, reader.node)
            try:
                verify_inclusion(one.leaves[index], index, size, proof, one.head.root)
            except HashpactError as error:
                raise AssertionError(f"entry {index} of {one.log.origin}: {error}") from error


@case(Layer.LOG, "A proof of consistency out of the tiles holds from every kind of older size", TILES)
def test_consistency(site: Site, filled: list[LogReading]) -> None:
    for one in filled:
        reader = tile_reader(site, one)
        size = one.head.size
        for old in sorted({1, size // 2, size - 1, *(at for at in (255, 256, 257) if at < size)} - {0}):
            root = CompactRange().extend(one.leaves[:old]).root()
            try:
                verify_consistency(old, root, size, one.head.root, consistency_proof(old, size, reader.node))
            except HashpactError as error:
                raise AssertionError(f"{one.log.origin} from size {old}: {error}") from error


def tile_reader(site: Site, one: LogReading) -> TileReader:
    def read(level: int, number: int, width: int) -> list[bytes]:
        answer = site.get(f"{one.log.url}/{tile_path(level, number, width)}").ok()
        try:
            return decode_tile(answer.body, width)
        except HashpactError as error:
            raise AssertionError(f"{answer.url}: {error}") from error

    return TileReader(one.head.size, read)


@case(Layer.LOG, "Every tile and bundle of the size that was shown is still there when the log has grown", TILES)
def test_shown_stays(site: Site, shown: list[Shown]) -> None:
    for one in shown:
        show(site, one.log)
        edge = [tile for level in range(4) for tile in list(all_tiles(one.head.size, level))[-1:]]
        for tile in [*edge, *list(bundles(one.head.size))[-1:]]:
            answer = site.get(f"{one.log.url}/{tile}")
            full = (
                site.get(f"{one.log.url}/{TileId(tile.level, tile.number)}") if answer.status in {404, 410} else answer
            )
            assert full.status == 200, f"{answer.url} answers {answer.status}, and there is no full one in its place"


@case(Layer.LOG, "No {what} is served beyond what a shown checkpoint covers", TILES)
@pytest.mark.parametrize("what", ["bundle", "tile"])
def test_nothing_beyond(site: Site, open_logs: list[CardLog], what: str) -> None:
    level = None if what == "bundle" else 0
    for log in open_logs:
        size = show(site, log).checkpoint.size
        number, width = divmod(size, LIMITS.bundle_width)
        beyond = [TileId(level, number, width + 1), TileId(level, number + 1, 1), TileId(level, number + 1)]
        served = [tile for tile in beyond if site.get(f"{log.url}/{tile}").status == 200]
        later = show(site, log).checkpoint.size
        early = [str(tile) for tile in served if tile.number * LIMITS.bundle_width + tile.width > later]
        assert not early, f"{log.origin} shows {later} entries, and serves {early}"


@case(Layer.LOG, "There are no tiles of levels that the log does not reach", TILES)
def test_no_high_tiles(site: Site, shown: list[Shown]) -> None:
    for one in shown:
        for level in range(8):
            if not tile_width(level, 0, one.head.size):
                answer = site.get(f"{one.log.url}/{TileId(level, 0, 1)}")
                assert answer.status == NOT_FOUND, f"{answer.url} answers {answer.status}"


@case(Layer.LOG, "The path {path} has another spelling, and is not served", TILES)
@pytest.mark.parametrize(
    "path",
    [
        pytest.param("tile/0/0", id="short"),
        pytest.param("tile/0/0000", id="long"),
        pytest.param("tile/00/000", id="level-00"),
        pytest.param("tile/0/x000/000", id="leading-group"),
        pytest.param("tile/0/000.p/0", id="width-0"),
        pytest.param("tile/0/000.p/01", id="width-01"),
        pytest.param("tile/0/000.p/256", id="width-256"),
        pytest.param("tile/0/000.p/+1", id="width-sign"),
        pytest.param("tile/-1/000", id="level-negative"),
        pytest.param("tile/64/000", id="level-64"),
        pytest.param("tile/0/000/", id="slash-behind"),
        pytest.param("tile/0//000", id="two-slashes"),
        pytest.param("tile/0/000.p", id="no-width"),
        pytest.param("tile/ENTRIES/000", id="upper-case"),
        pytest.param("tile/entries/0", id="entries-short"),
        pytest.param("tile/entries/000.p/256", id="entries-width-256"),
        pytest.param("tile/entries/000.P/1", id="entries-upper-case"),
        pytest.param("tile/entries/0%30%30.p/1", id="entries-escaped"),
        pytest.param("tile/entries/x001/000/000", id="entries-group-without-x"),
        pytest.param("tile/data/000", id="data"),
        pytest.param("Checkpoint", id="checkpoint-upper-case"),
        pytest.param("checkpoint/", id="checkpoint-slash-behind"),
        pytest.param("./checkpoint", id="checkpoint-dot"),
        pytest.param("%63heckpoint", id="checkpoint-escaped"),
    ],
)
def test_spelling(site: Site, open_logs: list[CardLog], path: str) -> None:
    below = open_logs[0].origin.removeprefix(site.url.partition("://")[2] + "/")
    status = site.raw_get(f"{below}/{path}")
    assert 400 <= status < 500, f"GET {open_logs[0].url}/{path} answers {status}"


@case(Layer.LOG, "A closed log answers 410 at its checkpoint", SEQUENCES)
def test_closed(site: Site, closed_logs: list[CardLog]) -> None:
    for log in closed_logs:
        answer = site.get(f"{log.url}/checkpoint")
        assert answer.status == GONE, f"{answer.url} answers {answer.status}"


@case(Layer.LOG, "The entries of a closed log lead to the end that the card tells", SEQUENCES)
def test_final(closed_readings: list[LogReading]) -> None:
    if not closed_readings:
        not_supported("every closed log is erased")
    for one in closed_readings:
        assert not one.problems, some(one.problems)
        assert one.root == one.head.root, f"the entries of {one.log.origin} hash to another root than its final"


@case(Layer.LOG, "The tiles of a closed log go on, too", TILES)
def test_final_tiles(site: Site, closed_readings: list[LogReading]) -> None:
    if not closed_readings:
        not_supported("every closed log is erased")
    for one in closed_readings:
        for level in range(3):
            wrong = wrong_tiles(site, one, level)
            assert not wrong, some(wrong)


@case(Layer.LOG, "An erased log answers 410 for every tile and bundle that it had", TILES)
def test_erased(site: Site, closed_logs: list[CardLog]) -> None:
    erased = [log for log in closed_logs if log.erased and log.final is not None and log.final.size]
    if not erased:
        not_supported("the card names no erased log that held anything")
    for log in erased:
        size = log.final.size if log.final else 0
        for tile in [*bundles(size), *all_tiles(size, 0)]:
            answer = site.get(f"{log.url}/{tile}")
            assert answer.status == GONE, f"{answer.url} answers {answer.status}: what is erased has to be gone"


@case(Layer.LOG, "A fresh log holds at least the entries that it says it restates", SEQUENCES)
def test_fresh(shown: list[Shown]) -> None:
    fresh = [one for one in shown if one.log.fresh is not None]
    if not fresh:
        not_supported("the card names no open log with `fresh`")
    for one in fresh:
        assert one.head.size >= (one.log.fresh or 0), (
            f"{one.log.origin} says fresh {one.log.fresh}, size {one.head.size}"
        )


@case(Layer.LOG, "A fresh log restates, byte for byte and in order, the listings that lived before it", SEQUENCES)
def test_restated(site: Site, card: Card, closed_readings: list[LogReading], readings: list[LogReading]) -> None:
    by_origin = {one.log.origin: one for one in [*closed_readings, *readings]}
    pairs = [
        (by_origin[before.origin], by_origin[after.origin])
        for name in card.names
        for before, after in whole_pairs(card.sequence(name))
        if before.origin in by_origin and after.origin in by_origin
    ]
    if not pairs:
        not_supported("no fresh log follows one that held all that lived, and can still be read")
    for old, new in pairs:
        restated = read_log(site, new.log, Head(new.log.fresh or 0, EMPTY_ROOT)).live
        left_out = [identifier for identifier, entry in old.live.items() if restated.get(identifier) != entry]
        added = [identifier for identifier in restated if identifier not in old.live]
        assert not left_out, f"{new.log.origin} leaves out or alters {some(left_out)}"
        assert not added, f"{new.log.origin} restates what did not live: {some(added)}"
        assert list(restated) == list(old.live), f"{new.log.origin} restates in another order"


def whole_pairs(sequence: list[CardLog]) -> list[tuple[CardLog, CardLog]]:
    """Give each fresh log of a sequence with the log before it, where that one alone held all that lived."""
    pairs = itertools.pairwise(sequence)
    return [(a, b) for a, b in pairs if b.fresh is not None and (a is sequence[0] or a.fresh is not None)]
