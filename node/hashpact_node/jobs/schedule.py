"""The schedule: one job a peer and the node's own upkeep, run by one process for each database.

Every process that serves a database may run this; only the leader plans jobs, and another takes over within seconds
when it dies. What is planned and how it went are rows, so that each process, and each command, can show them.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from datetime import timedelta

import structlog
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MISSED, JobExecutionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from hashpact_node import clock
from hashpact_node.assembly import Node
from hashpact_node.store.jobs import keep_jobs, plan_job, record_run
from hashpact_node.store.peers import list_peers
from hashpact_protocol.errors import ConflictError, HashpactError, StoreBusyError

LEADER_INTERVAL_SECONDS = 2.0
RELEASE_INTERVAL_SECONDS = 0.25
EXPIRE_INTERVAL_SECONDS = 30.0
COSIGN_INTERVAL_SECONDS = 300.0
RENEW_TRUST_INTERVAL_SECONDS = 600.0
THREADS = 8

log = structlog.get_logger(__name__)


class Schedule:
    """Plans and runs the jobs of one node while this process leads."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._leader = node.leader()
        self._runner = f"{socket.gethostname()}:{os.getpid()}"
        self._stop = threading.Event()
        self._scheduler: BackgroundScheduler | None = None
        self._thread = threading.Thread(target=self._watch, name="leader", daemon=True)

    @property
    def leads(self) -> bool:
        """Whether this process runs the jobs."""
        return self._scheduler is not None

    def start(self) -> None:
        """Begin to lead as soon as nobody else does."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, wait for what runs, and let another lead."""
        self._stop.set()
        self._thread.join()
        self._abdicate()

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                self._step()
            except HashpactError as error:
                log.warning("the schedule could not be looked after", error=str(error))
            self._stop.wait(LEADER_INTERVAL_SECONDS)

    def _step(self) -> None:
        if not self._leader.is_alive():
            self._abdicate()
            if self._leader.try_lead():
                self._take_lead()
        if self._scheduler is not None:
            self._reconcile(self._scheduler)

    def _take_lead(self) -> None:
        log.info("this process runs the jobs now", runner=self._runner)
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(THREADS)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone="UTC",
        )
        self._scheduler.add_listener(_log_event, EVENT_JOB_ERROR | EVENT_JOB_MISSED)
        upkeep = self._node.upkeep
        self._add("release", upkeep.release_waiting, RELEASE_INTERVAL_SECONDS, quiet=True)
        self._add("cosign", upkeep.renew_cosignatures, COSIGN_INTERVAL_SECONDS)
        self._add("renew-trust", upkeep.renew_trust, RENEW_TRUST_INTERVAL_SECONDS)
        self._add("expire", upkeep.expire, EXPIRE_INTERVAL_SECONDS)
        self._scheduler.start()

    def _abdicate(self) -> None:
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=True)
            self._scheduler = None
        self._leader.resign()

    def _add(self, name: str, work: Callable[[], object], seconds: float, *, quiet: bool = False) -> None:
        """Plan a job, the first run at once; a quiet one runs often, and its going well is not recorded."""
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
            active = {f"pull/{peer.member}": peer.member for peer in list_peers(connection, states=("active",))}
        planned = {job.id for job in scheduler.get_jobs()}
        for name in planned - active.keys():
            if name.startswith("pull/"):
                scheduler.remove_job(name)
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
                next_run_time=clock.now(),
            )
        with self._node.database.write() as connection:
            jobs = {job.id: job.next_run_time for job in scheduler.get_jobs()}
            keep_jobs(connection, jobs.keys())
            for name, next_run in sorted(jobs.items()):
                plan_job(connection, name, int(next_run.timestamp()) if next_run else None)

    def _pull(self, member: str) -> None:
        with self._node.database.read() as connection:
            peer = next((one for one in list_peers(connection) if one.member == member), None)
        if peer is None or not self._node.puller.is_due(peer):
            return
        pulled = self._node.puller.pull(member)
        for polled in pulled.logs:
            if polled.after != polled.before:
                log.info("pulled", member=member, origin=polled.origin, size=polled.after, before=polled.before)
        if pulled.errors:
            raise pulled.errors[0]

    def _run(self, name: str, work: Callable[[], object], quiet: bool) -> None:  # noqa: FBT001 - APScheduler passes it
        """Run a job, and write down how it went; nothing that a peer does may end the schedule."""
        if not self._leader.is_alive():
            return
        started, start = clock.now(), clock.monotonic()
        failure: str | None = None
        try:
            work()
        except (StoreBusyError, ConflictError) as error:
            log.info("a job waits for its next turn", job=name, reason=str(error))
            return
        except HashpactError as error:
            failure = str(error)
            log.warning("a job failed", job=name, code=error.code, error=failure)
        if quiet and failure is None:
            return
        elapsed = timedelta(seconds=clock.monotonic() - start)
        with self._node.database.write() as connection:
            record_run(
                connection,
                name,
                started_at=started,
                duration_ms=elapsed // timedelta(milliseconds=1),
                runner=self._runner,
                error=failure,
            )


def _log_event(event: JobExecutionEvent) -> None:
    if event.exception is not None:
        log.error("a job broke", job=event.job_id, error=repr(event.exception), trace=event.traceback)
    else:
        log.warning("a job was missed", job=event.job_id)
