from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from hashpact_node.services.doctor_kinds import Diagnosis, Level
from hashpact_node.services.doctor_state import LATE, check_alarms, check_backups, check_keys, check_schedule
from hashpact_node.services.doctor_visit import Visit
from hashpact_node.services.key_status import key_status
from hashpact_node.store.alarms import clear_alarm, raise_alarm
from hashpact_node.store.database import Database
from hashpact_node.store.jobs import plan_job, record_run
from hashpact_node.store.key_watch import Reading, put_readings
from hashpact_node.store.peers import add_peer
from own_member import NOW, OwnMember, found_member


@pytest.fixture
def acme(sqlite_database: Database, tmp_path: Path) -> OwnMember:
    return found_member(sqlite_database, tmp_path / "home", sqlite_database.where)


def visit(acme: OwnMember, *, running: bool = False) -> Visit:
    return Visit(acme.settings, lambda: NOW, acme.database, None, running=running)


def told(found: list[Diagnosis]) -> list[tuple[str, str | None]]:
    return [(one.code, one.where) for one in found if one.level is not Level.OK]


def test_keys_are_found_to_be_what_keys_check_says(acme: OwnMember) -> None:
    expected = key_status(acme.database, acme.settings.keys, home=acme.home, now=NOW).findings
    found = list(check_keys(visit(acme)))
    assert expected
    assert told(found) == [(one.code, one.where) for one in expected]
    by_word = {"error": "error", "warning": "warning", "notice": "note"}
    assert [one.level.value for one in found[:-1]] == [by_word[one.severity.value] for one in expected]
    assert {one.what.partition(":")[0] for one in found if one.code == "offline-key-here"} == {"root", "targets"}


def test_what_older_readings_say_of_the_clock_is_left_to_those_of_now(acme: OwnMember) -> None:
    with acme.database.write() as connection:
        add_peer(connection, "beta", "https://beta.example", now=NOW)
        put_readings(connection, [Reading("beta", 3_600_000, int(NOW.timestamp()))])
    findings = key_status(acme.database, acme.settings.keys, home=acme.home, now=NOW).findings
    assert "clock-skew" in {one.code for one in findings}
    assert "clock-skew" not in {one.code for one in check_keys(visit(acme))}


@pytest.mark.parametrize(
    ("ago", "running", "expected"),
    [
        (LATE + timedelta(seconds=1), True, [("jobs-late", None)]),
        (LATE, True, []),
        (LATE + timedelta(days=1), False, []),
        (timedelta(minutes=-5), True, []),
    ],
)
def test_jobs_that_do_not_run(
    acme: OwnMember, *, ago: timedelta, running: bool, expected: list[tuple[str, str | None]]
) -> None:
    with acme.database.write() as connection:
        plan_job(connection, "release", int((NOW - ago).timestamp()))
        plan_job(connection, "idle", None)
    assert told(list(check_schedule(visit(acme, running=running)))) == expected


def test_jobs_that_failed(acme: OwnMember) -> None:
    with acme.database.write() as connection:
        for name, error in (("cosign", None), ("release", "the token is locked")):
            record_run(connection, name, started_at=NOW, duration_ms=1, runner="one", error=error)
    found = list(check_schedule(visit(acme)))
    assert told(found) == [("job-failing", "release")]
    assert "the token is locked" in found[0].what


def test_alarms_that_are_open(acme: OwnMember) -> None:
    assert list(check_alarms(visit(acme))) == []
    with acme.database.write() as connection:
        raise_alarm(connection, "log-stale", "a log is stale", now=NOW, mend="ask the peer")
        raise_alarm(connection, "log-forked", "a log is forked", now=NOW)
        clear_alarm(connection, "log-forked", now=NOW)
    (found,) = check_alarms(visit(acme))
    assert (found.code, found.what, found.mend) == ("alarm-open", "a log is stale", "ask the peer")


def test_nobody_claims_to_know_of_backups(acme: OwnMember) -> None:
    (found,) = check_backups(visit(acme))
    assert (found.level, found.code) == (Level.NOTE, "backup-unknown")
