"""When jobs run next, and how they last went; times are Unix seconds."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select
from sqlmodel import col

from hashpact_node.store import tables
from hashpact_node.store.database import upsert


@dataclass(frozen=True, slots=True)
class Job:
    """One job; ``last_result`` is ``ok`` or ``failed``, ``runner`` the process that ran it."""

    name: str
    next_run_at: int | None
    last_run_at: int | None
    last_result: str | None
    last_error: str | None
    duration_ms: int | None
    runner: str | None


def plan_job(connection: Connection, name: str, next_run_at: int | None) -> None:
    """Store when a job runs next; None where it is not planned."""
    upsert(connection, tables.Job, [{"name": name, "next_run_at": next_run_at}], keys=("name",))


def record_run(
    connection: Connection, name: str, *, started_at: datetime, duration_ms: int, runner: str, error: str | None
) -> None:
    """Store how a run went; without ``error`` it went well."""
    row = {
        "name": name,
        "last_run_at": int(started_at.timestamp()),
        "last_result": "ok" if error is None else "failed",
        "last_error": error,
        "duration_ms": duration_ms,
        "runner": runner,
    }
    upsert(connection, tables.Job, [row], keys=("name",))


def find_job(connection: Connection, name: str) -> Job | None:
    """Find a job by its name."""
    row = connection.execute(select(tables.Job).where(col(tables.Job.name) == name)).mappings().one_or_none()
    return None if row is None else Job(**row)


def list_jobs(connection: Connection) -> list[Job]:
    """List all jobs in order of their names."""
    query = select(tables.Job).order_by(col(tables.Job.name))
    return [Job(**row) for row in connection.execute(query).mappings()]


def keep_jobs(connection: Connection, names: Collection[str]) -> None:
    """Forget all jobs but these."""
    connection.execute(delete(tables.Job).where(col(tables.Job.name).not_in(names)))
