from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashpact_protocol.errors import HashpactError, TileError
from hashpact_protocol.merkle import consistency_proof, inclusion_proof, leaf_hash, subtree_root
from hashpact_protocol.tiles import (
    TileId,
    TileReader,
    bundle_path,
    decode_bundle,
    decode_tile,
    encode_bundle,
    encode_tile,
    parse_path,
    partial_width,
    tile_count,
    tile_path,
    tile_width,
)
from vectors.cases import cases, facts, on_disk
from vectors.generate_trees import numbered, path, subproof, tile_family, tree

WIDTHS = st.integers(1, 256)


def read_case(folder: Path, case: dict[str, Any]) -> dict[str, Any]:
    """Read a vector, write it again, and say what was in it, in the words of its case.json."""
    if case["read"] == "path":
        tile = parse_path(case["path"])
        assert str(tile) == case["path"]
        return {"level": tile.level, "number": tile.number, "width": tile.width}
    data = (folder / case["read"]).read_bytes()
    if case["read"] == "bundle":
        entries = decode_bundle(data, case["width"])
        assert encode_bundle(entries) == data
        return {"sha256": [sha256(entry).hexdigest() for entry in entries]}
    hashes = decode_tile(data, case["width"])
    assert encode_tile(hashes) == data
    return {"root": subtree_root(hashes).hex()}


@pytest.mark.parametrize("folder", cases("tiles", "path", "bundle", "tile"), ids=lambda folder: folder.name)
def test_vector(folder: Path) -> None:
    case = facts(folder)
    assert folder.name.endswith("_fail") == ("error" in case)
    if "error" in case:
        with pytest.raises(HashpactError) as caught:
            read_case(folder, case)
        assert caught.value.code == case["error"]
    else:
        assert case.items() >= read_case(folder, case).items()


def test_vectors_are_what_the_generator_makes() -> None:
    assert on_disk("tiles") == tile_family().files


@settings(deadline=None)  # the naive trees are slow on a busy machine
@given(st.none() | st.integers(0, 63), st.integers(0, 2**63 - 1) | st.integers(0, 2_000_000), WIDTHS)
def test_paths_come_back(level: int | None, number: int, width: int) -> None:
    text = bundle_path(number, width) if level is None else tile_path(level, number, width)
    assert parse_path(text) == TileId(level, number, width)


@settings(deadline=None)  # the naive trees are slow on a busy machine
@given(st.from_regex(r"tile/([0-9]{1,3}|entries)/(x?[0-9]{1,4}/)*[0-9]{3}(\.p/[0-9]{1,3})?", fullmatch=True))
def test_a_path_is_the_one_spelling_of_its_tile_or_none(text: str) -> None:
    try:
        tile = parse_path(text)
    except TileError:
        return
    assert str(tile) == text


@pytest.mark.parametrize("level", [-1, 64])
def test_no_tile_of_another_level(level: int) -> None:
    with pytest.raises(TileError, match="level"):
        tile_path(level, 0)


@pytest.mark.parametrize("number", [-1, 2**63])
def test_no_tile_of_another_number(number: int) -> None:
    with pytest.raises(TileError, match="number"):
        bundle_path(number)


@pytest.mark.parametrize("width", [-1, 0, 257])
def test_no_tile_of_another_width(width: int) -> None:
    with pytest.raises(TileError, match="width"):
        tile_path(0, 0, width)
    with pytest.raises(TileError):
        decode_bundle(b"", width)
    with pytest.raises(TileError):
        decode_tile(b"", width)


def test_the_tiles_of_the_published_example() -> None:
    # C2SP tlog-tiles, Partial Tiles: a tree of size 70 000, and one of 256.
    assert [(tile_count(level, 70_000), partial_width(level, 70_000)) for level in range(4)] == [
        (273, 112),
        (1, 17),
        (0, 1),
        (0, 0),
    ]
    assert [(tile_count(level, 256), partial_width(level, 256)) for level in range(3)] == [(1, 0), (0, 1), (0, 0)]
    assert [tile_width(0, number, 70_000) for number in (272, 273, 274)] == [256, 112, 0]


@settings(deadline=None)  # the naive trees are slow on a busy machine
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=256))
def test_bundles_come_back(entries: list[bytes]) -> None:
    data = encode_bundle(entries)
    assert decode_bundle(data, len(entries)) == entries
    for wrong in (data[:-1], data + b"\0"):
        with pytest.raises(TileError):
            decode_bundle(wrong, len(entries))


@settings(deadline=None)  # the naive trees are slow on a busy machine
@given(st.binary(max_size=600), WIDTHS)
def test_any_bytes_are_a_bundle_or_refused(data: bytes, width: int) -> None:
    try:
        entries = decode_bundle(data, width)
    except TileError:
        return
    assert encode_bundle(entries) == data


@pytest.mark.parametrize("entries", [[], [b""] * 257, [bytes(65_536)]])
def test_no_bundle_that_could_not_be_read(entries: list[bytes]) -> None:
    with pytest.raises(TileError):
        encode_bundle(entries)


@pytest.mark.parametrize("hashes", [[], [bytes(32)] * 257, [bytes(31)], [bytes(31), bytes(33)]])
def test_no_tile_that_could_not_be_read(hashes: list[bytes]) -> None:
    with pytest.raises(TileError):
        encode_tile(hashes)


class Tiles:
    """The tiles of a tree by their definition, and what was read of them."""

    def __init__(self, size: int) -> None:
        self.entries = numbered(size)
        self.reads: list[tuple[int, int, int]] = []

    def __call__(self, level: int, number: int, width: int) -> Sequence[bytes]:
        self.reads.append((level, number, width))
        assert width == tile_width(level, number, len(self.entries)) > 0
        span = 256**level
        first = number * 256
        return [tree(self.entries[place * span : (place + 1) * span]) for place in range(first, first + width)]


@settings(deadline=None)  # the naive trees are slow on a busy machine
@given(st.one_of(st.integers(1, 40), st.integers(250, 600), st.sampled_from([768, 1024])), st.data())
def test_proofs_out_of_tiles(size: int, data: st.DataObject) -> None:
    tiles = Tiles(size)
    reader = TileReader(size, tiles)
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    assert inclusion_proof(index, size, reader.node) == path(index, tiles.entries)
    assert consistency_proof(old, size, reader.node) == subproof(old, tiles.entries)
    assert len(tiles.reads) == len(set(tiles.reads))


def test_nodes_of_the_second_tile_level() -> None:
    hashes = [leaf_hash(entry) for entry in numbered(256)]

    def read(level: int, number: int, width: int) -> Sequence[bytes]:
        assert (level, number, width) == (1, 1, 44)
        return hashes[:44]

    reader = TileReader(300 * 256 + 7, read)
    assert reader.node(8, 256) == hashes[0]
    assert reader.node(10, 74) == subtree_root(hashes[40:44])


@pytest.mark.parametrize(("level", "index"), [(0, 7), (1, 3), (3, 0), (-1, 0), (0, -1)])
def test_no_node_that_is_not_complete(level: int, index: int) -> None:
    with pytest.raises(ValueError, match="no complete node"):
        TileReader(7, Tiles(7)).node(level, index)


@pytest.mark.parametrize("width", [6, 8])
def test_no_tile_of_another_width_than_asked_for(width: int) -> None:
    reader = TileReader(7, lambda *_: [bytes(32)] * width)
    with pytest.raises(TileError, match=r"tile/0/000\.p/7: .*not 7"):
        reader.node(0, 0)
