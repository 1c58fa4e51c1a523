"""Statements to live listings to claims (docs/protocol.md, Merge).

A log's statements are merged in order of their index. ``merge_statements`` takes one batch of them and what is known of
the ids that it touches, and gives what changes. Merging a log in one batch or in many gives the same; a test holds it
to that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from hashpact_protocol.claims import QUALITY_BYTE, Place, pack_place
from hashpact_protocol.errors import SignalError
from hashpact_protocol.incidents import STEPS_KEPT
from hashpact_protocol.statements import Incident, Listing, Malformed, Opinion, Statement, Unknown, Withdrawal


class Kind(IntEnum):
    """The kinds that own ids, as stores number them."""

    LISTING = 1
    WITHDRAWAL = 2
    OPINION = 3
    INCIDENT = 4


KIND_OF: dict[type, Kind] = {
    Listing: Kind.LISTING,
    Withdrawal: Kind.WITHDRAWAL,
    Opinion: Kind.OPINION,
    Incident: Kind.INCIDENT,
}

ENTRY = 0
"""The part of a quarantine record that means the whole entry; 1 and more count the malformed signals of a sound one."""

QUARANTINE_ROOM = 10_000
"""How many quarantine records a merge keeps unless it is told otherwise."""

ID_REUSED = "id-reused"
"""The code of a well-formed statement that uses an id which belongs to another kind."""


class Owner(NamedTuple):
    """Who owns an id within one (member, log name): its kind, the place of its newest statement, and whether it lives.

    Only listings die, by withdrawal.
    """

    kind: int
    log: int
    position: int
    live: bool


class Tagged(NamedTuple):
    """A listing that names an incident: its index, both ids (16 bytes), and its time, as on the wire."""

    position: int
    id: bytes
    incident: bytes
    time: str


class Quarantined(NamedTuple):
    """An entry, or one signal of a listing, that was put aside."""

    position: int
    part: int
    code: str
    reason: str


class Opined(NamedTuple):
    """A member's newest opinion on one listing: its index, and what it says; ``time`` is as on the wire."""

    position: int
    time: str
    verdict: str
    reason: str | None
    leaf: bytes


class Ended(NamedTuple):
    """A withdrawal's time, as on the wire, and the place of the listing that it ended."""

    time: str
    place: Place


About = tuple[str, str, bytes]
"""What an opinion is about: member, name of the log, id of the listing (16 bytes)."""


@dataclass(slots=True)
class Merged:
    """What one batch changes.

    ``owners``: ids (16 bytes) to their new state. ``claims``: signal keys to packed claims that this batch adds.
    ``ended``: places of listings, of before this batch, whose claims end here; ``restated`` maps those among them that
    live on by a newer revision in this batch, withdrawn in between or not, to that revision's index. ``expiring``: the
    time and index of listings that live and expire. ``stopped_at``: the index of a critical unknown kind, from which on
    nothing counts; it is counted in ``unknown`` too.

    ``labels``: of the revisions that ``restated`` names, by index.

    ``steps``: the incident statements, with their indices, in order, at most the ``STEPS_KEPT`` newest. ``tagged``:
    every listing that names an incident, whether it lives on or not.

    ``quarantined``: the first of the records, as many as there was room for; ``odd_entries`` and ``odd_signals`` count
    all entries and all signals of sound ones that were put aside.

    ``unowned``: ids that a withdrawal named when they had no owner. Merged with fewer owners ``known`` than there may
    be, a batch holds only if neither these nor the ids of ``owners`` have an owner of before.

    ``opinions``: the newest of this batch on each listing. ``withdrawn``: the listings of before this batch that a
    withdrawal ended.
    """

    owners: dict[bytes, Owner] = field(default_factory=dict)
    claims: dict[bytes, bytes] = field(default_factory=dict)
    ended: set[Place] = field(default_factory=set)
    restated: dict[Place, int] = field(default_factory=dict)
    labels: dict[int, tuple[str, ...]] = field(default_factory=dict)
    expiring: list[tuple[str, int]] = field(default_factory=list)
    steps: list[tuple[int, Incident]] = field(default_factory=list)
    tagged: list[Tagged] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    odd_entries: int = 0
    odd_signals: int = 0
    unowned: set[bytes] = field(default_factory=set)
    unknown: int = 0
    stopped_at: int | None = None
    opinions: dict[About, Opined] = field(default_factory=dict)
    withdrawn: dict[bytes, Ended] = field(default_factory=dict)


def id_bytes(identifier: str) -> bytes:
    """Give the 16 bytes of a UUID in its text form."""
    return bytes.fromhex(identifier.replace("-", ""))


def id_text(identifier: bytes) -> str:
    """Give the text form, lower case with hyphens, of a UUID's 16 bytes."""
    digits = identifier.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def touched_ids(statements: Iterable[Statement | Malformed]) -> set[bytes]:
    """Give the ids whose state a batch of statements may depend on: its own, and those of listings it withdraws."""
    touched: set[bytes] = set()
    for statement in statements:
        if isinstance(statement, (Malformed, Unknown)):
            continue
        touched.add(id_bytes(statement.id))
        if isinstance(statement, Withdrawal):
            touched.add(id_bytes(statement.listing))
    return touched


def merge_statements(
    statements: Iterable[Statement | Malformed],
    *,
    log: int,
    start: int,
    known: Mapping[bytes, Owner],
    quarantine_room: int = QUARANTINE_ROOM,
) -> Merged:
    """Merge one batch of a log's statements, the first at index ``start``, in their order.

    ``log`` is the log's local number; ``known`` holds the owners of the touched ids before this batch, taken from all
    logs of the same (member, log name) that count. At most ``quarantine_room`` quarantine records are kept.
    """
    merger = Merger(log=log, start=start, known=known, quarantine_room=quarantine_room)
    merger.take_all(statements)
    return merger.finish()


class Merger:
    """The state while one batch is merged; statements may come a bundle at a time, and none of them is kept.

    ``log``, ``start``, ``known`` and ``quarantine_room`` are as for ``merge_statements``.
    """

    def __init__(
        self, *, log: int, start: int, known: Mapping[bytes, Owner], quarantine_room: int = QUARANTINE_ROOM
    ) -> None:
        self.log = log
        self._room = quarantine_room
        self.known = known
        self.merged = Merged()
        self._position = start
        self._living: dict[int, _Living] = {}  # the live listings of this batch, by index and in its order
        self._before: dict[bytes, Place] = {}  # the places, of before this batch, where ended listings stood
        self._steps: deque[tuple[int, Incident]] = deque(maxlen=STEPS_KEPT)
        self._labels: dict[int, tuple[str, ...]] = {}  # of the listings whose id stood already

    def take_all(self, statements: Iterable[Statement | Malformed]) -> None:
        """Merge the next statements in their order; behind a critical unknown kind they are passed over."""
        if self.merged.stopped_at is not None:
            return
        for position, statement in enumerate(statements, self._position):
            self._position = position + 1
            if not self._take(position, statement):
                self.merged.stopped_at = position
                return

    def _take(self, position: int, statement: Statement | Malformed) -> bool:
        """Merge one statement; False when it stops the log."""
        if isinstance(statement, Malformed):
            self._quarantine(position, statement.code, statement.reason)
            return True
        if isinstance(statement, Unknown):
            self.merged.unknown += 1
            return not statement.critical
        kind = KIND_OF[type(statement)]
        identifier = id_bytes(statement.id)
        owner = self._owner(identifier)
        if owner is not None and owner.kind != kind:
            what = f"the id {statement.id} is taken by a statement of kind {Kind(owner.kind).name.lower()}"
            self._quarantine(position, ID_REUSED, what)
            return True
        if isinstance(statement, Listing):
            self._list(position, identifier, statement, owner)
        elif isinstance(statement, Withdrawal):
            self._withdraw(id_bytes(statement.listing), statement.time)
        elif isinstance(statement, Incident):
            self._steps.append((position, statement))
        else:
            self._opine(position, statement)
        self.merged.owners[identifier] = Owner(kind, self.log, position, live=True)
        return True

    def _quarantine(self, position: int, code: str, reason: str) -> None:
        self.merged.odd_entries += 1
        if self._room > 0:
            self._room -= 1
            self.merged.quarantined.append(Quarantined(position, ENTRY, code, reason))

    def _quarantine_signals(self, position: int, reasons: tuple[str, ...]) -> None:
        self.merged.odd_signals += len(reasons)
        if self._room > 0:
            kept = reasons[: self._room]
            self._room -= len(kept)
            records = (Quarantined(position, part, SignalError.code, why) for part, why in enumerate(kept, ENTRY + 1))
            self.merged.quarantined.extend(records)

    def _owner(self, identifier: bytes) -> Owner | None:
        return self.merged.owners.get(identifier) or self.known.get(identifier)

    def _list(self, position: int, identifier: bytes, listing: Listing, owner: Owner | None) -> None:
        if listing.dropped:
            self._quarantine_signals(position, listing.dropped)
        if owner is not None:
            self._labels[position] = listing.labels
            if owner.live:
                self._end(identifier, owner)
        if listing.incident is not None:
            self.merged.tagged.append(Tagged(position, identifier, id_bytes(listing.incident), listing.time))
        place = pack_place(self.log, position)
        claims = tuple((signal.key, place + QUALITY_BYTE[signal.quality]) for signal in listing.signals)
        self._living[position] = _Living(listing.expires, claims)

    def _opine(self, position: int, opinion: Opinion) -> None:
        about = (opinion.member, opinion.log, id_bytes(opinion.listing))
        leaf = bytes.fromhex(opinion.leaf)
        self.merged.opinions[about] = Opined(position, opinion.time, opinion.verdict, opinion.reason, leaf)

    def _withdraw(self, identifier: bytes, time: str) -> None:
        owner = self._owner(identifier)
        if owner is None:
            self.merged.unowned.add(identifier)
        elif owner.kind == Kind.LISTING and owner.live:
            if self._end(identifier, owner):
                self.merged.withdrawn[identifier] = Ended(time, Place(owner.log, owner.position))
            self.merged.owners[identifier] = owner._replace(live=False)

    def _end(self, identifier: bytes, owner: Owner) -> bool:
        """End the claims of a listing's live revision; say whether that is of before this batch."""
        if owner.log == self.log and self._living.pop(owner.position, None) is not None:
            return False
        self._before[identifier] = Place(owner.log, owner.position)
        return True

    def finish(self) -> Merged:
        """Gather what ended, and the claims of the listings that live at the end of the batch."""
        merged = self.merged
        merged.steps = list(self._steps)
        merged.ended = set(self._before.values())
        for identifier, place in self._before.items():
            owner = merged.owners[identifier]
            if owner.live:
                merged.restated[place] = owner.position
        merged.labels = {position: self._labels[position] for position in merged.restated.values()}
        claims = merged.claims
        for position, living in self._living.items():
            if living.expires is not None:
                merged.expiring.append((living.expires, position))
            for key, claim in living.claims:
                before = claims.get(key)
                claims[key] = claim if before is None else before + claim
        return merged


class _Living(NamedTuple):
    """What is kept of a live listing until the end of the batch: when it expires, and its packed claims by key."""

    expires: str | None
    claims: tuple[tuple[bytes, bytes], ...]
