"""Merkle trees over SHA-256: hashes, compact ranges, proofs (RFC 6962, 2.1; RFC 9162, 2.1.3 and 2.1.4).

A node is named by ``(level, index)``: level 0 are the leaves, and node ``(l, i)`` is the root over the leaves
``i * 2**l`` up to, and without, ``(i + 1) * 2**l``. Only complete nodes are ever stored or asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice

from hashpact_protocol.errors import ConsistencyError, InclusionError, TileError

HASH_BYTES = 32
EMPTY_ROOT: bytes = sha256().digest()
_BUNDLE_LEVEL = 8
_BUNDLE_WIDTH = 1 << _BUNDLE_LEVEL

NodeReader = Callable[[int, int], bytes]
"""Gives the hash of the complete node ``(level, index)``."""


def leaf_hash(entry: bytes) -> bytes:
    """Hash one entry as a leaf (RFC 6962, section 2.1: the prefix is 0x00)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two children into their parent (RFC 6962, section 2.1: the prefix is 0x01)."""
    return sha256(b"\x01" + left + right).digest()


def subtree_root(hashes: Sequence[bytes]) -> bytes:
    """Compute the tree hash over node hashes of one level, from left to right; any number, none gives EMPTY_ROOT."""
    if not hashes:
        return EMPTY_ROOT
    row = list(hashes)
    while len(row) > 1:
        # A last node without a sibling goes up unhashed, which splits at the largest power of two, as the RFC does.
        alone = row[-1:] if len(row) & 1 else []
        pairs = iter(row)
        row = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=False)]
        row += alone
    return row[0]


def bundle_hashes(entries: Sequence[bytes]) -> tuple[list[bytes], bytes]:
    """Hash the entries of one bundle: their leaf hashes (the tile of level 0) and the root over them."""
    leaves = [sha256(b"\x00" + entry).digest() for entry in entries]
    return leaves, subtree_root(leaves)


@dataclass(frozen=True, slots=True)
class CompactRange:
    """What must be kept of a tree to append to it: its size and the roots of its complete subtrees, largest first.

    There are as many hashes as ``size`` has one bits. TileError when there are not, or when one is not 32 bytes long.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.hashes) != self.size.bit_count():
            raise TileError(f"a compact range of size {self.size} does not have {len(self.hashes)} hashes")
        if any(len(value) != HASH_BYTES for value in self.hashes):
            raise TileError("a compact range holds a hash that is not 32 bytes long")

    def root(self) -> bytes:
        """Compute the root of the whole tree; EMPTY_ROOT at size 0."""
        if not self.hashes:
            return EMPTY_ROOT
        result = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            result = node_hash(left, result)
        return result

    def extend(self, leaf_hashes: Iterable[bytes]) -> CompactRange:
        """Append leaves, given by their hashes; fast for many."""
        leaves = iter(leaf_hashes)
        size, peaks = self.size, list(self.hashes)
        for leaf in islice(leaves, -size % _BUNDLE_WIDTH):
            size = _push(peaks, size, 0, leaf)
        while len(chunk := list(islice(leaves, _BUNDLE_WIDTH))) == _BUNDLE_WIDTH:
            size = _push(peaks, size, _BUNDLE_LEVEL, subtree_root(chunk))
        for leaf in chunk:
            size = _push(peaks, size, 0, leaf)
        return CompactRange(size, tuple(peaks))

    def extend_bundles(self, hashes: Iterable[bytes]) -> CompactRange:
        """Append whole bundles, given by the roots over their 256 leaves.

        ValueError unless the size is a multiple of 256.
        """
        if self.size % _BUNDLE_WIDTH:
            raise ValueError("bundles are appended at a multiple of 256 only")
        size, peaks = self.size, list(self.hashes)
        for value in hashes:
            size = _push(peaks, size, _BUNDLE_LEVEL, value)
        return CompactRange(size, tuple(peaks))

    def encode(self) -> bytes:
        """Concatenate the hashes; the size is kept beside them."""
        return b"".join(self.hashes)

    @classmethod
    def decode(cls, size: int, data: bytes) -> CompactRange:
        """Read back what ``encode`` wrote; TileError when it does not fit the size."""
        return cls(size, split_hashes(data))


def split_hashes(data: bytes) -> tuple[bytes, ...]:
    """Cut concatenated hashes apart; TileError when the length is no multiple of 32."""
    if len(data) % HASH_BYTES:
        raise TileError(f"{len(data)} bytes are no whole number of hashes")
    return tuple(data[start : start + HASH_BYTES] for start in range(0, len(data), HASH_BYTES))


def _push(peaks: list[bytes], size: int, level: int, value: bytes) -> int:
    """Append a complete node of ``level`` to ``peaks`` in place, and give the new size in leaves."""
    place = size >> level
    while place & 1:
        value = sha256(b"\x01" + peaks.pop() + value).digest()
        place >>= 1
    peaks.append(value)
    return size + (1 << level)


def _range_root(start: int, end: int, read: NodeReader) -> bytes:
    """Compute the tree hash of leaves ``start`` to ``end``; ``start`` is a multiple of the range's first split."""
    nodes = []
    while start < end:
        level = (end - start).bit_length() - 1
        nodes.append(read(level, start >> level))
        start += 1 << level
    result = nodes.pop()
    while nodes:
        result = node_hash(nodes.pop(), result)
    return result


def _split(count: int) -> int:
    """The largest power of two below ``count``, which is at least 2 (k in RFC 6962, section 2.1)."""
    return 1 << (count - 1).bit_length() - 1


def inclusion_proof(index: int, size: int, read: NodeReader) -> list[bytes]:
    """Build the audit path of leaf ``index`` in the tree of ``size``, leaf's sibling first (RFC 6962, 2.1.1).

    ValueError when there is no such leaf; errors of ``read`` pass through.
    """
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} in a tree of size {size}")
    proof = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            proof.append(_range_root(middle, end, read))
            end = middle
        else:
            proof.append(_range_root(start, middle, read))
            start = middle
    proof.reverse()
    return proof


def consistency_proof(old: int, new: int, read: NodeReader) -> list[bytes]:
    """Build the proof that the tree of size ``old`` is a prefix of that of size ``new`` (RFC 6962, 2.1.2).

    It is empty for size 0 and for equal sizes. ValueError when ``old`` is negative or above ``new``.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of size {old} is no prefix of one of size {new}")
    if old in (0, new):
        return []
    proof = []
    start, end = 0, new
    while old < end:
        middle = start + _split(end - start)
        if old <= middle:
            proof.append(_range_root(middle, end, read))
            end = middle
        else:
            proof.append(_range_root(start, middle, read))
            start = middle
    if start:
        # The old tree does not end in a node that its verifier holds as the whole old root.
        proof.append(_range_root(start, end, read))
    proof.reverse()
    return proof


def _check_lengths(*hashes: bytes, error: type[InclusionError | ConsistencyError]) -> None:
    if any(len(value) != HASH_BYTES for value in hashes):
        raise error("a hash is not 32 bytes long")


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that the leaf hash ``leaf`` stands at ``index`` in the tree ``(size, root)`` (RFC 9162, 2.1.3.2).

    InclusionError when it does not, when the index is outside, or when the proof is too short or too long.
    """
    _check_lengths(leaf, root, *proof, error=InclusionError)
    if not 0 <= index < size:
        raise InclusionError(f"there is no leaf {index} in a tree of size {size}")
    place, last = index, size - 1
    result = leaf
    for value in proof:
        if last == 0:
            raise InclusionError("the inclusion proof is too long")
        if place & 1 or place == last:
            result = node_hash(value, result)
            place, last = _climb_right_edge(place, last)
        else:
            result = node_hash(result, value)
        place >>= 1
        last >>= 1
    if last:
        raise InclusionError("the inclusion proof is too short")
    if result != root:
        raise InclusionError(f"the inclusion proof of leaf {index} does not lead to the root of size {size}")


def _climb_right_edge(place: int, last: int) -> tuple[int, int]:
    """Skip the levels on which the node is the last one and has no sibling."""
    while place and not place & 1:
        place >>= 1
        last >>= 1
    return place, last


def verify_consistency(old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree ``(old_size, old_root)`` is a prefix of ``(new_size, new_root)`` (RFC 9162, 2.1.4.2).

    Between equal sizes, and from size 0, the proof is empty; a tree of size 0 has EMPTY_ROOT. ConsistencyError when
    it does not hold, when the old tree is the larger one, or when the proof is too short or too long.
    """
    _check_lengths(old_root, new_root, *proof, error=ConsistencyError)
    if not 0 <= old_size <= new_size:
        raise ConsistencyError(f"a tree of size {old_size} is no prefix of one of size {new_size}")
    if any(size == 0 and root != EMPTY_ROOT for size, root in ((old_size, old_root), (new_size, new_root))):
        raise ConsistencyError("a tree of size 0 has another root than that of the empty tree")
    if old_size in (0, new_size):
        if proof:
            raise ConsistencyError("the consistency proof should be empty")
        if old_size == new_size and old_root != new_root:
            raise ConsistencyError(f"two roots at size {old_size}")
        return
    _verify_growth(old_size, old_root, new_size, new_root, proof)


def _verify_growth(old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Verify between sizes 0 < old < new."""
    place, last = old_size - 1, new_size - 1
    while place & 1:
        place >>= 1
        last >>= 1
    # An old size that is a power of two is itself the first node.
    path = [old_root, *proof] if not place else list(proof)
    if not path:
        raise ConsistencyError("the consistency proof is too short")
    old_result = new_result = path[0]
    for value in path[1:]:
        if last == 0:
            raise ConsistencyError("the consistency proof is too long")
        if place & 1 or place == last:
            old_result, new_result = node_hash(value, old_result), node_hash(value, new_result)
            place, last = _climb_right_edge(place, last)
        else:
            new_result = node_hash(new_result, value)
        place >>= 1
        last >>= 1
    if last:
        raise ConsistencyError("the consistency proof is too short")
    if (old_result, new_result) != (old_root, new_root):
        raise ConsistencyError(f"the tree of size {old_size} is no prefix of that of size {new_size}")
