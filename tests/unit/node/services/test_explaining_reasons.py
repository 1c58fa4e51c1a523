from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from hashpact_node.services.explaining_reasons import MEANINGS, because_of, reason_of, would_change
from hashpact_protocol.facts import (
    Because,
    ClaimFacts,
    Judgement,
    ListingFacts,
    LocalDecision,
    OpinionFacts,
    SignalFacts,
    Verdict,
)
from hashpact_protocol.judging import RESERVED_RULES, judge
from hashpact_protocol.policy import DECISIONS, Action
from hashpact_protocol.policy_form import DEFAULT_POLICY, DEFAULT_RULES
from members import NOW

IMAGE = ListingFacts("image")
BETA, GAMMA = ClaimFacts("beta", IMAGE), ClaimFacts("gamma", IMAGE)
OWN = ClaimFacts("acme", IMAGE, own=True)
FACTS = SignalFacts("sha256", (BETA,), own_member="acme")


def told(facts: SignalFacts) -> dict[str, str]:
    return {one.what: one.action for one in would_change(facts, DEFAULT_POLICY, NOW)}


def test_every_rule_that_no_file_names_has_a_meaning() -> None:
    rules = {*RESERVED_RULES, *(rule.name for rule in DEFAULT_RULES), *(one.rule for one in DECISIONS)}
    assert set(MEANINGS) == rules


@pytest.mark.parametrize(
    "facts",
    [
        FACTS,
        replace(FACTS, claims=(BETA, GAMMA)),
        replace(FACTS, claims=(OWN,)),
        replace(FACTS, claims=()),
        replace(FACTS, claims=(replace(BETA, expired=True),)),
        replace(FACTS, decisions=(LocalDecision(Verdict.REJECT),)),
    ],
)
def test_only_what_leads_to_another_action_is_told(facts: SignalFacts) -> None:
    action = judge(facts, DEFAULT_POLICY, NOW).action
    assert action.word not in told(facts).values()


def test_disputes_decisions_and_their_ends_are_tried() -> None:
    disputed = replace(BETA, opinions=OpinionFacts(disagree=(("delta", "satire"), ("gamma", None))))
    own = replace(FACTS, claims=(OWN,))
    assert told(own)["if 2 more members disagree"] == "review"
    assert told(own)["if acme withdraws it"] == "none"
    both = replace(FACTS, claims=(disputed, replace(disputed, member="epsilon")))
    assert judge(both, DEFAULT_POLICY, NOW).action is Action.REVIEW
    assert told(both)["if nobody disagrees any more"] == "block"
    decided = replace(FACTS, claims=(replace(BETA, decisions=(LocalDecision(Verdict.ALLOW),)),))
    assert told(decided)["if this company ends its decision about the listing"] == "review"
    end = int((NOW + timedelta(days=1)).timestamp())
    timed = replace(FACTS, decisions=(LocalDecision(Verdict.CONFIRM, until=end),))
    assert told(timed)["by itself on 2026-11-25T04:00:00Z"] == "review"


def test_what_expires_is_told_one_after_another() -> None:
    facts = replace(FACTS, claims=(BETA, GAMMA))
    expires = {0: "2026-12-02T00:00:00Z", 1: "2026-12-01T00:00:00Z"}
    found = {one.what: one.action for one in would_change(facts, DEFAULT_POLICY, NOW, expires=expires)}
    assert found["by itself on 2026-12-01T00:00:00Z, when the listing of gamma expires"] == "review"
    assert found["by itself on 2026-12-02T00:00:00Z, when the listing of beta expires"] == "ignore"
    gone = replace(facts, claims=(replace(BETA, expired=True), GAMMA))
    assert not any("beta expires" in one.what for one in would_change(gone, DEFAULT_POLICY, NOW, expires=expires))


def test_reasons_are_said_in_words() -> None:
    because = Because(
        ("beta",),
        ("gamma",),
        (("delta", "satire"), ("epsilon", None)),
        ("6f1c2f0e-6f5c-4b0e-9d0a-0f6d2a1b3c4d",),
        LocalDecision(Verdict.REJECT, frozenset({"beta"}), None, "ours to judge"),
        ("zeta: expired",),
    )
    assert because_of(Judgement(Action.IGNORE, "a-rule-of-ours", because)) == (
        "rule a-rule-of-ours: as the policy of this company says",
        "counted: beta",
        "agree: gamma",
        "disagree: delta (satire), epsilon",
        "belongs to an active incident: 6f1c2f0e-6f5c-4b0e-9d0a-0f6d2a1b3c4d",
        "decision of this company: reject, about beta only: ours to judge",
        "left out of account: zeta: expired",
    )


def test_other_systems_are_not_told_what_was_written_for_people() -> None:
    decision = LocalDecision(Verdict.REJECT, why="our lawyer says so")
    judged = Judgement(Action.IGNORE, "rejected-here", Because(decision=decision))
    assert "decision of this company: reject: our lawyer says so" in because_of(judged)
    assert "decision of this company: reject" in reason_of("rejected-here", judged)
    assert reason_of("one-member", judged) == ("rule one-member: one member lists it",)
