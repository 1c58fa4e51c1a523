from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from databases import opened
from hashpact_node.store import (  # noqa: F401  # theirs belong, too
    tables_audiences,
    tables_audit,
    tables_backups,
    tables_blobs,
    tables_decisions,
    tables_drafts,
    tables_evidence,
    tables_holds,
    tables_incidents,
    tables_judging,
    tables_keys,
    tables_opinions,
    tables_outcomes,
    tables_requests,
    tables_rotation,
    tables_shown,
    tables_succession,
    tables_tokens,
    tables_webhooks,
    tables_witnesses,
)
from hashpact_node.store.database import Database
from hashpact_node.store.migrate import check_version, migrate, newest_revision
from hashpact_node.store.tables import Table
from hashpact_protocol.errors import StoreError, StoreNewerError


def test_an_empty_database_gets_the_newest_form(empty_database: Database) -> None:
    with pytest.raises(StoreError, match="empty or of an older version"):
        check_version(empty_database)
    migrate(empty_database)
    check_version(empty_database)
    with empty_database.read() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == [
            newest_revision()
        ]


def test_a_second_migration_changes_nothing(database: Database) -> None:
    migrate(database)
    check_version(database)


def test_models_and_migrations_are_in_step(database: Database) -> None:
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []


def test_primary_keys_are_in_step_and_in_the_order_of_the_scans(database: Database) -> None:
    with database.read() as connection:  # compare_metadata leaves primary keys out
        inspector = inspect(connection)
        made = {name: inspector.get_pk_constraint(name)["constrained_columns"] for name in Table.metadata.tables}
    assert made == {
        name: [column.name for column in table.primary_key] for name, table in Table.metadata.tables.items()
    }
    assert made["bundle"] == ["log", "number"]
    assert made["tile"] == ["log", "level", "number"]
    assert made["quarantine"] == ["log", "position", "part"]
    assert made["expiry"] == ["at", "log", "position"]  # what is due is looked for at every commit, over all logs
    assert made["statement"] == ["sequence", "id"]


def test_a_newer_database_is_refused(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'r9999'"))
    for check in (migrate, check_version):
        with pytest.raises(StoreNewerError) as caught:
            check(database)
        assert caught.value.where == database.where
        assert "r9999" in caught.value.what
        assert caught.value.mend


def test_a_failed_migration_leaves_nothing_behind(empty_database: Database) -> None:
    with empty_database.write() as connection:
        connection.execute(text("CREATE TABLE alarm (number INTEGER)"))
    with pytest.raises(StoreError):
        migrate(empty_database)
    with empty_database.write() as connection:
        connection.execute(text("DROP TABLE alarm"))
    migrate(empty_database)
    check_version(empty_database)


def test_several_may_migrate_at_once(empty_database_url: str) -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            with opened(empty_database_url) as database:
                migrate(database)
        except StoreError as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_several_databases_may_be_migrated_at_once(tmp_path: Path) -> None:
    def run(number: int) -> None:
        with opened(f"sqlite:///{tmp_path / str(number)}.db") as database:
            migrate(database)
            check_version(database)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, range(8)))


def test_bundles_are_not_compressed_a_second_time(postgresql_database: Database) -> None:
    query = "SELECT attstorage FROM pg_attribute WHERE attrelid = 'bundle'::regclass AND attname = 'data'"
    with postgresql_database.read() as connection:
        assert connection.execute(text(query)).scalar_one() == "e"


def test_statements_lie_in_their_key_on_sqlite(sqlite_database: Database) -> None:
    with sqlite_database.read() as connection:
        made = connection.execute(text("SELECT sql FROM sqlite_master WHERE name = 'statement'")).scalar_one()
    assert made.rstrip().endswith("WITHOUT ROWID")
