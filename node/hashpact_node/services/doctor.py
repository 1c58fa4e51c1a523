"""What somebody looks at before a node goes live, and now and then: the whole home, and how it is seen from outside.

Nothing is changed, and no key is opened; a node may run meanwhile or not. Each look ends by its own deadline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from hashpact_node.services.doctor_database import check_database, look_at_database
from hashpact_node.services.doctor_files import check_disk, check_files
from hashpact_node.services.doctor_kinds import Diagnosis, Level, diagnosis, failed
from hashpact_node.services.doctor_network import check_clock, check_outsiders, check_peers, check_url
from hashpact_node.services.doctor_ports import check_ports
from hashpact_node.services.doctor_state import check_alarms, check_backups, check_keys, check_schedule
from hashpact_node.services.doctor_tls import check_certificates
from hashpact_node.services.doctor_visit import Visit
from hashpact_node.settings import Settings
from hashpact_protocol.errors import HashpactError

Check = Callable[[Visit], Iterable[Diagnosis]]


@dataclass(frozen=True, slots=True)
class Subject:
    """One subject of the visit; what ``asks_database`` is left out where the database cannot be used."""

    name: str
    check: Check
    asks_database: bool = False


def check_settings(visit: Visit) -> Iterable[Diagnosis]:
    """Say what the settings let in, and whether the member's URL is one that others can read."""
    if visit.is_trial:
        yield diagnosis("url-on-loopback", where=visit.settings.url)


SUBJECTS: Final = (
    Subject("settings", check_settings),
    Subject("files", check_files),
    Subject("disk", check_disk),
    Subject("database", check_database),
    Subject("keys", check_keys, asks_database=True),
    Subject("clock", check_clock, asks_database=True),
    Subject("url", check_url, asks_database=True),
    Subject("tls", check_certificates),
    Subject("outsiders", check_outsiders, asks_database=True),
    Subject("ports", check_ports),
    Subject("peers", check_peers, asks_database=True),
    Subject("schedule", check_schedule, asks_database=True),
    Subject("alarms", check_alarms, asks_database=True),
    Subject("backups", check_backups),
)
"""Everything that is looked at, in the order in which it is told."""


def examine(
    settings: Settings, now: Callable[[], datetime], *, secrets: Iterable[Path] = (), running: bool = False
) -> tuple[Diagnosis, ...]:
    """Look at everything. ``secrets`` are further files that hold a secret; ``running``: a node runs on the home.

    What a subject finds stands together; one where nothing is wrong says ``ok``. What fails is a finding, too.
    """
    database, trouble = look_at_database(settings)
    visit = Visit(settings, now, database, trouble, tuple(secrets), running=running)
    try:
        with ThreadPoolExecutor(len(SUBJECTS), thread_name_prefix="doctor") as threads:
            found = threads.map(lambda subject: _examined(subject, visit), SUBJECTS)
            return tuple(one for several in found for one in several)
    finally:
        _close(visit)


def worst(found: Iterable[Diagnosis]) -> Level:
    """Give the level of the gravest finding."""
    order = list(Level)
    return max((one.level for one in found), key=order.index, default=Level.OK)


def _examined(subject: Subject, visit: Visit) -> list[Diagnosis]:
    if subject.asks_database and visit.database is None:
        found = [diagnosis("database-needed")]
    else:
        try:
            found = list(subject.check(visit))
        except (HashpactError, OSError) as error:
            found = [failed(error)]
    found = found or [Diagnosis(Level.OK, "ok", "nothing is wrong")]
    return [replace(one, subject=subject.name) for one in found]


def _close(visit: Visit) -> None:
    if visit.database is not None:
        visit.database.dispose()
