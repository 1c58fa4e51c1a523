from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import msgspec
import pytest

from flooding import BLOCKED, HELD, SMALL, TODAY, hold_policy, judged
from hashpact_node.services import match_floods
from hashpact_node.services.actors import Actor, ActorKind
from hashpact_node.services.floods import MATCH_FLOOD
from hashpact_node.services.holds import Holds
from hashpact_node.services.match_floods import WRITTEN_FROM, MatchFloods
from hashpact_node.services.matching import Hit, MatchResult
from hashpact_node.store.alarms import list_alarms
from hashpact_node.store.database import Database
from hashpact_node.store.holds import Hold, Notice, list_holds
from hashpact_node.store.local_decisions import NewDecision, Subject, add_decision
from hashpact_node.store.matched import add_matched, forget_matched, matched_by_day
from hashpact_protocol.errors import StoreFullError
from hashpact_protocol.facts import Verdict
from hashpact_protocol.signals import Signal
from hashpact_protocol.statements import Incident
from members import NOW, TIME, TestLog, add_log, add_member, listing, sha256, terms, uuid_of

ONE = sha256(1)


@pytest.fixture
def own(database: Database) -> TestLog:
    return add_log(database, "acme", own=True)


@pytest.fixture
def beta(database: Database, own: TestLog) -> TestLog:
    hold_policy(database)
    assert own.number
    beta = add_log(database, "beta")
    beta.append(listing(1, ONE), listing(2, sha256(2)))
    return beta


def met(signal: Signal, times: int, action: str = "block") -> list[MatchResult]:
    hit = Hit(signal.type, signal.value, 0, action, "a-rule", ("beta",))
    return [MatchResult(signal.type, signal.value, "exact", action, (hit,))] * times


def flood(database: Database, times: int, signal: Signal = ONE, *, now: Callable[[], datetime] = lambda: NOW) -> None:
    floods = MatchFloods(database, now)
    floods.add(met(signal, times))
    floods.flush()


def usual(database: Database, *lookups: int) -> None:
    """Let a signal have matched so often on the days before today, the last one yesterday."""
    with database.write() as connection:
        for before, count in enumerate(reversed(lookups), 1):
            add_matched(connection, TODAY - before, {ONE.key: count})


def holds(database: Database) -> list[Hold]:
    with database.read() as connection:
        return list_holds(connection, released=True)


def test_a_signal_that_matches_far_above_its_usual_is_held(database: Database, beta: TestLog) -> None:
    assert beta.number
    usual(database, 20, 20, 21)
    flood(database, 60)
    assert judged(database, ONE) == BLOCKED
    flood(database, 10)
    assert judged(database, ONE) == HELD
    assert judged(database, sha256(2)) == BLOCKED
    (hold,) = holds(database)
    assert (hold.key, hold.came, hold.usual, hold.notice) == (ONE.key, 70, 20, Notice.DUE)
    with database.read() as connection:
        assert [alarm.code for alarm in list_alarms(connection)] == [MATCH_FLOOD]


def test_only_what_is_blocked_and_matches_often_is_counted(database: Database, beta: TestLog) -> None:
    assert beta.number
    floods = MatchFloods(database, lambda: NOW)
    floods.add(met(ONE, WRITTEN_FROM - 1))
    floods.add(met(sha256(2), 50, "review"))
    floods.flush()
    with database.read() as connection:
        assert matched_by_day(connection, ONE.key) == {}
        assert matched_by_day(connection, sha256(2).key) == {}
    floods.add(met(ONE, 1))
    floods.flush()
    floods.add(met(ONE, 2))
    floods.flush()
    floods.flush()
    with database.read() as connection:
        assert matched_by_day(connection, ONE.key) == {TODAY: WRITTEN_FROM + 2}


def test_what_this_company_lists_or_confirmed_is_not_held(database: Database, own: TestLog, beta: TestLog) -> None:
    own.append(listing(1, ONE))
    key = sha256(2).key
    with database.write() as connection:
        add_decision(connection, NewDecision(Verdict.CONFIRM, Subject(key), "why", "x", keys=(key,)), now=NOW)
    beta.append(listing(2, sha256(2), labels=["a"]))
    flood(database, 50)
    flood(database, 50, sha256(2))
    assert holds(database) == []


def test_what_belongs_to_an_active_incident_is_not_held(database: Database, beta: TestLog) -> None:
    hold_policy(database, SMALL + "[incidents]\nmembers = 1\n")
    incident = uuid_of(70)
    _, (crisis,) = add_member(database, "gamma", terms("gamma", "crisis-1", kind="crisis"))
    crisis.append(Incident(uuid_of(71), TIME, incident, "active", "an attack", "perpetrator-content"))
    beta.append(msgspec.structs.replace(listing(3, sha256(3)), incident=incident))
    flood(database, 50, sha256(3))
    assert holds(database) == []
    flood(database, 50)
    assert [one.key for one in holds(database)] == [ONE.key]


def test_what_was_let_through_is_not_held_again_that_day(database: Database, beta: TestLog) -> None:
    assert beta.number
    flood(database, 50)
    (hold,) = holds(database)
    Holds(database, lambda: NOW).release(hold.number, Actor(ActorKind.COMMAND, "ann"))
    assert judged(database, ONE) == BLOCKED
    with database.read() as connection:
        assert list_alarms(connection) == []
    flood(database, 50)
    assert len(holds(database)) == 1
    flood(database, 5_000, now=lambda: NOW + timedelta(days=1))
    assert len(holds(database)) == 2


def test_policy_may_hold_no_signal_and_send_no_notice(database: Database, beta: TestLog) -> None:
    assert beta.number
    hold_policy(database, SMALL.replace("[flood.matches]", "[flood.matches]\nhold = false"))
    flood(database, 50)
    assert holds(database) == []
    hold_policy(database, "flood.notify = false\n" + SMALL)
    flood(database, 50)
    assert [one.notice for one in holds(database)] == [Notice.NONE]


def test_several_that_notice_it_hold_it_once(database: Database, beta: TestLog) -> None:
    assert beta.number
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: flood(database, 50), range(4)))
    (hold,) = holds(database)
    with database.read() as connection:
        assert matched_by_day(connection, ONE.key) == {TODAY: 200}
    assert hold.came >= 50


def test_a_new_day_begins_from_nothing(database: Database, beta: TestLog) -> None:
    assert beta.number
    days = [NOW]
    floods = MatchFloods(database, lambda: days[0])
    floods.add(met(ONE, WRITTEN_FROM - 1))
    days[0] = NOW + timedelta(days=1)
    floods.add(met(ONE, WRITTEN_FROM - 1))
    floods.flush()
    with database.read() as connection:
        assert matched_by_day(connection, ONE.key) == {}


def test_what_cannot_be_written_is_tried_again(
    database: Database, beta: TestLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert beta.number
    floods = MatchFloods(database, lambda: NOW)
    floods.add(met(ONE, 50))

    def full(_: Database) -> None:
        raise StoreFullError("no room", where="here")

    with monkeypatch.context() as patched:
        patched.setattr(Database, "write", full)
        floods.flush()
    assert holds(database) == []
    floods.flush()
    assert [one.came for one in holds(database)] == [50]


def test_what_was_written_is_not_written_twice_where_it_cannot_be_held(
    database: Database, beta: TestLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert beta.number
    floods = MatchFloods(database, lambda: NOW)
    floods.add(met(ONE, 50))

    def full(*_: object, **__: object) -> None:
        raise StoreFullError("no room", where="here")

    with monkeypatch.context() as patched:
        patched.setattr(match_floods, "rejudge_now", full)
        floods.flush()
    assert holds(database) == []
    floods.add(met(ONE, 1))
    floods.flush()
    assert [one.came for one in holds(database)] == [51]


def test_rare_signals_make_room(database: Database, beta: TestLog, monkeypatch: pytest.MonkeyPatch) -> None:
    assert beta.number
    monkeypatch.setattr(match_floods, "KEYS_MAX", 3)
    floods = MatchFloods(database, lambda: NOW)
    for number in range(10, 20):
        floods.add(met(sha256(number), 2))
    floods.add(met(ONE, 50))
    floods.flush()
    assert [one.key for one in holds(database)] == [ONE.key]
    for number in range(20, 24):
        floods.add(met(sha256(number), 50))
    floods.flush()
    with database.read() as connection:
        counted = [number for number in range(20, 24) if matched_by_day(connection, sha256(number).key)]
    assert counted == [20, 21]


def test_days_are_forgotten(database: Database, beta: TestLog) -> None:
    assert beta.number
    usual(database, 5, 6, 7)
    with database.write() as connection:
        forget_matched(connection, TODAY - 2)
        assert matched_by_day(connection, ONE.key) == {TODAY - 2: 6, TODAY - 1: 7}
