"""What this member is about to publish, and which contents it has published already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, delete, func, select
from sqlmodel import col

from hashpact_node.store.bulk import QUEUE, insert_new
from hashpact_node.store.database import upsert
from hashpact_node.store.logs import Log
from hashpact_node.store.tables import Publication, Queue

LOOKUP_ROWS = 500
STREAM_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class QueuedEntry:
    """An entry that waits, and since when (Unix seconds)."""

    number: int
    entry: bytes
    queued_at: int


def add_entries(connection: Connection, log: int, entries: Iterable[bytes], *, now: datetime) -> int:
    """Put entries into the queue of a log, in order; how many they were."""
    queued_at = int(now.timestamp())
    rows = [(log, queued_at, entry) for entry in entries]
    insert_new(connection, QUEUE, rows)
    return len(rows)


def stream_entries(connection: Connection, log: int) -> Iterator[bytes]:
    """Yield the entries that wait for a log, in their order, and leave them there."""
    query = select(col(Queue.entry)).where(col(Queue.log) == log).order_by(col(Queue.number))
    with connection.execute(query, execution_options={"yield_per": STREAM_ROWS}) as rows:
        yield from rows.scalars()


def take_entries(connection: Connection, log: int, *, limit: int) -> list[QueuedEntry]:
    """Take up to ``limit`` entries out of the queue of a log, the oldest first.

    Exactly what is returned is deleted, so an entry that another transaction is about to add is never lost.
    """
    oldest = select(col(Queue.number)).where(col(Queue.log) == log).order_by(col(Queue.number)).limit(limit)
    taken = (
        delete(Queue)
        .where(col(Queue.number).in_(oldest))
        .returning(col(Queue.number), col(Queue.entry), col(Queue.queued_at))
    )
    rows: list[Any] = sorted(connection.execute(taken), key=itemgetter(0))
    return [QueuedEntry(*row) for row in rows]


def drop_entries(connection: Connection, log: int) -> None:
    """Drop all that waits for a log: it never gets a place."""
    connection.execute(delete(Queue).where(col(Queue.log) == log))


def count_entries(connection: Connection, log: int | None = None) -> int:
    """How many entries wait, in all or for one log."""
    query = select(func.count()).select_from(Queue)
    if log is not None:
        query = query.where(col(Queue.log) == log)
    return connection.execute(query).scalar_one()


def count_unreleased(connection: Connection, log: Log) -> int:
    """How many statements of an own log are not shown yet: those without a place, and those placed but not signed."""
    return count_entries(connection, log.number) + max(0, log.placed_size - log.accepted_size)


def forget_publications(connection: Connection, listing: bytes, contents: Sequence[bytes]) -> None:
    """Forget that these contents were published as this listing, so that they may be published anew."""
    mine = col(Publication.sha256).in_(contents), col(Publication.listing) == listing
    connection.execute(delete(Publication).where(*mine))


def remember_publications(connection: Connection, listings: Mapping[bytes, bytes]) -> None:
    """Remember which listing (16 bytes of UUID) each content (32 bytes of SHA-256) was published as."""
    rows = [{"sha256": sha256, "listing": listing} for sha256, listing in sorted(listings.items())]
    upsert(connection, Publication, rows, keys=("sha256",))


def find_publications(connection: Connection, contents: Sequence[bytes]) -> dict[bytes, bytes]:
    """Find the listings of those contents that were published before, by SHA-256."""
    found: dict[bytes, bytes] = {}
    for start in range(0, len(contents), LOOKUP_ROWS):
        part = contents[start : start + LOOKUP_ROWS]
        query = select(col(Publication.sha256), col(Publication.listing)).where(col(Publication.sha256).in_(part))
        found.update((row.sha256, row.listing) for row in connection.execute(query))
    return found
