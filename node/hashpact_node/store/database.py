"""Open the database, and run transactions on it: SQLite in one file, or PostgreSQL.

Every transaction says at its start whether it writes. On SQLite a writing one is ``BEGIN IMMEDIATE``, since a
deferred one that reads first and writes later loses updates or fails as locked. Reading ones see one snapshot and
cannot write, on both.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError

from hashpact_node.store.errors import SQLITE_BUSY, store_errors
from hashpact_node.store.tables import Table
from hashpact_protocol.errors import ConfigurationError, StoreBusyError

BUSY_TIMEOUT_SECONDS = 30
CONNECT_TIMEOUT_SECONDS = 10
POOL_OVERFLOW = 10
SWITCH_AGAIN_SECONDS = 0.01
SQLITE_CACHE_KIBIBYTES = 32 * 1024
WRITES = "hashpact_writes"
LAST = "hashpact_last"
_MAY_WRITE = "hashpact_may_write"


class Database:
    """One database, shared by the threads of a process; :func:`open_database` makes it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = threading.Lock()
        self.is_sqlite: bool = engine.dialect.name == "sqlite"

    @property
    def where(self) -> str:
        """The URL without its password and its query, which may hold one too, for messages."""
        return self._engine.url.set(query={}).render_as_string(hide_password=True)

    @property
    def file(self) -> Path | None:
        """The SQLite file, or None on PostgreSQL."""
        return Path(self._engine.url.database or "") if self.is_sqlite else None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield a connection in a reading transaction: one snapshot, and no writes.

        Raises StoreError and its subclasses.
        """
        with store_errors(self.where), self._engine.connect() as connection:
            connection.execution_options(**self._reading())
            with connection.begin():
                yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Yield a connection in a writing transaction, committed at the end, rolled back on any error.

        It does not nest. On PostgreSQL it is READ COMMITTED: lock the row that you decide by.
        Raises StoreError and its subclasses, StoreBusyError after 30 s of waiting for another writer.
        """
        with store_errors(self.where), self._alone(), self._engine.connect() as connection:
            connection.execution_options(**self._writing())
            with connection.begin():
                waiting = connection.info
                waiting[LAST] = []
                try:
                    yield connection
                    for work in waiting[LAST]:
                        work(connection)
                finally:
                    del waiting[LAST]

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """Yield a connection of its own, outside the pool, where each statement commits by itself: PostgreSQL only.

        Raises StoreError and its subclasses.
        """
        with store_errors(self.where), self._engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.detach()
            yield connection

    def dispose(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Queue this process's SQLite writers fairly, where SQLite itself only polls."""
        if not self.is_sqlite:
            yield
            return
        if not self._writer.acquire(timeout=BUSY_TIMEOUT_SECONDS):
            raise StoreBusyError(
                "another thread has been writing for too long", where=self.where, mend="try again in a moment"
            )
        try:
            yield
        finally:
            self._writer.release()

    def _reading(self) -> dict[str, Any]:
        if self.is_sqlite:
            return {WRITES: False}
        return {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}

    def _writing(self) -> dict[str, Any]:
        return {WRITES: True} if self.is_sqlite else {"isolation_level": "READ COMMITTED"}


def open_database(url: str, *, pool_size: int = 10) -> Database:
    """Open ``sqlite:////path`` or ``postgresql://…``, up to ``pool_size`` + ``POOL_OVERFLOW`` connections at once.

    Nothing is asked of the database yet. Raises ConfigurationError for a URL that is neither.
    """
    parsed = _parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        return Database(_sqlite_engine(parsed, pool_size))
    return Database(_postgresql_engine(parsed, pool_size))


def do_last(connection: Connection, work: Callable[[Connection], None]) -> None:
    """Do some work as the last thing before this writing transaction is committed; never where it is rolled back."""
    connection.info[LAST].append(work)


def insert_into(connection: Connection, table: type[Table]) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT that knows ON CONFLICT, in the connection's own dialect."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


def upsert(
    connection: Connection, table: type[Table], rows: Sequence[Mapping[str, Any]], *, keys: Sequence[str]
) -> None:
    """Insert ``rows``, all with the same columns; where ``keys`` are there already, replace the other columns."""
    if not rows:
        return
    statement = insert_into(connection, table)
    others = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=others), list(rows))


def _parse_url(url: str) -> URL:
    mend = "set HASHPACT_DATABASE_URL to sqlite:////path/to/file or postgresql://user:password@host/name"
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigurationError("the database URL cannot be read", mend=mend) from None
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    known = parsed.drivername in {"sqlite", "postgresql+psycopg"}
    if not known or not parsed.database or parsed.database == ":memory:":
        raise ConfigurationError(f"no database of this kind is supported: {parsed.drivername}", mend=mend)
    return parsed


def _sqlite_engine(url: URL, pool_size: int) -> Engine:
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=POOL_OVERFLOW,
        pool_timeout=BUSY_TIMEOUT_SECONDS,
        hide_parameters=True,
        connect_args={"timeout": BUSY_TIMEOUT_SECONDS},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # The driver would begin transactions by itself, deferred ones and only before writes.
    connection.isolation_level = None
    _use_write_ahead_log(connection)
    for pragma in (
        "synchronous = FULL",
        "foreign_keys = ON",
        "temp_store = MEMORY",
        f"cache_size = -{SQLITE_CACHE_KIBIBYTES}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    # Where several switch a new file at once, SQLite answers busy at once, whatever its timeout.
    deadline = time.monotonic() + BUSY_TIMEOUT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname not in SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(SWITCH_AGAIN_SECONDS)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options()[WRITES]
    if connection.info.get(_MAY_WRITE) is not writes:  # each connection keeps what it was told last
        connection.exec_driver_sql(f"PRAGMA query_only = {'OFF' if writes else 'ON'}")
        connection.info[_MAY_WRITE] = writes
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN DEFERRED")


def _postgresql_engine(url: URL, pool_size: int) -> Engine:
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=POOL_OVERFLOW,
        pool_timeout=BUSY_TIMEOUT_SECONDS,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS, "application_name": "hashpact"},
    )
    event.listen(engine, "connect", _prepare_postgresql)
    return engine


def _prepare_postgresql(connection: Any, _record: object) -> None:
    connection.autocommit = True
    connection.execute(f"SET lock_timeout = '{BUSY_TIMEOUT_SECONDS}s'")
    connection.autocommit = False
