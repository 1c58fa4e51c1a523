"""Who decided whether a member is followed: a person here, or the directory that is followed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select
from sqlmodel import col

from hashpact_node.store.database import insert_into
from hashpact_node.store.tables_directory import PeerDecision

LOCAL = "local"
DIRECTORY = "directory"


@dataclass(frozen=True, slots=True)
class Decision:
    """The last decision about a member: by whom (``local`` or ``directory``), when (Unix seconds), and why."""

    member: str
    by: str
    decided_at: int
    reason: str | None


def put_decision(connection: Connection, member: str, by: str, *, now: datetime, reason: str | None = None) -> None:
    """Write down who decided about a member; it takes the place of what was decided before."""
    values = {"by": by, "decided_at": int(now.timestamp()), "reason": reason}
    insert = insert_into(connection, PeerDecision).values(member=member, **values)
    connection.execute(insert.on_conflict_do_update(index_elements=["member"], set_=values))


def drop_decision(connection: Connection, member: str) -> None:
    """Forget who decided about a member."""
    connection.execute(delete(PeerDecision).where(col(PeerDecision.member) == member))


def list_decisions(connection: Connection) -> dict[str, Decision]:
    """Give the last decision about each member about whom there was one."""
    row = PeerDecision
    query = select(col(row.member), col(row.by), col(row.decided_at), col(row.reason)).order_by(col(row.member))
    return {found[0]: Decision(*found) for found in connection.execute(query)}
