from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select, text, update
from sqlmodel import col

from databases import opened
from hashpact_node.store.database import POOL_OVERFLOW, Database, do_last, open_database, upsert
from hashpact_node.store.tables import Counter
from hashpact_protocol.errors import ConfigurationError, StoreBusyError, StoreError, StoreFullError


def read_counter(database: Database, name: str) -> int | None:
    with database.read() as connection:
        return connection.execute(select(col(Counter.value)).where(col(Counter.name) == name)).scalar_one_or_none()


def test_writes_are_there_afterwards(database: Database) -> None:
    with database.write() as connection:
        connection.execute(insert(Counter).values(name="changes", value=2**40))
    assert read_counter(database, "changes") == 2**40


def add_and_fail(connection: Connection) -> None:
    connection.execute(insert(Counter).values(name="changes", value=1))
    raise RuntimeError


def test_an_error_rolls_back(database: Database) -> None:
    with pytest.raises(RuntimeError), database.write() as connection:
        add_and_fail(connection)
    assert read_counter(database, "changes") is None


def test_what_comes_last_comes_before_the_commit_and_not_after_an_error(database: Database) -> None:
    done: list[str] = []

    def last(connection: Connection) -> None:
        done.append("last")
        connection.execute(insert(Counter).values(name="last", value=len(done)))
        do_last(connection, lambda _connection: done.append("the very last"))

    with database.write() as connection:
        do_last(connection, last)
        done.append("first")
    assert done == ["first", "last", "the very last"]
    assert read_counter(database, "last") == 2

    def fail(connection: Connection) -> None:
        do_last(connection, last)
        add_and_fail(connection)

    with pytest.raises(RuntimeError), database.write() as connection:
        fail(connection)
    with database.write():
        pass
    assert len(done) == 3


def test_a_reading_transaction_cannot_write(database: Database) -> None:
    for _ in range(2):
        with pytest.raises(StoreError), database.read() as connection:
            connection.execute(insert(Counter).values(name="changes", value=1))
        with database.write() as connection:
            connection.execute(update(Counter).values(value=1))


def test_a_reading_transaction_sees_one_snapshot(database: Database) -> None:
    query = select(col(Counter.name))
    with database.read() as reading:
        assert reading.execute(query).all() == []
        with database.write() as writing:
            writing.execute(insert(Counter).values(name="changes", value=1))
        assert reading.execute(query).all() == []


def test_writers_lose_no_updates(database: Database) -> None:
    with database.write() as connection:
        connection.execute(insert(Counter).values(name="changes", value=0))

    def count() -> None:
        for _ in range(25):
            with database.write() as connection:
                query = select(col(Counter.value)).where(col(Counter.name) == "changes").with_for_update()
                value = connection.execute(query).scalar_one()
                connection.execute(update(Counter).values(value=value + 1))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read_counter(database, "changes") == 100


def test_upsert_replaces_all_but_the_key(database: Database) -> None:
    with database.write() as connection:
        upsert(connection, Counter, [{"name": "a", "value": 1}, {"name": "b", "value": 2}], keys=("name",))
        upsert(connection, Counter, [{"name": "b", "value": 3}], keys=("name",))
        upsert(connection, Counter, [], keys=("name",))
    assert (read_counter(database, "a"), read_counter(database, "b")) == (1, 3)


def test_errors_of_the_database_are_store_errors(database: Database) -> None:
    with database.write() as connection:
        connection.execute(insert(Counter).values(name="changes", value=1))
    with pytest.raises(StoreError, match="could not do it") as caught, database.write() as connection:
        connection.execute(insert(Counter).values(name="changes", value=1))
    assert caught.value.where == database.where
    with pytest.raises(StoreError), database.read() as connection:
        connection.execute(text("SELECT nothing FROM nowhere"))


def test_sqlite_is_set_up_for_safety(sqlite_database: Database) -> None:
    with sqlite_database.write() as connection:
        settings = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}


def test_a_full_sqlite_database_says_so_and_goes_on(sqlite_database: Database) -> None:
    with sqlite_database.write() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
        connection.execute(text(f"PRAGMA max_page_count = {pages + 4}"))
    with pytest.raises(StoreFullError) as caught, sqlite_database.write() as connection:
        upsert(connection, Counter, [{"name": f"{n:0500}", "value": n} for n in range(1_000)], keys=("name",))
    assert caught.value.mend
    with sqlite_database.write() as connection:
        assert connection.execute(select(col(Counter.name))).all() == []
        connection.execute(insert(Counter).values(name="small", value=1))
        connection.execute(text("PRAGMA max_page_count = 1000000"))
        upsert(connection, Counter, [{"name": f"{n:0500}", "value": n} for n in range(1_000)], keys=("name",))
    assert read_counter(sqlite_database, "small") == 1


def test_a_full_postgresql_server_says_so(postgresql_database: Database) -> None:
    with pytest.raises(StoreFullError) as caught, postgresql_database.write() as connection:
        connection.execute(text("DO $$ BEGIN RAISE EXCEPTION 'no space' USING ERRCODE = '53100'; END $$"))
    assert caught.value.mend


def test_another_process_that_writes_makes_it_busy(sqlite_database: Database) -> None:
    with sqlite_database.read() as connection:  # the pool hands out this connection again
        connection.execute(text("PRAGMA busy_timeout = 10"))
    busy = pytest.raises(StoreBusyError)
    with opened(f"sqlite:///{sqlite_database.file}") as other, other.write(), busy as caught, sqlite_database.write():
        pass
    assert caught.value.mend


def test_another_thread_that_writes_makes_it_busy(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hashpact_node.store.database.BUSY_TIMEOUT_SECONDS", 0.01)
    with sqlite_database.write(), pytest.raises(StoreBusyError, match="another thread"), sqlite_database.write():
        pass


def test_a_pool_that_is_used_up_makes_it_busy(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hashpact_node.store.database.BUSY_TIMEOUT_SECONDS", 0.01)
    with opened(database_url, pool_size=1) as database, ExitStack() as reading:
        for _ in range(1 + POOL_OVERFLOW):
            reading.enter_context(database.read())
        with pytest.raises(StoreBusyError, match="connections are in use"), database.read():
            pass


def test_a_locked_row_makes_it_busy(postgresql_database: Database) -> None:
    query = select(col(Counter.value)).with_for_update(nowait=True)
    with postgresql_database.write() as connection:
        connection.execute(insert(Counter).values(name="changes", value=0))
    with postgresql_database.write() as holder:
        holder.execute(query)
        with pytest.raises(StoreBusyError) as caught, postgresql_database.write() as waiter:
            waiter.execute(query)
    assert caught.value.mend


def test_a_lost_connection_is_replaced(postgresql_database: Database) -> None:
    end = "SELECT pg_terminate_backend(pg_backend_pid())"
    with pytest.raises(StoreError) as caught, postgresql_database.read() as connection:
        connection.execute(text(end))
    assert "HASHPACT_DATABASE_URL" in (caught.value.mend or "")
    assert read_counter(postgresql_database, "changes") is None


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://hashpact:hidden@127.0.0.1:1/hashpact",
        "postgresql://hashpact:hidden@nowhere.invalid/hashpact?password=hidden",
    ],
)
def test_an_unreachable_server_tells_where_to_look(url: str) -> None:
    with opened(url) as database, pytest.raises(StoreError) as caught, database.read():
        pass
    assert "HASHPACT_DATABASE_URL" in (caught.value.mend or "")
    assert "hidden" not in str(caught.value)


def test_a_missing_folder_tells_where_to_look(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/missing/hashpact.db"
    with opened(url) as database, pytest.raises(StoreError) as caught, database.read():
        pass
    assert "HASHPACT_DATABASE_URL" in (caught.value.mend or "")
    assert "missing/hashpact.db" in str(caught.value)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "hashpact.db"
    file.write_bytes(b"no database at all, " * 100)
    with opened(f"sqlite:///{file}") as database, pytest.raises(StoreError, match="no sound SQLite"), database.read():
        pass


@pytest.mark.parametrize("url", ["", "hidden", "mysql://u:hidden@host/name", "sqlite://", "sqlite:///:memory:"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_database(url)
    assert "HASHPACT_DATABASE_URL" in (caught.value.mend or "")
    assert "hidden" not in str(caught.value)


def test_where_names_the_place(sqlite_database: Database, postgresql_database: Database) -> None:
    assert sqlite_database.is_sqlite
    assert sqlite_database.file is not None
    assert sqlite_database.file.name == "hashpact.db"
    assert not postgresql_database.is_sqlite
    assert postgresql_database.file is None


def test_several_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    def open_new(number: int, together: threading.Barrier) -> None:
        with opened(f"sqlite:///{tmp_path / f'{number}.db'}") as database:
            together.wait()
            with database.read() as connection:
                assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"

    with ThreadPoolExecutor(3) as pool:
        for number in range(40):  # about one in six met another that was switching
            together = threading.Barrier(3)
            for ended in [pool.submit(open_new, number, together) for _ in range(3)]:
                ended.result()
