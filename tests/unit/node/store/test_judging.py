from __future__ import annotations

import pytest

from hashpact_node.store import judging as module
from hashpact_node.store.changes import Numbers
from hashpact_node.store.database import Database
from hashpact_node.store.judging import (
    PolicyInForce,
    any_decision,
    any_opinion,
    judge_all_anew,
    number_rules,
    policy_in_force,
    rule_names,
    set_policy,
    set_swept,
    stream_claimed,
)
from hashpact_node.store.rule_numbers import BUILT_IN, FIRST_OWN
from hashpact_node.store.signals import Viewpoint, add_signals
from hashpact_protocol.claims import pack_claim
from hashpact_protocol.errors import ConfigurationError
from hashpact_protocol.judging import RESERVED_RULES
from hashpact_protocol.policy import DECISIONS
from hashpact_protocol.policy_form import DEFAULT_RULES


def add_some(database: Database, first: int, count: int) -> None:
    with database.write() as connection:
        numbers = Numbers(connection, now=1)
        rows = [
            (bytes([3]) + number.to_bytes(32), pack_claim(1, number, None)) for number in range(first, first + count)
        ]
        assert add_signals(connection, rows, Viewpoint({1: 1}, 9), numbers)
        numbers.close()


def test_every_rule_that_a_node_names_itself_has_a_number_of_its_own() -> None:
    names = RESERVED_RULES | {rule.name for rule in DEFAULT_RULES} | {decision.rule for decision in DECISIONS}
    assert set(BUILT_IN) == names
    assert len(set(BUILT_IN.values())) == len(names)
    assert max(BUILT_IN.values()) < FIRST_OWN
    assert 0 not in BUILT_IN.values()


def test_the_default_policy_holds_until_another_one_does(database: Database) -> None:
    with database.read() as connection:
        assert policy_in_force(connection) == PolicyInForce()
    add_some(database, 0, 3)
    for text in ("one", "two", None):
        with database.write() as connection:
            set_policy(connection, text, now=7)
            assert policy_in_force(connection) == PolicyInForce(text, 7, 7, 0, 3)


def test_how_far_a_sweep_has_come_is_kept_unless_it_began_anew(database: Database) -> None:
    add_some(database, 0, 3)
    with database.write() as connection:
        set_policy(connection, "one", now=7)
        seen = policy_in_force(connection)
        set_swept(connection, 2, seen=seen)
        assert policy_in_force(connection) == PolicyInForce("one", 7, 7, 2, 3)
        judge_all_anew(connection, now=9)
        set_swept(connection, 3, seen=seen)
        assert policy_in_force(connection) == PolicyInForce("one", 7, 9, 0, 3)
        set_swept(connection, None, seen=policy_in_force(connection))
        assert policy_in_force(connection) == PolicyInForce("one", 7, 9, None, None)


def test_all_can_be_judged_anew_where_no_policy_was_ever_read(database: Database) -> None:
    with database.write() as connection:
        judge_all_anew(connection, now=9)
        assert policy_in_force(connection) == PolicyInForce(None, 9, 9, 0, 0)


def test_rules_keep_their_numbers(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with database.write() as connection:
        first = number_rules(connection, ["mine", "one-member", "yours", "mine"])
        assert (first["mine"], first["yours"], first["one-member"]) == (100, 101, BUILT_IN["one-member"])
        assert number_rules(connection, ["new", "yours"])["new"] == 102
        assert rule_names(connection)[101] == "yours"
        assert rule_names(connection)[BUILT_IN["disputed"]] == "disputed"
        monkeypatch.setattr(module, "LAST_OWN", 104)
        assert number_rules(connection, ["last"])["last"] == 103
        with pytest.raises(ConfigurationError, match="too many rules"):
            number_rules(connection, ["a", "b"])


def test_signals_are_streamed_in_order_of_their_last_change(database: Database) -> None:
    add_some(database, 0, 9)
    with database.read() as connection:
        pages = [[row.number for row in rows] for rows in stream_claimed(connection, 2, 8, chunk=4)]
        assert pages == [[3, 4, 5, 6], [7, 8]]
        assert list(stream_claimed(connection, 9, 9, chunk=4)) == []


def test_where_nothing_was_said_there_is_nothing(database: Database) -> None:
    with database.read() as connection:
        assert not any_opinion(connection)
        assert not any_decision(connection)
