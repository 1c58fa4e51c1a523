from __future__ import annotations

from datetime import timedelta

from hashpact_node.store.database import Database
from hashpact_node.store.decisions import (
    DIRECTORY,
    LOCAL,
    Decision,
    find_decision,
    list_decisions,
    put_decision,
)
from members import NOW

AT = int(NOW.timestamp())


def test_the_last_decision_about_a_member_is_kept(database: Database) -> None:
    with database.write() as connection:
        put_decision(connection, "gamma", DIRECTORY, now=NOW)
        put_decision(connection, "beta", LOCAL, now=NOW, reason="theft")
        assert list_decisions(connection) == {
            "beta": Decision("beta", LOCAL, AT, "theft"),
            "gamma": Decision("gamma", DIRECTORY, AT, None),
        }
        put_decision(connection, "beta", DIRECTORY, now=NOW + timedelta(seconds=5))
        assert find_decision(connection, "beta") == Decision("beta", DIRECTORY, AT + 5, None)
        assert find_decision(connection, "nobody") is None


def test_no_two_decisions_about_a_member_are_equal(database: Database) -> None:
    with database.write() as connection:
        found = []
        for minutes in (0, 0, -5, 1):
            put_decision(connection, "beta", LOCAL, now=NOW + timedelta(minutes=minutes))
            found.append(find_decision(connection, "beta"))
        assert found == [Decision("beta", LOCAL, AT + more, None) for more in (0, 1, 2, 60)]
