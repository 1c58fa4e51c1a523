"""Requests that a client may repeat: the second answer is the first one's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select, update
from sqlmodel import col

from hashpact_node.store import tables
from hashpact_node.store.database import insert_into
from hashpact_protocol.errors import ConflictError, NotFoundError

KEPT_SECONDS = 24 * 3_600


@dataclass(frozen=True, slots=True)
class Repeat:
    """A request that came before; ``status`` and ``answer`` are None while the first one still runs."""

    key: str
    request_hash: bytes
    status: int | None
    answer: bytes | None
    created_at: int


def begin(connection: Connection, key: str, request_hash: bytes, *, now: datetime) -> Repeat | None:
    """Begin a request: None where it is new and should be done, else what came of it before.

    Raises ConflictError where the key came with another request.
    """
    insert = insert_into(connection, tables.Idempotency).values(
        key=key, request_hash=request_hash, created_at=int(now.timestamp())
    )
    if connection.execute(insert.on_conflict_do_nothing().returning(col(tables.Idempotency.key))).first() is not None:
        return None
    earlier = find(connection, key)
    if earlier is None:
        raise ConflictError("a request with this key was just given up", mend="send it once more")
    if earlier.request_hash != request_hash:
        raise ConflictError("this key came before with another request", where=key, mend="use a new key")
    return earlier


def finish(connection: Connection, key: str, status: int, answer: bytes) -> None:
    """Store what was answered."""
    statement = update(tables.Idempotency).where(col(tables.Idempotency.key) == key)
    if connection.execute(statement.values(status=status, answer=answer)).rowcount != 1:
        raise NotFoundError("no request with this key has begun", where=key)


def find(connection: Connection, key: str) -> Repeat | None:
    """Find a request by its key."""
    query = select(tables.Idempotency).where(col(tables.Idempotency.key) == key)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else Repeat(**row)


def forget(connection: Connection, key: str) -> None:
    """Forget a request that failed, so that it may be tried again."""
    connection.execute(delete(tables.Idempotency).where(col(tables.Idempotency.key) == key))


def expire(connection: Connection, *, now: datetime) -> int:
    """Forget requests older than a day; how many went."""
    oldest = int(now.timestamp()) - KEPT_SECONDS
    return connection.execute(delete(tables.Idempotency).where(col(tables.Idempotency.created_at) < oldest)).rowcount
