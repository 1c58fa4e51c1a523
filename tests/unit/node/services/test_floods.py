from __future__ import annotations

from datetime import timedelta

import pytest

from flooding import BLOCKED, HELD, SMALL, TODAY, count, hold_policy, judged, listings_of
from hashpact_node.services.floods import LISTING_FLOOD, allowed, usual_of
from hashpact_node.store.alarms import list_alarms
from hashpact_node.store.database import Database
from hashpact_node.store.holds import Hold, Notice, list_holds, release_hold
from hashpact_node.store.listed import listed_by_day
from hashpact_protocol.policy_form import FloodTerms
from members import NOW, TestLog, add_log, add_member, listing, sha256, terms, withdrawal


@pytest.fixture
def beta(database: Database) -> TestLog:
    add_log(database, "acme", own=True)
    hold_policy(database)
    return add_log(database, "beta")


def holds(database: Database) -> list[Hold]:
    with database.read() as connection:
        return list_holds(connection)


def test_a_flood_is_held_from_the_batch_on_with_which_it_is_noticed(database: Database, beta: TestLog) -> None:
    count(beta, 1, 0, 1, 1, 2)
    beta.append(*listings_of(1, 5))
    assert judged(database, sha256(4)) == BLOCKED
    beta.append(*listings_of(5, 7))
    beta.append(*listings_of(7, 9))
    assert [judged(database, sha256(number)) for number in (4, 5, 8)] == [BLOCKED, HELD, HELD]
    (hold,) = holds(database)
    assert (hold.log, hold.first, hold.last, hold.came, hold.usual) == (beta.number, 4, 8, 8, 1)
    assert hold.notice is Notice.DUE
    with database.read() as connection:
        (alarm,) = list_alarms(connection)
    assert (alarm.code, alarm.log, alarm.times) == (LISTING_FLOOD, beta.number, 2)
    assert "8 listings came within a day, where 1 are usual" in alarm.what


def test_what_another_member_lists_too_is_judged_without_the_flood(database: Database, beta: TestLog) -> None:
    gamma = add_log(database, "gamma")
    count(beta, 0)
    beta.append(*listings_of(1, 9))
    gamma.append(listing(1, sha256(8)))
    assert judged(database, sha256(7)) == HELD
    assert judged(database, sha256(8)) == BLOCKED


def test_what_is_usual_for_a_member_is_no_flood(database: Database, beta: TestLog) -> None:
    count(beta, 9, 30, 10, 11, 9)
    beta.append(*listings_of(1, 31))
    assert holds(database) == []
    beta.append(*listings_of(31, 32))
    assert [(one.came, one.usual) for one in holds(database)] == [(31, 10)]


def test_a_first_synchronisation_is_no_flood(database: Database, beta: TestLog) -> None:
    beta.append(*listings_of(1, 40))
    assert holds(database) == []
    with database.read() as connection:
        assert listed_by_day(connection, beta.row.sequence) == {}


def test_restating_and_withdrawing_is_no_flood(database: Database, beta: TestLog) -> None:
    beta.append(*listings_of(1, 40))
    count(beta, 0)
    beta.append(*listings_of(1, 40))
    beta.append(*(withdrawal(100 + number, number) for number in range(1, 40)))
    assert holds(database) == []


def test_what_is_held_stays_so_where_it_is_restated_also_in_a_successor(database: Database) -> None:
    add_log(database, "acme", own=True)
    hold_policy(database)
    _, (old, new) = add_member(database, "beta", terms("beta"), terms("beta", "listings-2"))
    count(old, 0)
    old.append(*listings_of(1, 9))
    assert judged(database, sha256(3)) == HELD
    old.append(listing(3, sha256(3), labels=["a"]))
    assert judged(database, sha256(3)) == HELD
    old.clock[0] = new.clock[0] = NOW + timedelta(days=1)
    new.append(listing(90, sha256(90)), *listings_of(1, 9))
    assert [judged(database, sha256(number)) for number in (1, 8, 90)] == [HELD, HELD, BLOCKED]


def test_a_hold_grows_no_more_on_a_calm_day(database: Database, beta: TestLog) -> None:
    count(beta, 0, 0, 0)
    beta.append(*listings_of(1, 9))
    beta.clock[0] = NOW + timedelta(days=1)
    beta.append(*listings_of(20, 22))
    assert judged(database, sha256(20)) == BLOCKED
    assert [(one.first, one.last) for one in holds(database)] == [(0, 8)]
    beta.append(*listings_of(30, 39))
    assert [(one.first, one.last) for one in holds(database)] == [(10, 19), (0, 8)]


def test_policy_may_let_floods_through_and_send_no_notice(database: Database, beta: TestLog) -> None:
    count(beta, 0)
    hold_policy(database, SMALL.replace("[flood.listings]", "[flood.listings]\nhold = false"))
    beta.append(*listings_of(1, 9))
    assert holds(database) == []
    hold_policy(database, "flood.notify = false\n" + SMALL)
    beta.append(*listings_of(9, 10))
    assert [one.notice for one in holds(database)] == [Notice.NONE]


def test_what_comes_after_a_release_is_held_anew(database: Database, beta: TestLog) -> None:
    count(beta, 0)
    beta.append(*listings_of(1, 9))
    (hold,) = holds(database)
    with database.write() as connection:
        release_hold(connection, hold.number, by="person ann", why=None, now=NOW)
    beta.append(*listings_of(9, 11))
    assert judged(database, sha256(10)) == HELD


def test_the_usual_is_the_median_of_the_days_before() -> None:
    few = FloodTerms(times=3, at_least=4, days=5)
    assert usual_of({TODAY: 9}, TODAY, few) == 0
    assert usual_of({TODAY - 1: 5}, TODAY, few) == 5
    assert usual_of({TODAY - 4: 6, TODAY - 2: 8}, TODAY, few) == 3
    assert usual_of({TODAY - 9: 500, TODAY - 5: 2, TODAY - 1: 900, TODAY: 7}, TODAY, few) == 0
    assert [allowed(usual, few) for usual in (0, 1, 2)] == [4, 4, 6]
