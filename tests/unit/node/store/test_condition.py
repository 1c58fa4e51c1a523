from __future__ import annotations

import sqlite3
from pathlib import Path

from hashpact_node.store.condition import server_condition, uses_write_ahead_log
from hashpact_node.store.database import Database


def test_a_server_says_what_it_is(postgresql_database: Database) -> None:
    with postgresql_database.read() as connection:
        found = server_condition(connection)
    assert found.major >= 14
    assert (found.encrypted, found.leaves) == (False, False)  # a Unix socket


def test_a_file_says_whether_it_has_a_write_ahead_log(sqlite_database: Database, tmp_path: Path) -> None:
    with sqlite_database.read():
        pass
    assert sqlite_database.file is not None
    assert uses_write_ahead_log(sqlite_database.file) is True
    other = tmp_path / "other.sqlite3"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE one (two)")
    assert uses_write_ahead_log(other) is False
    other.write_bytes(b"")
    assert uses_write_ahead_log(other) is None
