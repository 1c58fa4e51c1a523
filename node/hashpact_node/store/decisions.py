"""Who decided whether a member is followed: a person here, or the directory that is followed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, case, select
from sqlmodel import col

from hashpact_node.store.database import insert_into
from hashpact_node.store.tables_directory import PeerDecision

LOCAL = "local"
DIRECTORY = "directory"

_ALL = select(col(PeerDecision.member), col(PeerDecision.by), col(PeerDecision.decided_at), col(PeerDecision.reason))


@dataclass(frozen=True, slots=True)
class Decision:
    """The last decision about a member: by whom (``local`` or ``directory``), when (Unix seconds), and why.

    No two about one member are equal: of two within a second, the later says one second more.
    """

    member: str
    by: str
    decided_at: int
    reason: str | None


def put_decision(connection: Connection, member: str, by: str, *, now: datetime, reason: str | None = None) -> None:
    """Write down who decided about a member; it takes the place of what was decided before, and differs from it."""
    at, before = int(now.timestamp()), col(PeerDecision.decided_at)
    insert = insert_into(connection, PeerDecision).values(member=member, by=by, decided_at=at, reason=reason)
    later = case((before >= at, before + 1), else_=at)
    changed = {"by": by, "decided_at": later, "reason": reason}
    connection.execute(insert.on_conflict_do_update(index_elements=["member"], set_=changed))


def find_decision(connection: Connection, member: str) -> Decision | None:
    """Give the last decision about a member, if there was one."""
    found = connection.execute(_ALL.where(col(PeerDecision.member) == member)).one_or_none()
    return None if found is None else Decision(*found)


def list_decisions(connection: Connection) -> dict[str, Decision]:
    """Give the last decision about each member about whom there was one."""
    return {found[0]: Decision(*found) for found in connection.execute(_ALL.order_by(col(PeerDecision.member)))}
