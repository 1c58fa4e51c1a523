"""What is odd about a policy: rules that contradict each other, that are never reached, or that can never fit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hashpact_protocol.policy_form import WILDCARD, Conditions, Policy, Rule, Words

_WORDS = ("types", "publishers", "content", "confirmed", "origin", "logs", "incident_types")
_FLAGS = ("own", "overdue")
_AT_LEAST = ("members", "agree", "older_than_days", "distance_over")
_AT_MOST = ("newer_than_days", "distance_at_most")


class Finding(NamedTuple):
    """What is odd about one rule, by its number from 0, and how to mend it."""

    number: int
    what: str
    mend: str


def members_named(policy: Policy) -> frozenset[str]:
    """Give all members that a policy names; one that is misspelt is no error that the text alone could show."""
    named = {member for member, _ in policy.peers} | (policy.incidents.counting or set())
    return frozenset(named.union(*(rule.when.publishers or () for rule in policy.rules)))


def contradiction(rules: Sequence[Rule]) -> Finding | None:
    """Find the first rule that says something else under the conditions of one above it; None if there is none.

    A rule above that is still being rolled out further leaves the rest to the one below, so that is none.
    """
    for number, rule in enumerate(rules):
        for above in rules[:number]:
            if above.when == rule.when and above.then is not rule.then and above.rollout >= rule.rollout:
                what = (
                    f"the rules {above.name!r} and {rule.name!r} have the same conditions, and say "
                    f"{above.then.word} and {rule.then.word}"
                )
                return Finding(number, what, "take one of them out, or say in which cases each holds")
    return None


def warnings(policy: Policy) -> list[Finding]:
    """Give what is allowed and hardly meant: rules that are never reached, and rules that can never fit."""
    found: list[Finding] = []
    for number, rule in enumerate(policy.rules):
        why = _never_fits(rule)
        if why is not None:
            found.append(Finding(number, f"the rule {rule.name!r} never fits: {why}", "change its conditions"))
            continue
        hider = next((one for one in policy.rules[:number] if _hides(one, rule)), None)
        if hider is not None:
            what = f"the rule {rule.name!r} is never reached: wherever it fits, {hider.name!r} above it does"
            found.append(Finding(number, what, f"move it above {hider.name!r}, or take it out"))
    return found


def unknown_labels(policy: Policy, known: Iterable[str]) -> list[str]:
    """Give the labels, of rules and scopes, that name or begin none of the ``known`` ones, sorted."""
    labels = list(known)
    asked: set[str] = set()
    for rule in policy.rules:
        asked |= (rule.when.labels or frozenset()) | (rule.when.without_labels or frozenset())
    for terms in (policy.others, *(terms for _, terms in policy.peers)):
        asked |= terms.scope.labels or frozenset()
    return sorted(one for one in asked if not any(_covers(one, label) for label in labels))


def _never_fits(rule: Rule) -> str | None:
    when = rule.when
    least, most = when.older_than_days or 0, when.newer_than_days
    over, at_most = when.distance_over, when.distance_at_most
    if rule.rollout == 0:
        return "it is rolled out to nothing"
    if when.own is True and when.members > 1:
        return f"this company is one member, not {when.members}"
    if when.publishers is not None and len(when.publishers) < when.members:
        return f"it names {len(when.publishers)} publishers and asks for {when.members} members"
    if most is not None and least >= most:
        return f"nothing is {least} days old or more and less than {most}"
    if over is not None and at_most is not None and over >= at_most:
        return f"no distance is over {over} and at most {at_most}"
    if when.incident is False and when.incident_types is not None:
        return "what belongs to no incident belongs to none of a type"
    return None


def _hides(above: Rule, below: Rule) -> bool:
    """Say whether ``above`` fits wherever ``below`` does."""
    if above.rollout < below.rollout:
        return False
    one, other = above.when, below.when
    return (
        all(_words_imply(getattr(other, name), getattr(one, name)) for name in _WORDS)
        and all(getattr(one, name) in (None, getattr(other, name)) for name in _FLAGS)
        and all(_least_implies(getattr(other, name), getattr(one, name)) for name in _AT_LEAST)
        and all(_most_implies(getattr(other, name), getattr(one, name)) for name in _AT_MOST)
        and _labels_imply(one, other)
        and _incident_implies(one, other)
        and _disputes_imply(one, other)
    )


def _words_imply(given: Words | None, asked: Words | None) -> bool:
    return asked is None or (given is not None and given <= asked)


def _least_implies(given: int | None, asked: int | None) -> bool:
    return asked is None or (given is not None and given >= asked)


def _most_implies(given: int | None, asked: int | None) -> bool:
    return asked is None or (given is not None and given <= asked)


def _labels_imply(above: Conditions, below: Conditions) -> bool:
    wanted = above.labels is None or _all_covered(below.labels, by=above.labels)
    return wanted and (above.without_labels is None or _all_covered(above.without_labels, by=below.without_labels))


def _all_covered(labels: Words | None, *, by: Words | None) -> bool:
    """Say whether every label that fits one of ``labels`` fits one of ``by``; None fits nothing here."""
    if labels is None or by is None:
        return False
    return all(any(_covers(wider, label) for wider in by) for label in labels)


def _covers(wider: str, label: str) -> bool:
    """Say whether whatever fits ``label``, which may have a wildcard too, fits ``wider``."""
    return label == wider or (wider.endswith(WILDCARD) and label.startswith(wider[:-1]))


def _incident_implies(above: Conditions, below: Conditions) -> bool:
    if above.incident is True and below.incident_types is not None:
        return True
    return above.incident in (None, below.incident)


def _disputes_imply(above: Conditions, below: Conditions) -> bool:
    if above.disagree is None and above.reasons is None:
        return True
    if below.disagree is None and below.reasons is None:
        return False
    return (below.disagree or 1) >= (above.disagree or 1) and _words_imply(below.reasons, above.reasons)
