"""The doctor's look at what the node itself knows: its keys, jobs, alarms and peers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from hashpact_keys.findings import Severity
from hashpact_node.services.doctor_kinds import Diagnosis, Level, diagnosis, well
from hashpact_node.services.doctor_visit import Visit
from hashpact_node.services.key_status import key_status
from hashpact_node.store.alarms import list_alarms
from hashpact_node.store.jobs import list_jobs

LATE: Final = timedelta(minutes=10)
"""How long after its time a job is late; a process that leads begins within seconds."""

CLOCK: Final = "clock-skew"
"""What is found about the clock with keys, by older readings than the doctor's own."""

_LEVELS: Final = {Severity.ERROR: Level.ERROR, Severity.WARNING: Level.WARNING, Severity.NOTICE: Level.NOTE}


def check_keys(visit: Visit) -> Iterator[Diagnosis]:
    """Say what ``hashpact keys check`` does."""
    status = key_status(visit.usable, visit.settings.keys, home=visit.settings.home, now=visit.now())
    for one in status.findings:
        if one.code != CLOCK:
            what = f"{one.row.value}: {one.what}" if one.row else one.what
            yield Diagnosis(_LEVELS[one.severity], one.code, what, one.where, one.mend)
    yield well(f"{status.looked_at} files of the home were looked through for keys", str(visit.settings.home))


def check_schedule(visit: Visit) -> Iterator[Diagnosis]:
    """Say whether jobs run where a node does, and how their last runs went."""
    with visit.usable.read() as connection:
        jobs = list_jobs(connection)
    oldest = (visit.now() - LATE).timestamp()
    late = [job.name for job in jobs if job.next_run_at is not None and job.next_run_at < oldest]
    if visit.running and late:
        yield diagnosis("jobs-late", f"a node runs, and its jobs do not: {', '.join(late)}")
    for job in jobs:
        if job.last_result == "failed":
            yield diagnosis("job-failing", f"the last run failed: {job.last_error}", where=job.name)


def check_alarms(visit: Visit) -> Iterator[Diagnosis]:
    """Say which alarms are open."""
    with visit.usable.read() as connection:
        alarms = list_alarms(connection)
    for alarm in alarms:
        yield diagnosis("alarm-open", alarm.what, where=f"{alarm.code}, alarm {alarm.number}", mend=alarm.mend)


def check_backups(_visit: Visit) -> Iterator[Diagnosis]:
    """Say that nobody can see here whether there are backups: they are files that somebody took elsewhere."""
    yield diagnosis("backup-unknown")
