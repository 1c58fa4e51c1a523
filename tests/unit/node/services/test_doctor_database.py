from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from hashpact_node.services.doctor_database import (
    SERVER_MAJOR_LEAST,
    check_database,
    disk_kind,
    judge_disk,
    judge_server,
    look_at_database,
)
from hashpact_node.services.doctor_kinds import Level
from hashpact_node.services.doctor_visit import Visit
from hashpact_node.settings import Settings
from hashpact_node.store.condition import ServerCondition
from hashpact_node.store.database import Database
from own_member import NOW, OwnMember, found_member


def test_a_database_that_can_be_used_is_told_with_its_form(acme: OwnMember) -> None:
    database, trouble = look_at_database(acme.settings)
    assert database is not None
    assert trouble is None
    found = list(check_database(Visit(acme.settings, lambda: NOW, database, None)))
    database.dispose()
    assert [(one.level, one.code) for one in found] == [(Level.OK, "ok")]
    assert found[0].what.startswith("SQLite, form r0" if database.is_sqlite else "PostgreSQL ")


@pytest.fixture
def own(sqlite_database: Database, tmp_path: Path) -> OwnMember:
    """Acme on SQLite alone, for what has nothing to do with SQL."""
    return found_member(sqlite_database, tmp_path / "home", sqlite_database.where)


def test_trouble_is_what_is_found(own: OwnMember) -> None:
    database, trouble = look_at_database(replace(own.settings, member="beta"))
    assert database is None
    assert trouble is not None
    assert (trouble.code, trouble.level) == ("database-of-another", Level.ERROR)
    assert "that of acme, and node.toml says beta" in trouble.what
    assert list(check_database(Visit(own.settings, lambda: NOW, None, trouble))) == [trouble]


def test_a_missing_file_is_not_made(tmp_path: Path, own: OwnMember) -> None:
    file = tmp_path / "missing.sqlite3"
    database, trouble = look_at_database(replace(own.settings, database_url=f"sqlite:///{file}"))
    assert database is None
    assert trouble is not None
    assert (trouble.code, trouble.where) == ("database-missing", str(file))
    assert not file.exists()


@pytest.mark.parametrize("content", [b"", b"not a database" * 100])
def test_a_file_that_is_no_database_is_told(tmp_path: Path, own: OwnMember, content: bytes) -> None:
    file = tmp_path / "other.sqlite3"
    file.write_bytes(content)
    _, trouble = look_at_database(replace(own.settings, database_url=f"sqlite:///{file}"))
    assert trouble is not None
    assert (trouble.code, trouble.what) == ("database-not-usable", "this is no SQLite file")
    assert file.read_bytes() == content


def test_a_file_without_a_write_ahead_log_stays_as_it_is(tmp_path: Path, own: OwnMember) -> None:
    file = tmp_path / "copy.sqlite3"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE one (two)")
    before = file.read_bytes()
    _, trouble = look_at_database(replace(own.settings, database_url=f"sqlite:///{file}"))
    assert trouble is not None
    assert trouble.code == "database-not-wal"
    assert file.read_bytes() == before


def test_a_database_of_another_form_is_told_and_not_migrated(tmp_path: Path) -> None:
    file = tmp_path / "old.sqlite3"
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.execute("INSERT INTO alembic_version VALUES ('r0001')")
    url = f"sqlite:///{file}"
    settings = Settings(home=tmp_path, member="acme", url="https://acme.example", database_url=url)
    _, trouble = look_at_database(settings)
    assert trouble is not None
    assert trouble.code == "database-not-usable"
    assert trouble.mend == "start the node once"
    with sqlite3.connect(file) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("r0001",)]
        connection.execute("UPDATE alembic_version SET version_num = 'r9999'")
    _, trouble = look_at_database(settings)
    assert trouble is not None
    assert "does not know" in trouble.what


def test_a_server_that_is_not_there_is_told_without_its_password(own: OwnMember, tmp_path: Path) -> None:
    url = f"postgresql://acme:synthetic@/acme?host={tmp_path}"
    _, trouble = look_at_database(replace(own.settings, database_url=url))
    assert trouble is not None
    assert trouble.code == "database-not-usable"
    assert "synthetic" not in str(trouble)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (ServerCondition(18, encrypted=False, leaves=False), []),
        (ServerCondition(SERVER_MAJOR_LEAST, encrypted=True, leaves=True), []),
        (ServerCondition(18, encrypted=False, leaves=True), ["database-in-clear"]),
        (ServerCondition(SERVER_MAJOR_LEAST - 1, encrypted=False, leaves=False), ["database-server-old"]),
    ],
)
def test_servers(condition: ServerCondition, expected: list[str]) -> None:
    assert [one.code for one in judge_server(condition, "postgresql://db.example/acme")] == expected


@pytest.mark.parametrize(("kind", "expected"), [("ext4", []), ("", []), ("nfs4", ["database-on-network-disk"])])
def test_kinds_of_disks(kind: str, expected: list[str]) -> None:
    assert [one.code for one in judge_disk(Path("/srv/node.sqlite3"), kind)] == expected


def test_the_kind_of_disk_is_that_of_the_nearest_mount(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    place = tmp_path / "with space" / "node.sqlite3"
    lines = ["/dev/a / ext4 rw 0 0", f"server:/x {tmp_path}/with\\040space nfs4 rw 0 0", "tmpfs /nowhere tmpfs rw 0 0"]
    mounts.write_text("\n".join(lines) + "\n")
    assert disk_kind(place, mounts) == "nfs4"
    assert disk_kind(tmp_path / "other", mounts) == "ext4"
    assert disk_kind(place, tmp_path / "none") == ""
    assert disk_kind(Path("/proc/self"), Path("/proc/self/mounts")) == "proc"
