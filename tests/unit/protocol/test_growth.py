from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashpact_protocol.errors import TileError
from hashpact_protocol.growth import extend_tiles, read_range, whole_bundles
from hashpact_protocol.merkle import CompactRange, consistency_proof, subtree_root, verify_consistency
from hashpact_protocol.tiles import TileReader

Store = dict[tuple[int, int], bytes]


def hashes(count: int) -> list[bytes]:
    return [sha256(b"%d" % number).digest() for number in range(count)]


LEAVES = hashes(66_000)  # a little more than a tile of level 1 has below it
ROOTS = LEAVES[:1_300]  # of bundles, whatever they hold


def rows(lowest: Sequence[bytes]) -> list[Sequence[bytes]]:
    """The hashes of all tiles, level by level, by their definition: those above are roots of full tiles below."""
    found = [lowest]
    while len(found[-1]) >= 256:
        row = found[-1]
        found.append([subtree_root(row[start : start + 256]) for start in range(0, len(row) - 255, 256)])
    return found


def tiles(lowest: Sequence[bytes]) -> Store:
    """What must be stored of level 1 and above when ``lowest`` are the roots of the full bundles."""
    return {
        (level, number): b"".join(row[number * 256 : number * 256 + 256])
        for level, row in enumerate(rows(lowest), 1)
        for number in range(-(-len(row) // 256))
    }


LEVELS = rows(LEAVES)


def reader(size: int) -> TileReader:
    def read(level: int, number: int, width: int) -> Sequence[bytes]:
        return LEVELS[level][number * 256 : number * 256 + width]

    return TileReader(size, read)


def whole(size: int) -> CompactRange:
    return CompactRange().extend(LEAVES[:size])


SIZES = st.integers(0, 1_100) | st.sampled_from([65_280, 65_535, 65_536, 65_537, 65_792, 66_000])


@given(SIZES, SIZES)
def test_a_range_read_out_of_tiles_is_the_one_that_grew(one: int, other: int) -> None:
    smaller, larger = sorted((one, other))
    found = read_range(smaller, reader(larger).node)
    assert found == whole(smaller)
    assert found.extend(LEAVES[smaller:larger]) == whole(larger)


@given(SIZES, SIZES)
def test_a_range_read_out_of_tiles_has_the_root_that_proofs_lead_to(one: int, other: int) -> None:
    smaller, larger = sorted((one, other))
    node = reader(larger).node
    proof = consistency_proof(smaller, larger, node)
    roots = (read_range(size, node).root() for size in (smaller, larger))
    verify_consistency(smaller, next(roots), larger, next(roots), proof)


def test_nothing_is_read_of_an_empty_tree() -> None:
    def read(level: int, index: int) -> bytes:
        raise AssertionError((level, index))

    assert read_range(0, read) == CompactRange()


def test_what_reading_raises_comes_through() -> None:
    with pytest.raises(ValueError, match="no complete node"):
        read_range(300, reader(299).node)


@given(SIZES)
def test_whole_bundles_are_the_range_without_the_last_partial_one(size: int) -> None:
    found = whole_bundles(whole(size))
    assert found == whole(size - size % 256)
    assert found.extend(LEAVES[size - size % 256 : size]) == whole(size)


@given(st.lists(st.integers(0, 700) | st.sampled_from([1, 255, 256, 257]), max_size=6))
def test_tiles_grow_in_any_steps_to_what_they_are_at_once(steps: list[int]) -> None:
    store: Store = {}
    held = 0
    for step in steps:
        new = ROOTS[held : held + step]
        changed = extend_tiles(lambda level, number: store.get((level, number)), held, new)  # noqa: B023 - called at once
        assert all(store.get(place) != data for place, data in changed.items())
        store |= changed
        held += len(new)
        assert store == tiles(ROOTS[:held])


@given(st.integers(0, 1_299), st.integers(0, 700))
def test_tiles_that_are_stored_wider_are_cut_to_what_is_held(held: int, count: int) -> None:
    """As when a commit of tiles was kept and what it belonged to was not."""
    stored = tiles(ROOTS)
    new = hashes(2 * count)[count:]
    changed = extend_tiles(lambda level, number: stored.get((level, number)), held, new)
    wanted = tiles([*ROOTS[:held], *new])
    assert changed.items() <= wanted.items()
    kept = tiles(ROOTS[:held])
    assert {place: data for place, data in wanted.items() if kept.get(place) != data} == changed


def test_levels_above_are_reached() -> None:
    """65 536 bundles fill a tile of level 2, which begins one of level 3."""
    first, second = LEAVES[:255], LEAVES[255:510]
    stored = {(1, 255): b"".join(first), (2, 0): b"".join(second)}
    last = LEAVES[600:602]
    changed = extend_tiles(lambda level, number: stored.get((level, number)), 65_535, last)
    tile = [*first, last[0]]
    above = [*second, subtree_root(tile)]
    assert changed == {
        (1, 255): b"".join(tile),
        (1, 256): last[1],
        (2, 0): b"".join(above),
        (3, 0): subtree_root(above),
    }


@pytest.mark.parametrize("stored", [None, b"", bytes(32 * 9), bytes(32 * 10 - 1)])
def test_a_tile_that_lacks_hashes_is_an_error(stored: bytes | None) -> None:
    with pytest.raises(TileError, match="10 hashes must be stored") as caught:
        extend_tiles(lambda _level, _number: stored, 266, ROOTS[:1])
    assert caught.value.where == "tile 1 of level 1"


def test_a_tile_above_that_lacks_hashes_is_an_error() -> None:
    stored = {(1, 1): bytes(32 * 255)}
    with pytest.raises(TileError, match="1 hashes must be stored") as caught:
        extend_tiles(lambda level, number: stored.get((level, number)), 511, ROOTS[:1])
    assert caught.value.where == "tile 0 of level 2"


def test_nothing_is_read_where_a_tile_begins() -> None:
    asked: list[tuple[int, int]] = []

    def read(level: int, number: int) -> None:
        asked.append((level, number))

    assert extend_tiles(read, 256, ROOTS[:1]) == {(1, 1): ROOTS[0]}
    assert extend_tiles(read, 256, []) == {}
    assert asked == []
