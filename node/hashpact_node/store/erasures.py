"""Own listings that are to disappear, logs that their cards call erased, and who still has them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select, update
from sqlmodel import col

from hashpact_node.store.database import insert_into, upsert
from hashpact_node.store.tables_succession import ErasedCopy, ErasedLog, Erasure


@dataclass(frozen=True, slots=True)
class Wanted:
    """A listing (16 bytes of UUID) that is to disappear; ``successor`` is the log that does without it, if any yet."""

    sequence: int
    listing: bytes
    requested_at: int
    successor: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Erased:
    """An erased log by its local number: since when its card says so, and when its entries were destroyed here."""

    log: int
    since: int
    destroyed_at: int | None


@dataclass(frozen=True, slots=True)
class Copy:
    """What a peer, by its local number, last answered for an erased log of ours; ``status`` None: nothing."""

    log: int
    peer: int
    asked_at: int
    status: int | None


def request_erasure(connection: Connection, sequence: int, listing: bytes, reason: str, *, now: datetime) -> None:
    """Write down that a listing is to disappear; asked again, also after it has, it waits anew."""
    row = {"sequence": sequence, "listing": listing, "requested_at": int(now.timestamp())}
    row |= {"successor": None, "reason": reason}
    upsert(connection, Erasure, [row], keys=("sequence", "listing"))


def list_erasures(connection: Connection, sequence: int | None = None, *, waiting: bool = False) -> list[Wanted]:
    """List what is or was to disappear, the oldest request first; with ``waiting`` only what has no successor yet."""
    row = Erasure
    query = select(
        col(row.sequence), col(row.listing), col(row.requested_at), col(row.successor), col(row.reason)
    ).order_by(col(row.requested_at), col(row.listing))
    if sequence is not None:
        query = query.where(col(row.sequence) == sequence)
    if waiting:
        query = query.where(col(row.successor).is_(None))
    return [Wanted(*one) for one in connection.execute(query)]


def take_up_erasures(connection: Connection, sequence: int, listings: Collection[bytes], successor: int) -> None:
    """Say that exactly these listings are not restated in a successor."""
    row = Erasure
    wanted = (col(row.sequence) == sequence) & col(row.listing).in_(list(listings)) & col(row.successor).is_(None)
    connection.execute(update(row).where(wanted).values(successor=successor))


def drop_erasures(connection: Connection, sequence: int, listings: Collection[bytes]) -> None:
    """Forget that these listings were to disappear, as far as no successor does without them yet."""
    row = Erasure
    wanted = (col(row.sequence) == sequence) & col(row.listing).in_(list(listings)) & col(row.successor).is_(None)
    connection.execute(delete(row).where(wanted))


def note_erased(connection: Connection, log: int, *, now: datetime) -> None:
    """Remember since when a log is erased; the first time stays."""
    row = insert_into(connection, ErasedLog).values(log=log, since=int(now.timestamp()), destroyed_at=None)
    connection.execute(row.on_conflict_do_nothing())


def set_destroyed(connection: Connection, log: int, *, now: datetime) -> None:
    """Remember when the entries of an erased log were destroyed here."""
    connection.execute(update(ErasedLog).where(col(ErasedLog.log) == log).values(destroyed_at=int(now.timestamp())))


def list_erased(connection: Connection) -> dict[int, Erased]:
    """Give all erased logs by their local number."""
    row = ErasedLog
    found = connection.execute(select(col(row.log), col(row.since), col(row.destroyed_at)))
    return {one[0]: Erased(*one) for one in found}


def put_copy(connection: Connection, log: int, peer: int, status: int | None, *, now: datetime) -> None:
    """Store what a peer answered for an erased log of ours."""
    row = {"log": log, "peer": peer, "asked_at": int(now.timestamp()), "status": status}
    upsert(connection, ErasedCopy, [row], keys=("log", "peer"))


def list_copies(connection: Connection) -> list[Copy]:
    """List what peers last answered for erased logs of ours."""
    row = ErasedCopy
    query = select(col(row.log), col(row.peer), col(row.asked_at), col(row.status))
    return [Copy(*one) for one in connection.execute(query.order_by(col(row.log), col(row.peer)))]
