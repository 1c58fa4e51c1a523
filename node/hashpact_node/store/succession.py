"""What successors need of the database: own logs that end and begin, what was cut, and what is to replace it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlmodel import col

from hashpact_node.store.bundles import Bundle
from hashpact_node.store.queue import HAD_A_PLACE, kind_of
from hashpact_node.store.tables import Log, Queue
from hashpact_node.store.tables_succession import CutBundle, StagedBundle
from hashpact_protocol.errors import StoreMovedError
from hashpact_protocol.merkle import EMPTY_ROOT
from hashpact_protocol.witness import origin_hash

CUT_BUNDLES_KEPT = 4_096
"""How many bundles that were cut off one log are kept as evidence, the first ones: 1 Mi entries."""


def reserve_log(
    connection: Connection,
    *,
    peer: int,
    sequence: int,
    kind: str,
    origin: str,
    url: str,
    keys: Sequence[str],
    size: int,
    root: bytes,
) -> int:
    """Add the row of an own log that no card names yet, with what is about to be signed under its origin."""
    values = {
        "peer": peer,
        "sequence": sequence,
        "position": 0,
        "kind": kind,
        "state": "open",
        "named": False,
        "counts": False,
        "origin": origin,
        "origin_hash": origin_hash(origin),
        "url": url,
        "keys": list(keys),
        "accepted_root": EMPTY_ROOT,
        "cosigned_root": EMPTY_ROOT,
        "pending_size": size,
        "pending_root": root,
    }
    number = connection.execute(insert(Log).values(**values).returning(col(Log.number))).scalar_one()
    assert number is not None  # noqa: S101  # the column is the primary key
    return number


def take_reserved(connection: Connection, log: int, *, size: int, root: bytes) -> None:
    """Let a reserved log go on as any other, before its entries get their places; StoreMovedError if it is not so."""
    reserved = (col(Log.pending_size) == size) & (col(Log.pending_root) == root) & col(Log.accepted_note).is_(None)
    values = {"pending_size": None, "pending_root": None}
    if connection.execute(update(Log).where(col(Log.number) == log, reserved).values(**values)).rowcount != 1:
        raise StoreMovedError(f"another process took log {log} first", mend="try again")


def end_log(connection: Connection, log: int, *, size: int, root: bytes, range: bytes) -> None:  # noqa: A002
    """End an own log at ``size`` entries, over which ``range`` goes: nothing beyond is placed or shown."""
    values = {
        "accepted_size": size,
        "accepted_root": root,
        "placed_size": size,
        "placed_range": range,
        "pending_size": None,
        "pending_root": None,
        "etag": None,
    }
    connection.execute(update(Log).where(col(Log.number) == log).values(**values))


def set_held(connection: Connection, log: int, *, size: int, range: bytes) -> None:  # noqa: A002
    """Say how far a log is held after a cut; the caller derives what follows in the same transaction."""
    values = {"held_size": size, "held_range": range, "etag": None}
    connection.execute(update(Log).where(col(Log.number) == log).values(**values))


def set_accepted(connection: Connection, log: int, *, size: int, root: bytes, note: bytes | None) -> None:
    """Move the accepted head wherever the newest card says, forth or back; ``note`` is None where ``final`` counts."""
    values = {"accepted_size": size, "accepted_root": root, "accepted_note": note}
    connection.execute(update(Log).where(col(Log.number) == log).values(**values))


def requeue(connection: Connection, log: int, entries: Sequence[bytes], *, now: datetime) -> None:
    """Let entries wait for a place again, before those that wait for the same log.

    They had a place, so whoever had to say yes to them has.
    """
    kept = ("queued_at", "confirmed_at", "draft", "kind", "entry")
    query = select(*(col(getattr(Queue, name)) for name in kept)).where(col(Queue.log) == log)
    waiting = connection.execute(query.order_by(col(Queue.number))).all()
    connection.execute(delete(Queue).where(col(Queue.log) == log))
    at = int(now.timestamp())
    rows = [(at, None, HAD_A_PLACE, kind_of(entry), entry) for entry in entries] + [tuple(row) for row in waiting]
    if rows:
        connection.execute(insert(Queue), [{"log": log, **dict(zip(kept, row, strict=True))} for row in rows])


def move_queue(connection: Connection, logs: Iterable[int], successor: int) -> int:
    """Let what waits for places in some logs wait for one in another, in order; how many entries there were."""
    moved = update(Queue).where(col(Queue.log).in_(list(logs))).values(log=successor)
    return int(connection.execute(moved).rowcount)


def drop_queued_listings(connection: Connection, log: int, listings: Collection[str]) -> None:
    """Delete statements that list these ids out of the queue of a log: they are to be erased."""
    waiting = connection.execute(select(col(Queue.number), col(Queue.entry)).where(col(Queue.log) == log)).all()
    for number, entry in waiting:
        fields = json.loads(entry)
        if fields.get("kind") == "listing" and fields.get("id") in listings:
            connection.execute(delete(Queue).where(col(Queue.number) == number))


def keep_cut(connection: Connection, log: int, bundles: Iterable[Bundle], *, now: datetime) -> None:
    """Keep bundles that are cut off a log as evidence, as long as there is room for them."""
    count = select(func.count()).select_from(CutBundle).where(col(CutBundle.log) == log)
    room = CUT_BUNDLES_KEPT - connection.execute(count).scalar_one()
    at = int(now.timestamp())
    newest = connection.execute(select(func.max(col(CutBundle.at))).where(col(CutBundle.log) == log)).scalar_one()
    at = max(at, (newest or 0) + 1)  # two cuts within a second, or after the clock was put back
    for bundle in bundles:
        if room <= 0:
            return
        room -= 1
        row = {"log": log, "at": at, "number": bundle.number, "width": bundle.width, "data": bundle.data}
        connection.execute(insert(CutBundle).values(**row))


def count_cut(connection: Connection, log: int) -> int:
    """How many bundles that were cut off a log are kept."""
    return connection.execute(select(func.count()).select_from(CutBundle).where(col(CutBundle.log) == log)).scalar_one()


def stream_cut(connection: Connection, log: int) -> Iterator[tuple[int, Bundle]]:
    """Yield the bundles that were cut off a log and when (Unix seconds), by time and place."""
    row = CutBundle
    query = select(col(row.at), col(row.number), col(row.width), col(row.data)).where(col(row.log) == log)
    for at, number, width, data in connection.execute(query.order_by(col(row.at), col(row.number))):
        yield at, Bundle(number, width, data)


def drop_cut(connection: Connection, log: int) -> None:
    """Delete what was cut off a log."""
    connection.execute(delete(CutBundle).where(col(CutBundle.log) == log))


def stage(connection: Connection, log: int, bundles: Iterable[Bundle]) -> None:
    """Keep bundles that are to replace what is held of a log."""
    rows = [{"log": log, "number": one.number, "width": one.width, "data": one.data} for one in bundles]
    if rows:
        connection.execute(insert(StagedBundle), rows)


def staged(connection: Connection, log: int) -> Iterable[Bundle]:
    """Give what is staged of a log, in order."""
    row = StagedBundle
    query = select(col(row.number), col(row.width), col(row.data)).where(col(row.log) == log).order_by(col(row.number))
    with connection.execute(query, execution_options={"yield_per": 64}) as rows:
        for one in rows:
            yield Bundle(*one)


def drop_staged(connection: Connection, log: int) -> None:
    """Delete what is staged of a log."""
    connection.execute(delete(StagedBundle).where(col(StagedBundle.log) == log))
