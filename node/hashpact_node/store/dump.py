"""All rows of a database as plain values, which either kind of database takes: read in one snapshot, and loaded again.

The tables that are read are those of this version. What is loaded may be of an older form, so there the database is
asked what its tables look like.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy
from psycopg.types.json import Json
from sqlalchemy import BigInteger, Boolean, Connection, Float, Integer, LargeBinary, SmallInteger, String, inspect, text
from sqlalchemy.exc import DataError, IntegrityError

from hashpact_node.store.bulk import DuplicateRowsError, Target, insert_new, is_postgresql
from hashpact_node.store.tables import Table
from hashpact_protocol.errors import ConflictError, RequestError, StoreError

LEFT_OUT: Final = frozenset({"process"})
"""Tables that say what runs on this machine now, which is true nowhere else."""

REVISION_TABLE: Final = "alembic_version"
ROWS_AT_ONCE: Final = 256
LONG_ROWS_AT_ONCE: Final = 4
LONG_COLUMN: Final = "data"
"""A column of this name may hold megabytes, so such rows are read a few at a time."""

Row = Sequence[Any]

_KINDS: Final[tuple[tuple[type[Any], str, type], ...]] = (
    (Boolean, "bool", bool),
    (BigInteger, "int8", int),
    (SmallInteger, "int2", int),
    (Integer, "int4", int),
    (LargeBinary, "bytea", bytes),
    (Float, "float8", float),
    (String, "text", str),
)


@dataclass(frozen=True, slots=True)
class DumpedTable:
    """A table by its name, with its columns in order."""

    name: str
    columns: tuple[str, ...]


def dumped_tables() -> list[DumpedTable]:
    """List the tables that belong to a backup, each behind those that its rows refer to."""
    return [
        DumpedTable(str(table.name), tuple(str(column.name) for column in table.columns))
        for table in _metadata().sorted_tables
        if table.name not in LEFT_OUT
    ]


def revision(connection: Connection) -> str:
    """Give the revision of the form that the database has."""
    return str(connection.execute(text(f"SELECT version_num FROM {REVISION_TABLE}")).scalar_one())  # noqa: S608 - our own name


def count_rows(connection: Connection) -> int:
    """Count the rows of all tables that belong to a backup."""
    metadata = _metadata()
    counts = (sqlalchemy.select(sqlalchemy.func.count()).select_from(metadata.tables[t.name]) for t in dumped_tables())
    return sum(connection.execute(query).scalar_one() for query in counts)


def stream_rows(connection: Connection, dumped: DumpedTable) -> Iterator[list[Row]]:
    """Yield the rows of a table, some at a time; never much more than 64 MiB of them at once."""
    table = _metadata().tables[dumped.name]
    at_once = LONG_ROWS_AT_ONCE if LONG_COLUMN in dumped.columns else ROWS_AT_ONCE
    found = connection.execute(sqlalchemy.select(table), execution_options={"yield_per": at_once})
    for part in found.partitions():
        yield [tuple(row) for row in part]


def must_be_empty(connection: Connection, where: str) -> None:
    """Raise ConflictError when the database holds a table of Hashpact's already."""
    taken = set(inspect(connection).get_table_names()) & {*_metadata().tables, REVISION_TABLE}
    if taken:
        raise ConflictError(
            "this database is not empty: it holds tables of Hashpact already",
            where=where,
            mend="restore into a new, empty database",
        )


class TableLoader:
    """Loads rows into one table of the database as it is now; a value that its column does not take is refused."""

    def __init__(self, connection: Connection, dumped: DumpedTable) -> None:
        """Raise RequestError when there is no such table with exactly these columns."""
        names = set(inspect(connection).get_table_names()) - {REVISION_TABLE, *LEFT_OUT}
        found = (
            {one["name"]: one["type"] for one in inspect(connection).get_columns(dumped.name)}
            if (dumped.name in names)
            else {}
        )
        if not found or set(found) != set(dumped.columns) or len(found) != len(dumped.columns):
            raise RequestError(
                f"the backup holds a table {dumped.name[:60]!r} that a database of its form does not have",
                mend="the file is damaged, or was not made by Hashpact",
            )
        kinds = [_kind(dumped.name, found[column]) for column in dumped.columns]
        quoted = tuple(f'"{column}"' for column in dumped.columns)
        self._connection = connection
        self._name = dumped.name
        self._target = Target(f'"{dumped.name}"', quoted, tuple(kind for kind, _ in kinds), 0)
        self._taken = [None if kind == "json" else taken for kind, taken in kinds]
        self._json = [at for at, (kind, _) in enumerate(kinds) if kind == "json"]

    def load(self, rows: Sequence[Row]) -> None:
        """Insert rows; RequestError for those that do not fit, StoreError."""
        made = [self._fit(row) for row in rows]
        try:
            insert_new(self._connection, self._target, made)
        except (DuplicateRowsError, IntegrityError, DataError) as error:
            raise RequestError(
                f"rows of the table {self._name} do not fit together",
                mend="the file is damaged, or was not made by Hashpact",
            ) from error

    def _fit(self, row: Row) -> tuple[Any, ...]:
        sound = len(row) == len(self._taken) and all(
            value is None or taken is None or type(value) is taken
            for value, taken in zip(row, self._taken, strict=True)
        )
        if not sound:
            raise RequestError(
                f"a row of the table {self._name} does not have the form of the others",
                mend="the file is damaged, or was not made by Hashpact",
            )
        if not self._json:
            return tuple(row)
        wrap = Json if is_postgresql(self._connection) else json.dumps
        values = list(row)
        for at in self._json:
            if values[at] is not None:
                values[at] = wrap(values[at])
        return tuple(values)


def set_counters(connection: Connection) -> None:
    """Let the database number new rows behind those that were loaded; SQLite does so by itself."""
    if not is_postgresql(connection):
        return
    inspector = inspect(connection)
    for name in inspector.get_table_names():
        keys = inspector.get_pk_constraint(name)["constrained_columns"]
        if name not in _metadata().tables or len(keys) != 1:
            continue
        query = text("SELECT pg_get_serial_sequence(:table, :column)")
        sequence = connection.execute(query, {"table": f'"{name}"', "column": keys[0]}).scalar_one()
        if sequence is not None:
            newest = connection.execute(text(f'SELECT MAX("{keys[0]}") FROM "{name}"')).scalar_one()  # noqa: S608 - our own names
            if newest is not None:
                connection.execute(text("SELECT setval(:sequence, :newest)"), {"sequence": sequence, "newest": newest})


def _kind(table: str, column_type: Any) -> tuple[str, type]:
    if isinstance(column_type, sqlalchemy.JSON):
        return "json", object
    for kind, name, taken in _KINDS:
        if isinstance(column_type, kind):
            return name, taken
    raise StoreError(f"a backup cannot hold values as in the table {table}: {column_type}")


def _metadata() -> sqlalchemy.MetaData:
    """Give all tables; each file ``tables_….py`` adds its own when it is imported."""
    folder = Path(__file__).parent
    for module in pkgutil.iter_modules([str(folder)]):
        if module.name.startswith("tables"):
            importlib.import_module(f"hashpact_node.store.{module.name}")
    return Table.metadata
