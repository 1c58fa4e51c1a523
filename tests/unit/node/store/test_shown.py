from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hashpact_node.store.database import Database
from hashpact_node.store.shown import Shown, list_shown, record_begins, record_shown, shown_until
from members import NOW, add_log

START = int(NOW.timestamp())
ROOT = bytes(32)


def record(database: Database, log: int, *shown: tuple[int, int]) -> None:
    """Record sizes, each with the seconds after the start at which it was shown."""
    for size, seconds in shown:
        with database.write() as connection:
            record_shown(connection, log, size=size, root=ROOT, shown_at=START + seconds)


def until(database: Database, log: int, seconds: float) -> int | None:
    with database.read() as connection:
        found = shown_until(connection, log, NOW + timedelta(seconds=seconds))
    return None if found is None else found.size


def test_what_was_shown_when(database: Database) -> None:
    log, other = add_log(database, "acme").number, add_log(database, "beta").number
    with database.read() as connection:
        assert record_begins(connection, log) is None
    record(database, log, (0, 0), (3, 10), (3, 60), (7, 100))
    record(database, other, (900, 5))
    assert [until(database, log, at) for at in (-1, 0, 9, 10, 99.9, 100, 10**6)] == [None, 0, 0, 3, 3, 7, 7]
    with database.read() as connection:
        assert record_begins(connection, log) == START
        assert list_shown(connection, log)[1] == Shown(3, ROOT, START + 10)  # when it was first shown


def test_a_clock_that_was_put_back_never_makes_it_too_large(database: Database) -> None:
    log = add_log(database, "acme").number
    record(database, log, (1, 0), (2, 500), (3, 20), (4, 600))
    assert [until(database, log, at) for at in (0, 30, 500, 599, 600)] == [1, 1, 3, 3, 4]


def test_old_times_are_told_by_fewer_rows(database: Database) -> None:
    log = add_log(database, "acme").number
    record(database, log, *((number, number * 20) for number in range(540)))  # three hours, three a minute
    assert _sizes(database, log) == list(range(540))
    record(database, log, (1_000, 2 * 86_400))
    assert _sizes(database, log) == [*range(2, 540, 3), 1_000]
    assert until(database, log, 3_599) == 179
    record(database, log, (1_001, 40 * 86_400))
    assert _sizes(database, log) == [179, 359, 539, 1_000, 1_001]
    assert [until(database, log, at) for at in (3_579, 3_580, 7_179)] == [None, 179, 179]


def test_it_is_thinned_once_an_hour_and_each_log_for_itself(database: Database) -> None:
    log, other = add_log(database, "acme").number, add_log(database, "beta").number
    assert datetime.fromtimestamp(START, UTC).minute == 0
    record(database, other, *((number, number) for number in range(5)))
    record(database, log, *((number, number) for number in range(5)), (9, 3 * 86_400))
    assert (len(_sizes(database, log)), len(_sizes(database, other))) == (2, 5)


def _sizes(database: Database, log: int) -> list[int]:
    with database.read() as connection:
        return [one.size for one in list_shown(connection, log)]
