"""Judge signals by the policy in force, many at a time: the same verdict is found once for all that look the same.

What a signal looks like is its *face*: its type, and for each claim the log, the quality, what the listing says and
what was said about it, as far as the policy asks for that. A policy that asks nothing of listings, as the default one,
has none of them read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

from hashpact_node.services.listing_facts import UNREADABLE, ListingFactsReader
from hashpact_node.services.packed import essence
from hashpact_node.store.connection import Connection
from hashpact_node.store.holds import NOTHING_HELD, Held
from hashpact_node.store.judging import any_decision, any_opinion
from hashpact_node.store.local_decisions import listing_decisions, signal_decisions
from hashpact_node.store.logs import Log
from hashpact_node.store.opinions import opinions_at
from hashpact_node.store.signals import Outcome
from hashpact_protocol.claims import CLAIM_BYTES, Claim, Place, unpack_claims
from hashpact_protocol.facts import (
    NO_OPINIONS,
    ClaimFacts,
    IncidentFacts,
    Judgement,
    ListingFacts,
    LocalDecision,
    OpinionFacts,
    SignalFacts,
    bucket_of,
)
from hashpact_protocol.judging import judge
from hashpact_protocol.policy_file import read_policy
from hashpact_protocol.policy_form import DEFAULT_POLICY, EVERYTHING, Conditions, Policy
from hashpact_protocol.signals import parse_signal_key

MEMO_MAX: Final = 200_000
"""How many different faces are remembered at most before all are forgotten."""

_LISTING_CONDITIONS: Final = (
    "content",
    "labels",
    "without_labels",
    "confirmed",
    "origin",
    "incident",
    "incident_types",
    "older_than_days",
    "newer_than_days",
    "overdue",
)
UNKNOWN_TYPE: Final = b"\xff"
_NOTHING_ASKED: Final = Conditions()


class _Said(NamedTuple):
    """What was said about one listing: opinions, and what this company decided."""

    opinions: OpinionFacts = NO_OPINIONS
    decisions: tuple[LocalDecision, ...] = ()


_NOTHING_SAID: Final = _Said()


@lru_cache(maxsize=8)
def parsed_policy(text: str | None) -> Policy:
    """Give the policy of a text that was read before, None for the default one; ConfigurationError."""
    return DEFAULT_POLICY if text is None else read_policy(text)


def asks_listings(policy: Policy) -> bool:
    """Say whether anything that only a listing's entry tells may change a judgement."""
    if policy.asks_review_by or any(
        getattr(rule.when, name) != getattr(_NOTHING_ASKED, name)
        for rule in policy.rules
        for name in _LISTING_CONDITIONS
    ):
        return True
    scopes = [policy.others.scope, *(terms.scope for _, terms in policy.peers)]
    return any(scope != EVERYTHING for scope in scopes)


@dataclass(slots=True)
class Judge:
    """Judges signals at one time, within one transaction. ``logs`` are all logs by their local number.

    ``rules`` gives the numbers of rules by name, ``held`` what is held for review since there is far too much of it.
    """

    connection: Connection
    policy: Policy
    now: datetime
    logs: Mapping[int, Log]
    own: int
    rules: Mapping[str, int]
    incidents: frozenset[IncidentFacts] = frozenset()
    held: Held = NOTHING_HELD
    members: Mapping[int, int] = field(init=False)
    _reader: ListingFactsReader | None = field(init=False)
    _own_member: str | None = field(init=False)
    _rollouts: tuple[int, ...] = field(init=False)
    _memo: dict[object, Outcome] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Find out what the policy asks for."""
        self.members = {number: log.peer for number, log in self.logs.items()}
        self._own_member = next((log.member for log in self.logs.values() if log.peer == self.own), None)
        self._reader = ListingFactsReader(self.connection, self.policy) if asks_listings(self.policy) else None
        self._rollouts = self.policy.rollouts

    def judge(self, rows: Sequence[tuple[bytes, bytes]], *, distance: int = 0) -> list[Outcome]:
        """Judge signals, given as (key, packed claims), in order, as matched at a distance."""
        if len(self._memo) > MEMO_MAX:
            self._memo.clear()
        known = self._known(rows)
        if known is None and not self._rollouts and not self.held:
            return [self._plain_outcome(key, claims, distance) for key, claims in rows]
        return [self._outcome(key, claims, known or _NOTHING_KNOWN, distance) for key, claims in rows]

    def facts(self, key: bytes, claims: bytes, *, distance: int = 0) -> SignalFacts:
        """Give all that is known of one signal, whether the policy asks for it or not."""
        reader = ListingFactsReader(self.connection, None)
        unpacked = unpack_claims(claims)
        reader.load((claim.log, claim.position) for claim in unpacked)
        known = self._known([(key, claims)]) or _NOTHING_KNOWN
        seen = [
            (
                claim,
                reader.facts[reader.number_at(claim.log, claim.position)],
                known.said_at(claim),
                self.held.holds_entry(claim.log, claim.position),
            )
            for claim in unpacked
        ]
        return self._signal_facts(key, seen, known.decided.get(key, ()), distance)

    def judgement(self, key: bytes, claims: bytes, *, distance: int = 0) -> Judgement:
        """Judge one signal with all its reasons, as matched at a distance."""
        return judge(self.facts(key, claims, distance=distance), self.policy, self.now)

    def _known(self, rows: Sequence[tuple[bytes, bytes]]) -> _Known | None:
        """Look up what was said about signals and their listings, and load the listings if the policy asks for them.

        None where nothing at all was said, and nothing is asked.
        """
        opined, decided = any_opinion(self.connection), any_decision(self.connection)
        if not (opined or decided or self._reader):
            return None
        places = [Place(claim.log, claim.position) for _, claims in rows for claim in unpack_claims(claims)]
        if self._reader is not None:
            self._reader.load(places)
        opinions = opinions_at(self.connection, places) if opined else {}
        decisions = listing_decisions(self.connection, places, now=self.now) if decided else {}
        said = {
            place: _Said(opinions.get(place, NO_OPINIONS), decisions.get(place, ()))
            for place in opinions.keys() | decisions.keys()
        }
        about = signal_decisions(self.connection, [key for key, _ in rows], now=self.now) if decided else {}
        return _Known(about, said)

    def _plain_outcome(self, key: bytes, claims: bytes, distance: int) -> Outcome:
        """Judge a signal of which nothing matters but who claims it, and how well."""
        claims = essence(claims)
        if len(claims) == CLAIM_BYTES:  # as nearly all are
            face: object = (distance, _type_part(key), claims[:3] + claims[-1:])
        else:
            steps = range(0, len(claims), CLAIM_BYTES)
            face = (distance, _type_part(key), frozenset(claims[at : at + 3] + claims[at + 7 : at + 8] for at in steps))
        outcome = self._memo.get(face)
        if outcome is None:
            seen = [(claim, _UNKNOWN_LISTING, _NOTHING_SAID, False) for claim in unpack_claims(claims)]
            outcome = self._memo[face] = self._judged(self._signal_facts(key, seen, (), distance))
        return outcome

    def _outcome(self, key: bytes, claims: bytes, known: _Known, distance: int) -> Outcome:
        number_at = None if self._reader is None else self._reader.number_at
        said = known.said
        parts: set[_Part] = set()
        for claim in unpack_claims(claims):
            number = UNREADABLE if number_at is None else number_at(claim.log, claim.position)
            about = said.get(Place(claim.log, claim.position), _NOTHING_SAID) if said else _NOTHING_SAID
            held = self.held.holds_entry(claim.log, claim.position)
            parts.add(_Part(claim.log, claim.quality, claim.expired, number, about, held))
        decisions = known.decided.get(key, ()) if known.decided else ()
        often = key in self.held.keys
        face = (distance, _type_part(key), self._rollout_part(key), decisions, often, frozenset(parts))
        outcome = self._memo.get(face)
        if outcome is None:
            facts = [_UNKNOWN_LISTING] if self._reader is None else self._reader.facts
            seen = [
                (Claim(one.log, 0, one.quality, one.expired), facts[one.listing], one.said, one.held) for one in parts
            ]
            outcome = self._memo[face] = self._judged(self._signal_facts(key, seen, decisions, distance))
        return outcome

    def _rollout_part(self, key: bytes) -> int:
        """Give between which steps of rollouts a signal lies: those between the same ones are judged alike."""
        return bisect_right(self._rollouts, bucket_of(key)) if self._rollouts else 0

    def _judged(self, facts: SignalFacts) -> Outcome:
        judgement = judge(facts, self.policy, self.now)
        return Outcome(int(judgement.action), self.rules[judgement.rule])

    def _signal_facts(
        self,
        key: bytes,
        seen: Iterable[tuple[Claim, ListingFacts, _Said, bool]],
        decisions: tuple[LocalDecision, ...],
        distance: int,
    ) -> SignalFacts:
        claims = tuple(self._claim_facts(*one) for one in seen)
        return SignalFacts(
            parse_signal_key(key)[0],
            claims,
            decisions,
            self.incidents,
            bucket_of(key),
            distance,
            self._own_member,
            key in self.held.keys,
        )

    def _claim_facts(self, claim: Claim, listing: ListingFacts, said: _Said, held: bool) -> ClaimFacts:  # noqa: FBT001  # as it stands in what was seen
        log = self.logs[claim.log]
        own = log.peer == self.own
        return ClaimFacts(
            log.member, listing, own, log.kind, claim.quality, claim.expired, said.opinions, said.decisions, held
        )


class _Part(NamedTuple):
    """What one claim adds to a face; ``listing`` is the number of the facts of its listing."""

    log: int
    quality: int | None
    expired: bool
    listing: int
    said: _Said
    held: bool


@dataclass(frozen=True, slots=True)
class _Known:
    """What was said: decisions about signals by key, and what there is about listings by their place."""

    decided: Mapping[bytes, tuple[LocalDecision, ...]] = field(default_factory=dict)
    said: Mapping[Place, _Said] = field(default_factory=dict)

    def said_at(self, claim: Claim) -> _Said:
        """Give what was said about the listing of a claim."""
        return self.said.get(Place(claim.log, claim.position), _NOTHING_SAID)


_NOTHING_KNOWN: Final = _Known()
_UNKNOWN_LISTING: Final = ListingFacts("")


def _type_part(key: bytes) -> bytes:
    """Give what a signal's key says of its type: its code, or the name of an unknown type."""
    code = key[:1]
    return code if code != UNKNOWN_TYPE else key[: key.index(0)]
