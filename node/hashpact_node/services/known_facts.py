"""All that is known of signals, as policy may ask for it, with the judgement that follows: for whoever asks why.

Of a signal with very many claims those are looked at that are shown (``packed.shown``): each publisher's among them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hashpact_node.services.claims_view import read_listings
from hashpact_node.services.judge import parsed_policy
from hashpact_node.services.packed import shown
from hashpact_node.services.views import active_incidents, logs_by_number, own_peer
from hashpact_node.store.connection import Connection
from hashpact_node.store.holds import held_now
from hashpact_node.store.judging import policy_in_force
from hashpact_node.store.local_decisions import listing_decisions, signal_decisions
from hashpact_node.store.opinions import opinions_at
from hashpact_protocol.claims import Claim, Place, unpack_claims
from hashpact_protocol.facts import (
    NO_OPINIONS,
    ClaimFacts,
    Judgement,
    ListingFacts,
    LocalDecision,
    OpinionFacts,
    SignalFacts,
    bucket_of,
    listing_facts,
)
from hashpact_protocol.judging import judge
from hashpact_protocol.policy_form import Policy
from hashpact_protocol.signals import parse_signal_key
from hashpact_protocol.statements import Listing


def policy_of(connection: Connection) -> Policy:
    """Give the policy in force."""
    return parsed_policy(policy_in_force(connection).text)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one signal: its claims in order of place, their listings, the facts, the judgement."""

    claims: tuple[Claim, ...]
    listings: Mapping[Place, Listing]
    facts: SignalFacts
    judgement: Judgement


class KnownFacts:
    """Looks facts up within one transaction, for many signals at once."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        """Read the policy in force, and whose logs there are; ConfigurationError before ``init``."""
        self.connection = connection
        self.policy = policy_of(connection)
        self._incidents = active_incidents(connection, self.policy) if self.policy.asks_incidents else frozenset()
        self.now = now
        self.own = own_peer(connection)
        self.logs = logs_by_number(connection)
        self._held = held_now(connection)
        self._members = {number: log.peer for number, log in self.logs.items()}
        self._judgements: dict[SignalFacts, Judgement] = {}

    def of(self, rows: Sequence[tuple[bytes, bytes]], distances: Mapping[bytes, int] | None = None) -> list[Known]:
        """Give what is known of signals, given as (key, packed claims), in that order, as matched at distances."""
        claims = [unpack_claims(shown(packed, self._members)) for _, packed in rows]
        places = sorted({Place(claim.log, claim.position) for each in claims for claim in each})
        listings = read_listings(self.connection, places, self.logs)
        opinions = opinions_at(self.connection, places)
        decisions = listing_decisions(self.connection, places, now=self.now)
        decided = signal_decisions(self.connection, [key for key, _ in rows], now=self.now)
        found: list[Known] = []
        for (key, _), each in zip(rows, claims, strict=True):
            told = tuple(self._claim(claim, listings, opinions, decisions) for claim in each)
            distance = (distances or {}).get(key, 0)
            facts = self._facts(key, told, decided.get(key, ()), distance)
            found.append(Known(tuple(each), listings, facts, self._judge(facts)))
        return found

    def _facts(
        self, key: bytes, claims: tuple[ClaimFacts, ...], decisions: tuple[LocalDecision, ...], distance: int
    ) -> SignalFacts:
        return SignalFacts(
            parse_signal_key(key)[0],
            claims,
            decisions,
            self._incidents,
            bucket=bucket_of(key) if self.policy.rollouts else 0,  # else all that look the same are judged once
            distance=distance,
            own_member=self.own.member,
            held=key in self._held.keys,
        )

    def _claim(
        self,
        claim: Claim,
        listings: Mapping[Place, Listing],
        opinions: Mapping[Place, OpinionFacts],
        decisions: Mapping[Place, tuple[LocalDecision, ...]],
    ) -> ClaimFacts:
        log, place = self.logs[claim.log], Place(claim.log, claim.position)
        return ClaimFacts(
            log.member,
            listing_facts(listings[place]) if place in listings else ListingFacts(""),
            own=log.peer == self.own.number,
            log_kind=log.kind,
            quality=claim.quality,
            expired=claim.expired,
            opinions=opinions.get(place, NO_OPINIONS),
            decisions=decisions.get(place, ()),
            held=self._held.holds_entry(*place),
        )

    def _judge(self, facts: SignalFacts) -> Judgement:
        found = self._judgements.get(facts)
        if found is None:
            found = self._judgements[facts] = judge(facts, self.policy, self.now)
        return found
