"""What was told about keys already, and what peers' clocks said; times are Unix seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select
from sqlmodel import col

from hashpact_node.store.database import upsert
from hashpact_node.store.tables_keys import ClockReading, KeyNotice


@dataclass(frozen=True, slots=True)
class Reading:
    """By how many milliseconds our clock was ahead of a member's, and when that was read."""

    member: str
    offset_ms: int
    read_at: int


def list_notices(connection: Connection) -> dict[str, int]:
    """Give what was told, by subject: how near the end was then."""
    query = select(col(KeyNotice.subject), col(KeyNotice.level))
    return {row.subject: row.level for row in connection.execute(query)}


def replace_notices(connection: Connection, notices: Mapping[str, int]) -> None:
    """Remember exactly these."""
    connection.execute(delete(KeyNotice).where(col(KeyNotice.subject).not_in(list(notices))))
    rows = [{"subject": subject, "level": level} for subject, level in sorted(notices.items())]
    upsert(connection, KeyNotice, rows, keys=("subject",))


def put_readings(connection: Connection, readings: list[Reading]) -> None:
    """Store the newest reading of each member's clock."""
    rows = [{"member": one.member, "offset_ms": one.offset_ms, "read_at": one.read_at} for one in readings]
    upsert(connection, ClockReading, rows, keys=("member",))


def list_readings(connection: Connection) -> list[Reading]:
    """List the last reading of each member's clock, in order of their names."""
    query = select(ClockReading).order_by(col(ClockReading.member))
    return [Reading(**row) for row in connection.execute(query).mappings()]
