from __future__ import annotations

from hashpact_node.store.database import Database
from hashpact_node.store.key_watch import Reading, list_notices, list_readings, put_readings, replace_notices


def test_exactly_what_was_told_last_is_remembered(database: Database) -> None:
    for notices in ({"expires-soon root -": 30, "clock-skew - -": 0}, {"expires-soon root -": 14}, {}):
        with database.write() as connection:
            replace_notices(connection, notices)
        with database.read() as connection:
            assert list_notices(connection) == notices


def test_the_last_reading_of_each_clock_is_kept(database: Database) -> None:
    readings = [Reading("beta", -1_500, 100), Reading("gamma", 10**12, 100)]
    with database.write() as connection:
        put_readings(connection, readings)
        put_readings(connection, [])
        put_readings(connection, [Reading("beta", 0, 200)])
    with database.read() as connection:
        assert list_readings(connection) == [Reading("beta", 0, 200), readings[1]]
