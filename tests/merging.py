"""Statements with numbered ids, and a node in small, for the tests of merging."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from hashpact_protocol.claims import Place, join_claims, unpack_claims
from hashpact_protocol.merge import (
    Kind,
    Merged,
    Owner,
    id_bytes,
    id_text,
    merge_statements,
    touched_ids,
)
from hashpact_protocol.signals import Signal, make_signal
from hashpact_protocol.statements import Incident, Listing, Malformed, Opinion, Unknown, Withdrawal
from vectors.naive_merge import At, Entry

TIME = "2026-11-24T04:00:00Z"
LATER = "2027-11-24T04:00:00Z"
LEAF = "ab" * 32


def uuid_of(number: int) -> str:
    return str(UUID(int=number, version=4))


def signal(number: int, quality: int | None = None) -> Signal:
    """Signal number ``number``: PDQ where a quality is told, SHA-256 elsewhere."""
    value = f"{number:064x}"
    return make_signal("sha256", value) if quality is None else make_signal("pdq", value, quality)


def listing(number: int, *signals: int, dropped: tuple[str, ...] = (), expires: str | None = None) -> Listing:
    return Listing(
        uuid_of(number), TIME, "image", tuple(signal(value) for value in signals), dropped=dropped, expires=expires
    )


def withdrawal(number: int, of: int) -> Withdrawal:
    return Withdrawal(uuid_of(number), TIME, uuid_of(of), "error")


def opinion(number: int, verdict: str = "agree") -> Opinion:
    return Opinion(uuid_of(number), TIME, "beta", "listings", uuid_of(1), LEAF, verdict)


def incident(number: int, status: str = "proposed") -> Incident:
    return Incident(uuid_of(number), TIME, uuid_of(99), status)


MALFORMED = Malformed("statement-malformed", "no JSON")
UNKNOWN = Unknown("poem", critical=False)
CRITICAL = Unknown("treaty", critical=True)


@dataclass
class Reader:
    """A node in small: applies what batches change to one sequence, as the store does to its tables."""

    claims: dict[bytes, bytes]
    owners: dict[bytes, Owner] = field(default_factory=dict)
    held: dict[Place, Entry] = field(default_factory=dict)
    stopped: dict[int, int] = field(default_factory=dict)
    unknown: dict[int, int] = field(default_factory=dict)
    quarantined: dict[tuple[int, int, int], str] = field(default_factory=dict)

    def read(self, log: int, start: int, entries: Sequence[Entry]) -> None:
        """Read the next batch of a log; behind a critical entry nothing is merged."""
        if log in self.stopped:
            return
        self.held.update({Place(log, index): entry for index, entry in enumerate(entries, start)})
        known = {key: self.owners[key] for key in touched_ids(entries) if key in self.owners}
        self.apply(log, merge_statements(entries, log=log, start=start, known=known))

    def apply(self, log: int, merged: Merged) -> None:
        for place in merged.ended:
            ended = self.held[place]
            assert isinstance(ended, Listing)
            for each in ended.signals:
                self.claims[each.key] = join_claims(self.claims[each.key], remove=[place])
        for key, added in merged.claims.items():
            self.claims[key] = join_claims(self.claims.get(key, b""), add=added)
        self.owners.update(merged.owners)
        if merged.stopped_at is not None:
            self.stopped[log] = merged.stopped_at
        self.unknown[log] = self.unknown.get(log, 0) + merged.unknown
        self.quarantined |= {(log, item.position, item.part): item.code for item in merged.quarantined}

    @property
    def live(self) -> dict[str, At]:
        owned = self.owners.items()
        return {
            id_text(key): (owner.log, owner.position)
            for key, owner in owned
            if owner.kind == Kind.LISTING and owner.live
        }


def standing(claims: Mapping[bytes, bytes]) -> dict[bytes, dict[At, int | None]]:
    """Claims as the naive merge tells them."""
    return {
        key: {(claim.log, claim.position): claim.quality for claim in unpack_claims(packed)}
        for key, packed in claims.items()
        if packed
    }


def merge(*entries: Entry, known: Mapping[bytes, Owner] | None = None, start: int = 0) -> Merged:
    return merge_statements(entries, log=1, start=start, known=known or {})


def lives(merged: Merged) -> dict[int, int]:
    """Number of each live listing, and where it stands."""
    return {
        number: owner.position
        for number in range(10)
        if (owner := merged.owners.get(id_bytes(uuid_of(number)))) and owner.kind == Kind.LISTING and owner.live
    }


def codes(merged: Merged) -> list[tuple[int, int, str]]:
    return [(item.position, item.part, item.code) for item in merged.quarantined]
