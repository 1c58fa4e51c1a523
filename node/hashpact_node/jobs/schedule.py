"""The schedule: one job a peer and the node's own upkeep, run by one process for each database.

Every process that serves a database may run this; only the leader plans jobs, and another takes over within seconds
when it dies. What is planned and how it went are rows, so that each process, and each command, can show them.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MISSED, JobExecutionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from hashpact_node import clock
from hashpact_node.assembly import Node
from hashpact_node.jobs.courier import Courier
from hashpact_node.jobs.waker import Waker
from hashpact_node.store.jobs import keep_jobs, plan_job, record_run
from hashpact_node.store.peers import list_peers
from hashpact_protocol.errors import ConflictError, HashpactError, StoreBusyError

UPKEEP_THREADS = 4
PULL_THREADS = 32
"""Pulls have threads of their own, so that peers that keep us waiting do not keep us from releasing."""

NEWS_SECONDS = 10
"""By how much the time at which a job runs next must have moved to be written down anew."""

UPKEEP = "default"
PULLS = "pulls"
BROKE = "it broke, which is a fault of this program; the output of the node says more"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Intervals:
    """How often what is done, in seconds: look who leads, release, tell peers of a card, fetch blobs, and so on."""

    leader: float = 2.0
    release: float = 0.25
    tell_card: float = 1.0
    judge: float = 2.0
    blobs: float = 5.0
    notices: float = 5.0
    expire: float = 30.0
    cosign: float = 300.0
    renew_trust: float = 600.0
    ask_erased: float = 3_600.0
    compare: float = 3_600.0
    watch_keys: float = 3_600.0
    check_audit: float = 86_400.0
    directory: float = 3_600.0


class Schedule:
    """Plans and runs the jobs of one node while this process leads."""

    def __init__(self, node: Node, intervals: Intervals = Intervals()) -> None:
        self._node = node
        self._intervals = intervals
        self._well: set[str] = set()
        self._written: dict[str, int | None] = {}
        self._leader = node.leader()
        self._runner = f"{socket.gethostname()}:{os.getpid()}"
        self._stop = threading.Event()
        self._pulls_stop = threading.Event()
        self._scheduler: BackgroundScheduler | None = None
        self._waker: Waker | None = None
        self._courier: Courier | None = None
        self._thread = threading.Thread(target=self._watch, name="leader", daemon=True)

    @property
    def leads(self) -> bool:
        """Whether this process runs the jobs."""
        return self._scheduler is not None

    def start(self) -> None:
        """Begin to lead as soon as nobody else does."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, wait for what runs, which ends within a moment, and let another lead."""
        self.halt()
        self._thread.join()
        self._abdicate()

    def halt(self) -> None:
        """Begin to stop, and wait for nothing."""
        self._stop.set()
        self._pulls_stop.set()

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                self._step()
            except HashpactError as error:
                log.warning("the schedule could not be looked after", error=str(error))
            except Exception:  # a schedule that ended would leave a node that only looks well
                log.exception("the schedule broke, and begins anew")
                self._begin_anew()
            self._stop.wait(self._intervals.leader)

    def _step(self) -> None:
        if not self._leader.is_alive():
            self._abdicate()
            if self._leader.try_lead():
                self._take_lead()
        if self._scheduler is not None:
            self._reconcile(self._scheduler)

    def _begin_anew(self) -> None:
        try:
            self._abdicate()
        except Exception:  # the next step tries again
            log.exception("the schedule could not be ended")

    def _take_lead(self) -> None:
        log.info("this process runs the jobs now", runner=self._runner)
        self._scheduler = BackgroundScheduler(
            executors={UPKEEP: ThreadPoolExecutor(UPKEEP_THREADS), PULLS: ThreadPoolExecutor(PULL_THREADS)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone="UTC",
        )
        self._scheduler.add_listener(_log_event, EVENT_JOB_ERROR | EVENT_JOB_MISSED)
        self._well.clear()
        self._written.clear()
        self._pulls_stop = threading.Event()
        if self._stop.is_set():
            self._pulls_stop.set()
        upkeep, every = self._node.upkeep, self._intervals
        self._add("release", upkeep.release_waiting, every.release, quiet=True)
        self._add("tell-card", self._node.card_bell.tell, every.tell_card, quiet=True)
        self._add("cosign", upkeep.renew_cosignatures, every.cosign)
        self._add("renew-trust", upkeep.renew_trust, every.renew_trust)
        self._add("judge", self._node.policies.look, every.judge, quiet=True)
        self._add("expire", upkeep.expire, every.expire)
        self._add("end-decisions", self._node.deciding.end_due, every.expire)
        self._add("notify-holds", self._node.hold_notices.send_due, every.notices, quiet=True)
        self._add("compare", self._node.comparer.compare_some, every.compare)
        self._add("watch-keys", self._node.key_watch.watch, every.watch_keys)
        self._add("check-audit", self._node.audit.check, every.check_audit)
        self._add("follow-directory", self._node.directory.follow, every.directory)
        self._add("finish-removals", upkeep.finish_removals, every.expire)
        self._add("destroy-erased", self._node.erasing.destroy, every.expire)
        self._add("ask-erased", self._node.erasing.ask, every.ask_erased)
        self._add("fetch-blobs", lambda: self._node.blob_fetcher.run(self._pulls_stop), every.blobs, quiet=True)
        self._scheduler.start()
        self._waker = Waker(self._node)
        self._waker.start()
        self._courier = Courier(self._node)
        self._courier.start()

    def _abdicate(self) -> None:
        self._pulls_stop.set()
        scheduler, self._scheduler = self._scheduler, None
        waker, self._waker = self._waker, None
        courier, self._courier = self._courier, None
        try:
            if waker is not None:
                waker.stop()
            if courier is not None:
                courier.stop()
            if scheduler is not None and scheduler.running:
                scheduler.shutdown(wait=True)
        finally:
            self._leader.resign()

    def _add(self, name: str, work: Callable[[], object], seconds: float, *, quiet: bool = False) -> None:
        """Plan a job, the first run at once; of a quiet one, which runs often, going well is recorded once."""
        if self._scheduler is None:
            return
        jitter = None if quiet else min(self._node.settings.pull_jitter_seconds, seconds / 10)
        self._scheduler.add_job(
            self._run,
            IntervalTrigger(seconds=seconds, jitter=jitter, timezone="UTC"),
            args=(name, work, quiet),
            id=name,
            next_run_time=clock.now(),
        )

    def _reconcile(self, scheduler: BackgroundScheduler) -> None:
        """Plan a job for each active peer, drop those of others, and write down when each runs next."""
        with self._node.database.read() as connection:
            peers = list_peers(connection, states=("active",))
        active = {f"pull/{peer.member}": peer.member for peer in peers}
        planned = {job.id for job in scheduler.get_jobs()}
        for name in planned - active.keys():
            if name.startswith("pull/"):
                scheduler.remove_job(name)
        is_due = self._node.puller.is_due
        left_alone = {f"pull/{peer.member}": peer.next_try_at or 0 for peer in peers if not is_due(peer)}
        settings = self._node.settings
        for name in active.keys() - planned:
            member = active[name]
            scheduler.add_job(
                self._run,
                IntervalTrigger(
                    seconds=settings.pull_interval_seconds, jitter=settings.pull_jitter_seconds, timezone="UTC"
                ),
                args=(name, lambda member=member: self._pull(member), False),
                id=name,
                executor=PULLS,
                next_run_time=clock.now(),
            )
        self._write_down(scheduler, left_alone)

    def _write_down(self, scheduler: BackgroundScheduler, left_alone: Mapping[str, int]) -> None:
        """Write down when each job runs next, as far as that is news to who looks: an idle node need not write."""
        runs: dict[str, int | None] = {}
        for job in scheduler.get_jobs():
            planned = int(job.next_run_time.timestamp()) if job.next_run_time else 0
            runs[job.id] = max(planned, left_alone.get(job.id, 0)) or None
        news = {name: at for name, at in runs.items() if _is_news(self._written.get(name, 0), at)}
        if not news and runs.keys() == self._written.keys():
            return
        with self._node.database.write() as connection:
            keep_jobs(connection, runs.keys())
            for name, at in sorted(news.items()):
                plan_job(connection, name, at)
        self._written = {name: news.get(name, self._written.get(name)) for name in runs}

    def _pull(self, member: str) -> None:
        with self._node.database.read() as connection:
            peer = next((one for one in list_peers(connection) if one.member == member), None)
        if peer is None:
            return
        if not self._node.puller.is_due(peer):
            raise ConflictError(f"{member} failed {peer.failures} times, and is left alone for a while")
        pulled = self._node.puller.pull(member, stop=self._pulls_stop)
        for polled in pulled.logs:
            if polled.after != polled.before:
                log.info("pulled", member=member, origin=polled.origin, size=polled.after, before=polled.before)
        if pulled.unfinished:
            log.info("a pull ended early", member=member, reason=pulled.unfinished)
        if pulled.errors:
            raise pulled.errors[0]

    def _run(self, name: str, work: Callable[[], object], quiet: bool) -> None:  # noqa: FBT001 - APScheduler passes it
        """Run a job, and write down how it went; nothing that a peer does may end the schedule."""
        if not self._leader.is_alive():
            return
        started, start = clock.now(), clock.monotonic()
        done, failure = True, BROKE
        try:
            done, failure = _attempt(name, work)
        finally:
            if done and not (quiet and not failure and name in self._well):
                self._record(name, started, timedelta(seconds=clock.monotonic() - start), failure)

    def _record(self, name: str, started: datetime, elapsed: timedelta, failure: str) -> None:
        """Write down how a job went; where even that fails, as on a full disk, the next run is written down again."""
        try:
            with self._node.database.write() as connection:
                record_run(
                    connection,
                    name,
                    started_at=started,
                    duration_ms=elapsed // timedelta(milliseconds=1),
                    runner=self._runner,
                    error=failure or None,
                )
        except HashpactError as error:
            log.warning("how a job went could not be written down", job=name, code=error.code, error=str(error))
            self._well.discard(name)
            return
        if failure:
            self._well.discard(name)
        else:
            self._well.add(name)


def _is_news(written: int | None, planned: int | None) -> bool:
    """Say whether it matters to people that a job runs next then, and not when the database says."""
    if written is None or planned is None:
        return written is not planned
    return abs(planned - written) >= NEWS_SECONDS


def _attempt(name: str, work: Callable[[], object]) -> tuple[bool, str]:
    """Run a job; give whether it had its turn, and what went wrong, or nothing."""
    try:
        work()
    except (StoreBusyError, ConflictError) as error:
        log.info("a job waits for its next turn", job=name, reason=str(error))
        return False, ""
    except HashpactError as error:
        log.warning("a job failed", job=name, code=error.code, error=str(error))
        return True, str(error)
    return True, ""


def _log_event(event: JobExecutionEvent) -> None:
    if event.exception is not None:
        log.error("a job broke", job=event.job_id, error=repr(event.exception), trace=event.traceback)
    else:
        log.warning("a job was missed", job=event.job_id)
