from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from hashpact_node.services.batches import compress
from hashpact_node.services.expiry import expire_due, remember_expiring
from hashpact_node.services.views import viewpoint
from hashpact_node.store.alarms import list_alarms
from hashpact_node.store.bundles import Bundle, put_bundles
from hashpact_node.store.changes import Numbers, last_change
from hashpact_node.store.database import Database
from hashpact_node.store.signals import find_signals
from hashpact_protocol.policy import Action
from hashpact_protocol.signals import Signal
from hashpact_protocol.statements import encode_statement
from hashpact_protocol.tiles import encode_bundle
from members import NOW, TestLog, add_log, listing, sha256, withdrawal

SOON = "2026-11-24T04:30:00Z"
LATER = NOW + timedelta(minutes=30)


@pytest.fixture
def log(database: Database) -> TestLog:
    add_log(database, "acme", own=True)
    return add_log(database, "beta")


def expire(database: Database, now: datetime = LATER) -> int:
    with database.write() as connection:
        numbers = Numbers(connection, now=int(now.timestamp()))
        due = expire_due(connection, viewpoint(connection, now), numbers, now)
        numbers.close()
    return due


def action(database: Database, signal: Signal) -> Action:
    with database.read() as connection:
        return Action(find_signals(connection, [signal.key])[signal.key].action)


def test_a_listing_acts_until_it_expires(database: Database, log: TestLog) -> None:
    log.append(listing(1, sha256(1), expires=SOON), listing(2, sha256(2)))
    assert expire(database, NOW) == 0
    assert action(database, sha256(1)) == Action.REVIEW
    assert expire(database) == 1
    assert action(database, sha256(1)) == Action.IGNORE
    assert action(database, sha256(2)) == Action.REVIEW
    assert expire(database) == 0, "it expires once"


def test_what_was_withdrawn_or_restated_meanwhile_is_left_alone(database: Database, log: TestLog) -> None:
    log.append(*(listing(number, sha256(number), expires=SOON) for number in (1, 2, 3)))
    log.append(withdrawal(50, 1), listing(2, sha256(2)), listing(3, sha256(4)))
    with database.read() as connection:
        before = last_change(connection)
    assert expire(database) == 3
    actions = [action(database, sha256(number)) for number in (1, 2, 3, 4)]
    assert actions == [Action.NONE, Action.REVIEW, Action.NONE, Action.REVIEW]
    with database.read() as connection:
        assert last_change(connection) == before


def test_one_of_two_that_expires_leaves_the_other(database: Database, log: TestLog) -> None:
    log.append(listing(1, sha256(1), expires=SOON))
    add_log(database, "gamma").append(listing(2, sha256(1)))
    assert action(database, sha256(1)) == Action.BLOCK
    assert expire(database) == 1
    assert action(database, sha256(1)) == Action.REVIEW


def test_so_many_at_once_and_the_rest_later(database: Database, log: TestLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hashpact_node.services.expiry.DUE_AT_ONCE", 2)
    log.append(*(listing(number, sha256(number), expires=SOON) for number in range(3)))
    assert [expire(database), expire(database), expire(database)] == [2, 1, 0]
    assert {action(database, sha256(number)) for number in range(3)} == {Action.IGNORE}


def test_an_expiry_is_remembered_once(database: Database, log: TestLog) -> None:
    log.append(listing(1, sha256(1), expires=SOON))
    with database.write() as connection:
        remember_expiring(connection, log.number, [(SOON, 0), (SOON, 0)])
    assert expire(database) == 1


@pytest.mark.parametrize("entry", [b"no JSON", encode_statement(withdrawal(50, 1)), None])
def test_what_cannot_be_read_back_stands_in_nobodys_way(database: Database, log: TestLog, entry: bytes | None) -> None:
    other = add_log(database, "gamma")
    log.append(listing(1, sha256(1), expires=SOON))
    other.append(listing(2, sha256(2), expires=SOON))
    bundle = compress(encode_bundle([entry])) if entry is not None else b"no zstd frame"
    with database.write() as connection:
        put_bundles(connection, log.number, [Bundle(0, 1, bundle)])
    other.clock[0] = LATER
    other.append(listing(3, sha256(3)))
    assert [action(database, sha256(number)) for number in (2, 3)] == [Action.IGNORE, Action.REVIEW]
    with database.read() as connection:
        assert list_alarms(connection) == [], "it waits for upkeep"
    assert [expire(database), expire(database)] == [1, 0]
    assert action(database, sha256(1)) == Action.REVIEW
    with database.read() as connection:
        (alarm,) = list_alarms(connection)
    assert (alarm.code, alarm.peer, alarm.log) == ("expiry-unreadable", log.row.peer, log.number)
    assert "1 listings" in alarm.what
