from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError

from full_disk import PLENTY, limit_pages, page_count
from hashpact_node.store import bulk
from hashpact_node.store.bulk import (
    COPY_MIN_ROWS,
    SIGNALS,
    STATEMENTS,
    DuplicateRowsError,
    Target,
    insert_if_all_new,
    insert_new,
    is_postgresql,
    replace_rows,
    run_many,
    select_in,
)
from hashpact_node.store.database import Database
from hashpact_protocol.errors import StoreError, StoreFullError

Row = tuple[int, bytes, int, int, int, bool]
FEW, MANY = 3, COPY_MIN_ROWS + 5
SIZES = pytest.mark.parametrize("count", [FEW, MANY])
NOTHING = Target("no_such_table", ("id",), ("bytea",), 1)


def key(number: int) -> bytes:
    return number.to_bytes(16, "big")


def row(number: int, position: int = 0, *, live: bool = True) -> Row:
    return (7, key(number), 1, 2, position, live)


def rows_of(database: Database) -> list[Row]:
    with database.read() as connection:
        found = connection.exec_driver_sql("SELECT sequence, id, kind, log, position, live FROM statement ORDER BY id")
        return [(a, bytes(b), c, d, e, bool(f)) for a, b, c, d, e, f in found]


def signals_of(database: Database) -> list[int]:
    with database.read() as connection:
        return list(connection.exec_driver_sql("SELECT number FROM signal ORDER BY number").scalars())


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tables that were filled by COPY."""
    tables: list[str] = []
    copy: Callable[..., None] = bulk._copy

    def noted(connection: Connection, table: str, target: Target, rows: list[Row]) -> None:
        tables.append(table)
        copy(connection, table, target, rows)

    monkeypatch.setattr(bulk, "_copy", noted)
    return tables


@SIZES
def test_new_rows_are_inserted(database: Database, copies: list[str], count: int) -> None:
    rows = [row(number, number, live=number % 2 == 0) for number in range(count)]
    with database.write() as connection:
        insert_new(connection, STATEMENTS, rows)
    assert rows_of(database) == rows
    assert copies == (["statement"] if count == MANY and not database.is_sqlite else [])


@SIZES
@pytest.mark.parametrize("duplicate", ["standing", "within"])
def test_a_duplicate_is_told_and_the_transaction_given_up(database: Database, count: int, duplicate: str) -> None:
    with database.write() as connection:
        insert_new(connection, STATEMENTS, [row(5)])
    rows = [row(number, 1) for number in range(10, 10 + count)]
    with pytest.raises(DuplicateRowsError), database.write() as connection:
        insert_new(connection, STATEMENTS, [*rows, row(5, 1) if duplicate == "standing" else row(10)])
    assert rows_of(database) == [row(5)]


@SIZES
def test_a_second_unique_column_counts_as_a_duplicate_too(database: Database, count: int) -> None:
    with database.write() as connection:
        insert_new(connection, SIGNALS, [(1, b"key", 1, 1, b"", 0)])
    rows = [(number, key(number), 1, 1, b"", 0) for number in range(10, 10 + count)]
    with pytest.raises(DuplicateRowsError), database.write() as connection:
        insert_new(connection, SIGNALS, [*rows, (9, b"key", 1, 1, b"", 0)])


@SIZES
def test_all_rows_are_inserted_if_all_are_new(database: Database, copies: list[str], count: int) -> None:
    rows = [(number, key(number), 1, 1, b"", 0) for number in range(10, 10 + count)]
    with database.write() as connection:
        assert insert_if_all_new(connection, SIGNALS, rows)
    assert signals_of(database) == [number for number, *_ in rows]
    assert copies == (["signal"] if count == MANY and not database.is_sqlite else [])


@SIZES
@pytest.mark.parametrize("duplicate", ["standing", "within"])
def test_none_is_inserted_and_all_else_stays_if_one_is_not_new(database: Database, count: int, duplicate: str) -> None:
    with database.write() as connection:
        insert_new(connection, SIGNALS, [(1, b"key", 1, 1, b"", 0)])
    rows = [(number, key(number), 1, 1, b"", 0) for number in range(10, 10 + count)]
    with database.write() as connection:
        insert_new(connection, SIGNALS, [(2, b"before", 1, 1, b"", 0)])
        again = b"key" if duplicate == "standing" else key(10)
        assert not insert_if_all_new(connection, SIGNALS, [*rows, (10 + count, again, 1, 1, b"", 0)])
        insert_new(connection, SIGNALS, [(3, b"after", 1, 1, b"", 0)])
    assert signals_of(database) == [1, 2, 3]


@SIZES
def test_another_fault_of_rows_is_no_duplicate(database: Database, count: int) -> None:
    rows = [row(number) for number in range(count)]
    with pytest.raises(StoreError) as caught, database.write() as connection:
        insert_new(connection, STATEMENTS, [*rows, (7, key(99), 1, 2, None, True)])
    assert isinstance(caught.value.__cause__, IntegrityError)
    assert rows_of(database) == []


def test_no_rows_are_nothing_to_do(database: Database, copies: list[str]) -> None:
    with database.write() as connection:
        insert_new(connection, NOTHING, [])
        replace_rows(connection, NOTHING, [])
        run_many(connection, "no statement", [])
        assert list(select_in(connection, "no statement", [])) == []
    assert copies == []


@SIZES
def test_rows_replace_those_with_their_key(database: Database, copies: list[str], count: int) -> None:
    first = [row(number) for number in range(count)]
    second = [row(number, 9, live=False) for number in range(count // 2, 2 * count)]
    for _ in range(2):
        with database.write() as connection:
            replace_rows(connection, STATEMENTS, first)
            replace_rows(connection, STATEMENTS, second)
        assert rows_of(database) == first[: count // 2] + second
    assert set(copies) == ({"staging_statement"} if count == MANY and not database.is_sqlite else set())


def test_replacing_is_undone_with_its_transaction(database: Database) -> None:
    with database.write() as connection:
        replace_rows(connection, STATEMENTS, [row(number) for number in range(MANY)])
    with database.write() as connection:
        replace_rows(connection, STATEMENTS, [row(number, 1) for number in range(MANY)])
        connection.rollback()
    assert rows_of(database) == [row(number) for number in range(MANY)]
    with database.write() as connection:
        replace_rows(connection, STATEMENTS, [row(number, 2) for number in range(1, MANY)])
    assert rows_of(database) == [row(0), *(row(number, 2) for number in range(1, MANY))]


def test_what_copy_raises_leaves_as_a_store_error(postgresql_database: Database) -> None:
    rows = [(b"x",)] * COPY_MIN_ROWS
    with pytest.raises(StoreError, match="no_such_table") as caught, postgresql_database.write() as connection:
        insert_new(connection, NOTHING, rows)
    assert isinstance(caught.value.__cause__, DBAPIError)


def test_copy_needs_a_psycopg_connection(sqlite_database: Database) -> None:
    with sqlite_database.write() as connection, pytest.raises(TypeError, match="psycopg"):
        bulk._copy(connection, "statement", STATEMENTS, [row(1)])


@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_selecting_many_values_goes_in_chunks(database: Database, chunk: int) -> None:
    with database.write() as connection:
        insert_new(connection, STATEMENTS, [row(number, number) for number in range(5)])
        insert_new(connection, STATEMENTS, [(8, *row(1)[1:])])
    query = "SELECT sequence, position FROM statement WHERE sequence = {mark} AND id IN ({values})"
    with database.read() as connection:
        found = select_in(connection, query, map(key, [1, 3, 4, 99]), before=(7,), chunk=chunk)
        assert sorted(found) == [(7, 1), (7, 3), (7, 4)]


def test_a_chunk_fits_what_a_statement_may_hold(database: Database) -> None:
    query = "SELECT id FROM statement WHERE id IN ({values})"
    with database.read() as connection:
        assert list(select_in(connection, query, map(key, range(20_000)))) == []


def test_a_statement_runs_once_for_each_row(database: Database) -> None:
    with database.write() as connection:
        insert_new(connection, STATEMENTS, [row(number) for number in range(3)])
        run_many(connection, "UPDATE statement SET position = {mark} WHERE id = {mark}", [(4, key(0)), (5, key(2))])
    assert rows_of(database) == [row(0, 4), row(1), row(2, 5)]


def test_the_kind_of_database_is_told(database: Database) -> None:
    with database.read() as connection:
        assert is_postgresql(connection) is not database.is_sqlite


def test_a_full_disk_says_so(sqlite_database: Database) -> None:
    limit_pages(sqlite_database, page_count(sqlite_database) + 4)
    rows = [(number, number.to_bytes(1_000, "big"), 1, 1, b"", 0) for number in range(1_000)]
    with pytest.raises(StoreFullError), sqlite_database.write() as connection:
        bulk.insert_new(connection, bulk.SIGNALS, rows)
    limit_pages(sqlite_database, PLENTY)
    with sqlite_database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM signal").scalar_one() == 0
