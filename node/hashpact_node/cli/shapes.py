"""What commands write as JSON: names of the field, times as on the wire, hashes in lower-case hex."""

from __future__ import annotations

from typing import Any, Final

from hashpact_node.cli.tables import moment
from hashpact_node.services.peering import LogView, PeerView
from hashpact_node.services.problems import problem
from hashpact_node.services.pulling import Pulled
from hashpact_node.store.alarms import Alarm
from hashpact_node.store.jobs import Job
from hashpact_node.store.logs import Log

FAILING: Final = "failing"


def peer_state(view: PeerView) -> str:
    """Give a peer's state in one word: ``failing`` where it is active and cannot be read."""
    return FAILING if view.peer.state == "active" and view.peer.failures else view.peer.state


def log_state(view: LogView) -> str:
    """Give a log's state in one word: ``stopped`` by a critical statement, ``stale``, else what its card says."""
    if view.log.stopped_at is not None:
        return "stopped"
    return "stale" if view.stale else view.log.state


def peer_shape(view: PeerView) -> dict[str, Any]:
    """Give a peer with its logs and alarms."""
    peer = view.peer
    return {
        "member": peer.member,
        "url": peer.url,
        "state": peer_state(view),
        "added_at": moment(peer.added_at),
        "fingerprint": peer.pinned_fingerprint,
        "card_version": peer.card_version,
        "trust_checked_at": moment(peer.trust_checked_at),
        "trust_error": peer.trust_error,
        "failures": peer.failures,
        "last_try_at": moment(peer.last_try_at),
        "last_good_at": moment(peer.last_good_at),
        "next_try_at": moment(peer.next_try_at),
        "last_error": peer.last_error,
        "logs": [{**log_shape(one.log), "state": log_state(one), "listings": one.live} for one in view.logs],
        "alarms": [alarm_shape(alarm) for alarm in view.alarms],
    }


def log_shape(log: Log) -> dict[str, Any]:
    """Give a log's sizes and counts."""
    return {
        "origin": log.origin,
        "name": log.name,
        "state": log.state,
        "counts": log.counts,
        "held_size": log.held_size,
        "accepted_size": log.accepted_size,
        "accepted_root": log.accepted_root,
        "stopped_at": log.stopped_at,
        "own_cosigned_at": moment(log.own_cosigned_at),
        "quarantined": log.quarantined,
        "dropped_signals": log.dropped_signals,
        "unknown_statements": log.unknown_statements,
    }


def alarm_shape(alarm: Alarm) -> dict[str, Any]:
    """Give an alarm; evidence is told by its length."""
    return {
        "number": alarm.number,
        "code": alarm.code,
        "what": alarm.what,
        "mend": alarm.mend,
        "first_at": moment(alarm.first_at),
        "last_at": moment(alarm.last_at),
        "times": alarm.times,
        "cleared_at": moment(alarm.cleared_at),
        "evidence_bytes": len(alarm.evidence or b""),
    }


def job_shape(job: Job) -> dict[str, Any]:
    """Give a job's next run and last result."""
    return {
        "name": job.name,
        "next_run_at": moment(job.next_run_at),
        "last_run_at": moment(job.last_run_at),
        "last_result": job.last_result,
        "last_error": job.last_error,
        "duration_ms": job.duration_ms,
        "runner": job.runner,
    }


def pulled_shape(pulled: Pulled) -> dict[str, Any]:
    """Give what a pull came to."""
    return {
        "member": pulled.member,
        "requests": pulled.requests,
        "bytes": pulled.bytes,
        "logs": [
            {"origin": log.origin, "before": log.before, "after": log.after, "verdict": log.verdict}
            for log in pulled.logs
        ],
        "errors": [problem(error) for error in pulled.errors],
    }
