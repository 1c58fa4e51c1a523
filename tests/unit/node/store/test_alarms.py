from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hashpact_node.store import alarms
from hashpact_node.store.database import Database

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
LATER = NOW + timedelta(hours=1)


def test_an_alarm_is_raised_once_and_counted(database: Database) -> None:
    with database.write() as connection:
        first = alarms.raise_alarm(connection, "log-forked", "two stories", now=NOW, peer=1, log=2, evidence=b"notes")
        again = alarms.raise_alarm(connection, "log-forked", "again", mend="ask them", now=LATER, peer=1, log=2)
        assert alarms.list_alarms(connection) == [again]
        assert alarms.find_alarm(connection, "log-forked", peer=1, log=2) == again
    assert (first.peer, first.log, first.times, first.first_at, first.mend) == (1, 2, 1, SECONDS, None)
    assert (again.number, again.what, again.mend, again.times) == (first.number, "again", "ask them", 2)
    assert (again.first_at, again.last_at, again.evidence) == (SECONDS, SECONDS + 3_600, b"notes")


def test_the_first_evidence_is_kept(database: Database) -> None:
    with database.write() as connection:
        for evidence in (b"first", b"second", None):
            raised = alarms.raise_alarm(connection, "log-forked", "two", now=NOW, peer=1, log=2, evidence=evidence)
            assert raised.evidence == b"first"


def test_alarms_of_different_things_stand_apart(database: Database) -> None:
    with database.write() as connection:
        for peer, log in ((None, None), (1, None), (1, 2), (None, 2)):
            for _ in range(2):
                alarms.raise_alarm(connection, "stale", "old", now=NOW, peer=peer, log=log)
        alarms.raise_alarm(connection, "newest", "new", now=LATER)
        found = alarms.list_alarms(connection)
        assert alarms.find_alarm(connection, "stale", peer=9) is None
    assert [(alarm.peer, alarm.log, alarm.times) for alarm in found] == [
        (None, None, 1),
        (None, 2, 2),
        (1, 2, 2),
        (1, None, 2),
        (None, None, 2),
    ]


def test_a_cleared_alarm_starts_anew(database: Database) -> None:
    with database.write() as connection:
        for _ in range(3):
            alarms.raise_alarm(connection, "stale", "old", now=NOW)
        assert alarms.clear_alarm(connection, "stale", now=NOW)
        assert not alarms.clear_alarm(connection, "stale", now=LATER)
        assert not alarms.clear_alarm(connection, "stale", now=LATER, peer=1)
        assert alarms.list_alarms(connection) == []
        over = alarms.list_alarms(connection, cleared=True)
        anew = alarms.raise_alarm(connection, "stale", "old", now=LATER)
        assert alarms.clear_alarm_number(connection, anew.number, now=LATER)
        assert not alarms.clear_alarm_number(connection, 99, now=LATER)
    assert [alarm.cleared_at for alarm in over] == [SECONDS]
    assert (anew.number, anew.times, anew.first_at, anew.cleared_at) == (over[0].number, 1, SECONDS + 3_600, None)


def test_which_of_some_alarms_are_raised(database: Database) -> None:
    with database.write() as connection:
        for code, peer, log in (("one", 2, 3), ("two", 2, 3), ("three", 2, 3), ("four", 2, 4), ("five", 1, 3)):
            alarms.raise_alarm(connection, code, "what", now=NOW, peer=peer, log=log)
        alarms.clear_alarm(connection, "two", now=NOW, peer=2, log=3)
    with database.read() as connection:
        assert alarms.raised_among(connection, ("one", "two", "four", "five", "six"), peer=2, log=3) == {"one"}
