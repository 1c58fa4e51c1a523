"""No bit of a proof, of a hash or of a size can be changed, and however entries come in, the tree is the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashpact_protocol.authenticate import extend_by_entries
from hashpact_protocol.errors import ConsistencyError, InclusionError
from hashpact_protocol.merkle import (
    CompactRange,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from hashpact_protocol.tiles import TileReader, tile_width

LEAVES = [leaf_hash(b"%d" % number) for number in range(1_100)]
SIZES = st.integers(1, 40) | st.integers(250, 520) | st.sampled_from([768, 1_024, 1_100])


def root_of(size: int) -> bytes:
    return CompactRange().extend(LEAVES[:size]).root()


def nodes(size: int) -> Callable[[int, int], bytes]:
    def tile(level: int, number: int, width: int) -> list[bytes]:
        assert width == tile_width(level, number, size)
        span = 256**level
        starts = range(number * 256 * span, (number * 256 + width) * span, span)
        return [CompactRange().extend(LEAVES[start : start + span]).root() for start in starts]

    return TileReader(size, tile).node


def flipped(data: st.DataObject, hashes: list[bytes]) -> list[bytes]:
    """Flip one bit of one of these hashes."""
    which, place, bit = (data.draw(st.integers(0, most)) for most in (len(hashes) - 1, 31, 7))
    changed = bytearray(hashes[which])
    changed[place] ^= 1 << bit
    return [*hashes[:which], bytes(changed), *hashes[which + 1 :]]


@given(SIZES, st.data())
def test_no_bit_of_an_inclusion_proof_can_be_changed(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, nodes(size))
    verify_inclusion(LEAVES[index], index, size, proof, root_of(size))
    leaf, root, *path = flipped(data, [LEAVES[index], root_of(size), *proof])
    with pytest.raises(InclusionError):
        verify_inclusion(leaf, index, size, path, root)


@given(SIZES, st.data())
def test_no_bit_of_a_consistency_proof_can_be_changed(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size))
    proof = consistency_proof(old, size, nodes(size))
    verify_consistency(old, root_of(old), size, root_of(size), proof)
    before, after, *path = flipped(data, [root_of(old), root_of(size), *proof])
    with pytest.raises(ConsistencyError):
        verify_consistency(old, before, size, after, path)


@given(SIZES, st.lists(st.integers(1, 300), max_size=8), st.data())
def test_any_split_of_appends_gives_one_tree(size: int, steps: list[int], data: st.DataObject) -> None:
    """By leaves, and by the bundles of a server that shows ever more of the log."""
    held, whole, leaves = CompactRange(), CompactRange(), list[bytes]()
    shown = 0
    for step in [*steps, size]:
        shown = min(size, shown + step)
        held = CompactRange.decode(held.size, held.encode()).extend(LEAVES[held.size : shown])
        first = whole.size // 256
        bundles = [
            [b"%d" % number for number in range(start, min(start + 256, shown))]
            for start in range(first * 256, shown, 256)
        ]
        whole, leaves = extend_by_entries(whole, leaves, bundles)
        assert held.root() == whole.extend(leaves).root() == root_of(shown)
    assert held == CompactRange().extend(LEAVES[:size])
    cut = data.draw(st.integers(0, size))
    assert CompactRange().extend(LEAVES[:cut]).extend(LEAVES[cut:size]) == held
