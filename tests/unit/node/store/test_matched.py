from __future__ import annotations

from hashpact_node.store.database import Database
from hashpact_node.store.matched import add_matched, forget_matched, matched_by_day, matched_on
from members import sha256

ONE, OTHER = sha256(1).key, sha256(2).key


def test_lookups_of_a_day_are_added_up_and_old_days_forgotten(database: Database) -> None:
    with database.write() as connection:
        add_matched(connection, 10, {ONE: 3, OTHER: 1})
        add_matched(connection, 10, {ONE: 4})
        add_matched(connection, 11, {ONE: 5})
        assert matched_on(connection, 10, [ONE, OTHER, sha256(3).key]) == {ONE: 7, OTHER: 1}
        assert matched_on(connection, 10, []) == {}
        assert matched_by_day(connection, ONE) == {10: 7, 11: 5}
        forget_matched(connection, 11)
        assert matched_by_day(connection, ONE) == {11: 5}
        assert matched_by_day(connection, OTHER) == {}
