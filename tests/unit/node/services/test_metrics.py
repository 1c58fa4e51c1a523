from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.metrics import METRICS, exposition
from hashpact_node.services.status import AlarmStatus, JobStatus, NodeStatus, PeerStatus, StatusReader
from members import sha256
from own_member import NOW, ORIGIN, OwnMember

TIME = "2026-11-24T04:00:00Z"
OLDER = "2026-11-20T00:00:00Z"
SECONDS = NOW.timestamp()
BLOBS = {"stale": True, "blobs_held": 3, "blobs_missing": 2, "blob_bytes": 99}
Labels = frozenset[tuple[str, str]]


def read(told: bytes) -> dict[tuple[str, Labels], float]:
    """Read what Prometheus would, by its own parser."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(told.decode())
        for sample in family.samples
    }


def value(told: bytes, name: str, **labels: str) -> float | None:
    found: Mapping[tuple[str, Labels], float] = read(told)
    return found.get((f"hashpact_{name}", frozenset(labels.items())))


def peer(member: str, **fields: object) -> PeerStatus:
    nothing = dict.fromkeys(PeerStatus.__slots__)
    return PeerStatus(**{**nothing, "member": member, "state": "active", "failures": 0, **BLOBS, **fields})  # type: ignore[arg-type]  # as the fields are


def alarm(number: int, code: str, member: str | None, first_at: str) -> AlarmStatus:
    return AlarmStatus(number, code, member, None, "it happened", "mend it", first_at, TIME, 1)


@pytest.fixture
def status(acme: OwnMember) -> NodeStatus:
    acme.publisher.publish([ListingDraft("image", (sha256(number),)) for number in range(3)])
    acme.publisher.publish([ListingDraft("image", (sha256(9),))], wait=False)
    return StatusReader(acme.database, acme.settings, lambda: NOW).status()


def test_own_logs_and_the_list(status: NodeStatus) -> None:
    told = exposition(status)
    of_log = {"member": "acme", "origin": ORIGIN}
    assert value(told, "log_accepted_entries", **of_log) == 3
    assert value(told, "log_held_entries", **of_log) == 3
    assert value(told, "log_live_listings", **of_log) == 3
    assert value(told, "log_waiting_statements", **of_log) == 1
    assert value(told, "log_stale", **of_log) == 0
    assert value(told, "log_counts", **of_log) == 1
    assert value(told, "log_cosigned_timestamp_seconds", **of_log) == SECONDS
    assert value(told, "queue_statements") == 1
    assert value(told, "blocklist_signals", action="block") == 3
    assert value(told, "blocklist_last_change") == 3
    assert value(told, "info", version=status.version, member="acme", database=status.database) == 1
    assert value(told, "key_warnings", row="root") == sum(key.row == "root" for key in status.key_findings) > 0
    assert value(told, "key_seconds_left", row="root") == 365 * 86_400
    assert value(told, "key_seconds_left", row="online") == 86_400
    assert value(told, "key_findings", severity="error") == 3
    assert value(told, "key_findings", severity="notice") == 0


def test_peers(status: NodeStatus) -> None:
    beta = peer("beta", last_good_at=OLDER, last_try_at=TIME, failures=4, trust_error={"code": "trust"}, card_version=7)
    told = exposition(replace(status, peers=(beta, peer("gamma", state="paused"))))
    assert value(told, "peer_active", member="beta") == 1
    assert value(told, "peer_active", member="gamma") == 0
    assert value(told, "peer_failures", member="beta") == 4
    assert value(told, "peer_last_try_timestamp_seconds", member="beta") == SECONDS
    assert value(told, "peer_last_good_timestamp_seconds", member="beta") == SECONDS - 4 * 86_400 - 4 * 3_600
    assert value(told, "peer_trust_failing", member="beta") == 1
    assert value(told, "peer_card_version", member="beta") == 7
    assert value(told, "peer_stale", member="beta") == 1
    assert value(told, "peer_blobs_held", member="beta") == 3
    assert value(told, "peer_blobs_missing", member="beta") == 2
    assert value(told, "peer_blob_bytes", member="beta") == 99
    # What never happened has no figure; 0 would be a time in 1970.
    assert value(told, "peer_last_good_timestamp_seconds", member="gamma") is None


def test_alarms_are_counted_by_code_and_member(status: NodeStatus) -> None:
    alarms = (
        alarm(1, "log-stale", "beta", TIME),
        alarm(2, "log-stale", "beta", OLDER),
        alarm(3, "log-forked", "beta", TIME),
        alarm(4, "disk", None, TIME),
    )
    told = exposition(replace(status, alarms=alarms))
    assert value(told, "alarms", code="log-stale", member="beta") == 2
    assert value(told, "alarms", code="log-forked", member="beta") == 1
    assert value(told, "alarms", code="disk", member="") == 1
    oldest = value(told, "alarm_oldest_timestamp_seconds", code="log-stale", member="beta")
    assert oldest is not None
    assert oldest < SECONDS
    assert not [key for key in read(exposition(status)) if key[0] == "hashpact_alarms"]


def test_jobs(status: NodeStatus) -> None:
    jobs = (
        JobStatus("cosign", TIME, OLDER, "failed", "no key", 1_500, "host:1"),
        JobStatus("expire", TIME, None, None, None, None, None),
    )
    told = exposition(replace(status, jobs=jobs))
    assert value(told, "job_failed", job="cosign") == 1
    assert value(told, "job_duration_seconds", job="cosign") == 1.5
    assert value(told, "job_next_run_timestamp_seconds", job="expire") == SECONDS
    assert value(told, "job_failed", job="expire") is None


def test_foreign_words_do_no_harm(status: NodeStatus) -> None:
    told = exposition(replace(status, alarms=(alarm(1, 'a"\n\\b', "beta", TIME),)))
    assert value(told, "alarms", code='a"\n\\b', member="beta") == 1


def test_nothing_is_told_that_is_not_listed(status: NodeStatus) -> None:
    lines = exposition(replace(status, peers=(peer("beta"),))).decode().splitlines()
    kinds = {kind.name: kind for kind in METRICS}
    assert len(kinds) == len(METRICS)
    assert {line.split(" ")[2] for line in lines if line.startswith("# TYPE")} == {f"hashpact_{name}" for name in kinds}
    for name, labels in read("\n".join(lines).encode() + b"\n"):
        assert {label for label, _value in labels} == set(kinds[name.removeprefix("hashpact_")].labels)
