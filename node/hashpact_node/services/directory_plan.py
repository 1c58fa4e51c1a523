"""What a directory would change here, and what is left to people: a pure comparison, by rules that stand here alone.

A person's word stands: whoever was added, paused, suspended, resumed or removed by a person here is left as it is,
until a person takes the directory's word. Whoever is new and may be taken for somebody else is left to a person, too.
The difference is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hashpact_node.services.likeness import about_place
from hashpact_node.store.decisions import DIRECTORY, Decision
from hashpact_node.store.peers import ACTIVE, FOLLOWED, PAUSED, REMOVED, SHOWN, SUSPENDED, Peer
from hashpact_protocol.directory import Directory, DirectoryMember, Standing

ALIKE_MAX: Final = 3
"""How many reasons to look twice at a member are told."""


class Step(StrEnum):
    """What following the directory's word about a member takes; a move is never taken without a person."""

    ADD = "add"
    SUSPEND = "suspend"
    READMIT = "readmit"
    MOVE = "move"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A step that the directory's word about a member takes here; ``left`` says why it is left to a person, if it is.

    Where there is none, the policy decides.
    """

    entry: DirectoryMember
    step: Step
    left: str | None


@dataclass(frozen=True, slots=True)
class Known:
    """A member as it is known here: its row, the fingerprints of its roots that are held, who decided last."""

    peer: Peer
    roots: frozenset[str]
    decision: Decision | None

    def agrees(self, entry: DirectoryMember) -> bool:
        """Whether the directory names a root that is held here, or one that is newer than all of those."""
        newest = max((version_of(one) for one in self.roots), default=0)
        return entry.fingerprint in self.roots or version_of(entry.fingerprint) > newest


def version_of(fingerprint: str) -> int:
    """The version of the root that a fingerprint speaks of."""
    return int(fingerprint.partition(":")[0])


def propose(directory: Directory, known: Mapping[str, Known], others: Sequence[Peer] = ()) -> list[Proposal]:
    """Give what the directory's word takes here, in its order; ``known`` holds everybody ever followed, by id.

    ``others`` are those with whom nobody new may be confused, this member among them. Of this member itself nothing is
    proposed; ``own_differences`` tells what the directory says of it.
    """
    proposals = []
    for entry in directory.members:
        here = known.get(entry.member)
        step = None if here is not None and here.peer.own else _step(entry, here)
        if step is not None:
            left = _alike(entry, others) if here is None else _left(entry, step, here)
            proposals.append(Proposal(entry, step, left))
    return proposals


def unlisted(directory: Directory, known: Mapping[str, Known]) -> list[str]:
    """Give those who came from the directory, are peers still, and are listed there no more."""
    listed = {entry.member for entry in directory.members}
    return sorted(
        member
        for member, here in known.items()
        if member not in listed
        and here.peer.state in SHOWN
        and here.decision is not None
        and here.decision.by == DIRECTORY
    )


def own_differences(directory: Directory, own: Known) -> Iterator[str]:
    """Say where the directory says otherwise of this member than it is."""
    entry = directory.find(own.peer.member)
    if entry is None:
        return
    if entry.url != own.peer.url:
        yield f"this member is at {own.peer.url}, and the directory says {entry.url}"
    if not own.agrees(entry):
        yield f"the directory names a root of this member that is none: {entry.fingerprint}"
    if entry.standing is Standing.SUSPENDED:
        yield f"this member is suspended{because(entry)}"


def because(entry: DirectoryMember) -> str:
    """The reason that the directory gives, to stand behind what it says."""
    return f": {entry.reason}" if entry.reason else ""


def _step(entry: DirectoryMember, here: Known | None) -> Step | None:
    admitted = entry.standing is Standing.ADMITTED
    if here is None or here.peer.state == REMOVED:
        return Step.ADD if admitted else None
    if not admitted:
        return Step.SUSPEND if here.peer.state in FOLLOWED else None
    if entry.url != here.peer.url or not here.agrees(entry):
        return Step.MOVE
    return None if here.peer.state == ACTIVE else Step.READMIT


def _alike(entry: DirectoryMember, others: Sequence[Peer]) -> str | None:
    """Say whom somebody new may be taken for, by its id and address alone."""
    found = [text for other in others for text in about_place(entry.member, entry.url, other.member, other.url)]
    return "; ".join(found[:ALIKE_MAX]) or None


def _left(entry: DirectoryMember, step: Step, here: Known) -> str | None:
    """Say why a step is left to a person, if it is."""
    state, by_directory = here.peer.state, here.decision is not None and here.decision.by == DIRECTORY
    if state == REMOVED:
        return "a person removed it here"
    if not here.agrees(entry):
        return "it was added here under another root"
    if entry.url != here.peer.url:
        return f"it is known here at {here.peer.url}, and a move is a new peering"
    if state == PAUSED:
        return "a person paused it here"
    if state == SUSPENDED and not by_directory:
        return "a person suspended it here"
    if step is Step.SUSPEND and not by_directory:
        return "a person here wants it to be followed"
    return None
