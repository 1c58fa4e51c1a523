"""What a policy says, as values (docs/policy.md): rules, the terms of peers, and what limits a listing's weight.

:mod:`hashpact_protocol.policy_file` reads them out of ``policy.toml``, :mod:`hashpact_protocol.judging` goes by them.
``DEFAULT_POLICY`` is what holds where there is no such file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from types import MappingProxyType
from typing import TypeVar

from hashpact_protocol.facts import BUCKETS
from hashpact_protocol.incidents import DEFAULT_RULES as INCIDENT_RULES
from hashpact_protocol.incidents import IncidentRules
from hashpact_protocol.policy import Action
from hashpact_protocol.recommendations import Recommendation
from hashpact_protocol.signals import SIGNAL_TYPES

WILDCARD = "*"
"""A label of a rule that ends with this stands for all labels that begin with what is before it."""

Words = frozenset[str]
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class Weight(IntEnum):
    """What something may lead to at most; the stronger, the larger."""

    NOTHING = 0
    OBSERVE = 1
    REVIEW = 2
    BLOCK = 3

    @property
    def action(self) -> Action:
        """The strongest action of this weight."""
        return _ACTIONS[self]


_ACTIONS = {
    Weight.NOTHING: Action.IGNORE,
    Weight.OBSERVE: Action.OBSERVE,
    Weight.REVIEW: Action.REVIEW,
    Weight.BLOCK: Action.BLOCK,
}
WEIGHT_OF_ACTION: Mapping[Action, Weight] = MappingProxyType({action: weight for weight, action in _ACTIONS.items()})


class FrozenMap(tuple[tuple[_Key, _Value], ...]):
    """A mapping that is a value: pairs sorted by key, equal and hashed as such."""

    __slots__ = ()

    def __new__(cls, pairs: Mapping[_Key, _Value] = MappingProxyType({})) -> FrozenMap[_Key, _Value]:
        """Freeze a mapping whose keys can be sorted."""
        return super().__new__(cls, tuple(sorted(pairs.items())))

    def find(self, key: _Key) -> _Value | None:
        """Give the value of a key, None where it has none."""
        return next((value for name, value in self if name == key), None)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which claims of a peer count; None: whatever it says here. ``labels`` may end with a wildcard."""

    content: Words | None = None
    types: Words | None = None
    labels: Words | None = None
    logs: Words | None = None


EVERYTHING = Scope()


@dataclass(frozen=True, slots=True)
class PeerTerms:
    """How far a peer is trusted.

    ``trust`` is the most that its word may lead to. In ``shadow`` it is observed and counted, and nothing is done.
    ``distance``: by signal type, the largest distance at which its signals count as matched.
    """

    trust: Weight = Weight.BLOCK
    shadow: bool = False
    scope: Scope = EVERYTHING
    distance: FrozenMap[str, int] = field(default_factory=FrozenMap)

    @property
    def weight(self) -> Weight:
        """What this peer's word may lead to at most, shadow taken into account."""
        return min(self.trust, Weight.OBSERVE) if self.shadow else self.trust


@dataclass(frozen=True, slots=True)
class Conditions:
    """When a rule fits: on a signal of these types and distances, at least ``members`` members have claims that fit.

    A claim fits if all that is set here holds of it; None asks for nothing. Of a set of words one is enough; of
    ``without_labels`` none may be there. Days are whole days since the listing's ``time``.
    """

    types: Words | None = None
    distance_at_most: int | None = None
    distance_over: int | None = None
    members: int = 1
    publishers: Words | None = None
    own: bool | None = None
    content: Words | None = None
    labels: Words | None = None
    without_labels: Words | None = None
    confirmed: Words | None = None
    origin: Words | None = None
    logs: Words | None = None
    incident: bool | None = None
    incident_types: Words | None = None
    agree: int | None = None
    disagree: int | None = None
    reasons: Words | None = None
    older_than_days: int | None = None
    newer_than_days: int | None = None
    overdue: bool | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its name, when it fits, and what is recommended then.

    ``rollout`` is in hundredths of a per cent: of ``BUCKETS`` buckets, the rule holds for the first so many.
    """

    name: str
    then: Action
    when: Conditions = Conditions()
    rollout: int = BUCKETS


@dataclass(frozen=True, slots=True)
class Disputed:
    """A listing with which at least so many ``members`` disagree leads to ``at_most``."""

    members: int = 2
    at_most: Weight = Weight.REVIEW


@dataclass(frozen=True, slots=True)
class Overdue:
    """A listing that its publisher did not look at again by its ``review_by`` leads to ``at_most``."""

    at_most: Weight = Weight.BLOCK


@dataclass(frozen=True, slots=True)
class FloodTerms:
    """What is a flood of one kind: within a day more than ``times`` the usual of the last ``days``, and ``at_least``.

    What is held for it leads to ``at_most``; nothing is held where ``hold`` is False.
    """

    times: int
    at_least: int
    hold: bool = True
    days: int = 28
    at_most: Weight = Weight.REVIEW


LISTING_FLOOD = FloodTerms(times=20, at_least=10_000)
MATCH_FLOOD = FloodTerms(times=50, at_least=1_000)


@dataclass(frozen=True, slots=True)
class Flood:
    """When a peer lists, or a signal matches, far above its usual; ``notify``: the publisher is told."""

    notify: bool = True
    listings: FloodTerms = LISTING_FLOOD
    matches: FloodTerms = MATCH_FLOOD


DEFAULT_RULES = (
    Rule("own-listing", Action.BLOCK, Conditions(own=True)),
    Rule("members-agree", Action.BLOCK, Conditions(members=2)),
    Rule("one-member", Action.REVIEW),
)


@dataclass(frozen=True, slots=True)
class Policy:
    """All that a policy file says. ``others`` are the terms of peers that ``peers`` does not name.

    ``otherwise`` is recommended where claims count and no rule fits. ``distance`` is by signal type, for all peers.
    ``flood`` says what is held for review since there is far too much of it, ``incidents`` what makes an incident
    active here, ``recommendations`` what is said to whoever matches besides.
    """

    rules: tuple[Rule, ...] = DEFAULT_RULES
    otherwise: Action = Action.REVIEW
    distance: FrozenMap[str, int] = field(default_factory=FrozenMap)
    peers: FrozenMap[str, PeerTerms] = field(default_factory=FrozenMap)
    others: PeerTerms = PeerTerms()
    disputed: Disputed = Disputed()
    overdue: Overdue = Overdue()
    flood: Flood = Flood()
    incidents: IncidentRules = INCIDENT_RULES
    recommendations: tuple[Recommendation, ...] = ()

    def terms_of(self, member: str) -> PeerTerms:
        """Give the terms of a peer: its own ones, or else those of all others."""
        return self.peers.find(member) or self.others

    def incident_rules(self, members: Iterable[str], own: str) -> IncidentRules:
        """Give what makes an incident active where these members are followed, and this company is ``own``.

        Where no members are named for that, those count who are trusted with a review at least: not newcomers that are
        only watched, of whom there may be as many as it takes.
        """
        if self.incidents.counting is not None:
            return self.incidents
        heard = {member for member in members if self.terms_of(member).weight >= Weight.REVIEW}
        return replace(self.incidents, counting=frozenset({own, *heard}))

    def distance_of(self, member: str, signal_type: str) -> int:
        """Give the largest distance at which a member's signal of a type is matched; its own terms come first."""
        for distances in (self.terms_of(member).distance, self.distance):
            found = distances.find(signal_type)
            if found is not None:
                return found
        known = SIGNAL_TYPES.get(signal_type)
        return known.threshold if known is not None else 0

    @property
    def asks_distance(self) -> bool:
        """Whether a match may be judged otherwise than the signal itself, because of its distance."""
        whens = (rule.when for rule in self.rules)
        asked = any(when.distance_at_most is not None or when.distance_over is not None for when in whens)
        return asked or bool(self.distance or self.others.distance or any(terms.distance for _, terms in self.peers))

    @property
    def ages(self) -> tuple[int, ...]:
        """The ages in days at which a rule may begin or cease to fit."""
        whens = [rule.when for rule in self.rules]
        asked = {when.older_than_days for when in whens} | {when.newer_than_days for when in whens}
        return tuple(sorted(age for age in asked if age is not None))

    @property
    def asks_review_by(self) -> bool:
        """Whether it matters that a listing's ``review_by`` has passed."""
        return self.overdue.at_most is not Weight.BLOCK or any(rule.when.overdue is not None for rule in self.rules)

    @property
    def asks_incidents(self) -> bool:
        """Whether it matters which incidents are active."""
        return any(rule.when.incident is not None or rule.when.incident_types is not None for rule in self.rules)

    @property
    def rollouts(self) -> tuple[int, ...]:
        """The bucket numbers at which a rule ceases to hold, sorted; buckets between two of them are judged alike."""
        return tuple(sorted({rule.rollout for rule in self.rules if rule.rollout < BUCKETS}))


DEFAULT_POLICY = Policy()
