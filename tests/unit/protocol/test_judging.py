from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from hashpact_protocol.facts import (
    DAY_SECONDS,
    ClaimFacts,
    IncidentFacts,
    ListingFacts,
    LocalDecision,
    OpinionFacts,
    SignalFacts,
    Verdict,
)
from hashpact_protocol.judging import LAST_SECOND, judge, label_fits
from hashpact_protocol.policy import Action
from hashpact_protocol.policy_form import (
    DEFAULT_POLICY,
    LISTING_FLOOD,
    MATCH_FLOOD,
    Conditions,
    Disputed,
    Flood,
    FrozenMap,
    Overdue,
    PeerTerms,
    Policy,
    Rule,
    Scope,
    Weight,
)

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MOMENT = int(NOW.timestamp())
TODAY = MOMENT // DAY_SECONDS
IMAGE = ListingFacts("image", listed=TODAY)
INCIDENT = "5f0c2d1e-8a4b-4c3d-9e2f-1a2b3c4d5e6f"


def words(*texts: str) -> frozenset[str]:
    return frozenset(texts)


def claim(member: str = "beta", **fields: Any) -> ClaimFacts:
    listing = replace(IMAGE, **{name: fields.pop(name) for name in list(fields) if name in ListingFacts.__slots__})
    return ClaimFacts(member, listing, **fields)


def facts(*claims: ClaimFacts, **fields: Any) -> SignalFacts:
    return SignalFacts(fields.pop("type", "pdq"), claims, **fields)


def disputed(*members: str, reason: str | None = None) -> OpinionFacts:
    return OpinionFacts(disagree=tuple((member, reason) for member in members))


def verdict(signal: SignalFacts, policy: Policy = DEFAULT_POLICY) -> tuple[Action, str]:
    judged = judge(signal, policy, NOW)
    return judged.action, judged.rule


def fits(signal: SignalFacts, **when: Any) -> bool:
    """Say whether a rule with these conditions fits."""
    policy = Policy(rules=(Rule("it", Action.BLOCK, Conditions(**when)),), disputed=Disputed(members=99))
    return verdict(signal, policy) == (Action.BLOCK, "it")


def trusting(**fields: Any) -> Policy:
    return Policy(peers=FrozenMap({"beta": PeerTerms(**fields)}))


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ((), (Action.NONE, "not-claimed")),
        ((claim("acme", own=True),), (Action.BLOCK, "own-listing")),
        ((claim("beta"), claim("gamma")), (Action.BLOCK, "members-agree")),
        ((claim("beta"), claim("beta", content="video")), (Action.REVIEW, "one-member")),
        ((claim("beta", expired=True),), (Action.IGNORE, "expired-or-low-quality")),
        ((claim("beta", quality=49), claim("gamma", expired=True)), (Action.IGNORE, "expired-or-low-quality")),
        ((claim("beta", quality=49), claim("gamma", quality=50)), (Action.REVIEW, "one-member")),
    ],
)
def test_the_default_policy(claims: tuple[ClaimFacts, ...], expected: tuple[Action, str]) -> None:
    assert verdict(facts(*claims)) == expected


def test_a_listing_that_enough_members_dispute_falls_to_review_our_own_too() -> None:
    opinions = disputed("gamma", "delta")
    own = claim("acme", own=True, opinions=opinions)
    assert verdict(facts(own)) == (Action.REVIEW, "disputed")
    assert verdict(facts(claim("beta", opinions=opinions), claim("epsilon", opinions=opinions))) == (
        Action.REVIEW,
        "disputed",
    )


def test_one_that_disagrees_is_not_enough_by_default() -> None:
    assert verdict(facts(claim("acme", own=True, opinions=disputed("gamma")))) == (Action.BLOCK, "own-listing")


def test_a_dispute_of_one_listing_takes_nothing_from_another_one() -> None:
    signal = facts(claim("beta", opinions=disputed("gamma", "delta")), claim("acme", own=True))
    assert verdict(signal) == (Action.BLOCK, "own-listing")


def test_disputes_are_told_where_the_judgement_rests_on_another_listing() -> None:
    signal = facts(claim("beta", opinions=disputed("gamma", "delta")), claim("acme", own=True))
    because = judge(signal, DEFAULT_POLICY, NOW).because
    assert because.members == ("acme",)
    assert because.disagree == (("delta", None), ("gamma", None))


def test_what_is_one_members_word_anyway_is_not_called_disputed() -> None:
    assert verdict(facts(claim("beta", opinions=disputed("gamma", "delta")))) == (Action.REVIEW, "one-member")


def test_nobodys_opinion_of_its_own_listing_counts_nor_that_of_one_whom_we_do_not_trust() -> None:
    policy = Policy(peers=FrozenMap({"delta": PeerTerms(shadow=True)}))
    for opinions in (disputed("acme", "gamma"), disputed("gamma", "delta")):
        assert verdict(facts(claim("acme", own=True, opinions=opinions)), policy) == (Action.BLOCK, "own-listing")


def test_our_own_opinion_counts_whatever_the_terms_of_peers() -> None:
    policy = Policy(
        rules=(Rule("any", Action.BLOCK),),
        others=PeerTerms(shadow=True),
        peers=FrozenMap({"beta": PeerTerms(), "gamma": PeerTerms()}),
    )
    signal = facts(claim("beta", opinions=disputed("acme", "gamma")), own_member="acme")
    assert verdict(signal, policy) == (Action.REVIEW, "disputed")
    assert verdict(replace(signal, own_member=None), policy) == (Action.BLOCK, "any")


@pytest.mark.parametrize(
    ("decided", "expected"),
    [
        (Verdict.CONFIRM, (Action.BLOCK, "confirmed-here")),
        (Verdict.REJECT, (Action.IGNORE, "rejected-here")),
        (Verdict.ALLOW, (Action.IGNORE, "allowed-here")),
        (Verdict.DISABLE, (Action.IGNORE, "disabled-here")),
    ],
)
def test_a_decision_of_this_company_beats_everybody(decided: Verdict, expected: tuple[Action, str]) -> None:
    for claims in ((claim("acme", own=True), claim("beta")), (claim("beta", expired=True),)):
        judged = judge(facts(*claims, decisions=(LocalDecision(decided),)), DEFAULT_POLICY, NOW)
        assert (judged.action, judged.rule) == expected
        assert judged.because.decision == LocalDecision(decided)


def test_what_nobody_claims_has_no_action_whatever_was_decided() -> None:
    assert verdict(facts(decisions=(LocalDecision(Verdict.CONFIRM),))) == (Action.NONE, "not-claimed")


def test_no_listing_is_due_after_all_time() -> None:
    """A peer may date a listing to the last day of the year 9999, and a policy ask for its age years later."""
    last = claim(listed=LAST_SECOND // DAY_SECONDS)
    policy = Policy(rules=(Rule("old", Action.OBSERVE, Conditions(older_than_days=1)),))
    assert judge(facts(last), policy, NOW).due is None
    before = claim(listed=LAST_SECOND // DAY_SECONDS - 1)
    assert judge(facts(before), policy, NOW).due == LAST_SECOND + 1 - DAY_SECONDS


def test_a_decision_ends_and_that_is_when_the_signal_is_due() -> None:
    signal = facts(claim(), decisions=(LocalDecision(Verdict.DISABLE, until=MOMENT + 1),))
    assert judge(signal, DEFAULT_POLICY, NOW).due == MOMENT + 1
    over = facts(claim(), decisions=(LocalDecision(Verdict.DISABLE, until=MOMENT),))
    judged = judge(over, DEFAULT_POLICY, NOW)
    assert (judged.action, judged.rule, judged.due) == (Action.REVIEW, "one-member", None)


def test_a_decision_about_some_members_is_about_their_claims() -> None:
    reject = LocalDecision(Verdict.REJECT, scope=words("beta"))
    assert verdict(facts(claim("beta"), claim("gamma"), decisions=(reject,))) == (Action.REVIEW, "one-member")
    alone = judge(facts(claim("beta"), decisions=(reject,)), DEFAULT_POLICY, NOW)
    assert (alone.action, alone.rule) == (Action.IGNORE, "rejected-here")
    assert alone.because.decision == reject
    assert alone.because.passed_over == ("beta: rejected-here",)
    confirm = LocalDecision(Verdict.CONFIRM, scope=words("beta"))
    assert verdict(facts(claim("beta"), decisions=(confirm,))) == (Action.BLOCK, "confirmed-here")
    assert verdict(facts(claim("gamma"), decisions=(confirm,))) == (Action.REVIEW, "one-member")


def test_decisions_about_different_members_stand_beside_each_other() -> None:
    """In the order in which they count: the newest first."""
    gamma, beta = (LocalDecision(Verdict.REJECT, scope=words(member)) for member in ("gamma", "beta"))
    both = (claim("beta"), claim("gamma"))
    assert verdict(facts(*both, decisions=(gamma, beta))) == (Action.IGNORE, "rejected-here")
    reject, confirm = (LocalDecision(one) for one in (Verdict.REJECT, Verdict.CONFIRM))
    allow = LocalDecision(Verdict.ALLOW, scope=words("gamma"))
    assert verdict(facts(*both, decisions=(allow, reject)))[0] is Action.IGNORE
    assert verdict(facts(*both, decisions=(allow, confirm))) == (Action.BLOCK, "confirmed-here")
    assert verdict(facts(claim("gamma"), decisions=(allow, confirm))) == (Action.IGNORE, "allowed-here")
    assert verdict(facts(*both, decisions=(confirm, allow))) == (Action.BLOCK, "confirmed-here")
    over = LocalDecision(Verdict.CONFIRM, until=MOMENT)
    assert verdict(facts(*both, decisions=(over, reject))) == (Action.IGNORE, "rejected-here")


def test_a_decision_about_a_listing_is_about_its_claims() -> None:
    rejected = claim("beta", decisions=(LocalDecision(Verdict.REJECT),))
    assert verdict(facts(rejected, claim("gamma"))) == (Action.REVIEW, "one-member")
    assert verdict(facts(rejected)) == (Action.IGNORE, "rejected-here")
    confirmed = claim("beta", decisions=(LocalDecision(Verdict.CONFIRM),))
    assert verdict(facts(confirmed)) == (Action.BLOCK, "confirmed-here")
    ended = claim("beta", decisions=(LocalDecision(Verdict.REJECT, until=MOMENT),))
    assert verdict(facts(ended)) == (Action.REVIEW, "one-member")


def test_a_claim_that_is_confirmed_and_refused_does_not_count() -> None:
    both = claim("beta", decisions=(LocalDecision(Verdict.CONFIRM),))
    signal = facts(both, decisions=(LocalDecision(Verdict.ALLOW, scope=words("beta")),))
    assert verdict(signal) == (Action.IGNORE, "allowed-here")


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (trusting(trust=Weight.REVIEW), (Action.REVIEW, "limited-trust")),
        (trusting(trust=Weight.OBSERVE), (Action.OBSERVE, "limited-trust")),
        (trusting(shadow=True), (Action.OBSERVE, "shadow")),
        (trusting(trust=Weight.NOTHING), (Action.IGNORE, "nothing-in-scope")),
    ],
)
def test_a_peers_word_leads_to_no_more_than_it_is_trusted_with(policy: Policy, expected: tuple[Action, str]) -> None:
    always = replace(policy, rules=(Rule("any", Action.BLOCK),))
    assert verdict(facts(claim("beta")), always) == expected


def test_less_trusted_peers_add_up_to_their_weight_and_take_nothing_away() -> None:
    policy = replace(trusting(shadow=True), others=PeerTerms(trust=Weight.BLOCK))
    assert verdict(facts(claim("beta"), claim("gamma")), policy) == (Action.REVIEW, "one-member")
    softer = replace(policy, rules=(Rule("soft", Action.IGNORE, Conditions(publishers=words("beta"))), *policy.rules))
    assert verdict(facts(claim("beta"), claim("gamma")), softer) == (Action.REVIEW, "one-member")


def test_terms_are_never_about_our_own_claims() -> None:
    policy = Policy(others=PeerTerms(trust=Weight.NOTHING))
    assert verdict(facts(claim("acme", own=True)), policy) == (Action.BLOCK, "own-listing")


def test_what_cut_a_judgement_down_is_told() -> None:
    signal = facts(claim("beta", labels=("x",)), claim("gamma", expired=True))
    because = judge(signal, replace(trusting(shadow=True), rules=(Rule("any", Action.BLOCK),)), NOW).because
    assert because.passed_over == ("any would say block", "gamma: expired")
    assert because.members == ("beta",)


@pytest.mark.parametrize(
    ("scope", "inside"),
    [
        (Scope(content=words("image")), True),
        (Scope(content=words("video")), False),
        (Scope(types=words("pdq")), True),
        (Scope(types=words("md5")), False),
        (Scope(logs=words("listings")), True),
        (Scope(logs=words("crisis")), False),
        (Scope(labels=words("producer:*")), True),
        (Scope(labels=words("producer")), False),
    ],
)
def test_what_is_out_of_a_peers_scope_does_not_count(scope: Scope, *, inside: bool) -> None:
    signal = facts(claim("beta", labels=("producer:lone-actor",)))
    expected = (Action.REVIEW, "one-member") if inside else (Action.IGNORE, "nothing-in-scope")
    assert verdict(signal, trusting(scope=scope)) == expected


def test_a_match_that_is_too_far_away_does_not_count() -> None:
    policy = trusting(distance=FrozenMap({"pdq": 10}))
    assert verdict(facts(claim("beta"), distance=10), policy) == (Action.REVIEW, "one-member")
    assert verdict(facts(claim("beta"), distance=11), policy) == (Action.IGNORE, "nothing-in-scope")
    assert verdict(facts(claim("gamma"), distance=31), policy) == (Action.REVIEW, "one-member")


def test_what_came_in_a_flood_of_its_member_leads_to_no_more_than_policy_says() -> None:
    flooding = claim("beta", held=True)
    assert verdict(facts(flooding, claim("delta", held=True))) == (Action.REVIEW, "flood-hold")
    assert verdict(facts(flooding, claim("gamma"))) == (Action.REVIEW, "one-member")
    assert verdict(facts(flooding, claim("gamma"), claim("delta"))) == (Action.BLOCK, "members-agree")
    watched = Policy(flood=Flood(listings=replace(LISTING_FLOOD, at_most=Weight.OBSERVE)))
    assert verdict(facts(flooding), watched) == (Action.OBSERVE, "flood-hold")


def test_what_matches_far_too_often_is_held_but_not_what_this_company_lists() -> None:
    agreed = facts(claim("beta"), claim("gamma"))
    assert verdict(replace(agreed, held=True)) == (Action.REVIEW, "flood-hold")
    own = facts(claim("beta"), claim("acme", own=True))
    assert verdict(replace(own, held=True)) == (Action.BLOCK, "own-listing")
    confirmed = replace(agreed, held=True, decisions=(LocalDecision(Verdict.CONFIRM),))
    assert verdict(confirmed) == (Action.BLOCK, "confirmed-here")
    watched = Policy(flood=Flood(matches=replace(MATCH_FLOOD, at_most=Weight.OBSERVE)))
    assert verdict(replace(agreed, held=True), watched) == (Action.OBSERVE, "flood-hold")


def test_an_overdue_listing_leads_to_no_more_than_policy_says() -> None:
    policy = Policy(overdue=Overdue(Weight.REVIEW))
    late = claim("acme", own=True, review_by=MOMENT)
    assert verdict(facts(late)) == (Action.BLOCK, "own-listing")
    assert verdict(facts(late), policy) == (Action.REVIEW, "overdue")
    soon = facts(claim("acme", own=True, review_by=MOMENT + 1))
    judged = judge(soon, policy, NOW)
    assert (judged.action, judged.due) == (Action.BLOCK, MOMENT + 1)


def test_the_first_rule_that_fits_decides_and_otherwise_what_the_policy_says() -> None:
    rules = (
        Rule("first", Action.OBSERVE, Conditions(content=words("image"))),
        Rule("second", Action.BLOCK, Conditions(members=1)),
    )
    assert verdict(facts(claim()), Policy(rules=rules)) == (Action.OBSERVE, "first")
    assert verdict(facts(claim(content="video")), Policy(rules=rules)) == (Action.BLOCK, "second")
    assert verdict(facts(claim(content="video")), Policy(rules=rules[:1], otherwise=Action.OBSERVE)) == (
        Action.OBSERVE,
        "otherwise",
    )


def test_a_rule_counts_the_members_whose_claims_fit() -> None:
    signal = facts(claim("beta", labels=("x",)), claim("gamma", labels=("y",)), claim("beta", labels=("x", "z")))
    assert fits(signal, members=2)
    assert not fits(signal, members=3)
    assert not fits(signal, members=2, labels=words("x"))
    assert fits(signal, members=2, labels=words("x", "y"))


def test_a_rule_is_rolled_out_to_some_buckets() -> None:
    rules = (Rule("new", Action.BLOCK, rollout=10), Rule("old", Action.REVIEW))
    assert verdict(facts(claim(), bucket=9), Policy(rules=rules)) == (Action.BLOCK, "new")
    assert verdict(facts(claim(), bucket=10), Policy(rules=rules)) == (Action.REVIEW, "old")


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ({"types": words("pdq", "md5")}, True),
        ({"types": words("md5")}, False),
        ({"distance_at_most": 5}, True),
        ({"distance_at_most": 4}, False),
        ({"distance_over": 4}, True),
        ({"distance_over": 5}, False),
        ({"publishers": words("beta")}, True),
        ({"publishers": words("gamma")}, False),
        ({"own": False}, True),
        ({"own": True}, False),
        ({"logs": words("crisis")}, True),
        ({"logs": words("listings")}, False),
        ({"origin": words("own")}, True),
        ({"origin": words("import")}, False),
        ({"content": words("image")}, True),
        ({"content": words("video")}, False),
        ({"confirmed": words("human")}, True),
        ({"confirmed": words("law")}, False),
        ({"labels": words("producer:*")}, True),
        ({"labels": words("producer:other")}, False),
        ({"without_labels": words("producer:other")}, True),
        ({"without_labels": words("producer:*")}, False),
        ({"incident": True}, True),
        ({"incident": False}, False),
        ({"incident_types": words("manifesto")}, True),
        ({"incident_types": words("exercise")}, False),
        ({"incident": True, "incident_types": words("manifesto")}, True),
        ({"agree": 1}, True),
        ({"agree": 2}, False),
        ({"disagree": 2}, True),
        ({"disagree": 3}, False),
        ({"reasons": words("satire")}, True),
        ({"reasons": words("legal")}, False),
        ({"disagree": 2, "reasons": words("satire")}, False),
        ({"older_than_days": 3}, True),
        ({"older_than_days": 4}, False),
        ({"newer_than_days": 4}, True),
        ({"newer_than_days": 3}, False),
        ({"overdue": True}, True),
        ({"overdue": False}, False),
    ],
)
def test_each_condition_holds_or_not(when: dict[str, Any], *, holds: bool) -> None:
    opinions = OpinionFacts(agree=("gamma",), disagree=(("delta", "satire"), ("epsilon", None)))
    one = claim(
        labels=("producer:lone-actor",),
        confirmed="human",
        incident=INCIDENT,
        listed=TODAY - 3,
        review_by=MOMENT - 1,
        log_kind="crisis",
        opinions=opinions,
    )
    signal = facts(one, distance=5, incidents=frozenset({IncidentFacts(INCIDENT, "manifesto")}))
    assert fits(signal, **when) is holds


def test_a_proposed_incident_changes_nothing() -> None:
    assert not fits(facts(claim(incident=INCIDENT)), incident=True)
    assert fits(facts(claim(incident=INCIDENT)), incident=False)


def test_a_listing_from_the_future_is_new() -> None:
    assert fits(facts(claim(listed=TODAY + 400)), newer_than_days=1)
    assert not fits(facts(claim(listed=TODAY + 400)), older_than_days=1)


def test_the_day_on_which_an_age_is_reached_is_when_the_signal_is_due() -> None:
    policy = Policy(rules=(Rule("new", Action.BLOCK, Conditions(newer_than_days=2)),), otherwise=Action.REVIEW)
    signal = facts(claim(listed=TODAY - 1))
    judged = judge(signal, policy, NOW)
    assert (judged.action, judged.due) == (Action.BLOCK, (TODAY + 1) * DAY_SECONDS)
    later = judge(signal, policy, datetime.fromtimestamp((TODAY + 1) * DAY_SECONDS, UTC))
    assert (later.action, later.due) == (Action.REVIEW, None)


def test_a_judgement_says_what_it_rests_on() -> None:
    opinions = OpinionFacts(agree=("gamma",), disagree=(("delta", "satire"),))
    signal = facts(
        claim("beta", opinions=opinions, incident=INCIDENT),
        claim("acme", own=True, opinions=OpinionFacts(disagree=(("delta", None),))),
        incidents=frozenset({IncidentFacts(INCIDENT), IncidentFacts("another")}),
    )
    because = judge(signal, Policy(rules=(Rule("any", Action.BLOCK),)), NOW).because
    assert because.members == ("acme", "beta")
    assert because.agree == ("gamma",)
    assert because.disagree == (("delta", None), ("delta", "satire"))
    assert because.incidents == (INCIDENT,)
    assert because.decision is None


@pytest.mark.parametrize(
    ("pattern", "label", "fit"),
    [("a:x", "a:x", True), ("a:x", "a:xy", False), ("a:*", "a:x", True), ("a:*", "b:x", False), ("*", "", True)],
)
def test_a_label_fits_a_pattern(pattern: str, label: str, *, fit: bool) -> None:
    assert label_fits(pattern, label) is fit
