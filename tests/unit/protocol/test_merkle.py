from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashpact_protocol.errors import ConsistencyError, HashpactError, InclusionError, TileError
from hashpact_protocol.merkle import (
    EMPTY_ROOT,
    CompactRange,
    bundle_hashes,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    split_hashes,
    subtree_root,
    verify_consistency,
    verify_inclusion,
)
from vectors.cases import cases, facts, on_disk
from vectors.generate_trees import merkle_family, numbered, path, subproof, tree

SIZES = st.one_of(st.integers(1, 40), st.integers(250, 300), st.integers(500, 530))


def reader(entries: list[bytes]) -> Callable[[int, int], bytes]:
    """Read nodes of a tree by the naive definition; a node that is not complete is a mistake of the code under test."""

    def read(level: int, index: int) -> bytes:
        start, end = index << level, (index + 1) << level
        assert end <= len(entries)
        return tree(entries[start:end])

    return read


def unhex(case: dict[str, Any]) -> dict[str, Any]:
    roots = ("leaf", "root", "old_root", "new_root")
    decoded = {name: bytes.fromhex(case[name]) for name in roots if name in case}
    return {**case, **decoded, "proof": [bytes.fromhex(text) for text in case.get("proof", [])]}


def check(case: dict[str, Any]) -> None:
    if case["read"] == "root":
        leaves, root = bundle_hashes([bytes.fromhex(text) for text in case["entries"]])
        assert root == CompactRange().extend(leaves).root() == case["root"]
    elif case["read"] == "inclusion":
        verify_inclusion(case["leaf"], case["index"], case["size"], case["proof"], case["root"])
    else:
        verify_consistency(case["old_size"], case["old_root"], case["new_size"], case["new_root"], case["proof"])


@pytest.mark.parametrize("folder", cases("merkle", "root", "inclusion", "consistency"), ids=lambda folder: folder.name)
def test_vector(folder: Path) -> None:
    case = unhex(facts(folder))
    assert folder.name.endswith("_fail") == ("error" in case)
    if "error" in case:
        with pytest.raises(HashpactError) as caught:
            check(case)
        assert caught.value.code == case["error"]
    else:
        check(case)


def test_vectors_are_what_the_generator_makes() -> None:
    assert on_disk("merkle") == merkle_family().files


def test_hashes_have_their_prefixes() -> None:
    assert leaf_hash(b"") == tree([b""])
    assert node_hash(leaf_hash(b"a"), leaf_hash(b"b")) == tree([b"a", b"b"])
    assert EMPTY_ROOT == tree([]) == subtree_root([]) == CompactRange().root()


@settings(deadline=None)  # the naive trees are slow on a busy machine
@given(SIZES)
def test_subtree_root_is_the_tree_hash(size: int) -> None:
    entries = numbered(size)
    assert bundle_hashes(entries) == ([leaf_hash(entry) for entry in entries], tree(entries))


@settings(deadline=None)  # the naive trees are slow on a busy machine
@given(st.lists(SIZES, max_size=4))
def test_ranges_grow_in_any_steps(steps: list[int]) -> None:
    entries = numbered(sum(steps))
    leaves = [leaf_hash(entry) for entry in entries]
    held = CompactRange()
    for step in steps:
        held = held.extend(iter(leaves[held.size : held.size + step]))
        assert held.root() == tree(entries[: held.size])
        assert CompactRange.decode(held.size, held.encode()) == held
    assert held == CompactRange().extend(leaves)


@settings(deadline=None)  # the naive trees are slow on a busy machine
@given(st.integers(0, 6), st.integers(0, 6))
def test_ranges_grow_by_bundles(before: int, more: int) -> None:
    leaves = [leaf_hash(entry) for entry in numbered(256 * (before + more))]
    roots = [subtree_root(leaves[start : start + 256]) for start in range(0, len(leaves), 256)]
    held = CompactRange().extend(leaves[: 256 * before])
    assert held.extend_bundles(roots[before:]) == CompactRange().extend(leaves)


def test_no_bundle_in_the_middle_of_another() -> None:
    with pytest.raises(ValueError, match="multiple of 256"):
        CompactRange().extend([bytes(32)]).extend_bundles([bytes(32)])


@pytest.mark.parametrize(("size", "data"), [(0, bytes(32)), (1, b""), (3, bytes(32)), (1, bytes(31)), (-1, bytes(32))])
def test_no_range_of_another_length(size: int, data: bytes) -> None:
    with pytest.raises(TileError):
        CompactRange.decode(size, data)


def test_no_range_with_hashes_of_another_length() -> None:
    with pytest.raises(TileError, match="32 bytes"):
        CompactRange(1, (bytes(33),))


def test_split_hashes() -> None:
    assert split_hashes(bytes(32) + b"\1" * 32) == (bytes(32), b"\1" * 32)
    assert split_hashes(b"") == ()


@settings(deadline=None)  # the naive trees are slow on a busy machine
@given(SIZES, st.data())
def test_inclusion_proofs(size: int, data: st.DataObject) -> None:
    entries, index = numbered(size), data.draw(st.integers(0, size - 1))
    leaf, root = leaf_hash(entries[index]), tree(entries)
    proof = inclusion_proof(index, size, reader(entries))
    assert proof == path(index, entries)
    verify_inclusion(leaf, index, size, proof, root)
    for wrong in wrongs(proof, data):
        with pytest.raises(InclusionError):
            verify_inclusion(leaf, index, size, wrong, root)
    if size > 1:
        other = data.draw(st.integers(0, size - 1).filter(lambda place: place != index))
        with pytest.raises(InclusionError):
            verify_inclusion(leaf, other, size, proof, root)


@settings(deadline=None)  # the naive trees are slow on a busy machine
@given(SIZES, st.data())
def test_consistency_proofs(new: int, data: st.DataObject) -> None:
    entries, old = numbered(new), data.draw(st.integers(0, new))
    old_root, new_root = tree(entries[:old]), tree(entries)
    proof = consistency_proof(old, new, reader(entries))
    assert proof == (subproof(old, entries) if old else [])
    verify_consistency(old, old_root, new, new_root, proof)
    for wrong in wrongs(proof, data):
        with pytest.raises(ConsistencyError):
            verify_consistency(old, old_root, new, new_root, wrong)
    if old > 0:
        with pytest.raises(ConsistencyError):
            verify_consistency(old, bytes(32), new, new_root, proof)


def wrongs(proof: list[bytes], data: st.DataObject) -> list[list[bytes]]:
    """Proofs that are nearly right: one hash too many, and where there are any, one too few and one altered."""
    found = [[*proof, bytes(32)]]
    if proof:
        place = data.draw(st.integers(0, len(proof) - 1))
        found.append(proof[:place] + proof[place + 1 :])
        found.append([*proof[:place], bytes(32), *proof[place + 1 :]])
    return found


def test_every_small_tree() -> None:
    entries = numbered(20)
    read = reader(entries)
    for size in range(21):
        for index in range(size):
            assert inclusion_proof(index, size, read) == path(index, entries[:size])
        for old in range(1, size + 1):
            assert consistency_proof(old, size, read) == subproof(old, entries[:size])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3)])
def test_no_proof_of_what_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="there is no leaf"):
        inclusion_proof(index, size, reader([]))


@pytest.mark.parametrize(("old", "new"), [(4, 3), (-1, 3)])
def test_no_proof_that_a_log_shrank(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="no prefix"):
        consistency_proof(old, new, reader([]))
