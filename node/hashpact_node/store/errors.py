"""What SQLAlchemy and the drivers raise, turned into the classes of :mod:`hashpact_protocol.errors`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import psycopg
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from hashpact_protocol.errors import StoreBusyError, StoreError, StoreFullError

SQLITE_FULL = {"SQLITE_FULL", "SQLITE_IOERR_SHMSIZE"}
SQLITE_BUSY = {"SQLITE_BUSY", "SQLITE_BUSY_SNAPSHOT", "SQLITE_BUSY_RECOVERY", "SQLITE_BUSY_TIMEOUT", "SQLITE_LOCKED"}
SQLITE_BROKEN = {"SQLITE_CORRUPT", "SQLITE_NOTADB"}
POSTGRESQL_FULL = {"53100"}
POSTGRESQL_BUSY = {"40001", "40P01", "53300", "55P03", "57014"}
POSTGRESQL_REFUSED = {"28000", "28P01", "3D000"}

CHECK_URL = "check HASHPACT_DATABASE_URL, and that the database server runs and can be reached"


@contextmanager
def store_errors(where: str) -> Iterator[None]:
    """Let database errors leave as StoreError classes; ``where`` names the database without its password."""
    try:
        yield
    except SQLAlchemyError as error:
        raise_store_error(error, where)


def raise_store_error(error: SQLAlchemyError, where: str) -> NoReturn:
    """Raise the StoreError that ``error`` means."""
    if isinstance(error, PoolTimeoutError):
        raise StoreBusyError(
            "all database connections are in use", where=where, mend="try again; many requests run at once"
        ) from error
    cause = error.orig if isinstance(error, DBAPIError) else None
    if isinstance(cause, sqlite3.Error):
        raise _sqlite_error(_before_savepoint(cause), where) from error
    if isinstance(cause, psycopg.Error):
        raise _postgresql_error(cause, where) from error
    raise StoreError(f"the database could not do it: {_first_line(error)}", where=where) from error


def _before_savepoint(cause: sqlite3.Error) -> sqlite3.Error:
    """Give what came first where a savepoint was lost with its transaction, as SQLite does it when the disk is full."""
    first: BaseException | None = cause
    while first is not None and _first_line(cause).startswith("no such savepoint"):
        first = first.__context__
        if isinstance(first, sqlite3.Error):
            return first
    return cause


def _sqlite_error(cause: sqlite3.Error, where: str) -> StoreError:
    name = getattr(cause, "sqlite_errorname", "")
    if name in SQLITE_FULL:
        return StoreFullError(
            "the disk, or the database's size limit, is full", where=where, mend="free some space; nothing was lost"
        )
    if name in SQLITE_BUSY:
        return StoreBusyError("another process holds the database", where=where, mend="try again in a moment")
    if name in SQLITE_BROKEN:
        return StoreError(
            f"this is no sound SQLite database: {_first_line(cause)}", where=where, mend="restore it from a backup"
        )
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM")):
        return StoreError(
            f"the database file cannot be opened for writing: {_first_line(cause)}",
            where=where,
            mend="check HASHPACT_DATABASE_URL, that the folder exists, and who owns it",
        )
    return StoreError(f"the database could not do it: {_first_line(cause)}", where=where)


def _postgresql_error(cause: psycopg.Error, where: str) -> StoreError:
    state = cause.sqlstate
    if state in POSTGRESQL_FULL:
        return StoreFullError(
            "the database server's disk is full", where=where, mend="free some space there; nothing was lost"
        )
    if state in POSTGRESQL_BUSY:
        return StoreBusyError(f"the database is busy: {_first_line(cause)}", where=where, mend="try again in a moment")
    if state in POSTGRESQL_REFUSED or (state is None and isinstance(cause, psycopg.OperationalError)):
        return StoreError(f"the database cannot be reached: {_first_line(cause)}", where=where, mend=CHECK_URL)
    if state is not None and state.startswith(("08", "57P")):
        return StoreError(f"the connection to the database was lost: {_first_line(cause)}", where=where, mend=CHECK_URL)
    return StoreError(f"the database could not do it: {_first_line(cause)}", where=where)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
