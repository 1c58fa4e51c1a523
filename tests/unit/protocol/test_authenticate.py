from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashpact_protocol.authenticate import TreeAuthenticator, extend_by_entries
from hashpact_protocol.errors import ConsistencyError, EntriesError
from hashpact_protocol.follow import Head
from hashpact_protocol.merkle import EMPTY_ROOT, CompactRange, leaf_hash, subtree_root
from hashpact_protocol.tiles import TileId

LEAVES = [sha256(number.to_bytes(4, "big")).digest() for number in range(70_000)]
SIZES = [0, 1, 2, 255, 256, 257, 511, 512, 65_280, 65_535, 65_536, 65_537, 65_792, 65_793, 70_000]
SMALL = [size for size in SIZES if size < 1000]


class Tree:
    """All hashes of every tile level of the tree over the first ``size`` leaves, computed row by row."""

    def __init__(self, size: int, leaves: Sequence[bytes] = LEAVES) -> None:
        self.size = size
        self.rows = [list(leaves[:size])]
        while len(self.rows[-1]) >= 256:
            row = self.rows[-1]
            self.rows.append([subtree_root(row[n : n + 256]) for n in range(0, len(row) - 255, 256)])
        self.head = Head(size, CompactRange().extend(leaves[:size]).root())

    def tile(self, tile: TileId) -> bytes:
        assert tile.level is not None
        row = self.rows[tile.level][tile.number * 256 : tile.number * 256 + tile.width]
        assert len(row) == tile.width
        return b"".join(row)

    def authenticator(self) -> TreeAuthenticator:
        """One that believes the right edge."""
        authenticator = TreeAuthenticator(self.head)
        authenticator.accept_edge({tile: self.tile(tile) for tile in authenticator.edge()})
        return authenticator


TREES = {size: Tree(size) for size in SIZES}


def fetch_bundles(tree: Tree, authenticator: TreeAuthenticator, first: int, last: int) -> list[TileId]:
    """Fetch until nothing is missing, and say what was fetched."""
    fetched = []
    while missing := authenticator.missing_for_bundles(first, last):
        for tile in missing:
            authenticator.accept(tile, tree.tile(tile))
            fetched.append(tile)
    return fetched


def fetch_prefix(tree: Tree, authenticator: TreeAuthenticator, size: int) -> None:
    while missing := authenticator.missing_for_prefix(size):
        for tile in missing:
            authenticator.accept(tile, tree.tile(tile))


def flipped(data: bytes, place: int = 0) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize("size", SIZES)
def test_every_bundle_of_a_tree_is_authenticated(size: int) -> None:
    tree = TREES[size]
    authenticator = tree.authenticator()
    fetch_bundles(tree, authenticator, 0, -(-size // 256))
    for number in range(size // 256):
        assert authenticator.bundle_hash(number) == tree.rows[1][number]
    assert authenticator.last_leaves() == LEAVES[size - size % 256 : size]


@pytest.mark.parametrize(
    ("size", "edge"),
    [
        (0, []),
        (1, [TileId(0, 0, 1)]),
        (256, [TileId(1, 0, 1)]),
        (257, [TileId(0, 1, 1), TileId(1, 0, 1)]),
        (65_536, [TileId(2, 0, 1)]),
        (65_537, [TileId(0, 256, 1), TileId(2, 0, 1)]),
        (70_000, [TileId(0, 273, 112), TileId(1, 1, 17), TileId(2, 0, 1)]),
    ],
)
def test_the_edge_is_one_partial_tile_for_each_level_that_has_one(size: int, edge: list[TileId]) -> None:
    assert TREES[size].authenticator().edge() == edge


@pytest.mark.parametrize("size", [size for size in SIZES if size])
def test_an_edge_with_a_wrong_bit_is_refused(size: int) -> None:
    tree = TREES[size]
    authenticator = TreeAuthenticator(tree.head)
    right = {tile: tree.tile(tile) for tile in authenticator.edge()}
    for tile, data in right.items():
        for place in (0, len(data) - 1):
            with pytest.raises(EntriesError, match="do not hash to the root"):
                authenticator.accept_edge(right | {tile: flipped(data, place)})
    authenticator.accept_edge(right)


def test_an_edge_that_lacks_a_tile_or_has_one_of_another_width_is_refused() -> None:
    tree = TREES[257]
    authenticator = TreeAuthenticator(tree.head)
    right = {tile: tree.tile(tile) for tile in authenticator.edge()}
    with pytest.raises(EntriesError, match=r"^tile/1/000.p/1: .* was not given"):
        authenticator.accept_edge({TileId(0, 1, 1): right[TileId(0, 1, 1)]})
    for data in (b"", right[TileId(0, 1, 1)] * 2, right[TileId(0, 1, 1)][:-1]):
        with pytest.raises(EntriesError, match=r"^tile/0/001.p/1: a tile of width 1"):
            authenticator.accept_edge(right | {TileId(0, 1, 1): data})


def test_an_empty_tree_has_the_empty_root_and_no_other() -> None:
    authenticator = TreeAuthenticator(Head(0, EMPTY_ROOT))
    authenticator.accept_edge({})
    assert authenticator.missing_for_bundles(0, 0) == []
    assert authenticator.last_leaves() == []
    authenticator.check_prefix(CompactRange())
    with pytest.raises(EntriesError):
        TreeAuthenticator(Head(0, bytes(32))).accept_edge({})


@pytest.mark.parametrize("by_full_id", [False, True])
def test_a_full_tile_stands_in_for_a_partial_one(by_full_id: bool) -> None:  # noqa: FBT001 - a parameter above
    tree, later = TREES[257], TREES[512]
    authenticator = TreeAuthenticator(tree.head)
    tiles = {TileId(1, 0, 1): tree.tile(TileId(1, 0, 1))}
    tiles[TileId(0, 1, 256 if by_full_id else 1)] = later.tile(TileId(0, 1))
    authenticator.accept_edge(tiles)
    assert authenticator.last_leaves() == LEAVES[256:257]
    assert len(authenticator.leaves(1)) == 1


def test_tiles_are_asked_for_step_by_step_and_only_once() -> None:
    tree = TREES[65_536]
    authenticator = tree.authenticator()
    assert authenticator.missing_for_leaves(3, 5) == [TileId(1, 0)]
    assert fetch_bundles(tree, authenticator, 0, 256) == [TileId(1, 0)]
    assert authenticator.missing_for_leaves(3, 5) == [TileId(0, 3), TileId(0, 4)]
    authenticator.accept(TileId(0, 3), tree.tile(TileId(0, 3)))
    assert authenticator.missing_for_leaves(3, 5) == [TileId(0, 4)]
    assert authenticator.leaves(3) == LEAVES[768:1024]
    assert tree.authenticator().missing_for_bundles(7, 7) == []


def test_a_tree_whose_tiles_lie_at_three_levels() -> None:
    """2**24 entries or more are too many to hash here, so the leaves are those of equal bundles."""
    bundle = [subtree_root(LEAVES[:256])] * 256
    row_2 = [subtree_root(bundle)] * 256
    row_3 = [subtree_root(row_2)]
    head = Head(2**24, row_3[0])
    authenticator = TreeAuthenticator(head)
    assert authenticator.edge() == [TileId(3, 0, 1)]
    authenticator.accept_edge({TileId(3, 0, 1): row_3[0]})
    assert authenticator.missing_for_bundles(300, 301) == [TileId(2, 0)]
    authenticator.accept(TileId(2, 0), b"".join(row_2))
    assert authenticator.missing_for_bundles(300, 600) == [TileId(1, 1), TileId(1, 2)]
    authenticator.accept(TileId(1, 1), b"".join(bundle))
    assert authenticator.bundle_hash(300) == bundle[0]
    assert authenticator.missing_for_prefix(2**16 + 256) == []
    authenticator.check_prefix(CompactRange(2**16 + 256, (row_2[0], bundle[0])))


@pytest.mark.parametrize("tile", [TileId(1, 0), TileId(0, 3)])
def test_a_tile_that_its_parent_does_not_hold_is_refused_and_nothing_of_it_stays(tile: TileId) -> None:
    tree = TREES[65_537]
    authenticator = tree.authenticator()
    if tile.level == 0:
        fetch_bundles(tree, authenticator, 0, 256)
    data = tree.tile(tile)
    wrong = [flipped(data), flipped(data, len(data) - 1), data[32:64] + data[:32] + data[64:], data[:-32], data + b"x"]
    for answer in [*wrong, b"", b"<html></html>", data[:-1]]:
        with pytest.raises(EntriesError, match=f"^{tile}: ") as caught:
            authenticator.accept(tile, answer)
        assert caught.value.mend
        with pytest.raises(ValueError, match="not accepted yet"):
            authenticator.bundle_hash(3) if tile.level else authenticator.leaves(3)
    authenticator.accept(tile, data)
    assert authenticator.bundle_hash(3) == tree.rows[1][3]


@pytest.mark.parametrize(
    "tile", [TileId(None, 0), TileId(1, 0, 5), TileId(1, 1), TileId(0, 256), TileId(2, 0), TileId(63, 0)]
)
def test_a_tile_that_is_no_full_tile_of_the_tree_is_a_fault_of_the_caller(tile: TileId) -> None:
    authenticator = TREES[65_537].authenticator()
    with pytest.raises(ValueError, match="is no full tile of hashes"):
        authenticator.accept(tile, b"")


def test_nothing_is_answered_before_the_edge_is_believed() -> None:
    authenticator = TreeAuthenticator(TREES[257].head)
    for question in (
        lambda: authenticator.missing_for_bundles(0, 1),
        lambda: authenticator.accept(TileId(0, 0), b""),
        lambda: authenticator.bundle_hash(0),
        authenticator.last_leaves,
    ):
        with pytest.raises(ValueError, match="edge was not accepted yet"):
            question()


def test_questions_about_what_is_not_in_the_tree_are_faults_of_the_caller() -> None:
    authenticator = TREES[257].authenticator()
    for first, last in [(-1, 1), (1, 0), (0, 3)]:
        with pytest.raises(ValueError, match="has no bundles"):
            authenticator.missing_for_bundles(first, last)
        with pytest.raises(ValueError, match="has no bundles"):
            authenticator.missing_for_leaves(first, last)
    for number in (-1, 1):
        with pytest.raises(ValueError, match="has no full bundle"):
            authenticator.bundle_hash(number)
    with pytest.raises(ValueError, match="has no bundles"):
        authenticator.leaves(2)
    for size in (-256, 1, 512):
        with pytest.raises(ValueError, match="no multiple of 256 within"):
            authenticator.missing_for_prefix(size)


@pytest.mark.parametrize("size", SIZES)
def test_every_prefix_of_whole_bundles_is_confirmed_and_no_other(size: int) -> None:
    tree = TREES[size]
    authenticator = tree.authenticator()
    for prefix in {0, 256, 512, 768, 65_280, 65_536, 65_792, size - size % 256}:
        if prefix > size:
            continue
        fetch_prefix(tree, authenticator, prefix)
        held = CompactRange().extend(LEAVES[:prefix])
        authenticator.check_prefix(held)
        for place in range(len(held.hashes)):
            hashes = [*held.hashes]
            hashes[place] = flipped(hashes[place])
            with pytest.raises(ConsistencyError, match=f"^size {size}: the first {prefix} entries are not those"):
                authenticator.check_prefix(CompactRange(prefix, tuple(hashes)))


def test_what_only_lower_bundles_need_is_forgotten() -> None:
    tree = TREES[70_000]
    authenticator = tree.authenticator()
    fetch_bundles(tree, authenticator, 0, 273)
    for number in (0, 255, 256):
        authenticator.accept(TileId(0, number), tree.tile(TileId(0, number)))
    authenticator.forget_below(255)
    assert authenticator.bundle_hash(254) == tree.rows[1][254]
    assert authenticator.missing_for_leaves(0, 1) == [TileId(0, 0)]
    assert authenticator.missing_for_leaves(255, 257) == []
    authenticator.forget_below(256)
    assert authenticator.missing_for_bundles(0, 273) == [TileId(1, 0)]
    assert authenticator.missing_for_leaves(256, 257) == []
    assert authenticator.bundle_hash(272) == tree.rows[1][272]
    assert authenticator.last_leaves() == LEAVES[69_888:70_000]


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 3_000), st.integers(0, 3_000), st.integers(0, 2**32))
def test_two_trees_agree_on_the_bundles_that_are_the_same_and_on_no_other(size: int, changed: int, seed: int) -> None:
    leaves = LEAVES[:size]
    if changed < size:
        leaves[changed] = sha256(seed.to_bytes(5, "big")).digest()
    tree = Tree(size, leaves)
    authenticator = tree.authenticator()
    fetch_bundles(tree, authenticator, 0, -(-size // 256))
    for number in range(size // 256):
        same = authenticator.bundle_hash(number) == subtree_root(LEAVES[number * 256 : number * 256 + 256])
        assert same is (changed // 256 != number)
    assert (authenticator.last_leaves() == LEAVES[size - size % 256 : size]) is not (
        size - size % 256 <= changed < size
    )
    prefix = CompactRange().extend(LEAVES[: size - size % 256])
    fetch_prefix(tree, authenticator, prefix.size)
    if changed >= prefix.size:
        authenticator.check_prefix(prefix)
    else:
        with pytest.raises(ConsistencyError):
            authenticator.check_prefix(prefix)


def entries(size: int) -> list[bytes]:
    return [b"%d" % number for number in range(size)]


def bundles(values: Sequence[bytes], first: int = 0) -> Iterator[Sequence[bytes]]:
    return (values[start : start + 256] for start in range(first * 256, len(values), 256))


@given(st.integers(0, 1_100), st.integers(0, 1_100))
@settings(max_examples=40, deadline=None)
def test_entries_alone_prove_as_much_as_tiles(held: int, size: int) -> None:
    held, size = min(held, size), max(held, size)
    leaves = [leaf_hash(entry) for entry in entries(size)]
    whole = held - held % 256
    extended, rest = extend_by_entries(
        CompactRange().extend(leaves[:whole]), leaves[whole:held], bundles(entries(size), whole // 256)
    )
    assert extended == CompactRange().extend(leaves[: size - size % 256])
    assert rest == leaves[size - size % 256 :]
    assert extended.extend(rest).root() == CompactRange().extend(leaves).root()


def test_a_bundle_of_one_entry_is_a_bundle() -> None:
    assert extend_by_entries(CompactRange(), [], [[b"0"]]) == (CompactRange(), [leaf_hash(b"0")])


def test_without_bundles_nothing_changes() -> None:
    held, leaves = CompactRange().extend(LEAVES[:256]), LEAVES[256:300]
    assert extend_by_entries(held, leaves, ()) == (held, leaves)


@pytest.mark.parametrize(
    ("second", "what"),
    [
        ([b"other", *entries(300)[257:]], "does not begin with the 10 entries held"),
        ([*entries(300)[256:265], b"other"], "does not begin with the 10 entries held"),
        (entries(300)[256:265], "does not begin with the 10 entries held"),
        ([], "0 entries cannot stand here"),
        (entries(600)[256:513], "257 entries cannot stand here"),
    ],
)
def test_a_bundle_that_is_not_what_is_held_of_it_is_refused(second: list[bytes], what: str) -> None:
    leaves = [leaf_hash(entry) for entry in entries(266)]
    with pytest.raises(EntriesError, match=f"^tile/entries/001: .*{what}"):
        extend_by_entries(CompactRange().extend(leaves[:256]), leaves[256:], [second])


def test_only_the_last_bundle_may_be_partial() -> None:
    with pytest.raises(EntriesError, match=r"^tile/entries/000: 256 entries cannot stand here"):
        extend_by_entries(CompactRange(), [], [entries(255), entries(256)])


def test_what_is_held_is_split_at_a_whole_bundle() -> None:
    for held, leaves in [(CompactRange().extend(LEAVES[:3]), []), (CompactRange(), LEAVES[:256])]:
        with pytest.raises(ValueError, match="split into whole bundles"):
            extend_by_entries(held, leaves, [])
