"""Bring a database to the form that this version of Hashpact needs."""

from __future__ import annotations

import threading
from functools import cache

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from hashpact_node.store.database import Database
from hashpact_protocol.errors import StoreError, StoreNewerError

MIGRATIONS = "hashpact_node.store:migrations"
# Any number will do that no other program on the same PostgreSQL database uses for its advisory locks.
MIGRATION_LOCK = 0x6861_7368_7061_6374
_UPGRADING = threading.Lock()
"""Alembic keeps in one place of the process which database it works on."""


def migrate(database: Database) -> None:
    """Upgrade an empty or older database to this version's form, all in one transaction; several may try at once.

    Raises StoreNewerError for a database that a newer version has upgraded, and StoreError.
    """
    with database.write() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        config = _config(connection)
        if _check(connection, database.where) != newest_revision():
            with _UPGRADING:
                command.upgrade(config, "head")


def bring_to(connection: Connection, revision: str, where: str) -> None:
    """Bring the database of a writing transaction from an older form, or none, to that of ``revision``.

    Raises StoreNewerError for a revision that this version does not know.
    """
    if revision not in _revisions()[1]:
        raise _newer(revision, where)
    with _UPGRADING:
        command.upgrade(_config(connection), revision)


def check_version(database: Database) -> None:
    """Raise StoreNewerError or StoreError unless the database has exactly this version's form."""
    with database.read() as connection:
        if _check(connection, database.where) != newest_revision():
            raise StoreError(
                "the database is empty or of an older version", where=database.where, mend="start the node once"
            )


def newest_revision() -> str:
    """The revision that this version of Hashpact needs."""
    return _revisions()[0]


@cache
def _revisions() -> tuple[str, frozenset[str]]:
    """Give the newest revision, and all that this version knows; they are files, and do not change while it runs."""
    scripts = ScriptDirectory.from_config(_config(None))
    head = scripts.get_current_head()
    if head is None:
        raise StoreError("this installation of Hashpact has no migrations", mend="install it again")
    return head, frozenset(script.revision for script in scripts.walk_revisions())


def _check(connection: Connection, where: str) -> str | None:
    """Return the database's revision; None if it is empty."""
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in _revisions()[1]:
        raise _newer(current, where)
    return current


def _newer(revision: str, where: str) -> StoreNewerError:
    return StoreNewerError(
        f"the database has a form ({revision[:60]}) that this version of Hashpact does not know",
        where=where,
        mend="run the newer version that wrote it, or restore a backup from before",
    )


def _config(connection: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", MIGRATIONS)
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
