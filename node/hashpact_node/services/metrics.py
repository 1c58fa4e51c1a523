"""The figures that Prometheus scrapes: what is in the status of the node, one metric a figure.

Everything is computed at the scrape, from the database, so that every process that serves it tells the same; nothing is
counted in a process. Labels are bounded: members that are followed, logs that their cards name, codes of alarms, jobs,
rows of keys. :data:`METRICS` lists every metric; docs/operations.md shows that list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from hashpact_keys.findings import Severity
from hashpact_node.services.status import AlarmStatus, JobStatus, LogStatus, NodeStatus, PeerStatus
from hashpact_node.services.status_keys import KeyStatus

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4

PEER: Final = ("member",)
LOG: Final = ("member", "origin")

Sample = tuple[str, tuple[str, ...], float | None]
"""Name without its prefix, values of the labels, value; None where there is no figure, which is then left out."""


@dataclass(frozen=True, slots=True)
class MetricKind:
    """One metric: its name without the prefix ``hashpact_``, its labels, and what it says."""

    name: str
    labels: tuple[str, ...]
    what: str


METRICS: Final = (
    MetricKind("info", ("version", "member", "database"), "1; its labels say what runs"),
    MetricKind("peer_active", PEER, "1 if the peer is pulled, 0 if it is paused or suspended"),
    MetricKind("peer_last_good_timestamp_seconds", PEER, "when it was last read without an error"),
    MetricKind("peer_last_try_timestamp_seconds", PEER, "when it was last tried"),
    MetricKind("peer_next_try_timestamp_seconds", PEER, "until when it is left alone after errors"),
    MetricKind("peer_trust_checked_timestamp_seconds", PEER, "when its trust repository was last read"),
    MetricKind("peer_failures", PEER, "how often in a row it failed"),
    MetricKind("peer_trust_failing", PEER, "1 if something is wrong with its trust repository"),
    MetricKind("peer_stale", PEER, "1 if it has not said for too long that one of its open logs is fresh"),
    MetricKind("peer_blobs_held", PEER, "how many blobs that its listings name are here"),
    MetricKind("peer_blobs_missing", PEER, "how many blobs that its listings name are not here, or not yet"),
    MetricKind("peer_blob_bytes", PEER, "how many bytes of blobs it brought"),
    MetricKind("peer_card_version", PEER, "the version of its accepted card"),
    MetricKind("log_accepted_entries", LOG, "the accepted size; of an own log the released one"),
    MetricKind("log_held_entries", LOG, "how much of it is merged"),
    MetricKind("log_live_listings", LOG, "how many live listings it holds"),
    MetricKind("log_waiting_statements", LOG, "how many own statements wait to be released into it"),
    MetricKind("log_malformed_entries", LOG, "how many entries are in quarantine"),
    MetricKind("log_malformed_signals", LOG, "how many signals of sound entries were malformed"),
    MetricKind("log_unknown_statements", LOG, "how many entries are of kinds that are not known here"),
    MetricKind("log_counts", LOG, "1 if claims are taken from it"),
    MetricKind("log_stopped", LOG, "1 if its claims end at a critical entry that is not known here"),
    MetricKind("log_stale", LOG, "1 if it is open and its publisher has not cosigned it for too long"),
    MetricKind("log_cosigned_timestamp_seconds", LOG, "when its publisher last cosigned it, as seen here"),
    MetricKind("blocklist_signals", ("action",), "how many signals have that action"),
    MetricKind("blocklist_last_change", (), "the number of the newest change"),
    MetricKind("queue_statements", (), "how many own statements wait to be released"),
    MetricKind("audit_entries", (), "how many entries the audit log has; it never shrinks"),
    MetricKind("refused_requests", ("reason",), "how many requests were refused, and why"),
    MetricKind("disputes", (), "how many disputes of own listings are open"),
    MetricKind("corrections", PEER, "how many of its withdrawals arrived within 7 days"),
    MetricKind("correction_average_seconds", PEER, "how long they took on average, from their time to their merge"),
    MetricKind("correction_longest_seconds", PEER, "how long the slowest of them took"),
    MetricKind("alarms", ("code", "member"), "how many alarms are open; `member` is empty where it concerns none"),
    MetricKind("alarm_oldest_timestamp_seconds", ("code", "member"), "when the oldest of them was first raised"),
    MetricKind("job_failed", ("job",), "1 if its last run failed"),
    MetricKind("job_last_run_timestamp_seconds", ("job",), "when it last ran"),
    MetricKind("job_next_run_timestamp_seconds", ("job",), "when it runs next; all in the past: nobody leads"),
    MetricKind("job_duration_seconds", ("job",), "how long its last run took"),
    MetricKind("key_expiry_timestamp_seconds", ("row",), "when the first thing that hangs on that row of keys ends"),
    MetricKind("key_seconds_left", ("row",), "how long it is until then; below 0 once that is past"),
    MetricKind("key_warnings", ("row",), "how many warnings there are about it"),
    MetricKind("key_findings", ("severity",), "how many findings about keys weigh so much, 0 ones too"),
)


def exposition(status: NodeStatus) -> bytes:
    """Write the metrics of a status in the text form 0.0.4 of Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(_samples(status)))
    return generate_latest(registry)


class _Collected(Collector):
    """Hands samples over to the library, one family a metric."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._families = {
            kind.name: GaugeMetricFamily(f"hashpact_{kind.name}", kind.what, labels=kind.labels) for kind in METRICS
        }
        for name, labels, value in samples:
            if value is not None:
                self._families[name].add_metric(labels, value)

    def collect(self) -> Iterator[Metric]:
        """Give every family, those without a sample too."""
        yield from self._families.values()


def _samples(status: NodeStatus) -> Iterator[Sample]:
    yield "info", (status.version, status.member, status.database), 1
    yield "queue_statements", (), status.queue
    yield "blocklist_last_change", (), status.last_change
    size = status.audit_head.partition(":")[0]
    yield "audit_entries", (), int(size) if size.isdecimal() else None
    for action, number in status.blocklist.items():
        yield "blocklist_signals", (action,), number
    for reason, number in status.refused.items():
        yield "refused_requests", (reason,), number
    for peer in status.peers:
        yield from _of_peer(peer)
    for log in status.logs:
        yield from _of_log(log)
    yield "disputes", (), status.disputes
    for one in status.corrections:
        yield "corrections", (one.member,), one.withdrawals
        yield "correction_average_seconds", (one.member,), one.average_seconds
        yield "correction_longest_seconds", (one.member,), one.longest_seconds
    yield from _of_alarms(status.alarms)
    for job in status.jobs:
        yield from _of_job(job)
    for key in status.keys:
        yield from _of_key(key, status.time)
    weights = Counter(one.severity for one in status.key_findings)
    for severity in Severity:
        yield "key_findings", (severity.value,), weights[severity.value]


def _of_peer(peer: PeerStatus) -> Iterator[Sample]:
    labels = (peer.member,)
    yield "peer_active", labels, peer.state == "active"
    yield "peer_last_good_timestamp_seconds", labels, _seconds(peer.last_good_at)
    yield "peer_last_try_timestamp_seconds", labels, _seconds(peer.last_try_at)
    yield "peer_next_try_timestamp_seconds", labels, _seconds(peer.next_try_at)
    yield "peer_trust_checked_timestamp_seconds", labels, _seconds(peer.trust_checked_at)
    yield "peer_failures", labels, peer.failures
    yield "peer_trust_failing", labels, peer.trust_error is not None
    yield "peer_card_version", labels, peer.card_version
    yield "peer_stale", labels, peer.stale
    yield "peer_blobs_held", labels, peer.blobs_held
    yield "peer_blobs_missing", labels, peer.blobs_missing
    yield "peer_blob_bytes", labels, peer.blob_bytes


def _of_log(log: LogStatus) -> Iterator[Sample]:
    labels = (log.member, log.origin)
    yield "log_accepted_entries", labels, log.size
    yield "log_held_entries", labels, log.held
    yield "log_live_listings", labels, log.live
    yield "log_waiting_statements", labels, log.waiting if log.own else None
    yield "log_malformed_entries", labels, log.quarantined
    yield "log_malformed_signals", labels, log.dropped_signals
    yield "log_unknown_statements", labels, log.unknown_statements
    yield "log_counts", labels, log.counts
    yield "log_stopped", labels, log.stopped_at is not None
    yield "log_stale", labels, log.stale
    yield "log_cosigned_timestamp_seconds", labels, _seconds(log.cosigned_at)


def _of_alarms(alarms: Iterable[AlarmStatus]) -> Iterator[Sample]:
    counted: Counter[tuple[str, str]] = Counter()
    oldest: dict[tuple[str, str], str] = {}
    for alarm in alarms:
        labels = (alarm.code, alarm.member or "")
        counted[labels] += 1
        oldest[labels] = min(alarm.first_at, oldest.get(labels, alarm.first_at))
    for labels, number in sorted(counted.items()):
        yield "alarms", labels, number
        yield "alarm_oldest_timestamp_seconds", labels, _seconds(oldest[labels])


def _of_job(job: JobStatus) -> Iterator[Sample]:
    labels = (job.name,)
    yield "job_failed", labels, None if job.last_result is None else job.last_result == "failed"
    yield "job_last_run_timestamp_seconds", labels, _seconds(job.last_run_at)
    yield "job_next_run_timestamp_seconds", labels, _seconds(job.next_run_at)
    yield "job_duration_seconds", labels, None if job.duration_ms is None else job.duration_ms / 1_000


def _of_key(key: KeyStatus, time: str) -> Iterator[Sample]:
    ends, now = _seconds(key.expires), _seconds(time)
    yield "key_expiry_timestamp_seconds", (key.row,), ends
    yield "key_seconds_left", (key.row,), None if ends is None or now is None else ends - now
    yield "key_warnings", (key.row,), len(key.warnings)


def _seconds(text: str | None) -> float | None:
    """Give Unix seconds of a time as on the wire."""
    return None if text is None else datetime.fromisoformat(text).timestamp()
