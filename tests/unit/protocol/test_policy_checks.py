from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hashpact_protocol.incidents import IncidentRules
from hashpact_protocol.policy import Action
from hashpact_protocol.policy_checks import contradiction, members_named, unknown_labels, warnings
from hashpact_protocol.policy_form import (
    DEFAULT_POLICY,
    DEFAULT_RULES,
    Conditions,
    FrozenMap,
    PeerTerms,
    Policy,
    Rule,
    Scope,
    Weight,
)


def words(*texts: str) -> frozenset[str]:
    return frozenset(texts)


def rule(name: str, then: Action = Action.BLOCK, *, rollout: int = 10_000, **when: Any) -> Rule:
    return Rule(name, then, Conditions(**when), rollout)


def test_all_members_that_are_named_are_found() -> None:
    peers = FrozenMap({"beta": PeerTerms(Weight.NOTHING)})
    named = replace(
        DEFAULT_POLICY,
        rules=(rule("a", publishers=words("gamma", "delta")), rule("b")),
        peers=peers,
        incidents=IncidentRules(counting=words("omega")),
    )
    assert members_named(named) == {"beta", "gamma", "delta", "omega"}
    assert members_named(DEFAULT_POLICY) == frozenset()


def test_the_default_rules_are_in_order() -> None:
    assert contradiction(DEFAULT_RULES) is None
    assert warnings(DEFAULT_POLICY) == []


def test_two_rules_with_the_same_conditions_contradict_each_other() -> None:
    found = contradiction((rule("a", own=True), rule("b"), rule("c", Action.REVIEW, own=True)))
    assert found is not None
    assert found.number == 2
    assert "'a' and 'c'" in found.what
    assert "block and review" in found.what


def test_a_rule_that_is_rolled_out_in_part_leaves_the_rest_to_the_next() -> None:
    assert contradiction((rule("a", rollout=10), rule("b", Action.REVIEW))) is None
    assert contradiction((rule("a", rollout=10), rule("b", Action.REVIEW, rollout=10))) is not None


def test_saying_the_same_twice_is_no_contradiction_but_never_reached() -> None:
    rules = (rule("a", own=True), rule("b", own=True))
    assert contradiction(rules) is None
    assert [found.what for found in warnings(Policy(rules=rules))] == [
        "the rule 'b' is never reached: wherever it fits, 'a' above it does"
    ]


@pytest.mark.parametrize(
    ("above", "below"),
    [
        ({}, {"own": True}),
        ({"members": 2}, {"members": 3}),
        ({"publishers": words("acme", "beta")}, {"publishers": words("acme")}),
        ({"agree": 1}, {"agree": 2, "members": 2}),
        ({"newer_than_days": 9}, {"newer_than_days": 5}),
        ({"older_than_days": 5}, {"older_than_days": 9}),
        ({"distance_at_most": 9}, {"distance_at_most": 5}),
        ({"distance_over": 5}, {"distance_over": 9}),
        ({"labels": words("a:*")}, {"labels": words("a:x", "a:y*")}),
        ({"without_labels": words("a:x")}, {"without_labels": words("a:*", "b")}),
        ({"incident": True}, {"incident_types": words("x")}),
        ({"incident": False}, {"incident": False, "own": False}),
        ({"disagree": 1}, {"reasons": words("satire")}),
        ({"reasons": words("satire", "legal")}, {"disagree": 2, "reasons": words("legal")}),
        ({"overdue": False}, {"overdue": False, "content": words("image")}),
    ],
)
def test_a_rule_below_one_that_always_fits_too_is_never_reached(above: dict[str, Any], below: dict[str, Any]) -> None:
    policy = Policy(rules=(rule("a", **above), rule("b", Action.REVIEW, **below)))
    assert [found.number for found in warnings(policy)] == [1]


@pytest.mark.parametrize(
    ("above", "below"),
    [
        ({"own": True}, {}),
        ({"own": True}, {"own": False}),
        ({"members": 3}, {"members": 2}),
        ({"publishers": words("acme")}, {"publishers": words("acme", "beta")}),
        ({"agree": 2}, {"agree": 1}),
        ({"agree": 2}, {}),
        ({"newer_than_days": 5}, {"newer_than_days": 9}),
        ({"newer_than_days": 5}, {}),
        ({"labels": words("a:x")}, {"labels": words("a:*")}),
        ({"labels": words("a:*")}, {}),
        ({"without_labels": words("a:*")}, {"without_labels": words("a:x")}),
        ({"without_labels": words("a:*")}, {}),
        ({"incident": True}, {"incident": False}),
        ({"incident": True}, {}),
        ({"incident_types": words("x")}, {"incident": True}),
        ({"disagree": 2}, {"disagree": 1}),
        ({"disagree": 1}, {"members": 4}),
        ({"reasons": words("satire")}, {"disagree": 2}),
        ({"rollout": 5}, {}),
    ],
)
def test_a_rule_that_may_fit_where_none_above_does_is_reached(above: dict[str, Any], below: dict[str, Any]) -> None:
    policy = Policy(rules=(rule("a", **above), rule("b", Action.REVIEW, **below)))
    assert warnings(policy) == []


@pytest.mark.parametrize(
    ("when", "why"),
    [
        ({"rollout": 0}, "rolled out to nothing"),
        ({"own": True, "members": 2}, "one member, not 2"),
        ({"publishers": words("acme"), "members": 2}, "names 1 publishers and asks for 2 members"),
        ({"older_than_days": 9, "newer_than_days": 9}, "nothing is 9 days old or more and less than 9"),
        ({"distance_over": 9, "distance_at_most": 9}, "no distance is over 9 and at most 9"),
        ({"incident": False, "incident_types": words("x")}, "belongs to none of a type"),
    ],
)
def test_a_rule_that_can_never_fit_is_told(when: dict[str, Any], why: str) -> None:
    (found,) = warnings(Policy(rules=(rule("a", **when), rule("b"))))
    assert found.number == 0
    assert why in found.what


def test_labels_that_the_taxonomy_does_not_know_are_told() -> None:
    policy = Policy(
        rules=(rule("a", labels=words("x:*", "odd")), rule("b", without_labels=words("x:one", "y:*"))),
        others=PeerTerms(scope=Scope(labels=words("elsewhere"))),
        peers=FrozenMap({"acme": PeerTerms(scope=Scope(labels=words("x:two")))}),
    )
    assert unknown_labels(policy, ["x:one", "x:two"]) == ["elsewhere", "odd", "y:*"]
