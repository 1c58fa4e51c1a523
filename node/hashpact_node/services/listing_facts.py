"""What policy may ask of listings, read back out of stored entries, as small numbers for the same things.

Claims hold nothing but places, so that a policy that asks for labels or dates has them looked up. Only what is claimed
is read: such an entry was found to be a sound listing when it was merged, so that a few of its fields can be read
without checking it again.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import msgspec

from hashpact_node.services.entries import open_bundle
from hashpact_node.store.connection import Connection
from hashpact_node.store.feed import read_bundles
from hashpact_protocol.errors import FetchError, TileError
from hashpact_protocol.facts import ListingFacts
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.policy_form import Policy
from hashpact_protocol.statement_fields import parse_time
from hashpact_protocol.statements import DEFAULT_HANDLING, DEFAULT_ORIGIN
from hashpact_protocol.tiles import decode_bundle

UNREADABLE = 0
"""The number of what is known of a listing that cannot be read back: nothing."""

_WIDTH = LIMITS.bundle_width
_EPOCH = date(1970, 1, 1).toordinal()


class _Fields(msgspec.Struct, frozen=True, gc=False):
    content: str
    time: str
    labels: tuple[str, ...] = ()
    confirmed: str | None = None
    handling: str = DEFAULT_HANDLING
    origin: str = DEFAULT_ORIGIN
    incident: str | None = None
    review_by: str | None = None


_DECODER = msgspec.json.Decoder(_Fields)


class ListingFactsReader:
    """Reads facts of listings within one transaction; ``facts[number]`` is what a number stands for.

    Days and review dates are read only where the policy asks for them, so that much is the same for many listings;
    without a policy all is read.
    """

    def __init__(self, connection: Connection, policy: Policy | None) -> None:
        self._connection = connection
        self._asks_age = policy is None or bool(policy.ages)
        self._asks_review_by = policy is None or policy.asks_review_by
        self._numbers: dict[tuple[object, ...], int] = {}
        self._places: dict[tuple[int, int], int] = {}
        self.facts: list[ListingFacts] = [ListingFacts("")]

    def load(self, places: Iterable[tuple[int, int]]) -> None:
        """Look up the listings at some places, each given as log and index; each bundle is read once."""
        wanted: dict[int, dict[int, list[int]]] = {}
        for place in places:
            if place not in self._places:
                log, position = place
                bundles = wanted.setdefault(log, {})
                bundles.setdefault(position // _WIDTH, []).append(position % _WIDTH)
                self._places[place] = UNREADABLE
        for log, bundles in wanted.items():
            for bundle in read_bundles(self._connection, log, sorted(bundles)):
                try:
                    entries = decode_bundle(open_bundle(bundle.data), bundle.width)
                except (FetchError, TileError):
                    continue  # what is damaged has no facts; the claim stands as it was merged
                first = bundle.number * _WIDTH
                for offset in bundles[bundle.number]:
                    if offset < len(entries):
                        self._places[log, first + offset] = self._number(entries[offset])

    def number_at(self, log: int, position: int) -> int:
        """Give the number of the facts of a listing that was loaded."""
        return self._places[log, position]

    def _number(self, entry: bytes) -> int:
        try:
            fields = _DECODER.decode(entry)
        except msgspec.MsgspecError:
            return UNREADABLE
        day = fields.time[:10] if self._asks_age else None
        review_by = fields.review_by if self._asks_review_by else None
        same = (fields.content, fields.labels, fields.confirmed, fields.handling, fields.origin, fields.incident)
        found = self._numbers.get((*same, day, review_by))
        if found is None:
            found = self._numbers[*same, day, review_by] = len(self.facts)
            self.facts.append(_facts(fields, day, review_by))
        return found


def _facts(fields: _Fields, day: str | None, review_by: str | None) -> ListingFacts:
    return ListingFacts(
        fields.content,
        tuple(sorted(set(fields.labels))),
        confirmed=fields.confirmed,
        handling=fields.handling,
        origin=fields.origin,
        incident=fields.incident,
        listed=0 if day is None else date.fromisoformat(day).toordinal() - _EPOCH,
        review_by=None if review_by is None else int(parse_time(review_by).timestamp()),
    )
