"""How this node is doing, for people and their monitors: one look at everything that they might have to mend."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any, Final

from hashpact_node.services.audit import shown_head
from hashpact_node.services.corrections import MemberDelays, delays_between
from hashpact_node.services.key_places import KeyPlaces
from hashpact_node.services.key_status import HomeScan
from hashpact_node.services.not_for_us import NOT_FOR_US
from hashpact_node.services.problems import problem
from hashpact_node.services.pulling import Pulled
from hashpact_node.services.signing_state import signing_state
from hashpact_node.services.status_keys import KeyFinding, KeyStatus, look_at_rows
from hashpact_node.services.token_checks import REFUSED_REASONS
from hashpact_node.services.views import own_card, own_peer
from hashpact_node.settings import Settings
from hashpact_node.store.alarms import Alarm, list_alarms
from hashpact_node.store.audiences import logs_not_for_us
from hashpact_node.store.blobs import NO_BLOBS, BlobCounts, blob_counts
from hashpact_node.store.changes import last_change
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.decisions import Decision
from hashpact_node.store.disputes import count_open
from hashpact_node.store.jobs import Job, list_jobs
from hashpact_node.store.logs import Log, list_logs
from hashpact_node.store.migrate import check_version
from hashpact_node.store.owners import count_live
from hashpact_node.store.peers import SHOWN, Peer, list_peers
from hashpact_node.store.queue import count_unreleased
from hashpact_node.store.signals import count_actions
from hashpact_node.store.tokens import count_refusals
from hashpact_protocol.errors import NotFoundError
from hashpact_protocol.follow import is_stale
from hashpact_protocol.policy import ACTION_OF_WORD
from hashpact_protocol.statement_fields import format_time

CORRECTIONS_OF: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class LogStatus:
    """One log, own or followed; ``size`` is what is accepted (of an own log: shown), ``held`` what is merged.

    ``stopped_at`` is the place of a critical entry at which its claims end. Times are as on the wire.
    """

    member: str
    own: bool
    name: str
    origin: str
    state: str
    counts: bool
    size: int
    held: int
    live: int
    waiting: int
    stale: bool
    cosigned_at: str | None
    stopped_at: int | None
    quarantined: int
    dropped_signals: int
    unknown_statements: int


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """How reading one peer went lately; errors are tables of code, what, where and mend.

    ``stale``: it has not said for too long that one of its open logs is fresh. Of the blobs that its listings name some
    are here and some are not; ``blob_bytes`` is how many bytes of blobs it brought.
    """

    member: str
    url: str
    state: str
    fingerprint: str | None
    card_version: int | None
    trust_checked_at: str | None
    last_good_at: str | None
    last_try_at: str | None
    next_try_at: str | None
    failures: int
    last_error: dict[str, Any] | None
    trust_error: dict[str, Any] | None
    stale: bool
    blobs_held: int
    blobs_missing: int
    blob_bytes: int


@dataclass(frozen=True, slots=True)
class JobStatus:
    """When a job runs next, and how it last went: ``ok`` or ``failed``."""

    name: str
    next_run_at: str | None
    last_run_at: str | None
    last_result: str | None
    last_error: str | None
    duration_ms: int | None
    runner: str | None


@dataclass(frozen=True, slots=True)
class AlarmStatus:
    """Something that a person must see; ``member`` and ``origin`` say whom and which log it is about."""

    number: int
    code: str
    member: str | None
    origin: str | None
    what: str
    mend: str | None
    first_at: str
    last_at: str
    times: int


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """Everything at once. ``blocklist`` counts signals by action, ``queue`` the statements that wait for a release.

    ``audit_head`` is ``SIZE:HEX`` of the audit log.
    ``refused`` counts requests that the API refused, by the reason.
    ``disputes`` counts the open ones of own listings; ``corrections``: how fast withdrawals arrived, within 7 days.
    """

    member: str
    name: str
    url: str
    version: str
    time: str
    signing: str
    database: str
    logs: tuple[LogStatus, ...]
    peers: tuple[PeerStatus, ...]
    blocklist: dict[str, int]
    last_change: int
    queue: int
    audit_head: str
    refused: dict[str, int]
    disputes: int
    corrections: tuple[MemberDelays, ...]
    alarms: tuple[AlarmStatus, ...]
    jobs: tuple[JobStatus, ...]
    keys: tuple[KeyStatus, ...]
    key_findings: tuple[KeyFinding, ...]


@dataclass(frozen=True, slots=True)
class _Counts:
    """What takes a scan to count, and what it was counted at."""

    seen: tuple[object, ...]
    live: dict[int, int]
    actions: dict[str, int]


@dataclass(slots=True)
class StatusReader:
    """Reads the status of a node; shared by threads. What takes long to count is counted once a change."""

    database: Database
    settings: Settings
    now: Callable[[], datetime]
    _counts: _Counts | None = field(default=None, init=False, repr=False)
    _places: KeyPlaces = field(init=False, repr=False)
    _home: HomeScan = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._places, self._home = KeyPlaces(self.settings), HomeScan(self.settings.home)

    def status(self) -> NodeStatus:
        """Give the status as one snapshot of the database; ConfigurationError before ``init``, StoreError."""
        now = self.now()
        scan = self._home.scan()
        with self.database.read() as connection:
            own = own_peer(connection)
            keys, findings = look_at_rows(connection, self._places, self.settings.home, scan, now)
            peers = list_peers(connection, states=SHOWN)
            logs = [log for log in list_logs(connection) if log.named]
            counts = self._count(connection, logs)
            members = {peer.number: peer for peer in (own, *peers)}
            names = {number: peer.member for number, peer in members.items()}
            origins = {log.number: log.origin for log in logs}
            shown = _logs(connection, logs, members, counts, now)
            refused = count_refusals(connection)
            return NodeStatus(
                member=own.member,
                name=own_card(connection).name,
                url=own.url,
                version=version("hashpact"),
                time=format_time(now),
                signing=signing_state(connection, now),
                database="sqlite" if self.database.is_sqlite else "postgresql",
                logs=shown,
                peers=_peers(connection, peers, logs, now),
                blocklist=counts.actions,
                last_change=last_change(connection),
                queue=sum(log.waiting for log in shown),
                audit_head=shown_head(connection),
                refused={reason: refused.get(reason, 0) for reason in REFUSED_REASONS},
                disputes=count_open(connection),
                corrections=delays_between(connection, now - CORRECTIONS_OF, now),
                alarms=tuple(alarm_status(alarm, names, origins) for alarm in list_alarms(connection)),
                jobs=tuple(_job(job) for job in list_jobs(connection)),
                keys=keys,
                key_findings=findings,
            )

    def _count(self, connection: Connection, logs: Iterable[Log]) -> _Counts:
        seen = (last_change(connection), *((log.number, log.held_size) for log in logs))
        counts = self._counts
        if counts is None or counts.seen != seen:
            found = count_actions(connection)
            actions = {word: found.get(action, 0) for word, action in ACTION_OF_WORD.items()}
            counts = self._counts = _Counts(seen, count_live(connection), actions)
        return counts


def check_ready(database: Database) -> None:
    """Raise unless the database can be reached and is of this version, and each own open log is shown.

    Raises StoreError, ConfigurationError before ``init``, NotFoundError while a log is not shown.
    """
    check_version(database)
    with database.read() as connection:
        own = own_peer(connection)
        for log in list_logs(connection, peer=own.number):
            if log.named and log.state == "open" and log.accepted_note is None:
                raise NotFoundError(
                    "this log has no checkpoint yet", where=log.origin, mend="it is signed soon after the node starts"
                )


def log_status(log: Log, *, own: bool, live: int, waiting: int, now: datetime, for_us: bool = True) -> LogStatus:
    """Give a log as people look at it; ``live`` counts its live listings, ``waiting`` what waits to be released.

    One that is not ``for_us`` is of an audience of its member's, and nobody expects news of it.
    """
    return LogStatus(
        member=log.member,
        own=own,
        name=log.name,
        origin=log.origin,
        state=log.state if for_us else NOT_FOR_US,
        counts=log.counts,
        size=log.accepted_size,
        held=log.held_size,
        live=live,
        waiting=waiting,
        stale=for_us and log.state == "open" and is_stale(log.own_cosigned_at, now),
        cosigned_at=_time(log.own_cosigned_at),
        stopped_at=log.stopped_at,
        quarantined=log.quarantined,
        dropped_signals=log.dropped_signals,
        unknown_statements=log.unknown_statements,
    )


def peer_status(peer: Peer, *, stale: bool = False, blobs: BlobCounts = NO_BLOBS) -> PeerStatus:
    """Give a peer as people look at it."""
    return PeerStatus(
        member=peer.member,
        url=peer.url,
        state=peer.state,
        fingerprint=peer.pinned_fingerprint,
        card_version=peer.card_version,
        trust_checked_at=_time(peer.trust_checked_at),
        last_good_at=_time(peer.last_good_at),
        last_try_at=_time(peer.last_try_at),
        next_try_at=_time(peer.next_try_at),
        failures=peer.failures,
        last_error=peer.last_error,
        trust_error=peer.trust_error,
        stale=stale,
        blobs_held=blobs.held,
        blobs_missing=blobs.missing,
        blob_bytes=blobs.bytes,
    )


def decision_status(decision: Decision | None) -> dict[str, Any] | None:
    """Give who last decided whether a peer is followed, as API and command line tell it."""
    if decision is None:
        return None
    return {"by": decision.by, "at": _text(decision.decided_at), "reason": decision.reason}


def alarm_status(alarm: Alarm, members: Mapping[int, str], origins: Mapping[int, str]) -> AlarmStatus:
    """Give an alarm as people look at it; ``members`` and ``origins`` are by local number."""
    return AlarmStatus(
        number=alarm.number,
        code=alarm.code,
        member=members.get(alarm.peer or 0),
        origin=origins.get(alarm.log or 0),
        what=alarm.what,
        mend=alarm.mend,
        first_at=_text(alarm.first_at),
        last_at=_text(alarm.last_at),
        times=alarm.times,
    )


def _peers(connection: Connection, peers: Iterable[Peer], logs: Iterable[Log], now: datetime) -> tuple[PeerStatus, ...]:
    blobs, refused = blob_counts(connection), logs_not_for_us(connection)
    expected = [log for log in logs if log.state == "open" and log.number not in refused]
    stale = {log.peer for log in expected if is_stale(log.own_cosigned_at, now)}
    return tuple(
        peer_status(peer, stale=peer.number in stale, blobs=blobs.get(peer.number, NO_BLOBS)) for peer in peers
    )


def _logs(
    connection: Connection,
    logs: Iterable[Log],
    members: Mapping[int, Peer],
    counts: _Counts,
    now: datetime,
) -> tuple[LogStatus, ...]:
    refused = logs_not_for_us(connection)
    followed = sorted((log for log in logs if log.peer in members), key=lambda log: not members[log.peer].own)
    return tuple(
        log_status(
            log,
            own=members[log.peer].own,
            live=counts.live.get(log.number, 0),
            waiting=count_unreleased(connection, log) if members[log.peer].own else 0,
            now=now,
            for_us=log.number not in refused,
        )
        for log in followed
    )


def _job(job: Job) -> JobStatus:
    return JobStatus(
        name=job.name,
        next_run_at=_time(job.next_run_at),
        last_run_at=_time(job.last_run_at),
        last_result=job.last_result,
        last_error=job.last_error,
        duration_ms=job.duration_ms,
        runner=job.runner,
    )


def _time(seconds: int | None) -> str | None:
    return None if seconds is None else _text(seconds)


def _text(seconds: int) -> str:
    return format_time(datetime.fromtimestamp(seconds, UTC))


def pulled_status(pulled: Pulled) -> dict[str, Any]:
    """Give what a pull came to, as API and command line tell it."""
    return {
        "member": pulled.member,
        "ok": not pulled.errors,
        "logs": [
            {"origin": log.origin, "before": log.before, "after": log.after, "verdict": log.verdict}
            for log in pulled.logs
        ],
        "errors": [problem(error) for error in pulled.errors],
        "requests": pulled.requests,
        "bytes": pulled.bytes,
        "unfinished": pulled.unfinished,
    }
