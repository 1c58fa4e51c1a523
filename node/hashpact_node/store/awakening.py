"""Rows about awakening: what peers showed of own logs, and which processes of this database looked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select
from sqlmodel import col

from hashpact_node.store.database import insert_into, upsert
from hashpact_node.store.tables import Queue
from hashpact_node.store.tables_backups import KnownCard, KnownHead, Process


@dataclass(frozen=True, slots=True)
class Known:
    """A checkpoint of an own log, verified with our own key, that ``member`` showed; not held here when it was."""

    log: int
    size: int
    root: bytes
    note: bytes
    member: str
    learned_at: int


@dataclass(frozen=True, slots=True)
class ServingProcess:
    """A process that serves, or served, this database; times are Unix seconds."""

    slot: int
    started_at: int
    heartbeat_at: int
    awake: bool
    alone: bool
    runner: str
    state: str


def learn_head(
    connection: Connection, log: int, *, size: int, root: bytes, note: bytes, member: str, now: datetime
) -> None:
    """Remember what a peer showed of an own log, once for each size and root."""
    row = {"size": size, "root": root, "note": note, "member": member, "learned_at": int(now.timestamp())}
    connection.execute(insert_into(connection, KnownHead).values(log=log, **row).on_conflict_do_nothing())


def known_heads(connection: Connection, log: int | None = None) -> list[Known]:
    """List what is known and not held, of one log or of all, the smallest first."""
    query = select(KnownHead).order_by(col(KnownHead.log), col(KnownHead.size), col(KnownHead.root))
    if log is not None:
        query = query.where(col(KnownHead.log) == log)
    return [Known(**row) for row in connection.execute(query).mappings()]


def forget_heads(connection: Connection, heads: Sequence[Known]) -> None:
    """Forget what is held now."""
    for head in heads:
        same = (col(KnownHead.log) == head.log, col(KnownHead.size) == head.size, col(KnownHead.root) == head.root)
        connection.execute(delete(KnownHead).where(*same))


def learn_card(connection: Connection, version: int, targets: bytes, *, member: str, now: datetime) -> None:
    """Remember that a newer card of this member was signed than the one in force here."""
    row = {"version": version, "targets": targets, "member": member, "learned_at": int(now.timestamp())}
    connection.execute(insert_into(connection, KnownCard).values(row).on_conflict_do_nothing())


def newest_known_card(connection: Connection) -> tuple[int, str] | None:
    """Give the version of the newest card of this member that a peer showed, and the peer's id."""
    query = select(col(KnownCard.version), col(KnownCard.member)).order_by(col(KnownCard.version).desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else (row[0], row[1])


def known_targets(connection: Connection, version: int) -> bytes | None:
    """Give the targets metadata of a card of this member that a peer showed."""
    query = select(col(KnownCard.targets)).where(col(KnownCard.version) == version)
    return connection.execute(query).scalar_one_or_none()


def forget_cards(connection: Connection, *, up_to: int) -> None:
    """Forget cards that are in force here, or older than that."""
    connection.execute(delete(KnownCard).where(col(KnownCard.version) <= up_to))


def put_process(connection: Connection, process: ServingProcess) -> None:
    """Store how a process is doing."""
    row = {name: getattr(process, name) for name in ServingProcess.__slots__}
    upsert(connection, Process, [row], keys=("slot",))


def list_processes(connection: Connection) -> list[ServingProcess]:
    """List the processes that serve, or served, this database."""
    query = select(Process).order_by(col(Process.slot))
    return [ServingProcess(**row) for row in connection.execute(query).mappings()]


def drop_process(connection: Connection, slot: int) -> None:
    """Forget a process that has ended."""
    connection.execute(delete(Process).where(col(Process.slot) == slot))


def drop_queued(connection: Connection, log: int, entries: set[bytes]) -> int:
    """Take out of the queue of an own log what stands in the log already; how many entries that were."""
    query = select(col(Queue.number), col(Queue.entry)).where(col(Queue.log) == log)
    done = [number for number, entry in connection.execute(query) if entry in entries]
    for start in range(0, len(done), 500):
        connection.execute(delete(Queue).where(col(Queue.number).in_(done[start : start + 500])))
    return len(done)
