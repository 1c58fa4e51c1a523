"""Make the vectors of trees and tiles anew: ``python tests/vectors/generate_trees.py``.

The trees are computed here by the recursive definitions of RFC 6962, section 2.1, and not with the code under test.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

if __name__ == "__main__":  # pragma: no cover - as a script, it stands beside its package
    sys.path.insert(0, str(Path(__file__).parent.parent))

from vectors.cases import Family, write

# The inputs, and the roots of their first 0 to 8, of the tests of google/certificate-transparency
# (merkletree/merkle_tree_test.cc), which other implementations of RFC 6962 use as well.
KNOWN_INPUTS = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
KNOWN_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
# Node hashes out of the same tests, by which their proofs are written.
N1, N01, N23, N67 = (
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    KNOWN_ROOTS[2],
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
)
N4, N45, N4567 = (
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
)
KNOWN_INCLUSION: list[tuple[int, int, list[str]]] = [
    (0, 1, []),
    (0, 8, [N1, N23, N4567]),
    (5, 8, [N4, N67, KNOWN_ROOTS[4]]),
    (2, 3, [N01]),
    (1, 5, [KNOWN_ROOTS[1], N23, N4]),
]
KNOWN_CONSISTENCY: list[tuple[int, int, list[str]]] = [
    (1, 1, []),
    (1, 8, [N1, N23, N4567]),
    (6, 8, [N45, N67, KNOWN_ROOTS[4]]),
    (2, 5, [N23, N4]),
]
Facts = Mapping[str, object]
MALFORMED = "tile-malformed"


def leaf(entry: bytes) -> bytes:
    return sha256(b"\0" + entry).digest()


def tree(entries: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1."""
    if len(entries) < 2:
        return leaf(entries[0]) if entries else sha256().digest()
    middle = split(len(entries))
    return sha256(b"\1" + tree(entries[:middle]) + tree(entries[middle:])).digest()


def split(count: int) -> int:
    middle = 1
    while middle * 2 < count:
        middle *= 2
    return middle


def path(index: int, entries: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 6962, section 2.1.1."""
    if len(entries) == 1:
        return []
    middle = split(len(entries))
    if index < middle:
        return [*path(index, entries[:middle]), tree(entries[middle:])]
    return [*path(index - middle, entries[middle:]), tree(entries[:middle])]


def subproof(old: int, entries: Sequence[bytes], *, whole: bool = True) -> list[bytes]:
    """SUBPROOF of RFC 6962, section 2.1.2."""
    if old == len(entries):
        return [] if whole else [tree(entries)]
    middle = split(len(entries))
    if old <= middle:
        return [*subproof(old, entries[:middle], whole=whole), tree(entries[middle:])]
    return [*subproof(old - middle, entries[middle:], whole=False), tree(entries[:middle])]


def numbered(count: int) -> list[bytes]:
    return [f"entry {number}".encode() for number in range(count)]


def inclusion(index: int, entries: Sequence[bytes], other: Facts = MappingProxyType({})) -> dict[str, object]:
    proof = [value.hex() for value in path(index, entries)]
    facts = {"leaf": leaf(entries[index]).hex(), "index": index, "size": len(entries), "proof": proof}
    return {"read": "inclusion", **facts, "root": tree(entries).hex(), **other}


def consistency(old: int, entries: Sequence[bytes], other: Facts = MappingProxyType({})) -> dict[str, object]:
    proof = [value.hex() for value in subproof(old, entries)] if old else []
    facts = {"old_size": old, "old_root": tree(entries[:old]).hex(), "new_size": len(entries)}
    return {"read": "consistency", **facts, "new_root": tree(entries).hex(), "proof": proof, **other}


def known_trees(merkle: Family) -> None:
    facts: Facts
    source = "published with google/certificate-transparency, merkle_tree_test.cc"
    for size, root in enumerate(KNOWN_ROOTS):
        facts = {"read": "root", "entries": [entry.hex() for entry in KNOWN_INPUTS[:size]], "root": root}
        merkle.add(f"known-root-{size}", f"A root {source}.", facts)
    for index, size, proof in KNOWN_INCLUSION:
        facts = inclusion(index, KNOWN_INPUTS[:size], {"proof": proof, "root": KNOWN_ROOTS[size]})
        merkle.add(f"known-inclusion-{index}-{size}", f"A path {source}.", facts)
    for old, new, proof in KNOWN_CONSISTENCY:
        published = {"proof": proof, "old_root": KNOWN_ROOTS[old], "new_root": KNOWN_ROOTS[new]}
        facts = consistency(old, KNOWN_INPUTS[:new], published)
        merkle.add(f"known-consistency-{old}-{new}", f"A proof {source}.", facts)


def larger_trees(merkle: Family) -> None:
    for index, size in [(0, 300), (255, 300), (256, 300), (299, 300), (256, 257), (511, 512)]:
        why = "A path across the edge of a bundle."
        merkle.add(f"inclusion-{index}-{size}", why, inclusion(index, numbered(size)))
    for old, new in [(0, 0), (0, 300), (255, 300), (256, 300), (257, 300), (300, 300), (511, 513)]:
        why = "A proof across the edge of a bundle, empty from 0 and between equal sizes."
        merkle.add(f"consistency-{old}-{new}", why, consistency(old, numbered(new)))


def untrue_inclusion(merkle: Family) -> None:
    entries = numbered(7)
    right = [value.hex() for value in path(3, entries)]
    zero = "00" * 32
    cases: list[tuple[str, str, Facts]] = [
        ("other-leaf", "Another entry.", {"leaf": zero}),
        ("entry-altered", "An entry with one bit turned over.", {"leaf": leaf(b"entry 2").hex()}),
        ("other-root", "Another tree.", {"root": zero}),
        ("other-index", "The same entry at another place.", {"index": 2}),
        ("other-size", "The same root at another size.", {"size": 9}),
        ("index-is-size", "The first place behind the tree.", {"index": 7}),
        ("index-negative", "A place before the tree.", {"index": -1}),
        ("size-0", "The empty tree has no leaves.", {"index": 0, "size": 0}),
        ("too-short", "The last hash is missing.", {"proof": right[:-1]}),
        ("empty", "No hashes at all.", {"proof": []}),
        ("too-long", "A hash too many.", {"proof": [*right, zero]}),
        ("altered", "A hash of the path is another.", {"proof": [right[0], zero, *right[2:]]}),
        ("reordered", "The path from the root down.", {"proof": right[::-1]}),
        ("short-hash", "A hash of 31 bytes.", {"proof": [right[0][:-2], *right[1:]]}),
        (
            "joined-hashes",
            "Two hashes in one, which would hash alike without a look at lengths.",
            {"leaf": right[0] * 2},
        ),
    ]
    for case, why, other in cases:
        facts = inclusion(3, entries, {**other, "error": "inclusion-invalid"})
        merkle.add(f"inclusion-{case}_fail", why, facts)


def untrue_consistency(merkle: Family) -> None:
    entries = numbered(7)
    right = [value.hex() for value in subproof(3, entries)]
    zero, empty = "00" * 32, sha256().hexdigest()
    cases: list[tuple[str, str, int, Facts]] = [
        ("other-old-root", "The old tree is no prefix.", 3, {"old_root": zero}),
        ("other-new-root", "The new tree does not go on from it.", 3, {"new_root": zero}),
        ("other-old-size", "The same root at another size.", 3, {"old_size": 2}),
        ("too-short", "The last hash is missing.", 3, {"proof": right[:-1]}),
        ("empty", "No hashes at all.", 3, {"proof": []}),
        ("too-long", "A hash too many.", 3, {"proof": [*right, zero]}),
        ("altered", "A hash of the proof is another.", 3, {"proof": [right[0], zero, *right[2:]]}),
        ("reordered", "The proof from the root down.", 3, {"proof": right[::-1]}),
        ("short-hash", "A hash of 31 bytes.", 3, {"proof": [right[0][:-2], *right[1:]]}),
        (
            "power-of-two-with-old-root",
            "The old root is not repeated when it is a node itself.",
            4,
            {"proof": [tree(entries[:4]).hex(), *[value.hex() for value in subproof(4, entries)]]},
        ),
        ("power-of-two-empty", "From a power of two, no hashes at all.", 4, {"proof": []}),
        ("shrinks", "A log does not shrink.", 3, {"new_size": 2}),
        ("negative", "No size is negative.", 3, {"old_size": -1}),
        ("same-size-other-root", "Two roots at one size.", 7, {"new_root": zero}),
        ("same-size-with-proof", "Nothing is to prove between equal sizes.", 7, {"proof": [zero]}),
        ("from-0-with-proof", "Nothing is to prove from size 0.", 0, {"proof": [zero]}),
        ("from-0-other-root", "Size 0 has one root.", 0, {"old_root": zero}),
        ("to-0-other-root", "Size 0 has one root.", 0, {"new_size": 0, "new_root": zero, "old_root": empty}),
    ]
    for case, why, old, other in cases:
        facts = consistency(old, entries, {**other, "error": "consistency-invalid"})
        merkle.add(f"consistency-{case}_fail", why, facts)


def merkle_family() -> Family:
    """Make the family ``merkle``."""
    merkle = Family("merkle")
    for part in (known_trees, larger_trees, untrue_inclusion, untrue_consistency):
        part(merkle)
    return merkle


def paths(tiles: Family) -> None:
    for case, text, level, number, width in [
        ("first", "tile/0/000", 0, 0, 256),
        ("last-short", "tile/0/999", 0, 999, 256),
        ("first-grouped", "tile/0/x001/000", 0, 1000, 256),
        ("published", "tile/0/x001/x234/067", 0, 1_234_067, 256),
        ("partial", "tile/1/x001/234.p/17", 1, 1234, 17),
        ("narrowest", "tile/2/000.p/1", 2, 0, 1),
        ("widest-partial", "tile/63/000.p/255", 63, 0, 255),
        ("bundle", "tile/entries/000", None, 0, 256),
        ("bundle-partial", "tile/entries/x005/007.p/9", None, 5007, 9),
        ("largest", "tile/0/x009/x223/x372/x036/x854/x775/807", 0, 2**63 - 1, 256),
    ]:
        facts = {"read": "path", "path": text, "level": level, "number": number, "width": width}
        tiles.add(f"path-{case}", "A path, read and written; level null is a bundle.", facts)
    for number, text in enumerate(REFUSED_PATHS, start=1):
        why = "Not the spelling of any tile or bundle."
        tiles.add(f"path-{number:02}_fail", why, {"read": "path", "path": text, "error": MALFORMED})


REFUSED_PATHS = [
    "", "tile", "tile/", "tile/0", "tile/0/", "/tile/0/000", "tile/0/000/", "tile//000", "tile/0//000", "Tile/0/000",
    "tile/00/000", "tile/01/000", "tile/64/000", "tile/-1/000", "tile/+1/000", "tile/256/000", "tile/\u0661/000",
    "tile/0/0", "tile/0/00", "tile/0/0000", "tile/0/1000", "tile/0/x000/001", "tile/0/001/234", "tile/0/x001/x234",
    "tile/0/x001", "tile/0/X001/234", "tile/0/x1/234", "tile/0/x000/x001/234", "tile/0/-01", "tile/0/00\u0661",
    "tile/0/../000", "tile/0/..", "tile/../0/000", "tile/0/000/..", "tile/0/./000", "tile/0/%30%30%30", "tile\\0\\000",
    "tile/0/000.p", "tile/0/000.p/", "tile/0/000.p/0", "tile/0/000.p/00", "tile/0/000.p/01", "tile/0/000.p/256",
    "tile/0/000.p/257", "tile/0/000.p/1000", "tile/0/000.p/-1", "tile/0/000.P/1", "tile/0/000p/1", "tile/0/000/p/1",
    "tile/0/000.p/1/", "tile/0/000.p/1.p/1", "tile/0/000\n", "tile/0/000 ", " tile/0/000", "tile/0/000?x",
    "tile/0/000#x",
    "tile/0/000\0", "tile/entry/000", "tile/Entries/000", "tile/entries/0", "entries/000", "tile/data/000",
    "tile/0/x009/x223/x372/x036/x854/x775/808", "tile/0/x001/x000/x000/x000/x000/x000/x000/000",
]  # fmt: skip


def bundles(tiles: Family) -> None:
    entries = [b"first", b"", b"{}", bytes(range(256)) * 255 + bytes(255)]
    framed = [len(entry).to_bytes(2, "big") + entry for entry in entries]
    data = b"".join(framed)
    facts = {"read": "bundle", "width": 4, "sha256": [sha256(entry).hexdigest() for entry in entries]}
    tiles.add("bundle", "Entries of 5, 0, 2 and 65535 bytes.", facts, bundle=data)
    full = [f"{number}".encode() for number in range(256)]
    facts = {"read": "bundle", "width": 256, "sha256": [sha256(entry).hexdigest() for entry in full]}
    blob = b"".join(len(entry).to_bytes(2, "big") + entry for entry in full)
    tiles.add("bundle-full", "256 entries.", facts, bundle=blob)
    for case, why, width, blob in [
        ("too-wide", "Four entries where three are due.", 3, data),
        ("too-narrow", "Four entries where five are due.", 5, data),
        ("cut", "The last entry is cut.", 4, data[:-1]),
        ("cut-in-length", "The last length is cut.", 4, b"".join(framed[:3]) + b"\0"),
        ("trailing", "A byte behind the last entry.", 4, data + b"\0"),
        ("trailing-entry", "An empty entry behind the last.", 4, data + b"\0\0"),
        ("empty", "No bytes.", 1, b""),
        ("little-endian", "Lengths are big-endian.", 1, b"\5\0first"),
        ("width-0", "No bundle is empty.", 0, b""),
        ("width-257", "No bundle is wider than 256.", 257, bytes(2 * 257)),
    ]:
        tiles.add(f"bundle-{case}_fail", why, {"read": "bundle", "width": width, "error": MALFORMED}, bundle=blob)


def hash_tiles(tiles: Family) -> None:
    hashes = [leaf(entry) for entry in numbered(256)]
    for width in (1, 255, 256):
        facts = {"read": "tile", "width": width, "root": tree(numbered(width)).hex()}
        tiles.add(f"tile-{width}", "Leaf hashes and the root over them.", facts, tile=b"".join(hashes[:width]))
    for case, why, width, blob in [
        ("cut", "The last hash is cut.", 2, bytes(63)),
        ("trailing", "A byte behind the last hash.", 2, bytes(65)),
        ("too-wide", "Three hashes where two are due.", 2, bytes(96)),
        ("too-narrow", "One hash where two are due.", 2, bytes(32)),
        ("empty", "No tile is empty.", 0, b""),
        ("width-257", "No tile is wider than 256.", 257, bytes(32 * 257)),
    ]:
        tiles.add(f"tile-{case}_fail", why, {"read": "tile", "width": width, "error": MALFORMED}, tile=blob)


def tile_family() -> Family:
    """Make the family ``tiles``."""
    tiles = Family("tiles")
    for part in (paths, bundles, hash_tiles):
        part(tiles)
    return tiles


if __name__ == "__main__":  # pragma: no cover - the tests call the families
    write([merkle_family(), tile_family()])
