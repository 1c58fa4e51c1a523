"""A disk that is full, for SQLite: the database is kept from growing."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event, text

from hashpact_node.store.database import Database

PLENTY = 1_000_000


def page_count(database: Database) -> int:
    """Give how many pages the database has."""
    with database.read() as connection:
        return int(connection.execute(text("PRAGMA page_count")).scalar_one())


def limit_pages(database: Database, pages: int) -> None:
    """Let the database grow to that many pages and no further, on each connection that is made from now on."""

    def limit(connection: Any, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    database.dispose()
    event.listen(database._engine, "connect", limit)
