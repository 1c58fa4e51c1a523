"""A log that the suite publishes for one case: any of its sizes can be signed and proven, and another story told."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field

from hashpact_conformance.simulator.log import SimLog
from hashpact_conformance.simulator.member import Member
from hashpact_protocol.merkle import CompactRange, consistency_proof, leaf_hash, subtree_root
from hashpact_protocol.notes import Checkpoint, NoteSignature, format_checkpoint


@dataclass
class Tree:
    """One log of the suite's member; ``story`` makes its entries others'."""

    member: Member
    log: SimLog
    story: str = "one"
    _leaves: list[bytes] = field(default_factory=list)

    def leaves(self, size: int) -> list[bytes]:
        """Give the leaf hashes of the first entries."""
        for number in range(len(self._leaves), size):
            self._leaves.append(leaf_hash(f"{self.log.origin} {self.story} {number}".encode()))
        return self._leaves[:size]

    def root(self, size: int) -> bytes:
        """Give the root over the first entries."""
        return CompactRange().extend(self.leaves(size)).root()

    def other_story(self) -> Tree:
        """Give the same log with other entries from the first on."""
        return Tree(self.member, self.log, "another")

    def text(self, size: int, *, root: bytes | None = None, extensions: Sequence[str] = ()) -> bytes:
        """Write the checkpoint's text of a size."""
        checkpoint = Checkpoint(self.log.origin, size, self.root(size) if root is None else root, tuple(extensions))
        return format_checkpoint(checkpoint)

    def note(self, size: int, *, root: bytes | None = None, more: Sequence[NoteSignature | str] = ()) -> bytes:
        """Sign the checkpoint of a size."""
        return self.member.note(self.log, text=self.text(size, root=root), more=more)

    def proof(self, old: int, new: int) -> list[str]:
        """Prove that the tree of one size begins that of another; base64 lines."""
        leaves = self.leaves(new)
        hashes = consistency_proof(old, new, lambda level, at: subtree_root(leaves[at << level : (at + 1) << level]))
        return [base64.b64encode(one).decode() for one in hashes]

    def body(self, old: int, new: int) -> bytes:
        """Write an honest request to go from one size to another."""
        return request(old, self.proof(old, new) if 0 < old < new else [], self.note(new))


def request(old: object, proof: Sequence[str], note: bytes) -> bytes:
    """Write a request as it is told, right or wrong."""
    return "".join(f"{line}\n" for line in (f"old {old}", *proof, "")).encode() + note
