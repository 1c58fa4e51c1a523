from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from hashpact_node import clock
from hashpact_node.assembly import Node, open_node
from hashpact_node.jobs.schedule import Intervals, Schedule, _is_news
from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.pulling import Pulled
from hashpact_node.services.upkeep import Upkeep
from hashpact_node.store.database import Database
from hashpact_node.store.jobs import Job, list_jobs
from hashpact_node.store.peers import add_peer, record_failure, set_state
from hashpact_protocol.errors import FetchError, KeyUnavailableError, StoreBusyError, StoreFullError
from members import sha256
from own_member import OwnMember, found_member

QUICK = Intervals(leader=0.05, release=0.05, expire=0.1, cosign=0.1, renew_trust=0.1, blobs=0.1)
SECONDS = 120.0
"""How long a busy machine may take for what is soon."""


@pytest.fixture
def acme(database: Database, database_url: str, tmp_path: Path) -> OwnMember:
    return found_member(database, tmp_path / "home", database_url)


@pytest.fixture
def start(acme: OwnMember) -> Iterator[Callable[[], tuple[Node, Schedule]]]:
    """Start one more node's schedule, as one more process would; all of them are stopped in the end."""
    settings = replace(acme.settings, pull_interval_seconds=0.2, pull_jitter_seconds=0.0)
    with ExitStack() as stack:

        def started() -> tuple[Node, Schedule]:
            node = open_node(settings, lambda: b"passphrase of a test")
            node.awakening.alone = True  # the peers here are made up, and answer nobody
            stack.callback(node.close)
            schedule = Schedule(node, QUICK)
            schedule.start()
            stack.callback(schedule.stop)
            return node, schedule

        yield started


@pytest.fixture
def pulls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the members that were pulled, instead of pulling them."""
    made: list[str] = []

    def pull(_puller: object, member: str, **_named: object) -> Pulled:
        made.append(member)
        return Pulled(member)

    monkeypatch.setattr("hashpact_node.services.pulling.Puller.pull", pull)
    return made


def wait_until(question: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not question():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)


def jobs(database: Database) -> dict[str, Job]:
    with database.read() as connection:
        return {job.name: job for job in list_jobs(connection)}


def add(database: Database, member: str) -> int:
    with database.write() as connection:
        return add_peer(connection, member, f"https://{member}.example", now=clock.now()).number


def test_every_job_has_its_row(acme: OwnMember, start: Callable[[], Any], pulls: list[str]) -> None:
    add(acme.database, "beta")
    begun = int(clock.now().timestamp())
    start()
    names = {
        "release",
        "compare",
        "fetch-blobs",
        "cosign",
        "renew-trust",
        "expire",
        "end-decisions",
        "finish-removals",
        "judge",
        "notify-holds",
        "follow-directory",
        "destroy-erased",
        "ask-erased",
        "tell-card",
        "watch-keys",
        "check-audit",
        "pull/beta",
    }
    # Jobs run while it is written down when they run next, so that either may come first.
    wait_until(
        lambda: (
            {name for name, job in jobs(acme.database).items() if job.last_result == "ok" and job.next_run_at} == names
        )
    )
    for job in jobs(acme.database).values():
        assert job.last_run_at is not None
        assert begun <= job.last_run_at <= clock.now().timestamp()
        assert (job.last_error, job.duration_ms is not None, bool(job.runner)) == (None, True, True)
    assert set(pulls) == {"beta"}
    assert acme.log.accepted_note is not None
    acme.publisher.publish([ListingDraft("image", (sha256(1),))], wait=False)
    wait_until(lambda: acme.log.held_size == 1)


def test_one_runs_and_another_takes_over(acme: OwnMember, start: Callable[[], Any], pulls: list[str]) -> None:
    add(acme.database, "beta")
    _, first = start()
    wait_until(lambda: first.leads)
    _, second = start()
    wait_until(lambda: len(pulls) > 3)
    assert (first.leads, second.leads) == (True, False)
    first._leader.resign()  # as if its process had been killed: the lock is free at once
    wait_until(lambda: first.leads != second.leads)
    leading, other = (first, second) if first.leads else (second, first)
    leading.stop()
    wait_until(lambda: other.leads)
    count = len(pulls)
    wait_until(lambda: len(pulls) > count)


def test_who_does_not_lead_runs_nothing(acme: OwnMember) -> None:
    """A session that was lost is found out before each job, not only when the schedule is looked after."""
    node = open_node(acme.settings, lambda: b"passphrase of a test")
    try:
        schedule = Schedule(node, QUICK)
        ran: list[int] = []
        schedule._run("expire", lambda: ran.append(1), False)  # noqa: FBT003 - as APScheduler calls it
        assert (ran, jobs(acme.database)) == ([], {})
        assert schedule._leader.try_lead()
        schedule._run("expire", lambda: ran.append(1), False)  # noqa: FBT003 - as APScheduler calls it
        assert (ran, jobs(acme.database)["expire"].last_result) == ([1], "ok")
        schedule._leader.resign()
    finally:
        node.close()


def test_no_job_overlaps_with_itself(
    acme: OwnMember, start: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    running, most, turns = 0, 0, 0
    lock = threading.Lock()

    def slow(_upkeep: Upkeep) -> int:
        nonlocal running, most, turns
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.15)
        with lock:
            running -= 1
            turns += 1
        return 0

    monkeypatch.setattr(Upkeep, "release_waiting", slow)
    start()
    wait_until(lambda: turns > 2)
    assert most == 1
    assert jobs(acme.database)["release"].last_result == "ok"


def test_peers_come_and_go(acme: OwnMember, start: Callable[[], Any], pulls: list[str]) -> None:
    start()
    number = add(acme.database, "beta")
    wait_until(lambda: "pull/beta" in jobs(acme.database))
    wait_until(lambda: "beta" in pulls)
    with acme.database.write() as connection:
        set_state(connection, number, "paused")
    wait_until(lambda: "pull/beta" not in jobs(acme.database))
    count = len(pulls)
    time.sleep(0.5)
    assert len(pulls) <= count + 1
    with acme.database.write() as connection:
        set_state(connection, number, "active")
    wait_until(lambda: len(pulls) > count + 1)


def test_a_peer_that_fails_or_breaks_stops_nobody(
    acme: OwnMember, start: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def pull(_puller: object, member: str, **_named: object) -> Pulled:
        made.append(member)
        if member == "beta":
            return Pulled(member, errors=[FetchError("it is down")])
        if member == "broken":
            raise ZeroDivisionError
        if member == "busy":
            raise StoreBusyError("somebody else pulls it")
        return Pulled(member)

    monkeypatch.setattr("hashpact_node.services.pulling.Puller.pull", pull)
    for member in ("beta", "broken", "busy", "gamma"):
        add(acme.database, member)
    start()
    wait_until(lambda: min(made.count(member) for member in ("beta", "broken", "busy", "gamma")) > 1)
    wait_until(
        lambda: (
            {"pull/beta", "pull/broken", "pull/gamma"} <= {n for n, j in jobs(acme.database).items() if j.last_result}
        )
    )
    wait_until(lambda: "pull/busy" in jobs(acme.database))  # it is written down when all are planned, maybe later
    found = jobs(acme.database)
    assert (found["pull/beta"].last_result, found["pull/beta"].last_error) == ("failed", "it is down")
    assert found["pull/broken"].last_result == "failed"
    assert "a fault of this program" in (found["pull/broken"].last_error or "")
    assert found["pull/busy"].last_result is None
    assert found["pull/gamma"].last_result == "ok"


def test_a_peer_that_failed_is_left_alone_for_a_while(
    acme: OwnMember, start: Callable[[], Any], pulls: list[str]
) -> None:
    number = add(acme.database, "beta")
    with acme.database.write() as connection:
        later = int(clock.now().timestamp()) + 3_600
        record_failure(connection, number, now=clock.now(), error={"code": "fetch-failed"}, next_try_at=later)
    add(acme.database, "gamma")
    start()
    wait_until(lambda: pulls.count("gamma") > 2)
    wait_until(lambda: "pull/beta" in jobs(acme.database))
    assert "beta" not in pulls
    job = jobs(acme.database)["pull/beta"]
    assert job.last_result is None, "to be left alone is no run"
    assert job.next_run_at == later


def test_peers_that_keep_us_waiting_do_not_keep_us_from_releasing(
    acme: OwnMember, start: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, waiting = threading.Event(), []

    def pull(_puller: object, member: str, **_named: object) -> Pulled:
        waiting.append(member)
        go_on.wait(10 * SECONDS)
        return Pulled(member)

    monkeypatch.setattr("hashpact_node.services.pulling.Puller.pull", pull)
    for number in range(12):
        add(acme.database, f"peer-{number}")
    start()
    try:
        wait_until(lambda: len(waiting) == 12)
        acme.publisher.publish([ListingDraft("image", (sha256(1),))], wait=False)
        wait_until(lambda: acme.log.held_size == 1)
    finally:
        go_on.set()


def test_a_quiet_job_that_failed_is_told_when_it_goes_well_again(
    acme: OwnMember, start: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = threading.Event()
    runs: list[bool] = []

    def release(_upkeep: Upkeep) -> int:
        runs.append(fails.is_set())
        if fails.is_set():
            raise KeyUnavailableError("the device does not answer")
        return 0

    def results() -> str | None:
        return jobs(acme.database)["release"].last_result if "release" in jobs(acme.database) else None

    monkeypatch.setattr(Upkeep, "release_waiting", release)
    start()
    wait_until(lambda: results() == "ok")
    first = jobs(acme.database)["release"]
    count = len(runs)
    wait_until(lambda: len(runs) > count + 3)
    assert jobs(acme.database)["release"].duration_ms == first.duration_ms, "going well is written down once"
    fails.set()
    wait_until(lambda: results() == "failed")
    fails.clear()
    wait_until(lambda: results() == "ok")


def test_what_cannot_be_written_down_breaks_no_job(
    acme: OwnMember, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As on a full disk: it is told, without a traceback, and the next run is written down."""
    node = open_node(acme.settings, lambda: b"passphrase of a test")
    try:
        schedule = Schedule(node, QUICK)
        assert schedule._leader.try_lead()

        def fail(*_arguments: object, **_named: object) -> None:
            raise StoreFullError("the disk is full")

        with monkeypatch.context() as patch:
            patch.setattr("hashpact_node.jobs.schedule.record_run", fail)
            schedule._run("release", lambda: None, True)  # noqa: FBT003 - as APScheduler calls it
        told = capsys.readouterr().out
        assert "the disk is full" in told
        assert "Traceback" not in told
        assert jobs(acme.database) == {}
        schedule._run("release", lambda: None, True)  # noqa: FBT003 - as APScheduler calls it
        assert jobs(acme.database)["release"].last_result == "ok"
        schedule._leader.resign()
    finally:
        node.close()


def test_what_is_no_news_is_not_written(acme: OwnMember, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that is idle need not write every two seconds when its jobs run next."""
    planned: list[str] = []

    def plan(_connection: object, name: str, _at: int | None) -> None:
        planned.append(name)

    monkeypatch.setattr("hashpact_node.jobs.schedule.plan_job", plan)
    node = open_node(acme.settings, lambda: b"passphrase of a test")
    try:
        schedule = Schedule(node, Intervals(release=3_600, blobs=3_600, tell_card=3_600, expire=3_600))
        schedule._step()
        assert schedule._scheduler is not None
        assert {"release", "cosign", "renew-trust", "expire"} <= set(planned)
        before = len(planned)
        for _ in range(10):
            schedule._reconcile(schedule._scheduler)
        # Each moves once more at most, when its first run is over.
        assert len(planned) <= 2 * before
        schedule._abdicate()
    finally:
        node.close()


@pytest.mark.parametrize(
    ("written", "at", "news"),
    [
        (0, 1_000, True),
        (1_000, 1_002, False),
        (1_000, 1_010, True),
        (1_000, 990, True),
        (None, 5, True),
        (5, None, True),
    ],
)
def test_news_is_what_moved(written: int | None, at: int | None, news: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert _is_news(written, at) is news
    assert not _is_news(None, None)


def fail_twice(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Let a schedule that leads fail at every step, until it has failed twice."""
    failed: list[int] = []

    def fail(*_arguments: object, **_named: object) -> None:
        failed.append(1)
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("hashpact_node.jobs.schedule.list_peers", fail)
        wait_until(lambda: len(failed) > 1)


def test_a_database_that_is_gone_for_a_while_does_not_end_the_schedule(
    acme: OwnMember, start: Callable[[], Any], pulls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, schedule = start()
    wait_until(lambda: schedule.leads)
    fail_twice(monkeypatch, StoreBusyError("not now"))
    with acme.database.write() as connection:
        connection.execute(text("DELETE FROM job"))
    add(acme.database, "beta")
    wait_until(lambda: "pull/beta" in jobs(acme.database))
    wait_until(lambda: pulls)


def test_what_breaks_does_not_end_the_schedule(
    acme: OwnMember, start: Callable[[], Any], pulls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, schedule = start()
    wait_until(lambda: schedule.leads)
    fail_twice(monkeypatch, ZeroDivisionError())
    add(acme.database, "beta")
    wait_until(lambda: "beta" in pulls)
    assert schedule.leads


def test_stopping_tells_the_pulls(acme: OwnMember, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, told = threading.Event(), []

    def pull(_puller: object, member: str, *, stop: threading.Event) -> Pulled:
        inside.set()
        told.append(stop.wait(SECONDS))
        return Pulled(member, unfinished="told to stop")

    monkeypatch.setattr("hashpact_node.services.pulling.Puller.pull", pull)
    add(acme.database, "beta")
    node = open_node(acme.settings, lambda: b"passphrase of a test")
    try:
        schedule = Schedule(node, QUICK)
        schedule.start()
        assert inside.wait(SECONDS)
        schedule.stop()
        assert told == [True]
    finally:
        node.close()
