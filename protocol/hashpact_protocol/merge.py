"""Statements to live listings to claims (docs/protocol.md, Merge).

A log's statements are merged in order of their index. ``merge_statements`` takes one batch of them and what is known of
the ids that it touches, and gives what changes. Merging a log in one batch or in many gives the same; a test holds it
to that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from hashpact_protocol.claims import Place, pack_claim
from hashpact_protocol.errors import SignalError
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


class Owner(NamedTuple):
    """Who owns an id within one (member, log name): its kind, the place of its newest statement, and whether it lives.

    Only listings die, by withdrawal.
    """

    kind: int
    log: int
    position: int
    live: bool


class Quarantined(NamedTuple):
    """An entry, or one signal of a listing, that was put aside."""

    position: int
    part: int
    code: str
    reason: str


@dataclass(slots=True)
class Merged:
    """What one batch changes.

    ``owners``: ids (16 bytes) to their new state. ``claims``: signal keys to packed claims that this batch adds.
    ``ended``: places of listings, of before this batch, whose claims end here; ``restated`` maps those among them that
    a newer revision in this batch replaces to that revision's index. ``stopped_at``: the index of a critical unknown
    kind, from which on nothing counts.
    """

    owners: dict[bytes, Owner] = field(default_factory=dict)
    claims: dict[bytes, bytes] = field(default_factory=dict)
    ended: set[Place] = field(default_factory=set)
    restated: dict[Place, int] = field(default_factory=dict)
    expiring: list[tuple[str, int]] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    unknown: int = 0
    stopped_at: int | None = None


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
    statements: Iterable[Statement | Malformed], *, log: int, start: int, known: Mapping[bytes, Owner]
) -> Merged:
    """Merge one batch of a log's statements, the first at index ``start``, in their order.

    ``log`` is the log's local number; ``known`` holds the owners of the touched ids before this batch, taken from all
    logs of the same (member, log name) that count.
    """
    merger = _Merger(log, known)
    for position, statement in enumerate(statements, start):
        if not merger.take(position, statement):
            merger.merged.stopped_at = position
            break
    return merger.finish()


class _Merger:
    """The state while one batch is merged."""

    def __init__(self, log: int, known: Mapping[bytes, Owner]) -> None:
        self.log = log
        self.known = known
        self.merged = Merged()
        self.living: dict[int, Listing] = {}
        self.restates: dict[int, Place] = {}

    def take(self, position: int, statement: Statement | Malformed) -> bool:
        """Merge one statement; False when it stops the log."""
        kind = KIND_OF.get(type(statement))
        if kind is None:
            return self._take_other(position, statement)
        if isinstance(statement, (Malformed, Unknown)):  # pragma: no cover - KIND_OF has neither; for the type checker
            return True
        identifier = id_bytes(statement.id)
        owner = self._owner(identifier)
        if owner is not None and owner.kind != kind:
            reason = f"id {statement.id} belongs to a {Kind(owner.kind).name.lower()} before it"
            self.merged.quarantined.append(Quarantined(position, ENTRY, "id-reused", reason))
            return True
        if isinstance(statement, Listing):
            self._list(position, statement, owner)
        self.merged.owners[identifier] = Owner(kind, self.log, position, live=True)
        if isinstance(statement, Withdrawal):
            self._withdraw(id_bytes(statement.listing))
        return True

    def _take_other(self, position: int, statement: object) -> bool:
        if isinstance(statement, Malformed):
            self.merged.quarantined.append(Quarantined(position, ENTRY, statement.code, statement.reason))
            return True
        self.merged.unknown += 1
        return not (isinstance(statement, Unknown) and statement.critical)

    def _owner(self, identifier: bytes) -> Owner | None:
        return self.merged.owners.get(identifier) or self.known.get(identifier)

    def _list(self, position: int, listing: Listing, owner: Owner | None) -> None:
        for part, reason in enumerate(listing.dropped, ENTRY + 1):
            self.merged.quarantined.append(Quarantined(position, part, SignalError.code, reason))
        if owner is not None and owner.live:
            self._end(owner, position)
        self.living[position] = listing

    def _end(self, owner: Owner, restated_at: int | None) -> None:
        """End the claims of a listing's older revision, which is of this batch or of before it."""
        if owner.log == self.log and self.living.pop(owner.position, None) is not None:
            before = self.restates.pop(owner.position, None)
        else:
            before = Place(owner.log, owner.position)
            self.merged.ended.add(before)
        if before is not None and restated_at is not None:
            self.restates[restated_at] = before

    def _withdraw(self, identifier: bytes) -> None:
        owner = self._owner(identifier)
        if owner is None or owner.kind != Kind.LISTING or not owner.live:
            return
        self._end(owner, None)
        self.merged.owners[identifier] = owner._replace(live=False)

    def finish(self) -> Merged:
        """Gather the claims of the listings that live at the end of the batch."""
        claims = self.merged.claims
        self.merged.restated = {place: position for position, place in self.restates.items()}
        for position, listing in self.living.items():
            if listing.expires is not None:
                self.merged.expiring.append((listing.expires, position))
            for signal in listing.signals:
                claim = pack_claim(self.log, position, signal.quality)
                before = claims.get(signal.key)
                claims[signal.key] = claim if before is None else before + claim
        return self.merged
