"""Why a signal stands as it does, in words, and what would change that: found by judging what might be instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import Final

from hashpact_protocol.facts import (
    ClaimFacts,
    Judgement,
    LocalDecision,
    OpinionFacts,
    SignalFacts,
    Verdict,
)
from hashpact_protocol.judging import judge
from hashpact_protocol.policy import Action
from hashpact_protocol.policy_form import Policy
from hashpact_protocol.statement_fields import format_time, parse_time

ANOTHER: Final = "another member"
"""Stands for a member that does not list the signal yet; no member can be called so."""

DISAGREEING_MAX: Final = 5

MEANINGS: Final[Mapping[str, str]] = {
    "own-listing": "this company lists it itself",
    "members-agree": "two or more members list it",
    "one-member": "one member lists it",
    "not-claimed": "nobody lists it now",
    "expired-or-low-quality": "all that lists it has expired, or is of too low a quality to be matched",
    "confirmed-here": "this company decided to confirm it",
    "rejected-here": "this company decided to reject it",
    "allowed-here": "this company decided to allow it",
    "disabled-here": "this company decided to disable it",
    "nothing-in-scope": "nothing that lists it counts under the policy",
    "otherwise": "no rule of the policy fits",
    "disputed": "members disagree with the listing",
    "flood-hold": "it is held for review, since far more came than is usual: `hashpact hold list`",
    "overdue": "its publisher has not looked at it again in time",
    "shadow": "the member that lists it is only observed",
    "limited-trust": "the policy lets the member that lists it lead no further",
}
"""What rules mean that no policy file names; of others the name is all that there is to say."""


@dataclass(frozen=True, slots=True)
class WouldChange:
    """Something that may come to pass, and the action that would follow."""

    what: str
    action: str


def reason_of(rule: str, judgement: Judgement) -> tuple[str, ...]:
    """Say why a signal stands as it does by a rule: all of it, or, if it would be judged otherwise now, the rule.

    It goes to other systems of this company: what somebody wrote for people here about a decision is left out.
    """
    if judgement.rule != rule:
        return (_meaning(rule),)
    decision = judgement.because.decision
    bare = None if decision is None else replace(decision, why=None)
    return because_of(replace(judgement, because=replace(judgement.because, decision=bare)))


def because_of(judgement: Judgement) -> tuple[str, ...]:
    """Say what a judgement rests on, in lines for people."""
    because = judgement.because
    lines = [_meaning(judgement.rule)]
    if because.members:
        lines.append(f"counted: {', '.join(because.members)}")
    if because.agree:
        lines.append(f"agree: {', '.join(because.agree)}")
    if because.disagree:
        told = (member if reason is None else f"{member} ({reason})" for member, reason in because.disagree)
        lines.append(f"disagree: {', '.join(told)}")
    if because.incidents:
        lines.append(f"belongs to an active incident: {', '.join(because.incidents)}")
    if because.decision is not None:
        lines.append(f"decision of this company: {_decision(because.decision)}")
    lines += [f"left out of account: {words}" for words in because.passed_over]
    return tuple(lines)


def _meaning(rule: str) -> str:
    return f"rule {rule}: {MEANINGS.get(rule, 'as the policy of this company says')}"


def would_change(
    facts: SignalFacts, policy: Policy, now: datetime, *, expires: Mapping[int, str] = MappingProxyType({})
) -> tuple[WouldChange, ...]:
    """Say what would lead to another action: what others or this company may do, and what time brings by itself.

    ``expires`` gives, by the numbers of claims in ``facts``, when their listings do.
    """
    action = judge(facts, policy, now).action
    found: dict[str, Action] = {}
    for what, other, at in (*_possible(facts, policy, now), *_expiring(facts, expires)):
        then = judge(other, policy, at).action
        if then is not action:
            found.setdefault(what, then)
    return tuple(WouldChange(what, then.word) for what, then in found.items())


def _possible(facts: SignalFacts, policy: Policy, now: datetime) -> Iterator[tuple[str, SignalFacts, datetime]]:
    """Yield what may come to pass, in words, with the facts and the time at which to judge then."""
    for words, other in (*_decisions(facts), *_listings(facts)):
        yield words, other, now
    if facts.held or any(claim.held for claim in facts.claims):
        yield "if what holds it is released (`hashpact hold release`)", _let_through(facts), now
    for count in range(1, DISAGREEING_MAX + 1):
        words = "if one more member disagrees" if count == 1 else f"if {count} more members disagree"
        disputed = _each(facts, partial(_disputed, count=count))
        yield words, disputed, now
        if judge(disputed, policy, now).action is not judge(facts, policy, now).action:
            break
    if any(claim.opinions.disagree for claim in facts.claims):
        yield "if nobody disagrees any more", _each(facts, _undisputed), now
    due = judge(facts, policy, now).due
    if due is not None:
        at = datetime.fromtimestamp(due, UTC)
        yield f"by itself on {format_time(at)}", facts, at


def _decisions(facts: SignalFacts) -> Iterator[tuple[str, SignalFacts]]:
    """Yield what this company may decide."""
    for verdict, words in _OWN.items():
        yield words, replace(facts, decisions=(LocalDecision(verdict), *facts.decisions))
    if facts.decisions:
        words = "if this company ends its decision about it" if len(facts.decisions) == 1 else _ENDS_ALL
        yield words, replace(facts, decisions=())
    if any(claim.decisions for claim in facts.claims):
        yield "if this company ends its decision about the listing", _each(facts, _undecided)


def _listings(facts: SignalFacts) -> Iterator[tuple[str, SignalFacts]]:
    """Yield what members may list or withdraw."""
    if facts.claims:
        yield "if one more member lists it", replace(facts, claims=(*facts.claims, _another(facts)))
    members = sorted({claim.member for claim in facts.claims})
    for member in members:
        rest = tuple(claim for claim in facts.claims if claim.member != member)
        yield f"if {member} withdraws it", replace(facts, claims=rest)
    if len(members) > 1:
        yield "if all that list it withdraw it", replace(facts, claims=())


def _expiring(facts: SignalFacts, expires: Mapping[int, str]) -> Iterator[tuple[str, SignalFacts, datetime]]:
    """Yield what the ends of listings bring, one after another."""
    claims = list(facts.claims)
    for number, text in sorted(expires.items(), key=lambda one: one[1]):
        if claims[number].expired:
            continue
        claims[number] = replace(claims[number], expired=True)
        words = f"by itself on {text}, when the listing of {claims[number].member} expires"
        yield words, replace(facts, claims=tuple(claims)), parse_time(text)


_ENDS_ALL: Final = "if this company ends its decisions about it"
_OWN: Final = {
    Verdict.CONFIRM: "if this company confirms it",
    Verdict.REJECT: "if this company rejects it",
}


def _each(facts: SignalFacts, change: Callable[[ClaimFacts], ClaimFacts]) -> SignalFacts:
    return replace(facts, claims=tuple(map(change, facts.claims)))


def _let_through(facts: SignalFacts) -> SignalFacts:
    return replace(facts, held=False, claims=tuple(replace(claim, held=False) for claim in facts.claims))


def _undecided(claim: ClaimFacts) -> ClaimFacts:
    return replace(claim, decisions=())


def _undisputed(claim: ClaimFacts) -> ClaimFacts:
    return replace(claim, opinions=replace(claim.opinions, disagree=()))


def _another(facts: SignalFacts) -> ClaimFacts:
    """Give the claim of one more member, which says the same as the best of those that there are."""
    like = min(facts.claims, key=lambda claim: (claim.expired, -(claim.quality or 0), claim.member))
    return replace(like, member=ANOTHER, own=False, expired=False, opinions=OpinionFacts(), decisions=(), held=False)


def _disputed(claim: ClaimFacts, count: int) -> ClaimFacts:
    more = tuple((f"{ANOTHER} {number}", None) for number in range(count))
    return replace(claim, opinions=replace(claim.opinions, disagree=(*claim.opinions.disagree, *more)))


def _decision(decision: LocalDecision) -> str:
    scope = "" if decision.scope is None else f", about {', '.join(sorted(decision.scope))} only"
    until = "" if decision.until is None else f", until {format_time(datetime.fromtimestamp(decision.until, UTC))}"
    why = "" if decision.why is None else f": {decision.why}"
    return f"{decision.verdict.value}{scope}{until}{why}"
