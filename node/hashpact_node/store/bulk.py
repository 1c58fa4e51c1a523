"""Bulk inserts that bypass the ORM: COPY on PostgreSQL, one prepared statement on SQLite."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError

ROWS_TOGETHER = 25
"""How many rows one INSERT takes on SQLite."""

COPY_MIN_ROWS = 200
"""Below this many rows an ordinary INSERT beats the setting up of a COPY."""


_SQLITE_DUPLICATE = {"SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_UNIQUE"}


class DuplicateRowsError(Exception):
    """Rows that were hoped to be new are not."""


@dataclass(frozen=True, slots=True)
class Target:
    """A table to fill: its columns, their types on PostgreSQL, and how many of them, from the first, are the key."""

    table: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    keys: int

    def insert(self, mark: str) -> str:
        """Give the INSERT with the driver's parameter marks."""
        marks = ", ".join([mark] * len(self.columns))
        return f"INSERT INTO {self.table} ({', '.join(self.columns)}) VALUES ({marks})"  # noqa: S608 - our own names

    @property
    def replace(self) -> str:
        """Give the clause that lets a row replace the one with its key."""
        sets = ", ".join(f"{column} = excluded.{column}" for column in self.columns[self.keys :])
        return f" ON CONFLICT ({', '.join(self.columns[: self.keys])}) DO UPDATE SET {sets}"


SIGNALS = Target(
    "signal",
    ("number", "key", "action", "actions", "claims", "rule"),
    ("int8", "bytea", "int2", "int2", "bytea", "int2"),
    1,
)
STATEMENTS = Target(
    "statement",
    ("sequence", "id", "kind", "log", "position", "live"),
    ("int4", "bytea", "int2", "int4", "int8", "bool"),
    2,
)
QUEUE = Target(  # the database numbers the rows
    "queue", ("log", "queued_at", "kind", "draft", "entry"), ("int4", "int8", "int2", "int4", "bytea"), 0
)
DRAFT_ENTRIES = Target(
    "draft_entry",
    ("draft", "place", "log_name", "kind", "content", "entry"),
    ("int4", "int8", "text", "int2", "bytea", "bytea"),
    2,
)


def is_postgresql(connection: Connection) -> bool:
    """Say whether the connection leads to PostgreSQL; SQLite otherwise."""
    return connection.dialect.name == "postgresql"


def insert_new(connection: Connection, target: Target, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows that are hoped to be new, best sorted by key.

    Raises DuplicateRowsError when one of them stands already; the caller gives the transaction up then.
    """
    if not rows:
        return
    try:
        if is_postgresql(connection) and len(rows) >= COPY_MIN_ROWS:
            _copy(connection, target.table, target, rows)
        else:
            _insert_many(connection, target.insert(_mark(connection)), rows)
    except IntegrityError as error:
        if not _is_duplicate(error):
            raise
        raise DuplicateRowsError from error


def insert_if_all_new(connection: Connection, target: Target, rows: Sequence[tuple[Any, ...]]) -> bool:
    """Insert rows if all of them are new; False, with nothing of it done, when one of them stands already.

    The first column is a key that rises from row to row and is larger than any that stands. On SQLite that serves to
    take rows back: a savepoint would keep a copy of every page that is touched, which is nearly all of a large index.
    """
    if is_postgresql(connection):
        try:
            with connection.begin_nested():
                insert_new(connection, target, rows)
        except DuplicateRowsError:
            return False
        return True
    insert = target.insert(_mark(connection)).replace("INSERT", "INSERT OR IGNORE", 1)
    if not rows or _insert_many(connection, insert, rows) == len(rows):
        return True
    undo = f"DELETE FROM {target.table} WHERE {target.columns[0]} >= ?"  # noqa: S608 - our own names
    connection.exec_driver_sql(undo, (rows[0][0],))
    return False


def _insert_many(connection: Connection, insert: str, rows: Sequence[tuple[Any, ...]]) -> int:
    """Run an INSERT for many rows, several at a time on SQLite, where each run of a statement has its price."""
    together = 1 if is_postgresql(connection) else ROWS_TOGETHER
    whole = len(rows) - len(rows) % together
    count = 0
    if together > 1 and whole:
        head, marks = insert.split(" VALUES ")
        groups = [tuple(chain.from_iterable(rows[at : at + together])) for at in range(0, whole, together)]
        count += connection.exec_driver_sql(f"{head} VALUES {', '.join([marks] * together)}", groups).rowcount
    else:
        whole = 0
    if rest := list(rows[whole:]):
        count += connection.exec_driver_sql(insert, rest).rowcount
    return count


def replace_rows(connection: Connection, target: Target, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows, each replacing the one that has its key; no key twice among them."""
    if not rows:
        return
    if not is_postgresql(connection) or len(rows) < COPY_MIN_ROWS:
        connection.exec_driver_sql(target.insert(_mark(connection)) + target.replace, list(rows))
        return
    staging = f"staging_{target.table}"
    connection.exec_driver_sql(
        f"CREATE TEMPORARY TABLE IF NOT EXISTS {staging} (LIKE {target.table}) ON COMMIT DELETE ROWS"
    )
    connection.exec_driver_sql(f"DELETE FROM {staging}")  # noqa: S608 - our own names
    _copy(connection, staging, target, rows)
    columns = ", ".join(target.columns)
    moved = f"INSERT INTO {target.table} ({columns}) SELECT {columns} FROM {staging}"  # noqa: S608 - our own names
    connection.exec_driver_sql(moved + target.replace)


def select_in(
    connection: Connection, query: str, values: Iterable[Any], *, before: tuple[Any, ...] = (), chunk: int = 8_192
) -> Iterable[tuple[Any, ...]]:
    """Yield the rows of ``query``, in which ``{mark}`` is a parameter mark and ``{values}`` a list of them for a chunk.

    ``before`` are the parameters that stand before the list.
    """
    mark = _mark(connection)
    wanted = list(values)
    for at in range(0, len(wanted), chunk):
        part = wanted[at : at + chunk]
        text = query.format(mark=mark, values=", ".join([mark] * len(part)))
        yield from (tuple(row) for row in connection.exec_driver_sql(text, (*before, *part)))


def run_many(connection: Connection, query: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Run a statement with ``{mark}`` for parameters once for each row."""
    if rows:
        text = query.replace("{mark}", _mark(connection))
        connection.exec_driver_sql(text, list(rows))


def _mark(connection: Connection) -> str:
    return "%s" if is_postgresql(connection) else "?"


def _is_duplicate(error: IntegrityError) -> bool:
    if isinstance(error.orig, psycopg.Error):
        return isinstance(error.orig, psycopg.errors.UniqueViolation)
    return getattr(error.orig, "sqlite_errorname", "") in _SQLITE_DUPLICATE


def _copy(connection: Connection, table: str, target: Target, rows: Iterable[tuple[Any, ...]]) -> None:
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise TypeError(f"expected a psycopg connection, not {type(driver).__name__}")
    statement = f"COPY {table} ({', '.join(target.columns)}) FROM STDIN (FORMAT BINARY)"
    try:
        with driver.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            copy.set_types(target.types)
            for row in rows:
                copy.write_row(row)
    except psycopg.Error as error:
        # The driver is used past SQLAlchemy here, which would have wrapped its error.
        raise DBAPIError.instance(statement, None, error, psycopg.Error, hide_parameters=True) from error
