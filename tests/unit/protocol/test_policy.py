from __future__ import annotations

from itertools import product

import pytest

from hashpact_protocol.policy import ACTION_OF_WORD, DECISIONS, Action, Decision, decide


@pytest.mark.parametrize(
    ("own", "members", "claimed", "action", "rule"),
    [
        (False, 0, False, Action.NONE, "not-claimed"),
        (False, 0, True, Action.IGNORE, "expired-or-low-quality"),
        (False, 1, True, Action.REVIEW, "one-member"),
        (False, 2, True, Action.BLOCK, "members-agree"),
        (False, 9, True, Action.BLOCK, "members-agree"),
        (True, 1, True, Action.BLOCK, "own-listing"),
        (True, 2, True, Action.BLOCK, "own-listing"),
    ],
)
def test_the_default_rule(*, own: bool, members: int, claimed: bool, action: Action, rule: str) -> None:
    assert decide(own=own, members=members, claimed=claimed) == Decision(action, rule)


def test_every_decision_is_listed_once_under_a_rule_of_its_own() -> None:
    possible = [(True, count, True) for count in (1, 2)] + [
        (False, count, claimed) for count, claimed in product((0, 1, 2), (True, False)) if claimed or not count
    ]
    found = {decide(own=own, members=members, claimed=claimed) for own, members, claimed in possible}
    assert found == set(DECISIONS)
    assert len({decision.rule for decision in DECISIONS}) == len(DECISIONS)


def test_actions_are_bits_and_have_words() -> None:
    assert {action.word: int(action) for action in Action} == {
        "none": 0,
        "block": 1,
        "review": 2,
        "observe": 4,
        "ignore": 8,
    }
    assert {word: action.word for word, action in ACTION_OF_WORD.items()} == {
        word: word for word in ("block", "review", "observe", "ignore")
    }
