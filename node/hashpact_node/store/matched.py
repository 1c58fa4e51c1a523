"""How many lookups of a day matched which signal, of those that match often: so a flood of matches is noticed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy import Connection, delete, select
from sqlmodel import col

from hashpact_node.store.bulk import select_in
from hashpact_node.store.database import insert_into
from hashpact_node.store.tables_holds import MatchedCount

KEYS_AT_ONCE: Final = 500


def add_matched(connection: Connection, day: int, counts: Mapping[bytes, int]) -> None:
    """Add to the numbers of a day, by signal."""
    for key, lookups in sorted(counts.items()):  # in one order, so that replicas do not wait for each other in a ring
        row = insert_into(connection, MatchedCount).values(key=key, day=day, lookups=lookups)
        more = {"lookups": col(MatchedCount.lookups) + row.excluded.lookups}
        connection.execute(row.on_conflict_do_update(index_elements=["key", "day"], set_=more))


def matched_on(connection: Connection, day: int, keys: Collection[bytes]) -> dict[bytes, int]:
    """Give how many lookups of a day matched each of some signals; those without are left out."""
    query = "SELECT key, lookups FROM matched_count WHERE day = {mark} AND key IN ({values})"
    found = select_in(connection, query, keys, before=(day,), chunk=KEYS_AT_ONCE)
    return {bytes(key): lookups for key, lookups in found}


def matched_by_day(connection: Connection, key: bytes) -> dict[int, int]:
    """Give how many lookups matched a signal, by day."""
    query = select(col(MatchedCount.day), col(MatchedCount.lookups)).where(col(MatchedCount.key) == key)
    return {row.day: row.lookups for row in connection.execute(query)}


def forget_matched(connection: Connection, before: int) -> None:
    """Forget what was counted before a day."""
    connection.execute(delete(MatchedCount).where(col(MatchedCount.day) < before))
