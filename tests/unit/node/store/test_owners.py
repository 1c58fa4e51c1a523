from __future__ import annotations

import pytest

from hashpact_node.store.bulk import COPY_MIN_ROWS, DuplicateRowsError
from hashpact_node.store.database import Database
from hashpact_node.store.owners import (
    add_owners,
    count_live,
    drop_sequence,
    find_owners,
    live_listings,
    owner_rows,
    set_owners,
)
from hashpact_protocol.merge import Kind, Owner

SIZES = pytest.mark.parametrize("count", [3, COPY_MIN_ROWS + 1])


def key(number: int) -> bytes:
    return number.to_bytes(16, "big")


def listing(log: int, position: int, *, live: bool = True) -> Owner:
    return Owner(Kind.LISTING, log, position, live)


def found(database: Database, sequence: int, *numbers: int) -> dict[bytes, Owner]:
    with database.read() as connection:
        return find_owners(connection, sequence, map(key, numbers))


def add(database: Database, sequence: int, owners: dict[bytes, Owner]) -> None:
    with database.write() as connection:
        add_owners(connection, owner_rows(sequence, owners))


def test_rows_come_in_the_order_of_the_table() -> None:
    owners = {key(number): listing(1, number) for number in (300, 2, 10)}
    assert [row[1] for row in owner_rows(7, owners)] == [key(2), key(10), key(300)]
    assert owner_rows(7, {key(2): listing(3, 4, live=False)}) == [(7, key(2), Kind.LISTING, 3, 4, False)]


@SIZES
def test_owners_are_found_again(database: Database, count: int) -> None:
    owners = {key(number): Owner(Kind(number % 4 + 1), 1, number, number % 2 == 0) for number in range(count)}
    add(database, 7, owners)
    assert found(database, 7, *range(count + 5)) == owners
    assert found(database, 7, 1) == {key(1): owners[key(1)]}
    assert found(database, 7) == {}
    assert found(database, 8, *range(count)) == {}


@SIZES
def test_adding_one_that_stands_adds_none(database: Database, count: int) -> None:
    add(database, 7, {key(1): listing(1, 0)})
    more = {key(number): listing(1, 9) for number in range(count)}
    with pytest.raises(DuplicateRowsError), database.write() as connection:
        add_owners(connection, owner_rows(7, more))
    assert found(database, 7, *range(count)) == {key(1): listing(1, 0)}
    add(database, 8, more)


@SIZES
def test_setting_adds_and_replaces(database: Database, count: int) -> None:
    add(database, 7, {key(1): listing(1, 0)})
    owners = {key(number): listing(2, 9, live=False) for number in range(count)}
    with database.write() as connection:
        set_owners(connection, owner_rows(7, owners))
    assert found(database, 7, *range(count)) == owners


def test_live_listings_of_a_log_in_order(database: Database) -> None:
    owners = {
        key(1): listing(1, 8),
        key(2): listing(1, 2),
        key(3): listing(1, 3, live=False),
        key(4): Owner(Kind.INCIDENT, 1, 4, live=True),
        key(5): listing(2, 1),
    }
    add(database, 7, owners)
    add(database, 8, {key(1): listing(3, 0)})
    with database.read() as connection:
        assert live_listings(connection, 1, sequence=7) == [2, 8]
        assert live_listings(connection, 2, sequence=7) == [1]
        assert live_listings(connection, 1, sequence=8) == []
        assert count_live(connection) == {1: 2, 2: 1, 3: 1}


def test_a_sequence_is_forgotten_and_others_stay(database: Database) -> None:
    add(database, 7, {key(1): listing(1, 0), key(2): listing(1, 1)})
    add(database, 8, {key(1): listing(2, 0)})
    with database.write() as connection:
        drop_sequence(connection, 7)
    assert found(database, 7, 1, 2) == {}
    assert found(database, 8, 1, 2) == {key(1): listing(2, 0)}
