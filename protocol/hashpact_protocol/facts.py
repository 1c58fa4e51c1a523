"""What is known of a signal when it is judged, and what came of it (docs/policy.md).

::

    SignalFacts                  one signal: its type, where it lies in a gradual rollout, the distance of the match
    ├── ClaimFacts …             who lists it, in which log, in which quality, expired or not
    │   ├── ListingFacts         what the listing says of itself
    │   ├── OpinionFacts         what other members think of its winning revision
    │   └── LocalDecision        what this company has decided about that listing
    ├── LocalDecision            what this company has decided about the signal
    └── IncidentFacts …          the incidents that are active here

Everything is a value: equal facts are equal, and have equal hashes, so that a verdict is found once for all signals of
which the same is known. Times are Unix seconds, days are counted from 1970-01-01 (UTC).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from hashpact_protocol.policy import Action
from hashpact_protocol.signals import SIGNAL_TYPES
from hashpact_protocol.statement_fields import parse_time
from hashpact_protocol.statements import DEFAULT_HANDLING, DEFAULT_ORIGIN, Listing

DAY_SECONDS = 86_400
BUCKETS = 10_000
"""Into how many parts the signals are dealt for gradual rollouts: a hundredth of a per cent each."""


class Verdict(StrEnum):
    """What this company can decide about a signal or a listing."""

    CONFIRM = "confirm"
    REJECT = "reject"
    ALLOW = "allow"
    DISABLE = "disable"


@dataclass(frozen=True, slots=True)
class LocalDecision:
    """What this company has decided: it beats every peer.

    ``scope`` names the members about whose claims it is, None stands for everybody's. ``until`` is when it ends to
    count, None if never; ``why`` is for people.
    """

    verdict: Verdict
    scope: frozenset[str] | None = None
    until: int | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class ListingFacts:
    """What a listing says of itself, as far as policy may ask.

    ``labels`` are sorted, each once. ``listed`` is the day of its ``time``. ``review_by`` is Unix seconds.
    """

    content: str
    labels: tuple[str, ...] = ()
    confirmed: str | None = None
    handling: str = DEFAULT_HANDLING
    origin: str = DEFAULT_ORIGIN
    incident: str | None = None
    listed: int = 0
    review_by: int | None = None


@dataclass(frozen=True, slots=True)
class OpinionFacts:
    """What other members think of the winning revision of one listing: each member stands once, sorted by its name.

    ``disagree`` gives each member with the reason that it states, None if it states none. ``seen`` counts for nothing.
    """

    agree: tuple[str, ...] = ()
    disagree: tuple[tuple[str, str | None], ...] = ()


NO_OPINIONS = OpinionFacts()


@dataclass(frozen=True, slots=True)
class ClaimFacts:
    """One member's live listing of the signal.

    ``own`` says that the member is this company. ``log_kind`` is ``listings`` or ``crisis``. ``quality`` is None where
    the signal type has none. ``expired`` says that the listing's ``expires`` has passed. ``decisions`` are what this
    company has decided about the listing as such: the first that is in force and covers the member counts. ``held``
    says that the listing came in a flood of its member's, which is held for review.
    """

    member: str
    listing: ListingFacts
    own: bool = False
    log_kind: str = "listings"
    quality: int | None = None
    expired: bool = False
    opinions: OpinionFacts = NO_OPINIONS
    decisions: tuple[LocalDecision, ...] = ()
    held: bool = False


@dataclass(frozen=True, slots=True)
class IncidentFacts:
    """An incident that is active here; ``type`` as the member that proposed it named it."""

    incident: str
    type: str | None = None


@dataclass(frozen=True, slots=True)
class SignalFacts:
    """All that is known of a signal when it is judged.

    ``claims`` may stand in any order. ``bucket`` is what :func:`bucket_of` gives for its key. ``distance`` is that of
    the match that is judged, 0 for the signal itself. ``decisions`` are this company's about the signal; they stand in
    order, and for each claim the first that is in force and covers its member counts. ``incidents`` are the active
    ones, of which claims may speak. ``own_member`` is this company, whose own opinion counts
    whatever the terms of peers are. ``held`` says that the signal matched so often that it is held for review.
    """

    type: str
    claims: tuple[ClaimFacts, ...] = ()
    decisions: tuple[LocalDecision, ...] = ()
    incidents: frozenset[IncidentFacts] = frozenset()
    bucket: int = 0
    distance: int = 0
    own_member: str | None = None
    held: bool = False


@dataclass(frozen=True, slots=True)
class Because:
    """What a judgement rests on; all names are sorted, each once.

    ``members``: whose claims the rule rests on. ``agree`` and ``disagree``: whose opinions there are about claims that
    count, the latter with their reasons. ``incidents``: the active ones that the former claims belong to.
    ``decision``: this company's own, where that decided. ``passed_over``: what did not count, and why, in words.
    """

    members: tuple[str, ...] = ()
    agree: tuple[str, ...] = ()
    disagree: tuple[tuple[str, str | None], ...] = ()
    incidents: tuple[str, ...] = ()
    decision: LocalDecision | None = None
    passed_over: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is recommended for a signal, by which rule, and because of what.

    ``due``: the Unix second from which on the same facts may give another judgement, None if time changes nothing.
    """

    action: Action
    rule: str
    because: Because = Because()
    due: int | None = None


def listing_facts(listing: Listing) -> ListingFacts:
    """Give what policy may ask of a listing."""
    return ListingFacts(
        content=listing.content,
        labels=tuple(sorted(set(listing.labels))),
        confirmed=listing.confirmed,
        handling=listing.handling,
        origin=listing.origin,
        incident=listing.incident,
        listed=_seconds(listing.time) // DAY_SECONDS,
        review_by=None if listing.review_by is None else _seconds(listing.review_by),
    )


def bucket_of(key: bytes) -> int:
    """Give the part, 0 to ``BUCKETS`` - 1, into which a signal's compact key falls in a gradual rollout.

    It depends on nothing but the key, so that a signal that is in at 5 % stays in at 10 %.
    """
    return int.from_bytes(hashlib.sha256(b"hashpact-rollout\0" + key).digest()[:8], "big") % BUCKETS


def is_good_enough(signal_type: str, quality: int | None) -> bool:
    """Say whether a claim of this quality is good enough to be matched."""
    known = SIGNAL_TYPES.get(signal_type)
    least = known.quality_min if known is not None else None
    return least is None or quality is None or quality >= least


def _seconds(text: str) -> int:
    return int(parse_time(text).timestamp())
