from __future__ import annotations

from hashpact_protocol.facts import BUCKETS
from hashpact_protocol.incidents import IncidentRules
from hashpact_protocol.policy import Action
from hashpact_protocol.policy_form import (
    DEFAULT_POLICY,
    Conditions,
    FrozenMap,
    Overdue,
    PeerTerms,
    Policy,
    Rule,
    Weight,
)


def test_a_frozen_map_is_a_value_whatever_order_it_came_in() -> None:
    one, other = FrozenMap({"b": 1, "a": 2}), FrozenMap({"a": 2, "b": 1})
    assert one == other
    assert hash(one) == hash(other)
    assert one.find("a") == 2
    assert one.find("c") is None


def test_a_weight_leads_to_its_action_at_most() -> None:
    assert [weight.action for weight in Weight] == [Action.IGNORE, Action.OBSERVE, Action.REVIEW, Action.BLOCK]


def test_a_shadow_is_only_observed_however_far_it_is_trusted() -> None:
    assert PeerTerms().weight is Weight.BLOCK
    assert PeerTerms(shadow=True).weight is Weight.OBSERVE
    assert PeerTerms(trust=Weight.NOTHING, shadow=True).weight is Weight.NOTHING


def test_a_peer_has_its_own_terms_or_those_of_all_others() -> None:
    acme, others = PeerTerms(trust=Weight.REVIEW), PeerTerms(shadow=True)
    policy = Policy(peers=FrozenMap({"acme": acme}), others=others)
    assert policy.terms_of("acme") is acme
    assert policy.terms_of("beta") is others


def test_the_distance_of_a_peer_comes_before_that_of_all_and_that_before_the_types() -> None:
    policy = Policy(
        peers=FrozenMap({"acme": PeerTerms(distance=FrozenMap({"pdq": 0}))}), distance=FrozenMap({"pdq": 20})
    )
    assert policy.distance_of("acme", "pdq") == 0
    assert policy.distance_of("beta", "pdq") == 20
    assert policy.distance_of("beta", "tlsh") == 30
    assert policy.distance_of("beta", "odd_type") == 0


def test_a_policy_says_what_it_asks_for() -> None:
    assert not DEFAULT_POLICY.asks_distance
    assert not DEFAULT_POLICY.asks_review_by
    assert DEFAULT_POLICY.ages == ()
    assert DEFAULT_POLICY.rollouts == ()
    policy = Policy(
        rules=(
            Rule("a", Action.BLOCK, Conditions(older_than_days=9, newer_than_days=3), rollout=7),
            Rule("b", Action.BLOCK, Conditions(distance_over=3, overdue=False), rollout=BUCKETS),
        )
    )
    assert policy.asks_distance
    assert policy.asks_review_by
    assert not policy.asks_incidents
    assert Policy(rules=(Rule("a", Action.BLOCK, Conditions(incident_types=frozenset({"x"}))),)).asks_incidents
    assert policy.ages == (3, 9)
    assert policy.rollouts == (7,)


def test_distances_and_caps_may_be_asked_for_outside_of_rules() -> None:
    near = FrozenMap({"pdq": 3})
    assert Policy(distance=near).asks_distance
    assert Policy(others=PeerTerms(distance=near)).asks_distance
    assert Policy(peers=FrozenMap({"acme": PeerTerms(distance=near)})).asks_distance
    assert Policy(rules=(Rule("a", Action.BLOCK, Conditions(distance_at_most=3)),)).asks_distance
    assert Policy(overdue=Overdue(Weight.REVIEW)).asks_review_by


def test_whoever_is_only_watched_makes_no_incident_active() -> None:
    watched = PeerTerms(shadow=True)
    policy = Policy(peers=FrozenMap({"beta": PeerTerms(), "gamma": PeerTerms(trust=Weight.REVIEW)}), others=watched)
    rules = policy.incident_rules(["beta", "gamma", "delta", "omega"], "acme")
    assert rules == IncidentRules(counting=frozenset({"acme", "beta", "gamma"}))
    named = Policy(incidents=IncidentRules(3, frozenset({"omega"})), others=watched)
    assert named.incident_rules(["beta"], "acme") == named.incidents
