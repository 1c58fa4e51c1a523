"""Blobs as stored, and those that listings of followed members name and that are or are not here yet."""

from __future__ import annotations

from collections import Counter as Counted
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, select, update
from sqlmodel import col

from hashpact_node.store.bulk import select_in
from hashpact_node.store.database import insert_into, upsert
from hashpact_node.store.tables import Counter, Signal
from hashpact_node.store.tables_blobs import Blob, BlobWant

SEEN = "blobs"
"""The counter that holds up to which change the signals were looked at."""


@dataclass(frozen=True, slots=True)
class Want:
    """A blob that a member's listings name; ``key`` is that of its signal."""

    peer: int
    key: bytes
    failures: int
    held: bool
    code: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class WantCount:
    """How many blobs of a member stand alike, and why the first of them is not here."""

    peer: int
    held: bool
    code: str | None
    count: int
    reason: str | None
    most_failures: int


@dataclass(frozen=True, slots=True)
class BlobCounts:
    """How many blobs that a member's listings name are here, how many are not, and how many bytes it brought."""

    held: int = 0
    missing: int = 0
    bytes: int = 0


NO_BLOBS = BlobCounts()


def put_blob(connection: Connection, key: bytes, sha256: bytes, data: bytes, *, peer: int, now: datetime) -> bool:
    """Store a blob, or note that it is used again; whether it is new."""
    at = int(now.timestamp())
    row = {"key": key, "sha256": sha256, "data": data, "length": len(data), "peer": peer, "used_at": at}
    insert = insert_into(connection, Blob).values(row).on_conflict_do_nothing()
    if connection.execute(insert.returning(col(Blob.length))).scalar_one_or_none() is not None:
        return True
    use_blobs(connection, [key], now=now)
    return False


def use_blobs(connection: Connection, keys: Collection[bytes], *, now: datetime) -> None:
    """Note that these blobs are used, so that they are kept for a while even if nothing claims them yet."""
    for key in sorted(keys):
        connection.execute(update(Blob).where(col(Blob.key) == key).values(used_at=int(now.timestamp())))


def blob_lengths(connection: Connection, keys: Iterable[bytes]) -> dict[bytes, int]:
    """Give the lengths of those of the blobs that are stored."""
    query = "SELECT key, length FROM blob WHERE key IN ({values})"
    return {bytes(key): int(length) for key, length in select_in(connection, query, sorted(keys))}


def read_blob(connection: Connection, key: bytes) -> bytes | None:
    """Read a blob; None where it is not stored."""
    found = connection.execute(select(col(Blob.data)).where(col(Blob.key) == key)).scalar_one_or_none()
    return None if found is None else bytes(found)


def keys_of_hash(connection: Connection, sha256: bytes) -> list[bytes]:
    """Give the keys of the stored blobs with that SHA-256, one for each type that it was brought as."""
    query = select(col(Blob.key)).where(col(Blob.sha256) == sha256).order_by(col(Blob.key))
    return [bytes(key) for key in connection.execute(query).scalars()]


def bytes_brought(connection: Connection, peer: int) -> int:
    """How many bytes of stored blobs a member brought."""
    query = select(func.coalesce(func.sum(col(Blob.length)), 0)).where(col(Blob.peer) == peer)
    return int(connection.execute(query).scalar_one())


def bytes_by_peer(connection: Connection) -> dict[int, int]:
    """How many bytes of stored blobs each member brought."""
    query = select(col(Blob.peer), func.sum(col(Blob.length))).group_by(col(Blob.peer))
    return {peer: int(total) for peer, total in connection.execute(query)}


def drop_unclaimed(connection: Connection, *, used_before: datetime, but_of: int | None = None) -> int:
    """Delete blobs that no listing claims and that were not used since then; how many. ``but_of``: whose all stay."""
    claimed = select(col(Signal.key)).where(col(Signal.key) == col(Blob.key), func.length(col(Signal.claims)) > 0)
    gone = delete(Blob).where(col(Blob.used_at) < int(used_before.timestamp()), ~claimed.exists())
    if but_of is not None:
        gone = gone.where(col(Blob.peer) != but_of)
    return connection.execute(gone).rowcount


def seen_change(connection: Connection) -> int:
    """Give the number of the change up to which signals were looked at for blobs."""
    query = select(col(Counter.value)).where(col(Counter.name) == SEEN)
    return connection.execute(query).scalar_one_or_none() or 0


def set_seen_change(connection: Connection, number: int) -> None:
    """Store up to which change signals were looked at."""
    upsert(connection, Counter, [{"name": SEEN, "value": number}], keys=("name",))


def set_wanted(connection: Connection, key: bytes, peers: Collection[int], *, now: datetime) -> None:
    """Say whose listings name a blob now; what was known of those who did before stays."""
    stale = delete(BlobWant).where(col(BlobWant.key) == key, col(BlobWant.peer).not_in(peers))
    connection.execute(stale)
    at = int(now.timestamp())
    for peer in sorted(peers):
        row = {"peer": peer, "key": key, "next_try_at": at, "failures": 0, "held": False}
        connection.execute(insert_into(connection, BlobWant).values(row).on_conflict_do_nothing())
    # What was dropped while nobody named it, and is named again, is fetched again.
    stored = select(col(Blob.key)).where(col(Blob.key) == key).exists()
    gone = update(BlobWant).where(col(BlobWant.key) == key, col(BlobWant.held).is_(True), ~stored)
    connection.execute(gone.values(held=False, next_try_at=at))


def due_peers(connection: Connection, *, now: datetime) -> list[int]:
    """Give the members of whom a blob is to be asked for now."""
    query = select(col(BlobWant.peer)).where(
        col(BlobWant.held).is_(False), col(BlobWant.next_try_at) <= int(now.timestamp())
    )
    return sorted(connection.execute(query.distinct()).scalars())


def due_wants(connection: Connection, peer: int, *, now: datetime, limit: int) -> list[Want]:
    """Give the blobs of one member that are to be asked for now, the longest due first."""
    query = (
        select(BlobWant)
        .where(
            col(BlobWant.held).is_(False),
            col(BlobWant.peer) == peer,
            col(BlobWant.next_try_at) <= int(now.timestamp()),
        )
        .order_by(col(BlobWant.next_try_at), col(BlobWant.key))
        .limit(limit)
    )
    return [
        Want(row.peer, bytes(row.key), row.failures, row.held, row.code, row.reason)
        for row in connection.execute(query)
    ]


def record_held(connection: Connection, peer: int, key: bytes) -> bool:
    """Store that a blob is here; False where it is not wanted any more."""
    return _update(connection, peer, key, held=True, code=None, reason=None, failures=0)


def record_missing(connection: Connection, want: Want, *, code: str, reason: str, next_try_at: datetime) -> bool:
    """Store why a blob is not here, and when it is asked for again; False where it is not wanted any more."""
    at = int(next_try_at.timestamp())
    return _update(
        connection, want.peer, want.key, failures=want.failures + 1, code=code, reason=reason, next_try_at=at
    )


def count_wants(connection: Connection) -> list[WantCount]:
    """Count the blobs that are named, by member, by whether they are here, and by what went wrong."""
    row = BlobWant
    query = (
        select(
            col(row.peer),
            col(row.held),
            col(row.code),
            func.count(),
            func.min(col(row.reason)),
            func.max(col(row.failures)),
        )
        .group_by(col(row.peer), col(row.held), col(row.code))
        .order_by(col(row.peer))
    )
    return [
        WantCount(peer, bool(held), code, int(count), reason, int(failures))
        for peer, held, code, count, reason, failures in connection.execute(query)
    ]


def blob_counts(connection: Connection) -> dict[int, BlobCounts]:
    """Count the blobs of each member of whom there is or should be one."""
    held, missing = Counted[int](), Counted[int]()
    for one in count_wants(connection):
        (held if one.held else missing)[one.peer] += one.count
    brought = bytes_by_peer(connection)
    return {peer: BlobCounts(held[peer], missing[peer], brought.get(peer, 0)) for peer in {*held, *missing, *brought}}


def _update(connection: Connection, peer: int, key: bytes, **values: object) -> bool:
    statement = update(BlobWant).where(col(BlobWant.peer) == peer, col(BlobWant.key) == key).values(**values)
    return connection.execute(statement).rowcount == 1
