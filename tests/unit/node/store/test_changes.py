from __future__ import annotations

import threading

from hashpact_node.store.changes import Numbers, change_times, last_change
from hashpact_node.store.database import Database


def take(database: Database, count: int, now: int) -> int:
    """Take numbers in a transaction of their own, and give the first."""
    with database.write() as connection:
        numbers = Numbers(connection, now=now)
        first = numbers.take(count)
        assert numbers.taken == count
        numbers.close()
    return first


def times(database: Database, first: int, last: int) -> list[tuple[int, int]]:
    with database.read() as connection:
        return change_times(connection, first, last)


def last(database: Database) -> int:
    with database.read() as connection:
        return last_change(connection)


def test_numbers_follow_each_other_without_gaps(database: Database) -> None:
    assert last(database) == 0
    assert [take(database, count, 100) for count in (3, 1, 2)] == [1, 4, 5]
    assert last(database) == 6


def test_several_takes_of_one_transaction(database: Database) -> None:
    with database.write() as connection:
        numbers = Numbers(connection, now=100)
        assert [numbers.take(2), numbers.take(3), numbers.take(1)] == [1, 3, 6]
        numbers.close()
        assert numbers.taken == 0
        assert numbers.take(1) == 7
        numbers.close()
        numbers.close()
    assert last(database) == 7
    assert times(database, 1, 7) == [(1, 100)]


def test_what_is_given_back_is_taken_by_the_next(database: Database) -> None:
    with database.write() as connection:
        numbers = Numbers(connection, now=100)
        numbers.take(2)
        numbers.take(5)
        numbers.give_back(5)
        assert numbers.take(1) == 3
        numbers.close()
    assert last(database) == 3


def test_what_is_rolled_back_leaves_no_gap(database: Database) -> None:
    take(database, 1, 100)
    with database.write() as connection:
        numbers = Numbers(connection, now=200)
        numbers.take(5)
        numbers.close()
        connection.rollback()
    assert take(database, 1, 300) == 2
    assert times(database, 1, 2) == [(1, 100), (2, 300)]


def test_nothing_taken_has_no_time(database: Database) -> None:
    with database.write() as connection:
        Numbers(connection, now=100).close()
    assert last(database) == 0
    assert times(database, 0, 10) == []


def test_time_never_runs_back(database: Database) -> None:
    for now in (100, 100, 50, 99, 200, 150):
        take(database, 2, now)
    assert times(database, 1, 12) == [(1, 100), (9, 200)]


def test_times_tell_of_every_change_asked_for(database: Database) -> None:
    for now in (100, 200, 300):
        take(database, 3, now)
    assert times(database, 2, 2) == [(1, 100)]
    assert times(database, 3, 4) == [(1, 100), (4, 200)]
    assert times(database, 4, 9) == [(4, 200), (7, 300)]
    assert times(database, 0, 3) == [(1, 100)]
    assert times(database, 0, 99) == [(1, 100), (4, 200), (7, 300)]
    assert times(database, 99, 100) == [(7, 300)]


def test_writers_take_turns_from_the_first_on(database: Database) -> None:
    taken: list[int] = []
    together = threading.Barrier(4)

    def write() -> None:
        together.wait()
        for _ in range(5):
            taken.append(take(database, 1, 100))  # noqa: PERF401 - what was taken before a failure is to be seen

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(1, 21))
    assert last(database) == 20


def test_two_first_writers_do_not_meet(postgresql_database: Database) -> None:
    begun, go_on = threading.Event(), threading.Event()
    taken: list[int] = []

    def first() -> None:
        with postgresql_database.write() as connection:
            numbers = Numbers(connection, now=100)
            begun.set()
            go_on.wait(120)
            taken.append(numbers.take(1))
            numbers.close()

    def second() -> None:
        taken.append(take(postgresql_database, 1, 100))

    one, other = threading.Thread(target=first), threading.Thread(target=second)
    one.start()
    assert begun.wait(120)
    other.start()
    other.join(0.3)
    assert other.is_alive()
    go_on.set()
    one.join()
    other.join()
    assert taken == [1, 2]
