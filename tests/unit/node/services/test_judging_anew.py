from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
import pytest

from hashpact_node.services import judging_anew as module
from hashpact_node.services.change_feed import ChangeFeed
from hashpact_node.services.judge import parsed_policy
from hashpact_node.services.judging_anew import Rejudger, is_due, try_policy
from hashpact_node.store.changes import Numbers, last_change
from hashpact_node.store.database import Database
from hashpact_node.store.judging import (
    PolicyInForce,
    judge_all_anew,
    number_rules,
    policy_in_force,
    rule_names,
    set_policy,
)
from hashpact_node.store.signals import find_signals, page_by_number
from hashpact_protocol.policy import Action
from hashpact_protocol.policy_file import read_policy
from hashpact_protocol.signals import Signal
from hashpact_protocol.statements import Incident
from members import NOW, TIME, TestLog, add_log, add_member, listing, sha256, terms, uuid_of

AT = int(NOW.timestamp())
BLOCK_PRAISE = """
[[rule]]
name = "praise"
when = { labels = ["praise"] }
then = "block"
"""
AGED = "[[rule]]\nname = 'new'\nthen = 'block'\nwhen = { newer_than_days = 2 }\n"


@pytest.fixture
def beta(database: Database) -> TestLog:
    add_log(database, "acme", own=True)
    return add_log(database, "beta")


@pytest.fixture
def clock() -> list[datetime]:
    return [NOW]


@pytest.fixture
def rejudger(database: Database, clock: list[datetime]) -> Rejudger:
    return Rejudger(database, lambda: clock[0])


def hold(database: Database, text: str | None) -> None:
    with database.write() as connection:
        Numbers(connection, now=AT)
        number_rules(connection, [rule.name for rule in parsed_policy(text).rules])
        set_policy(connection, text, now=AT)


def stands(database: Database, signal: Signal) -> tuple[Action, str]:
    with database.read() as connection:
        row = find_signals(connection, [signal.key])[signal.key]
        return Action(row.action), rule_names(connection)[row.rule]


def numbers_of(database: Database) -> dict[bytes, int]:
    with database.read() as connection:
        return {row.key: row.number for row in page_by_number(connection, -1, limit=10_000)}


def test_a_new_policy_appends_what_differs_and_nothing_else(
    beta: TestLog, rejudger: Rejudger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 7)
    monkeypatch.setattr(module, "WRITTEN_AT_ONCE", 3)
    beta.append(*(listing(number, sha256(number), labels=["praise"][number % 2 :]) for number in range(40)))
    before = numbers_of(beta.database)
    last = max(before.values())
    hold(beta.database, BLOCK_PRAISE + "[[rule]]\nname = 'one-member'\nthen = 'review'\n")
    assert rejudger.run() == 20
    assert rejudger.run() == 0
    after = numbers_of(beta.database)
    for number in range(40):
        key = sha256(number).key
        if number % 2:
            assert after[key] == before[key]
            assert stands(beta.database, sha256(number)) == (Action.REVIEW, "one-member")
        else:
            assert after[key] > last
            assert stands(beta.database, sha256(number)) == (Action.BLOCK, "praise")
    changes = ChangeFeed(beta.database).changes(last).changes
    assert [(change.op, change.action, change.rule) for change in changes] == [("set", "block", "praise")] * 20
    with beta.database.read() as connection:
        assert policy_in_force(connection).sweep_to is None


def test_a_sweep_that_was_cut_off_goes_on_where_it_stopped(
    beta: TestLog, rejudger: Rejudger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 10)
    beta.append(*(listing(number, sha256(number), labels=["praise"]) for number in range(30)))
    hold(beta.database, BLOCK_PRAISE)
    with beta.database.read() as connection:
        seen = policy_in_force(connection)
    assert rejudger._page(seen) == 10
    with beta.database.read() as connection:
        held = policy_in_force(connection)
    assert (held.swept, held.sweep_to) == (10, 30)
    assert rejudger.run() == 20
    assert {stands(beta.database, sha256(number)) for number in range(30)} == {(Action.BLOCK, "praise")}


def test_a_policy_that_came_during_a_sweep_is_not_taken_for_done(beta: TestLog, rejudger: Rejudger) -> None:
    beta.append(listing(1, sha256(1), labels=["praise"]))
    hold(beta.database, BLOCK_PRAISE)
    with beta.database.read() as connection:
        seen = policy_in_force(connection)
    with beta.database.write() as connection:
        set_policy(connection, "otherwise = 'observe'\n" + BLOCK_PRAISE, now=AT + 1)
    rejudger._page(seen)
    with beta.database.read() as connection:
        assert policy_in_force(connection).sweep_to is not None


def test_what_is_merged_while_a_sweep_is_open_is_judged_by_the_new_policy(beta: TestLog, rejudger: Rejudger) -> None:
    beta.append(listing(1, sha256(1), labels=["praise"]))
    hold(beta.database, BLOCK_PRAISE)
    beta.append(listing(2, sha256(2), labels=["praise"]))
    assert stands(beta.database, sha256(2)) == (Action.BLOCK, "praise")
    assert rejudger.run() == 1


def test_without_a_file_nothing_is_ever_due(rejudger: Rejudger, beta: TestLog) -> None:
    beta.append(listing(1, sha256(1)))
    assert not is_due(PolicyInForce(), AT)
    assert rejudger.run() == 0
    with beta.database.write() as connection:
        judge_all_anew(connection, now=AT)
    assert rejudger.run() == 0


def test_ages_change_with_the_day(beta: TestLog, rejudger: Rejudger, clock: list[datetime]) -> None:
    hold(beta.database, AGED)
    beta.append(listing(1, sha256(1)))
    assert rejudger.run() == 0
    assert stands(beta.database, sha256(1)) == (Action.BLOCK, "new")
    clock[0] = NOW + timedelta(days=1)
    assert rejudger.run() == 0
    clock[0] = NOW + timedelta(days=2)
    assert rejudger.run() == 1
    assert stands(beta.database, sha256(1)) == (Action.REVIEW, "otherwise")


def test_an_incident_that_becomes_active_or_ends_has_its_listings_judged_anew(sqlite_database: Database) -> None:
    """A proposal alone changes nobody's action."""
    add_log(sqlite_database, "acme", own=True)
    _, (beta,) = add_member(sqlite_database, "beta", terms("beta", "crisis-1", kind="crisis"))
    _, (gamma,) = add_member(sqlite_database, "gamma", terms("gamma", "crisis-1", kind="crisis"))
    rejudger = Rejudger(sqlite_database, lambda: NOW)
    hold(sqlite_database, "[[rule]]\nname = 'crisis'\nwhen = { incident = true }\nthen = 'block'\n")
    beta.append(msgspec.structs.replace(listing(1, sha256(1)), incident=uuid_of(70)))

    def says(log: TestLog, number: int, status: str) -> Action:
        log.append(Incident(uuid_of(number), TIME, uuid_of(70), status))
        rejudger.run()
        return stands(sqlite_database, sha256(1))[0]

    assert says(beta, 80, "proposed") is Action.REVIEW
    assert says(beta, 81, "active") is Action.REVIEW
    assert says(gamma, 82, "active") is Action.BLOCK
    assert says(gamma, 83, "concluded") is Action.REVIEW


@pytest.mark.parametrize(
    ("text", "later", "due"),
    [
        (None, timedelta(days=9), False),
        (AGED, timedelta(hours=19), False),
        (AGED, timedelta(hours=20), True),
        (AGED, timedelta(days=-300), True),  # a clock ran ahead, and was set back
        ("[overdue]\nat_most = 'review'", timedelta(seconds=899), False),
        ("[overdue]\nat_most = 'review'", timedelta(seconds=900), True),
        ("[overdue]\nat_most = 'review'", timedelta(days=-300), True),
    ],
)
def test_when_all_is_judged_anew_because_of_the_time(text: str | None, later: timedelta, *, due: bool) -> None:
    held = PolicyInForce(text, AT, AT)
    assert is_due(held, AT + int(later.total_seconds())) is due
    assert not is_due(PolicyInForce(text, AT, AT, 0, 9), AT + int(later.total_seconds()))


def test_all_is_judged_anew_whatever_was_begun(
    beta: TestLog, rejudger: Rejudger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    beta.append(*(listing(number, sha256(number), labels=["praise"]) for number in range(5)))
    hold(beta.database, BLOCK_PRAISE)
    assert rejudger.all_anew() == 5
    assert rejudger.all_anew() == 0


def test_a_trial_counts_and_changes_nothing(beta: TestLog, rejudger: Rejudger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 4)
    beta.append(*(listing(number, sha256(number), labels=["praise"][number % 2 :]) for number in range(9)))
    beta.append(listing(20, sha256(20)))
    before = numbers_of(beta.database)
    trial = try_policy(beta.database, read_policy(BLOCK_PRAISE), NOW, samples=2)
    assert numbers_of(beta.database) == before
    assert (trial.signals, trial.changed) == (10, 5)
    assert trial.moves == {("review", "block"): 5, ("review", "review"): 5}
    assert trial.rules == {"praise": 5, "otherwise": 5}
    assert trial.samples == {("review", "block"): [f"sha256:{number:064x}" for number in (0, 2)]}
    hold(beta.database, BLOCK_PRAISE)
    rejudger.run()
    assert try_policy(beta.database, read_policy(BLOCK_PRAISE), NOW).changed == 0
    with beta.database.read() as connection:
        assert last_change(connection) == max(numbers_of(beta.database).values())
