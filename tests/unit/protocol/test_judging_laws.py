from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hashpact_protocol.facts import (
    ClaimFacts,
    IncidentFacts,
    ListingFacts,
    LocalDecision,
    OpinionFacts,
    SignalFacts,
    Verdict,
    is_good_enough,
)
from hashpact_protocol.judging import judge
from hashpact_protocol.policy import Action, decide
from hashpact_protocol.policy_form import (
    DEFAULT_POLICY,
    WEIGHT_OF_ACTION,
    Conditions,
    Disputed,
    FrozenMap,
    Overdue,
    PeerTerms,
    Policy,
    Rule,
    Scope,
    Weight,
)

START = datetime(2026, 11, 24, tzinfo=UTC)
SECONDS = int(START.timestamp())
DAY = SECONDS // 86_400
ACTIONS = st.sampled_from([Action.BLOCK, Action.REVIEW, Action.OBSERVE, Action.IGNORE])
MEMBERS = ("acme", "beta", "gamma", "delta")
NAMES = st.sampled_from(MEMBERS)
MOMENTS = st.integers(-3, 4).map(lambda days: START + timedelta(days=days))
TIMES = st.none() | st.integers(SECONDS - 200_000, SECONDS + 300_000)
LABELS = st.sampled_from(["a:x", "a:y", "b:x"])
SOME = st.none() | st.frozensets(LABELS | st.just("a:*"), min_size=1, max_size=2)

DECISIONS = st.builds(
    LocalDecision,
    st.sampled_from(list(Verdict)),
    st.none() | st.frozensets(NAMES, min_size=1),
    TIMES,
    st.none() | st.just("why"),
)
LISTINGS = st.builds(
    ListingFacts,
    st.sampled_from(["image", "video"]),
    st.lists(LABELS, unique=True, max_size=2).map(lambda labels: tuple(sorted(labels))),
    incident=st.none() | st.just("crisis-one"),
    listed=st.integers(DAY - 5, DAY + 2),
    review_by=TIMES,
)
OPINIONS = st.builds(
    OpinionFacts,
    st.lists(NAMES, unique=True).map(lambda names: tuple(sorted(names))),
    st.dictionaries(NAMES, st.none() | st.just("satire")).map(lambda found: tuple(sorted(found.items()))),
)
CLAIMS = st.builds(
    ClaimFacts,
    NAMES,
    LISTINGS,
    st.sampled_from([False]),
    st.sampled_from(["listings", "crisis"]),
    st.none() | st.integers(45, 55),
    st.booleans(),
    OPINIONS,
    st.lists(DECISIONS, max_size=3).map(tuple),
).map(lambda claim: replace(claim, own=claim.member == "acme"))
SIGNALS = st.builds(
    SignalFacts,
    st.sampled_from(["pdq", "md5"]),
    st.lists(CLAIMS, max_size=5).map(tuple),
    st.lists(DECISIONS, max_size=3).map(tuple),
    st.frozensets(st.builds(IncidentFacts, st.just("crisis-one"), st.none() | st.just("manifesto")), max_size=1),
    st.integers(0, 9_999),
    st.integers(0, 31),
    st.just("acme"),
)
CONDITIONS = st.builds(
    Conditions,
    members=st.integers(1, 3),
    own=st.none() | st.booleans(),
    labels=SOME,
    without_labels=SOME,
    incident=st.none() | st.booleans(),
    agree=st.none() | st.integers(1, 2),
    disagree=st.none() | st.integers(1, 2),
    older_than_days=st.none() | st.integers(1, 4),
    newer_than_days=st.none() | st.integers(1, 4),
    overdue=st.none() | st.booleans(),
    distance_at_most=st.none() | st.integers(0, 31),
)
TERMS = st.builds(
    PeerTerms,
    st.sampled_from(list(Weight)),
    st.booleans(),
    st.builds(Scope, labels=SOME),
    st.dictionaries(st.just("pdq"), st.integers(0, 31)).map(FrozenMap),
)
RULES = st.lists(
    st.builds(Rule, st.sampled_from(["r1", "r2"]), ACTIONS, CONDITIONS, st.integers(0, 10_000)), max_size=4
)
POLICIES = st.builds(
    Policy,
    RULES.map(tuple),
    ACTIONS,
    st.just(FrozenMap()),
    st.dictionaries(NAMES, TERMS).map(FrozenMap),
    TERMS,
    st.builds(Disputed, st.integers(1, 3), st.sampled_from(list(Weight))),
    st.builds(Overdue, st.sampled_from(list(Weight))),
)


@given(SIGNALS, POLICIES, MOMENTS, st.randoms(use_true_random=False))
def test_the_order_of_claims_changes_nothing(
    signal: SignalFacts, policy: Policy, now: datetime, random: object
) -> None:
    claims = list(signal.claims)
    random.shuffle(claims)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    assert judge(replace(signal, claims=tuple(claims)), policy, now) == judge(signal, policy, now)


@given(SIGNALS, POLICIES, MOMENTS, st.sampled_from(list(Verdict)))
def test_a_local_decision_always_wins(signal: SignalFacts, policy: Policy, now: datetime, verdict: Verdict) -> None:
    judged = judge(replace(signal, decisions=(LocalDecision(verdict),)), policy, now)
    if not signal.claims:
        assert judged.action is Action.NONE
    else:
        assert judged.action is (Action.BLOCK if verdict is Verdict.CONFIRM else Action.IGNORE)
        assert judged.because.decision == LocalDecision(verdict)


@given(SIGNALS, POLICIES, MOMENTS)
def test_a_decision_about_members_always_wins_over_their_claims(
    signal: SignalFacts, policy: Policy, now: datetime
) -> None:
    """Whatever else was decided: a claim that is refused adds nothing, and where all are, nothing is done."""

    def counting(claim: ClaimFacts) -> list[LocalDecision]:
        moment = now.timestamp()
        each = [
            [
                one
                for one in about
                if (one.until is None or moment < one.until) and claim.member in (one.scope or MEMBERS)
            ]
            for about in (signal.decisions, claim.decisions)
        ]
        return [about[0] for about in each if about]

    refused = [claim for claim in signal.claims if any(one.verdict is not Verdict.CONFIRM for one in counting(claim))]
    scoped = all(one.scope is not None for one in signal.decisions)
    judged = judge(signal, policy, now)
    if len(refused) == len(signal.claims) > 0 and scoped:
        assert judged.action is Action.IGNORE
    elif scoped:
        rest = tuple(claim for claim in signal.claims if claim not in refused)
        assert judge(replace(signal, claims=rest), policy, now).action is judged.action


@given(SIGNALS, MOMENTS)
def test_the_default_policy_is_the_default_rule_where_nobody_has_an_opinion(signal: SignalFacts, now: datetime) -> None:
    claims = tuple(replace(claim, opinions=OpinionFacts(), decisions=()) for claim in signal.claims)
    plain = replace(signal, claims=claims, decisions=(), distance=0)
    counting = [one for one in claims if not one.expired and is_good_enough(signal.type, one.quality)]
    expected = decide(
        own=any(one.own for one in counting), members=len({one.member for one in counting}), claimed=bool(claims)
    )
    judged = judge(plain, DEFAULT_POLICY, now)
    assert (judged.action, judged.rule) == (expected.action, expected.rule)


@given(SIGNALS, POLICIES, MOMENTS)
def test_nothing_changes_before_it_is_due(signal: SignalFacts, policy: Policy, now: datetime) -> None:
    judged = judge(signal, policy, now)
    last = START + timedelta(days=900) if judged.due is None else datetime.fromtimestamp(judged.due - 1, UTC)
    later = judge(signal, policy, last)
    assert replace(later, due=None) == replace(judged, due=None)


@given(SIGNALS, POLICIES, MOMENTS, CLAIMS)
def test_a_claim_that_is_trusted_with_nothing_adds_nothing(
    signal: SignalFacts, policy: Policy, now: datetime, more: ClaimFacts
) -> None:
    stranger = replace(more, member="zeta", own=False, decisions=())
    terms = FrozenMap({**dict(policy.peers), "zeta": PeerTerms(trust=Weight.NOTHING)})
    plain = replace(signal, claims=(*signal.claims, stranger))
    without = judge(signal, replace(policy, peers=terms), now)
    judged = judge(plain, replace(policy, peers=terms), now)
    if without.action is Action.NONE:
        assert judged.action in (Action.IGNORE, Action.BLOCK)  # a decision is about it from now on
    else:
        assert judged.action is without.action


@given(SIGNALS, POLICIES, MOMENTS, CLAIMS)
def test_a_peer_in_shadow_takes_nothing_away_and_leads_to_no_more_than_observing(
    signal: SignalFacts, policy: Policy, now: datetime, more: ClaimFacts
) -> None:
    shadow = replace(more, member="zeta", own=False, decisions=())
    policy = replace(policy, peers=FrozenMap({**dict(policy.peers), "zeta": PeerTerms(shadow=True)}))
    undecided = replace(signal, decisions=())
    without = judge(undecided, policy, now)
    judged = judge(replace(undecided, claims=(*signal.claims, shadow)), policy, now)
    before = Weight.NOTHING if without.action is Action.NONE else WEIGHT_OF_ACTION[without.action]
    assert before <= WEIGHT_OF_ACTION[judged.action] <= max(before, Weight.OBSERVE)
