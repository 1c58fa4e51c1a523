from __future__ import annotations

from datetime import timedelta

from hashpact_node.store.database import Database
from hashpact_node.store.decisions import (
    DIRECTORY,
    LOCAL,
    Decision,
    drop_decision,
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
        put_decision(connection, "beta", DIRECTORY, now=NOW + timedelta(seconds=1))
        drop_decision(connection, "gamma")
        drop_decision(connection, "nobody")
        assert list_decisions(connection) == {"beta": Decision("beta", DIRECTORY, AT + 1, None)}
