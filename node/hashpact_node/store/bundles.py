"""Bundles and tiles of logs, own and others', as they are served: bundles compressed, tiles as they are."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, Select, delete, func, select
from sqlmodel import col

from hashpact_node.store import tables
from hashpact_node.store.database import insert_into
from hashpact_protocol.limits import LIMITS

STREAM_ROWS = 64


@dataclass(frozen=True, slots=True)
class Bundle:
    """The bundle at ``number``: ``width`` entries, 1 to 256, in one zstd frame."""

    number: int
    width: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Tile:
    """The tile at (level, number): up to 256 hashes of 32 bytes."""

    level: int
    number: int
    hashes: bytes


def put_bundles(connection: Connection, log: int, bundles: Iterable[Bundle]) -> None:
    """Store bundles; one that is there already is replaced by one that is at least as wide, else it stays."""
    rows = [{"log": log, "number": bundle.number, "width": bundle.width, "data": bundle.data} for bundle in bundles]
    if not rows:
        return
    insert = insert_into(connection, tables.Bundle)
    new = insert.excluded
    grown = insert.on_conflict_do_update(
        index_elements=["log", "number"],
        set_={"width": new.width, "data": new.data},
        where=new.width >= col(tables.Bundle.width),
    )
    connection.execute(grown, rows)


def read_bundle(connection: Connection, log: int, number: int, *, width: int = 1) -> Bundle | None:
    """Read one bundle that holds at least ``width`` entries; it may hold more, which the caller cuts off."""
    query = _bundles(log).where(col(tables.Bundle.number) == number, col(tables.Bundle.width) >= width)
    row = connection.execute(query).one_or_none()
    return None if row is None else Bundle(*row)


def stream_bundles(
    connection: Connection, log: int, first: int = 0, end: int | None = None
) -> Generator[Bundle, None, None]:
    """Yield the bundles from ``first`` up to but without ``end``, in order, a few at a time in memory."""
    query = _bundles(log).where(col(tables.Bundle.number) >= first).order_by(col(tables.Bundle.number))
    if end is not None:
        query = query.where(col(tables.Bundle.number) < end)
    with connection.execute(query, execution_options={"yield_per": STREAM_ROWS}) as rows:
        for row in rows:
            yield Bundle(*row)


def count_entries(connection: Connection, log: int) -> int:
    """How many entries the stored bundles of a log hold, and so its stored size if none is missing."""
    query = select(func.coalesce(func.sum(col(tables.Bundle.width)), 0)).where(col(tables.Bundle.log) == log)
    return int(connection.execute(query).scalar_one())


def put_tiles(connection: Connection, log: int, tiles: Iterable[Tile]) -> None:
    """Store tiles; one that is there already is replaced by one that is at least as wide, else it stays."""
    rows = [{"log": log, "level": tile.level, "number": tile.number, "hashes": tile.hashes} for tile in tiles]
    if not rows:
        return
    insert = insert_into(connection, tables.Tile)
    new = insert.excluded
    grown = insert.on_conflict_do_update(
        index_elements=["log", "level", "number"],
        set_={"hashes": new.hashes},
        where=func.length(new.hashes) >= func.length(col(tables.Tile.hashes)),
    )
    connection.execute(grown, rows)


def read_tile(connection: Connection, log: int, level: int, number: int) -> bytes | None:
    """Read the hashes of one tile, as many as there are; None if it is not stored."""
    query = select(col(tables.Tile.hashes)).where(
        col(tables.Tile.log) == log, col(tables.Tile.level) == level, col(tables.Tile.number) == number
    )
    return connection.execute(query).scalar_one_or_none()


def drop_bundles(connection: Connection, log: int, numbers: Collection[int]) -> None:
    """Delete some bundles; the tiles over them stay."""
    connection.execute(
        delete(tables.Bundle).where(col(tables.Bundle.log) == log, col(tables.Bundle.number).in_(list(numbers)))
    )


def drop_from(connection: Connection, log: int, size: int) -> None:
    """Delete all bundles and tiles that hold anything at or beyond entry ``size``; with 0, everything.

    A full tile or bundle that ends at ``size`` or before stays; a partial one that reaches beyond goes whole.
    """
    width = LIMITS.bundle_width
    kept = size // width
    connection.execute(delete(tables.Bundle).where(col(tables.Bundle.log) == log, col(tables.Bundle.number) >= kept))
    levels = select(col(tables.Tile.level)).where(col(tables.Tile.log) == log).distinct()
    for level in connection.execute(levels).scalars().all():
        kept = size // width ** (level + 1)
        connection.execute(
            delete(tables.Tile).where(
                col(tables.Tile.log) == log, col(tables.Tile.level) == level, col(tables.Tile.number) >= kept
            )
        )


def _bundles(log: int) -> Select[int, int, bytes]:
    return select(col(tables.Bundle.number), col(tables.Bundle.width), col(tables.Bundle.data)).where(
        col(tables.Bundle.log) == log
    )
