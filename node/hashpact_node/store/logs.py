"""Logs: what cards say of them, and their heads, each moved only by compare-and-swap.

A log has four sizes. ``held``: what is merged into claims. ``accepted``: a checkpoint with the cosignatures that
policy asks for; of an own log, what is shown. ``cosigned``: the newest checkpoint that this node has cosigned.
``placed``: of an own log, the entries that have their places, released or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, or_, select, update
from sqlalchemy.orm import Mapped
from sqlmodel import col

from hashpact_node.store import tables
from hashpact_node.store.database import insert_into
from hashpact_node.store.shown import record_shown
from hashpact_protocol.errors import ConflictError, NotFoundError, StoreMovedError
from hashpact_protocol.merkle import EMPTY_ROOT
from hashpact_protocol.witness import origin_hash

TERMS = ("kind", "url", "state", "final_size", "final_root", "fresh", "erased")


@dataclass(frozen=True, slots=True)
class LogTerms:
    """What a card says of one log; ``keys`` are verifier keys in their text form."""

    name: str
    kind: str
    origin: str
    url: str
    state: str
    keys: tuple[str, ...]
    final_size: int | None = None
    final_root: bytes | None = None
    fresh: int | None = None
    erased: bool = False


@dataclass(frozen=True, slots=True)
class Log:
    """One row, with the names of its member and of its sequence; ``position`` is its place in the card, from 0."""

    number: int
    peer: int
    member: str
    sequence: int
    name: str
    kind: str
    origin: str
    url: str
    position: int
    state: str
    keys: tuple[str, ...]
    final_size: int | None
    final_root: bytes | None
    fresh: int | None
    erased: bool
    named: bool
    counts: bool
    held_size: int
    held_range: bytes
    stopped_at: int | None
    accepted_size: int
    accepted_root: bytes
    accepted_note: bytes | None
    cosigned_size: int
    cosigned_root: bytes
    cosigned_note: bytes | None
    own_cosigned_at: int | None
    placed_size: int
    placed_range: bytes
    pending_size: int | None
    pending_root: bytes | None
    etag: str | None
    quarantined: int
    dropped_signals: int
    unknown_statements: int
    origin_hash: str
    news_by: str | None
    news_at: int | None
    news_age: int | None
    cosigners: tuple[str, ...]


def put_card_logs(connection: Connection, peer: int, terms: Sequence[LogTerms]) -> list[Log]:
    """Store what a member's card says of its logs, in card order, and return them.

    Logs that the card no longer names stay, with ``named`` unset; whether a log ``counts`` is never touched here.
    Raises ConflictError where an origin is another member's.
    """
    others = _logs().where(col(tables.Log.origin).in_([one.origin for one in terms]), col(tables.Log.peer) != peer)
    for other in connection.execute(others).mappings():
        raise ConflictError(f"this log is one of {other['member']} already", where=other["origin"])
    sequences = {name: make_sequence(connection, peer, name) for name in dict.fromkeys(one.name for one in terms)}
    connection.execute(update(tables.Log).where(col(tables.Log.peer) == peer).values(named=False))
    for position, one in enumerate(terms):
        _put_terms(connection, peer, sequences[one.name], position, one)
    origins = {one.origin for one in terms}
    return [log for log in list_logs(connection, peer=peer) if log.origin in origins]


def find_log(connection: Connection, origin: str, *, lock: bool = False) -> Log | None:
    """Find a log by its origin; ``lock`` keeps other writers from its row until the transaction ends."""
    return _one(connection, col(tables.Log.origin) == origin, lock=lock)


def find_log_by_hash(connection: Connection, hashed: str) -> Log | None:
    """Find a log by the lower-case hex SHA-256 of its origin."""
    return _one(connection, col(tables.Log.origin_hash) == hashed, lock=False)


def get_log(connection: Connection, log: int, *, lock: bool = False) -> Log:
    """Get a log by the number of its row, which must be there; NotFoundError."""
    found = _one(connection, col(tables.Log.number) == log, lock=lock)
    if found is None:
        raise NotFoundError(f"no log has the number {log}")
    return found


def list_logs(connection: Connection, *, peer: int | None = None, sequence: int | None = None) -> list[Log]:
    """List logs by member and card order, those that cards no longer name included."""
    query = _logs().order_by(col(tables.Peer.member), col(tables.Log.position), col(tables.Log.number))
    if peer is not None:
        query = query.where(col(tables.Log.peer) == peer)
    if sequence is not None:
        query = query.where(col(tables.Log.sequence) == sequence)
    return [_log(row) for row in connection.execute(query).mappings()]


def find_sequence(connection: Connection, peer: int, name: str) -> int | None:
    """Find the number of a member's logs of one name."""
    query = select(col(tables.Sequence.number)).where(
        col(tables.Sequence.peer) == peer, col(tables.Sequence.name) == name
    )
    return connection.execute(query).scalar_one_or_none()


def list_sequences(connection: Connection, peer: int) -> list[int]:
    """List the numbers of a member's sequences, those to which no log belongs any more included."""
    query = select(col(tables.Sequence.number)).where(col(tables.Sequence.peer) == peer)
    return sorted(number for number in connection.execute(query).scalars() if number is not None)


def set_counts(connection: Connection, log: int, *, counts: bool) -> None:
    """Set whether claims are taken from a log; the caller moves its claims in the same transaction."""
    connection.execute(update(tables.Log).where(col(tables.Log.number) == log).values(counts=counts))


def set_etag(connection: Connection, log: int, etag: str | None) -> None:
    """Store the ETag of the last checkpoint that was read."""
    connection.execute(update(tables.Log).where(col(tables.Log.number) == log).values(etag=etag))


def see_own_cosignature(connection: Connection, log: int, timestamp: int) -> None:
    """Store the publisher's own cosignature's time (Unix seconds), if it is newer than what was seen."""
    seen = col(tables.Log.own_cosigned_at)
    newer = or_(seen.is_(None), seen < timestamp)
    connection.execute(update(tables.Log).where(col(tables.Log.number) == log, newer).values(own_cosigned_at=timestamp))


def tell_news(connection: Connection, log: int, *, by: str, now: datetime, age: int | None) -> None:
    """Store how the newest checkpoint came, ``doorbell`` or ``poll``, and how many seconds old it was then."""
    values = {"news_by": by, "news_at": int(now.timestamp()), "news_age": age}
    connection.execute(update(tables.Log).where(col(tables.Log.number) == log).values(**values))


def set_cosigners(connection: Connection, log: int, members: Sequence[str]) -> None:
    """Store the other members who cosigned the newest accepted checkpoint."""
    connection.execute(update(tables.Log).where(col(tables.Log.number) == log).values(cosigners=list(members)))


def move_held(
    connection: Connection,
    log: int,
    *,
    old_size: int,
    new_size: int,
    range: bytes,  # noqa: A002  # the column's name
    stopped_at: int | None = None,
    quarantined: int = 0,
    dropped_signals: int = 0,
    unknown_statements: int = 0,
) -> None:
    """Move the merged prefix, and add to the counts of what was odd in it; StoreMovedError.

    ``stopped_at`` is the place of the critical entry at which claims end; None leaves what is stored.
    """
    row = tables.Log
    values: dict[str, Any] = {
        "held_size": new_size,
        "held_range": range,
        "quarantined": col(row.quarantined) + quarantined,
        "dropped_signals": col(row.dropped_signals) + dropped_signals,
        "unknown_statements": col(row.unknown_statements) + unknown_statements,
    }
    if stopped_at is not None:
        values["stopped_at"] = stopped_at
    _move(connection, log, "held", col(row.held_size) == old_size, **values)


def reset_held(connection: Connection, log: int, *, old_size: int, new_size: int, range: bytes) -> None:  # noqa: A002  # the column's name
    """Move the merged prefix back, before its entries are read anew; what was odd is counted anew; StoreMovedError."""
    values = {"quarantined": 0, "dropped_signals": 0, "unknown_statements": 0, "stopped_at": None}
    condition = col(tables.Log.held_size) == old_size
    _move(connection, log, "held", condition, held_size=new_size, held_range=range, **values)


def move_accepted(
    connection: Connection, log: int, *, old_size: int, new_size: int, root: bytes, note: bytes | None
) -> None:
    """Move the accepted checkpoint; StoreMovedError, also for another root at the size that stands.

    The same size and root again replaces the note. ``note`` is None where the card's ``final`` took its place.
    """
    size, standing = col(tables.Log.accepted_size), col(tables.Log.accepted_root)
    condition = _stands(size, standing, old_size, new_size, root)
    _move(connection, log, "accepted", condition, **_head("accepted", new_size, root, note))


def move_cosigned(
    connection: Connection, log: int, *, old_size: int, new_size: int, root: bytes, note: bytes | None
) -> None:
    """Move the cosigned checkpoint; StoreMovedError, also for another root at the size that stands."""
    size, standing = col(tables.Log.cosigned_size), col(tables.Log.cosigned_root)
    condition = _stands(size, standing, old_size, new_size, root)
    _move(connection, log, "cosigned", condition, **_head("cosigned", new_size, root, note))


def place(
    connection: Connection,
    log: int,
    *,
    old_size: int,
    new_size: int,
    range: bytes,  # noqa: A002  # the column's name
) -> None:
    """Give entries of an own log their places; StoreMovedError, also while a release is pending."""
    condition = (col(tables.Log.placed_size) == old_size) & col(tables.Log.pending_size).is_(None)
    _move(connection, log, "placed", condition, placed_size=new_size, placed_range=range)


def set_pending(connection: Connection, log: int, *, size: int, root: bytes) -> None:
    """Store what is about to be signed: all that is placed, once; StoreMovedError.

    From here on that size is signed under this root and no other, until it is shown.
    """
    row = tables.Log
    condition = (
        col(row.pending_size).is_(None) & (col(row.placed_size) == size) & (col(row.accepted_size) <= size)
    ) & or_(col(row.accepted_size) < size, col(row.accepted_root) == root)
    _move(connection, log, "pending", condition, pending_size=size, pending_root=root)


def show(
    connection: Connection, log: int, *, old_size: int, note: bytes, size: int, root: bytes, shown_at: int
) -> None:
    """Show the pending release of an own log: it is accepted, cosigned and pending no more; StoreMovedError.

    ``shown_at`` (Unix seconds) is what the record says, from which a recovery learns what was shown when.
    """
    row = tables.Log
    condition = (
        (col(row.accepted_size) == old_size) & (col(row.pending_size) == size) & (col(row.pending_root) == root)
    ) & (col(row.cosigned_size) <= size)
    heads = _head("accepted", size, root, note) | _head("cosigned", size, root, note)
    _move(connection, log, "shown", condition, pending_size=None, pending_root=None, **heads)
    record_shown(connection, log, size=size, root=root, shown_at=shown_at)


def drop_pending(connection: Connection, log: int) -> None:
    """Forget what was about to be signed: something that continues it was signed already."""
    connection.execute(
        update(tables.Log).where(col(tables.Log.number) == log).values(pending_size=None, pending_root=None)
    )


def restore_shown(
    connection: Connection, log: int, *, old_size: int, size: int, root: bytes, note: bytes | None, shown_at: int
) -> None:
    """Show of an own log what was shown before this database was copied; all of it is placed. StoreMovedError."""
    row = tables.Log
    condition = (
        (col(row.accepted_size) == old_size) & (col(row.placed_size) == size) & (col(row.cosigned_size) <= size)
    ) & col(row.pending_size).is_(None)
    heads = _head("accepted", size, root, note) | _head("cosigned", size, root, note)
    _move(connection, log, "shown", condition, **heads)
    record_shown(connection, log, size=size, root=root, shown_at=shown_at)


def _head(name: str, size: int, root: bytes, note: bytes | None) -> dict[str, Any]:
    """Give the columns of one of a log's two heads."""
    return {f"{name}_size": size, f"{name}_root": root, f"{name}_note": note}


def _stands(
    size: Mapped[int], standing: Mapped[bytes], old_size: int, new_size: int, root: bytes
) -> ColumnElement[bool]:
    stands = size == old_size
    return stands & (standing == root) if new_size == old_size else stands


def _move(connection: Connection, log: int, head: str, condition: ColumnElement[bool], **values: Any) -> None:
    statement = update(tables.Log).where(col(tables.Log.number) == log, condition).values(**values)
    if connection.execute(statement).rowcount != 1:
        raise StoreMovedError(f"another process moved the {head} size of log {log} first", mend="read the log again")


def make_sequence(connection: Connection, peer: int, name: str) -> int:
    """Give the number of a member's logs of one name, a new one if there was none; NotFoundError for no member."""
    insert = insert_into(connection, tables.Sequence).values(peer=peer, name=name).on_conflict_do_nothing()
    connection.execute(insert)
    number = find_sequence(connection, peer, name)
    if number is None:
        raise NotFoundError(f"no member has the number {peer}")
    return number


def _put_terms(connection: Connection, peer: int, sequence: int, position: int, terms: LogTerms) -> None:
    values = {name: getattr(terms, name) for name in TERMS}
    values |= {"sequence": sequence, "position": position, "named": True, "keys": list(terms.keys)}
    start = {"accepted_root": EMPTY_ROOT, "cosigned_root": EMPTY_ROOT, "held_size": 0}
    start |= {"origin_hash": origin_hash(terms.origin), "cosigners": []}
    insert = insert_into(connection, tables.Log).values(peer=peer, origin=terms.origin, **start, **values)
    connection.execute(insert.on_conflict_do_update(index_elements=["origin"], set_=values))


def _logs() -> Select[*tuple[Any, ...]]:
    return (
        select(tables.Log, col(tables.Peer.member), col(tables.Sequence.name))
        .join(tables.Peer, col(tables.Peer.number) == col(tables.Log.peer))
        .join(tables.Sequence, col(tables.Sequence.number) == col(tables.Log.sequence))
    )


def _one(connection: Connection, condition: ColumnElement[bool], *, lock: bool) -> Log | None:
    query = _logs().where(condition)
    row = connection.execute(query.with_for_update(of=tables.Log) if lock else query).mappings().one_or_none()
    return None if row is None else _log(row)


def _log(row: Any) -> Log:
    return Log(**{**row, "keys": tuple(row["keys"]), "cosigners": tuple(row["cosigners"])})
