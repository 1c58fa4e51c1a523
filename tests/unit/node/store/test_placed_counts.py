from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hashpact_node.store.database import Database
from hashpact_node.store.placed_counts import add_placed, placed_lately

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)


def test_an_hour_is_summed_by_log(database: Database) -> None:
    with database.write() as connection:
        assert placed_lately(connection, 1, now=NOW) == (0, 0)
        add_placed(connection, 1, 3, 1, now=NOW)
        add_placed(connection, 1, 2, 0, now=NOW + timedelta(seconds=30))
        add_placed(connection, 1, 0, 4, now=NOW + timedelta(minutes=30))
        add_placed(connection, 2, 7, 7, now=NOW)
        assert placed_lately(connection, 1, now=NOW + timedelta(minutes=59)) == (5, 5)
        assert placed_lately(connection, 1, now=NOW + timedelta(minutes=60)) == (0, 4)
        # A clock that was ahead, and was put back, frees nothing.
        assert placed_lately(connection, 1, now=NOW - timedelta(days=1)) == (5, 5)


def test_what_is_older_is_forgotten(database: Database) -> None:
    with database.write() as connection:
        add_placed(connection, 1, 3, 1, now=NOW)
        add_placed(connection, 2, 1, 0, now=NOW + timedelta(hours=1))
        assert placed_lately(connection, 1, now=NOW - timedelta(days=1)) == (0, 0)
