from __future__ import annotations

from datetime import UTC, datetime

from hashpact_node.store import jobs
from hashpact_node.store.database import Database

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())


def test_plans_and_runs_do_not_touch_each_other(database: Database) -> None:
    with database.write() as connection:
        jobs.plan_job(connection, "follow/beta", SECONDS + 60)
        jobs.record_run(
            connection, "follow/beta", started_at=NOW, duration_ms=1_234, runner="host/7", error="no answer"
        )
        job = jobs.find_job(connection, "follow/beta")
    assert job == jobs.Job("follow/beta", SECONDS + 60, SECONDS, "failed", "no answer", 1_234, "host/7")
    with database.write() as connection:
        jobs.record_run(connection, "follow/beta", started_at=NOW, duration_ms=5, runner="host/8", error=None)
        jobs.plan_job(connection, "follow/beta", None)
        job = jobs.find_job(connection, "follow/beta")
    assert job == jobs.Job("follow/beta", None, SECONDS, "ok", None, 5, "host/8")


def test_jobs_are_listed_and_forgotten(database: Database) -> None:
    with database.write() as connection:
        for name in ("sign", "follow/gamma", "follow/beta"):
            jobs.plan_job(connection, name, SECONDS)
        assert [job.name for job in jobs.list_jobs(connection)] == ["follow/beta", "follow/gamma", "sign"]
        jobs.keep_jobs(connection, {"sign"})
        assert [job.name for job in jobs.list_jobs(connection)] == ["sign"]
        jobs.keep_jobs(connection, ())
        assert jobs.list_jobs(connection) == []
        assert jobs.find_job(connection, "sign") is None
