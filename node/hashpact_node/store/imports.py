"""How far files are imported, so that an import can be stopped at any moment and go on."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, select
from sqlmodel import col

from hashpact_node.store.database import upsert
from hashpact_node.store.tables import ImportProgress


def imported_lines(connection: Connection, source: str) -> int:
    """Give how many lines of a source are imported, those that were skipped included; 0 for a new one."""
    query = select(col(ImportProgress.lines)).where(col(ImportProgress.source) == source)
    return connection.execute(query).scalar_one_or_none() or 0


def imports_like(connection: Connection, beginning: str) -> list[str]:
    """Give the sources that begin so and of which something is imported."""
    query = select(col(ImportProgress.source)).where(col(ImportProgress.source).startswith(beginning, autoescape=True))
    return list(connection.execute(query.order_by(col(ImportProgress.source))).scalars())


def set_imported_lines(connection: Connection, source: str, lines: int, *, now: datetime) -> None:
    """Store how many lines are imported, in the transaction that stores their statements."""
    row = {"source": source, "lines": lines, "updated_at": int(now.timestamp())}
    upsert(connection, ImportProgress, [row], keys=("source",))


def forget_imported(connection: Connection, source: str) -> None:
    """Forget that anything of a source is imported, so that it can be begun anew."""
    connection.execute(delete(ImportProgress).where(col(ImportProgress.source) == source))
