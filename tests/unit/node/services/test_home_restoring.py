"""Restoring a backup: onto either kind of database, all or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from databases import PostgresDatabases, SqliteFiles, opened
from hashpact_keys.keystore import KeyStore
from hashpact_node.services.actors import Actor, ActorKind
from hashpact_node.services.backing_up import make_backup
from hashpact_node.services.backup_form import BackupWriter, File, Head, Rows, Table, read_records
from hashpact_node.services.deciding import Choice, Deciding
from hashpact_node.services.drafts import ListingDraft, draft_of_fields
from hashpact_node.services.entries import EntryReader
from hashpact_node.services.home_restoring import Restored, restore_home
from hashpact_node.services.judging_anew import Rejudger
from hashpact_node.services.keyring import Keyring
from hashpact_node.services.publishing import Publisher
from hashpact_node.services.release import Releaser
from hashpact_node.settings import NODE_TOML, Settings
from hashpact_node.store.changes import Numbers
from hashpact_node.store.database import Database
from hashpact_node.store.dump import dumped_tables, stream_rows
from hashpact_node.store.judging import set_policy
from hashpact_node.store.locks import HomeLock, Locks
from hashpact_node.store.logs import find_log
from hashpact_node.store.migrate import bring_to, check_version
from hashpact_node.store.signals import find_signals
from hashpact_protocol.errors import (
    ConflictError,
    HashpactError,
    RequestError,
    StoreBusyError,
    StoreFullError,
    StoreNewerError,
)
from hashpact_protocol.facts import Verdict
from hashpact_protocol.policy import Action
from material import drafts
from members import TestLog, add_log, listing, sha256
from own_member import NOW, ORIGIN, OwnMember, found_member

MakeDatabase = Callable[[], Database]


@pytest.fixture
def acme(sqlite_database: Database, tmp_path: Path) -> OwnMember:
    """A member of one log without entries."""
    return found_member(sqlite_database, tmp_path / "old", sqlite_database.where)


@pytest.fixture(scope="module")
def backup(sqlite_files: SqliteFiles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup, made on SQLite, of a member that has published 300 listings."""
    folder = tmp_path_factory.mktemp("backup")
    with opened(sqlite_files.url(folder)) as database:
        member = found_member(database, folder / "old", database.where)
        member.publisher.publish(listings(300))
        return save(member, folder / "acme.hashpact")


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest, postgres_databases: PostgresDatabases, tmp_path: Path) -> Iterator[Database]:
    """An empty database of each kind, for a restore."""
    if request.param == "sqlite":
        with opened(f"sqlite:///{tmp_path / 'target.db'}") as database:
            yield database
        return
    with postgres_databases.url(empty=True) as url, opened(url) as database:
        yield database


def listings(count: int) -> list[ListingDraft]:
    return [draft_of_fields(one) for one in drafts(count)]


def save(member: OwnMember, path: Path, *, with_keys: bool = True) -> Path:
    make_backup(member.database, member.settings, path, with_keys=with_keys, program="1", now=lambda: NOW)
    return path


def restore(backup: Path, home: Path, database: Database) -> Restored:
    return restore_home(Settings(home=home, database_url=database.where), backup, database)


def contents(database: Database) -> dict[str, list[object]]:
    """Give all rows of all tables, in an order of their own."""
    with database.read() as connection:
        return {
            table.name: sorted((row for rows in stream_rows(connection, table) for row in rows), key=repr)
            for table in dumped_tables()
        }


def is_empty(database: Database) -> bool:
    with database.read() as connection:
        return not inspect(connection).get_table_names()


def left(home: Path) -> list[str]:
    return sorted(path.name for path in home.rglob("*") if path.is_file())


def test_what_was_saved_is_there_again_on_either_database(database: Database, target: Database, tmp_path: Path) -> None:
    acme = found_member(database, tmp_path / "old", database.where)
    acme.publisher.publish(listings(300))
    restored = restore(save(acme, tmp_path / "acme.hashpact"), tmp_path / "new", target)
    check_version(target)
    assert (restored.member, restored.url, restored.made_at) == ("acme", "https://acme.example", NOW)
    assert contents(target) == contents(acme.database)
    assert restored.rows == sum(len(rows) for rows in contents(target).values())
    for name in (NODE_TOML, "keys/release.key"):
        place = tmp_path / "new" / name
        assert place.read_bytes() == (acme.home / name).read_bytes()
        assert place.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_decisions_and_the_policy_hold_after_a_restore(acme: OwnMember, target: Database, tmp_path: Path) -> None:
    about, key = f"sha256:{sha256(7).value}", sha256(7).key
    beta = add_log(acme.database, "beta")
    beta.append(listing(1, sha256(7)), listing(2, sha256(8)))
    made = Deciding(acme.database, lambda: NOW).decide(
        Choice(Verdict.REJECT, about, "a news report"), Actor(ActorKind.COMMAND, "joe")
    )
    with acme.database.write() as connection:
        Numbers(connection, now=int(NOW.timestamp()))
        set_policy(connection, "[[rule]]\nname = 'one-member'\nthen = 'observe'\n", now=1)
    Rejudger(acme.database, lambda: NOW).run()
    restore(save(acme, tmp_path / "acme.hashpact"), tmp_path / "new", target)
    assert Deciding(target, lambda: NOW).list() == [made]
    TestLog(target, beta.number).append(listing(3, sha256(7)), listing(4, sha256(9)))
    with target.read() as connection:
        found = find_signals(connection, [key, sha256(8).key, sha256(9).key])
    assert {one: Action(row.action) for one, row in found.items()} == {
        key: Action.IGNORE,
        sha256(8).key: Action.OBSERVE,
        sha256(9).key: Action.OBSERVE,
    }


def test_publishing_goes_on_where_it_stood(backup: Path, target: Database, tmp_path: Path) -> None:
    home = tmp_path / "new"
    restore(backup, home, target)
    keyring = Keyring(KeyStore(home, lambda: b"passphrase of a test"), Settings(home=home).keys)
    releaser = Releaser(target, Locks(target, home), keyring, lambda: NOW)
    publisher = Publisher(target, releaser, lambda: NOW)
    published = publisher.publish(listings(310)[300:])
    assert [one.index for one in published] == list(range(300, 310))
    with target.read() as connection:
        log = find_log(connection, ORIGIN)
    assert log is not None
    assert log.accepted_size == 310


def test_rows_get_new_numbers_behind_those_that_were_restored(
    backup: Path, postgres_databases: PostgresDatabases, tmp_path: Path
) -> None:
    with postgres_databases.url(empty=True) as url, opened(url) as database:
        restore(backup, tmp_path / "new", database)
        with database.write() as connection:
            added = "INSERT INTO peer (added_at, failures, own, state, member, url) VALUES (1, 0, false, 'active', "
            connection.execute(text(f"{added}'beta', 'https://beta.example')"))
            numbers = connection.execute(text("SELECT number FROM peer ORDER BY number")).scalars().all()
    assert numbers == [1, 2]


def test_an_older_form_is_brought_up(tmp_path: Path, target: Database, backup: Path) -> None:
    """A database of the form before the newest one: its backup, made by hand as an older version made it."""
    with opened(f"sqlite:///{tmp_path / 'older.db'}") as older:
        with older.write() as connection:
            bring_to(connection, "r0006", "here")
        older_tables = _tables_of(older)
        rewritten = _as_older(backup, tmp_path / "older.hashpact", older_tables)
    restore(rewritten, tmp_path / "new", target)
    check_version(target)
    with target.read() as connection:
        log = find_log(connection, ORIGIN)
        assert log is not None
        assert EntryReader(connection).root_at(log.number, 300) == log.accepted_root


def _tables_of(database: Database) -> dict[str, list[str]]:
    with database.read() as connection:
        inspector = inspect(connection)
        return {name: [one["name"] for one in inspector.get_columns(name)] for name in inspector.get_table_names()}


def _as_older(path: Path, target: Path, tables: dict[str, list[str]]) -> Path:
    """Write the backup of a version that knew these tables and columns only."""
    kept: list[int] | None = None
    with path.open("rb") as source, target.open("wb") as file:
        for record in read_records(source, "here"):
            if isinstance(record, Head):
                writer = BackupWriter(file, Head("r0006", "0", "acme", record.url, record.made_at, ()))
            elif isinstance(record, Table):
                known = tables.get(record.name)
                kept = None if known is None else [record.columns.index(one) for one in known]
                if known is not None:
                    writer.table(record.name, known)
            elif isinstance(record, Rows) and kept is not None:
                writer.rows([[row[at] for at in kept] for row in record.rows])
            elif isinstance(record, File):
                writer.file(record)
        writer.end()
    return target


def test_a_newer_form_is_refused(acme: OwnMember, tmp_path: Path) -> None:
    with acme.database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'r9999'"))
    path = save(acme, tmp_path / "acme.hashpact")
    with opened(f"sqlite:///{tmp_path / 'new.db'}") as database:
        with pytest.raises(StoreNewerError, match="r9999"):
            restore(path, tmp_path / "new", database)
        assert not (tmp_path / "new.db").exists()
    assert left(tmp_path / "new") == ["home.lock"]


def test_only_an_empty_home_and_database_are_taken(
    acme: OwnMember, backup: Path, target: Database, tmp_path: Path
) -> None:
    before = contents(acme.database)
    with pytest.raises(ConflictError, match="set up already"):
        restore(backup, acme.home, target)
    with pytest.raises(ConflictError, match="not empty"):
        restore(backup, tmp_path / "new", acme.database)
    with HomeLock(tmp_path / "new").shared(), pytest.raises(StoreBusyError):
        restore(backup, tmp_path / "new", target)
    assert contents(acme.database) == before
    assert left(tmp_path / "new") == ["home.lock"]


@pytest.mark.parametrize("step", ["set_counters", "_write_files", "load_settings", "find_own"])
def test_what_fails_half_way_is_taken_back(
    backup: Path, target: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_arguments: object, **_named: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"hashpact_node.services.home_restoring.{step}", fail)
        with pytest.raises(KeyboardInterrupt):
            restore(backup, tmp_path / "new", target)
    assert left(tmp_path / "new") == ["home.lock"]
    assert is_empty(target)
    assert restore(backup, tmp_path / "new", target).member == "acme"


def test_a_database_that_fails_at_its_end_takes_the_files_with_it(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(f"sqlite:///{tmp_path / 'new.db'}") as database:
        write = database.write

        @contextmanager
        def fail_at_commit() -> Iterator[object]:
            with write() as connection:
                yield connection
                raise StoreFullError("no room for the last page")

        monkeypatch.setattr(database, "write", fail_at_commit)
        with pytest.raises(StoreFullError):
            restore(backup, tmp_path / "new", database)
        assert not (tmp_path / "new.db").exists()
    assert left(tmp_path / "new") == ["home.lock"]


def test_a_file_that_is_there_is_never_written_over(backup: Path, target: Database, tmp_path: Path) -> None:
    home = tmp_path / "new"
    (home / "keys").mkdir(parents=True)
    (home / "keys" / "release.key").write_text("mine")
    with pytest.raises(ConflictError, match="nothing is written over"):
        restore(backup, home, target)
    assert (home / "keys" / "release.key").read_text() == "mine"
    assert left(home) == ["home.lock", "release.key"]
    assert is_empty(target)


def test_a_link_that_leads_out_of_the_home_is_not_followed(backup: Path, target: Database, tmp_path: Path) -> None:
    home, elsewhere = tmp_path / "new", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    (home / "keys").symlink_to(elsewhere)
    with pytest.raises(ConflictError, match="leads out"):
        restore(backup, home, target)
    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize("at", [0.1, 0.9, 0.999])
def test_a_damaged_backup_leaves_nothing(backup: Path, target: Database, tmp_path: Path, at: float) -> None:
    data = bytearray(backup.read_bytes())
    data[int(len(data) * at)] ^= 1
    (tmp_path / "damaged").write_bytes(data)
    for path in (tmp_path / "damaged", _cut(backup, tmp_path / "cut", at)):
        with pytest.raises(RequestError, match="damaged"):
            restore(path, tmp_path / "new", target)
        assert left(tmp_path / "new") == ["home.lock"]
        assert is_empty(target)


def _cut(path: Path, target: Path, at: float) -> Path:
    data = path.read_bytes()
    target.write_bytes(data[: int(len(data) * at)])
    return target


def test_another_members_database_is_refused(acme: OwnMember, tmp_path: Path, target: Database) -> None:
    (acme.home / NODE_TOML).write_text('member = "beta"\nurl = "https://beta.example"\n')
    with pytest.raises(RequestError, match="not that of the member"):
        restore(save(acme, tmp_path / "backup"), tmp_path / "new", target)
    assert is_empty(target)


def test_a_configuration_that_cannot_be_loaded_leaves_nothing(
    acme: OwnMember, tmp_path: Path, target: Database
) -> None:
    (acme.home / NODE_TOML).write_text('member = "acme"\nport = 0\n')
    with pytest.raises(HashpactError, match="port"):
        restore(save(acme, tmp_path / "backup"), tmp_path / "new", target)
    assert left(tmp_path / "new") == ["home.lock"]
    assert is_empty(target)


def test_what_is_still_missing_is_said(acme: OwnMember, tmp_path: Path, target: Database) -> None:
    with (acme.home / NODE_TOML).open("a") as file:
        file.write('database_url = "postgresql://me:secret@host/name"\npassphrase_file = "/nowhere/passphrase"\n')
        file.write('[keys]\nroot = "pkcs11:token=vault"\n')
    settings = replace(acme.settings, keys={**acme.settings.keys, "root": ("pkcs11:token=vault",)})
    path = save(replace(acme, settings=settings), tmp_path / "backup", with_keys=False)
    restored = restore(path, tmp_path / "new", target)
    told = "\n".join(restored.missing)
    assert "the release key is not here" in told
    assert "the root key must be reached from this machine: pkcs11:token=vault" in told
    assert "database_url in node.toml" in told
    assert "the node needs the database URL" in told
    assert "/nowhere/passphrase" in told
    assert b"secret" not in path.read_bytes() + (tmp_path / "new" / NODE_TOML).read_bytes()
