"""From facts and policy to a judgement (docs/policy.md, How a signal is judged).

``judge`` is a function of its arguments alone: of what is known, the policy and the time. The order in which claims
stand, or came, changes nothing. A decision of this company comes before everything else.

Then claims are sifted: what has expired, is too poor, too far away or out of a peer's scope does not count. Each of the
rest has a weight, the most that it may lead to: by its peer's trust, less if it is disputed, overdue or held. The rules
are read for the claims of full weight, for those of at least the next one, and so on; of what comes out, each time cut
down to that weight, the strongest is recommended. So what is trusted less can add to a judgement up to its weight, and
never take from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from hashpact_protocol.facts import (
    DAY_SECONDS,
    Because,
    ClaimFacts,
    Judgement,
    LocalDecision,
    SignalFacts,
    Verdict,
    is_good_enough,
)
from hashpact_protocol.policy import NONE_COUNTS, NOT_CLAIMED, Action
from hashpact_protocol.policy_form import WEIGHT_OF_ACTION, WILDCARD, Conditions, Policy, Rule, Scope, Weight, Words

LAST_SECOND = 253_402_300_799
"""The end of the year 9999, beyond which no time can be written."""

CONFIRMED_HERE = "confirmed-here"
NOT_IN_SCOPE = "nothing-in-scope"
OTHERWISE = "otherwise"
DISPUTED = "disputed"
FLOOD_HOLD = "flood-hold"
OVERDUE = "overdue"
SHADOW = "shadow"
LIMITED_TRUST = "limited-trust"

DECIDED_HERE = {
    Verdict.CONFIRM: CONFIRMED_HERE,
    Verdict.REJECT: "rejected-here",
    Verdict.ALLOW: "allowed-here",
    Verdict.DISABLE: "disabled-here",
}
_LIMITS = (DISPUTED, FLOOD_HOLD, OVERDUE, SHADOW, LIMITED_TRUST)
RESERVED_RULES = frozenset(
    {*DECIDED_HERE.values(), *_LIMITS, NOT_IN_SCOPE, OTHERWISE, NONE_COUNTS.rule, NOT_CLAIMED.rule}
)
"""What a judgement may name as its rule although it stands in no policy; no rule may be called so."""


class _Weighed(NamedTuple):
    """A claim that counts, what it may lead to at most, and what limits it to that (None: nothing)."""

    claim: ClaimFacts
    weight: Weight
    limit: str | None


@dataclass(slots=True)
class _Sifted:
    """The claims that count; those that do not, in words; the decisions by which some of them do not."""

    standing: list[_Weighed]
    passed_over: list[str]
    refused: list[LocalDecision]
    only_poor: bool = True


def judge(facts: SignalFacts, policy: Policy, now: datetime) -> Judgement:
    """Judge a signal by what is known of it, at the aware time ``now``.

    The judgement's ``due`` is the next time at which the same facts may be judged otherwise. A signal that nobody
    claims has the action NONE, whatever was decided about it.
    """
    if not facts.claims:
        return Judgement(NOT_CLAIMED.action, NOT_CLAIMED.rule)
    moment = int(now.timestamp())
    return replace(_judge(facts, policy, moment), due=_due(facts, policy, moment))


def label_fits(pattern: str, label: str) -> bool:
    """Say whether a label is what a policy names: the same, or one that begins with what is before its wildcard."""
    return label.startswith(pattern[:-1]) if pattern.endswith(WILDCARD) else label == pattern


def _judge(facts: SignalFacts, policy: Policy, moment: int) -> Judgement:
    first = next((one for one in facts.decisions if _in_force(one, moment)), None)
    if first is not None and first.scope is None:
        return _decided(first, facts.claims)
    confirmed = _confirmed(facts, moment)
    if confirmed is not None:
        return confirmed
    sifted = _sift(facts, policy, moment)
    if not sifted.standing:
        return _nothing_counts(sifted)
    return _by_rules(facts, policy, moment, sifted)


def _decided(decision: LocalDecision, claims: Iterable[ClaimFacts]) -> Judgement:
    action = Action.BLOCK if decision.verdict is Verdict.CONFIRM else Action.IGNORE
    return Judgement(action, DECIDED_HERE[decision.verdict], Because(members=_members(claims), decision=decision))


def _in_force(decision: LocalDecision, moment: int) -> bool:
    return decision.until is None or moment < decision.until


def _decisions(facts: SignalFacts, claim: ClaimFacts, moment: int) -> list[LocalDecision]:
    """Give this company's decisions that count for one claim: one about the signal, one about the listing, or none."""
    counting = (
        next((one for one in about if _in_force(one, moment) and _covers(one, claim)), None)
        for about in (facts.decisions, claim.decisions)
    )
    return [one for one in counting if one is not None]


def _covers(decision: LocalDecision, claim: ClaimFacts) -> bool:
    return decision.scope is None or claim.member in decision.scope


def _confirmed(facts: SignalFacts, moment: int) -> Judgement | None:
    """Give the judgement if one of the claims is confirmed here and not refused as well."""
    confirmed: list[tuple[LocalDecision, ClaimFacts]] = []
    for claim in facts.claims:
        decisions = _decisions(facts, claim, moment)
        if decisions and all(one.verdict is Verdict.CONFIRM for one in decisions):
            confirmed.append((decisions[0], claim))
    if not confirmed:
        return None
    return _decided(min((one for one, _ in confirmed), key=_in_order), [claim for _, claim in confirmed])


def _in_order(decision: LocalDecision) -> tuple[str, str, list[str], float]:
    """Give an order of decisions that is the same whatever order they came in."""
    until = float("inf") if decision.until is None else decision.until
    return decision.verdict.value, decision.why or "", sorted(decision.scope or ()), until


def _sift(facts: SignalFacts, policy: Policy, moment: int) -> _Sifted:
    sifted = _Sifted([], [], [])
    for claim in facts.claims:
        refused = [one for one in _decisions(facts, claim, moment) if one.verdict is not Verdict.CONFIRM]
        if refused:
            sifted.refused.extend(refused)
            why: str | None = min(DECIDED_HERE[one.verdict] for one in refused)
        elif claim.expired or not is_good_enough(facts.type, claim.quality):
            sifted.passed_over.append(f"{claim.member}: {'expired' if claim.expired else 'low quality'}")
            continue
        else:
            why = _out_of_terms(facts, policy, claim)
        if why is None:
            sifted.standing.append(_weigh(policy, facts, claim, moment))
        else:
            sifted.only_poor = False
            sifted.passed_over.append(f"{claim.member}: {why}")
    return sifted


def _out_of_terms(facts: SignalFacts, policy: Policy, claim: ClaimFacts) -> str | None:
    """Say why a peer's terms leave a claim out; None if they do not. Terms are never about our own claims."""
    if facts.distance > policy.distance_of(claim.member, facts.type):
        return "too far away"
    if claim.own:
        return None
    terms = policy.terms_of(claim.member)
    if terms.weight is Weight.NOTHING:
        return "not trusted"
    return None if _in_scope(terms.scope, facts.type, claim) else "out of scope"


def _in_scope(scope: Scope, signal_type: str, claim: ClaimFacts) -> bool:
    return (
        (scope.content is None or claim.listing.content in scope.content)
        and (scope.types is None or signal_type in scope.types)
        and (scope.logs is None or claim.log_kind in scope.logs)
        and (scope.labels is None or _any_label(scope.labels, claim))
    )


def _any_label(patterns: Words, claim: ClaimFacts) -> bool:
    return any(label_fits(pattern, label) for pattern in patterns for label in claim.listing.labels)


def _weigh(policy: Policy, facts: SignalFacts, claim: ClaimFacts, moment: int) -> _Weighed:
    limits: list[tuple[Weight, str | None]] = [(Weight.BLOCK, None)]
    if len(_disagreeing(policy, facts, claim)) >= policy.disputed.members:
        limits.append((policy.disputed.at_most, DISPUTED))
    if claim.held:
        limits.append((policy.flood.listings.at_most, FLOOD_HOLD))
    if facts.held and not claim.own:
        limits.append((policy.flood.matches.at_most, FLOOD_HOLD))
    if _is_overdue(claim, moment):
        limits.append((policy.overdue.at_most, OVERDUE))
    if not claim.own:
        terms = policy.terms_of(claim.member)
        limits.append((terms.weight, SHADOW if terms.shadow else LIMITED_TRUST))
    weight, limit = min(limits, key=lambda one: one[0])
    return _Weighed(claim, weight, limit)


def _has_a_say(policy: Policy, facts: SignalFacts, claim: ClaimFacts, member: str) -> bool:
    """Say whether a member's opinion of a claim counts: nobody's about itself, and of peers, whom we trust enough."""
    if member == claim.member:
        return False
    return member == facts.own_member or policy.terms_of(member).weight >= Weight.REVIEW


def _agreeing(policy: Policy, facts: SignalFacts, claim: ClaimFacts) -> set[str]:
    return {member for member in claim.opinions.agree if _has_a_say(policy, facts, claim, member)}


def _disagreeing(policy: Policy, facts: SignalFacts, claim: ClaimFacts, reasons: Words | None = None) -> set[str]:
    return {
        member
        for member, reason in claim.opinions.disagree
        if (reasons is None or reason in reasons) and _has_a_say(policy, facts, claim, member)
    }


def _is_overdue(claim: ClaimFacts, moment: int) -> bool:
    return claim.listing.review_by is not None and claim.listing.review_by <= moment


def _nothing_counts(sifted: _Sifted) -> Judgement:
    because = Because(passed_over=_sorted(sifted.passed_over))
    if sifted.refused:
        decision = min(sifted.refused, key=_in_order)
        return Judgement(Action.IGNORE, DECIDED_HERE[decision.verdict], replace(because, decision=decision))
    return Judgement(Action.IGNORE, NONE_COUNTS.rule if sifted.only_poor else NOT_IN_SCOPE, because)


class _Found(NamedTuple):
    """What the rules say for the claims of one weight or more: the claims that the rule rests on come with it."""

    weight: Weight
    rule: str
    claims: tuple[_Weighed, ...]
    cut: str | None


def _by_rules(facts: SignalFacts, policy: Policy, moment: int, sifted: _Sifted) -> Judgement:
    found = []
    for weight in sorted({one.weight for one in sifted.standing}, reverse=True):
        claims = [one for one in sifted.standing if one.weight >= weight]
        found.append(_first_fit(facts, policy, moment, claims))
    best = max(found, key=lambda one: one.weight)  # the first of equals, which rests on what is trusted most
    words = sifted.passed_over if best.cut is None else [*sifted.passed_over, best.cut]
    because = _because(facts, policy, best.claims, sifted.standing, words)
    return Judgement(best.weight.action, best.rule, because)


def _first_fit(facts: SignalFacts, policy: Policy, moment: int, weighed: Sequence[_Weighed]) -> _Found:
    """Give what the first rule that fits says."""
    for rule in policy.rules:
        fitting = _fitting(rule, facts, policy, moment, weighed)
        if fitting:
            return _cut(rule.name, rule.then, fitting)
    return _cut(OTHERWISE, policy.otherwise, tuple(weighed))


def _cut(name: str, then: Action, claims: tuple[_Weighed, ...]) -> _Found:
    """Cut what a rule says down to the least weight of the claims that it rests on, and say what limits that."""
    weight = WEIGHT_OF_ACTION[then]
    limits = {one.limit for one in claims if one.weight < weight}
    if not limits:
        return _Found(weight, name, claims, None)
    limit = next(one for one in _LIMITS if one in limits)
    return _Found(min(one.weight for one in claims), limit, claims, f"{name} would say {then.word}")


def _fitting(
    rule: Rule, facts: SignalFacts, policy: Policy, moment: int, weighed: Sequence[_Weighed]
) -> tuple[_Weighed, ...]:
    """Give the claims by which a rule fits; none if it does not."""
    when = rule.when
    if facts.bucket >= rule.rollout or not _signal_fits(when, facts):
        return ()
    fitting = tuple(one for one in weighed if _claim_fits(when, facts, policy, moment, one.claim))
    return fitting if len({one.claim.member for one in fitting}) >= when.members else ()


def _signal_fits(when: Conditions, facts: SignalFacts) -> bool:
    return (
        (when.types is None or facts.type in when.types)
        and (when.distance_at_most is None or facts.distance <= when.distance_at_most)
        and (when.distance_over is None or facts.distance > when.distance_over)
    )


def _claim_fits(when: Conditions, facts: SignalFacts, policy: Policy, moment: int, claim: ClaimFacts) -> bool:
    return (
        _origin_fits(when, claim)
        and _listing_fits(when, claim)
        and _incident_fits(when, facts, claim)
        and _opinions_fit(when, facts, policy, claim)
        and _times_fit(when, claim, moment)
    )


def _origin_fits(when: Conditions, claim: ClaimFacts) -> bool:
    return (
        (when.publishers is None or claim.member in when.publishers)
        and (when.own is None or claim.own is when.own)
        and (when.logs is None or claim.log_kind in when.logs)
        and (when.origin is None or claim.listing.origin in when.origin)
    )


def _listing_fits(when: Conditions, claim: ClaimFacts) -> bool:
    return (
        (when.content is None or claim.listing.content in when.content)
        and (when.confirmed is None or claim.listing.confirmed in when.confirmed)
        and (when.labels is None or _any_label(when.labels, claim))
        and (when.without_labels is None or not _any_label(when.without_labels, claim))
    )


def _incident_fits(when: Conditions, facts: SignalFacts, claim: ClaimFacts) -> bool:
    if when.incident is None and when.incident_types is None:
        return True
    active = [one for one in facts.incidents if one.incident == claim.listing.incident]
    if when.incident is not None and when.incident is not bool(active):
        return False
    return when.incident_types is None or any(one.type in when.incident_types for one in active)


def _opinions_fit(when: Conditions, facts: SignalFacts, policy: Policy, claim: ClaimFacts) -> bool:
    if when.agree is not None and len(_agreeing(policy, facts, claim)) < when.agree:
        return False
    if when.disagree is None and when.reasons is None:
        return True
    return len(_disagreeing(policy, facts, claim, when.reasons)) >= (when.disagree or 1)


def _times_fit(when: Conditions, claim: ClaimFacts, moment: int) -> bool:
    age = max(0, moment // DAY_SECONDS - claim.listing.listed)
    return (
        (when.older_than_days is None or age >= when.older_than_days)
        and (when.newer_than_days is None or age < when.newer_than_days)
        and (when.overdue is None or _is_overdue(claim, moment) is when.overdue)
    )


def _because(
    facts: SignalFacts, policy: Policy, best: Iterable[_Weighed], standing: Iterable[_Weighed], words: Iterable[str]
) -> Because:
    """Say what a judgement rests on: the claims by which the rule fits, and the opinions about all that count."""
    claims, counting = [one.claim for one in best], [one.claim for one in standing]
    disagree = {
        (member, reason)
        for claim in counting
        for member, reason in claim.opinions.disagree
        if _has_a_say(policy, facts, claim, member)
    }
    spoken = {claim.listing.incident for claim in claims}
    return Because(
        members=_members(claims),
        agree=_sorted(member for claim in counting for member in _agreeing(policy, facts, claim)),
        disagree=tuple(sorted(disagree, key=lambda one: (one[0], one[1] or ""))),
        incidents=_sorted(one.incident for one in facts.incidents if one.incident in spoken),
        passed_over=_sorted(words),
    )


def _members(claims: Iterable[ClaimFacts]) -> tuple[str, ...]:
    return _sorted(claim.member for claim in claims)


def _sorted(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(words)))


def _due(facts: SignalFacts, policy: Policy, moment: int) -> int | None:
    """Give the next second at which a decision ends, a listing is of an age that a rule names, or becomes overdue."""
    ahead = {one.until for one in facts.decisions}
    for claim in facts.claims:
        ahead.update(one.until for one in claim.decisions)
        ahead.update((claim.listing.listed + age) * DAY_SECONDS for age in policy.ages)
        if policy.asks_review_by:
            ahead.add(claim.listing.review_by)
    return min((at for at in ahead if at is not None and moment < at <= LAST_SECOND), default=None)
