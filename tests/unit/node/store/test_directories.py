from __future__ import annotations

from datetime import timedelta

from hashpact_node.store.database import Database
from hashpact_node.store.directories import (
    HeldDirectory,
    find_directory,
    load_directory_files,
    record_directory,
    save_directory_files,
)
from members import NOW

AT = int(NOW.timestamp())
URL = "https://directory.example"
ROOT = ("metadata", "1.root.json")
OLD, NEW = ("metadata", "5.targets.json"), ("metadata", "6.targets.json")


def test_what_was_accepted_stands_when_a_look_fails(database: Database) -> None:
    with database.write() as connection:
        assert find_directory(connection, "pin") is None
        record_directory(connection, "pin", URL, now=NOW, error={"code": "x"})
        assert find_directory(connection, "pin") == HeldDirectory("pin", URL, None, None, AT, None, {"code": "x"})
        record_directory(connection, "pin", URL, now=NOW, error=None, accepted=(7, b"{}"))
        record_directory(connection, "pin", f"{URL}/2", now=NOW + timedelta(hours=1), error={"code": "y"})
        assert find_directory(connection, "pin") == HeldDirectory(
            "pin", f"{URL}/2", 7, AT, AT + 3_600, b"{}", {"code": "y"}
        )


def test_files_are_replaced_and_roots_stay(database: Database) -> None:
    with database.write() as connection:
        save_directory_files(connection, "pin", {ROOT: b"r", OLD: b"old"})
        save_directory_files(connection, "pin", {NEW: b"new"})
        assert load_directory_files(connection, "pin") == {ROOT: b"r", NEW: b"new"}
        save_directory_files(connection, "pin", {NEW: b"newer"})
        assert load_directory_files(connection, "pin") == {ROOT: b"r", NEW: b"newer"}


def test_what_another_pin_left_is_forgotten(database: Database) -> None:
    with database.write() as connection:
        save_directory_files(connection, "old", {ROOT: b"r"})
        record_directory(connection, "old", URL, now=NOW, error=None, accepted=(7, b"{}"))
        record_directory(connection, "new", URL, now=NOW, error=None)
        assert (find_directory(connection, "old"), load_directory_files(connection, "old")) == (None, {})
        assert find_directory(connection, "new") is not None
