"""How much that nobody said yes to got its place in a log lately: what the limits of a release go by."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, delete, func, select
from sqlmodel import col

from hashpact_node.store.database import insert_into
from hashpact_node.store.tables_drafts import PlacedCount

WINDOW_MINUTES: Final = 60


def add_placed(connection: Connection, log: int, listings: int, withdrawals: int, *, now: datetime) -> None:
    """Count listings and withdrawals as placed now, and forget those of more than an hour ago."""
    minute = _minute(now)
    connection.execute(delete(PlacedCount).where(col(PlacedCount.minute) <= minute - WINDOW_MINUTES))
    row = insert_into(connection, PlacedCount).values(
        log=log, minute=minute, listings=listings, withdrawals=withdrawals
    )
    added = {
        "listings": col(PlacedCount.listings) + row.excluded.listings,
        "withdrawals": col(PlacedCount.withdrawals) + row.excluded.withdrawals,
    }
    connection.execute(row.on_conflict_do_update(index_elements=["log", "minute"], set_=added))


def placed_lately(connection: Connection, log: int, *, now: datetime) -> tuple[int, int]:
    """Give how many listings and withdrawals of a log were counted within an hour, or by a clock that was ahead."""
    query = select(
        func.coalesce(func.sum(col(PlacedCount.listings)), 0), func.coalesce(func.sum(col(PlacedCount.withdrawals)), 0)
    ).where(col(PlacedCount.log) == log, col(PlacedCount.minute) > _minute(now) - WINDOW_MINUTES)
    listings, withdrawals = connection.execute(query).one()
    return int(listings), int(withdrawals)


def _minute(now: datetime) -> int:
    return int(now.timestamp()) // 60
