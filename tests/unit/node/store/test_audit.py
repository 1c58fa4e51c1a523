"""Entries are appended one after another, whoever appends, together with what they are about."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, text

from databases import opened
from hashpact_node.store.alarms import clear_alarm, raise_alarm
from hashpact_node.store.audit import append, page_entries, read_head, stream_entries, stream_newest
from hashpact_node.store.audit_form import Event
from hashpact_node.store.database import Database
from hashpact_protocol.canonical import parse_canonical
from hashpact_protocol.errors import TileError
from hashpact_protocol.merkle import CompactRange, leaf_hash

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())


def add(database: Database, *actions: str) -> None:
    for action in actions:
        with database.write() as connection:
            append(connection, Event("job", "test", action), now=NOW)


def actions(database: Database) -> list[str]:
    with database.read() as connection:
        return [parse_canonical(entry)["action"] for _, _, entry in stream_entries(connection)]


def test_entries_are_chained_and_the_head_is_over_all_of_them(database: Database) -> None:
    with database.read() as connection:
        assert read_head(connection) == CompactRange()
    add(database, *(f"a{number}" for number in range(9)))
    with database.read() as connection:
        rows, head = list(stream_entries(connection)), read_head(connection)
        assert [row[0] for row in stream_entries(connection, after=7)] == [8, 9]
        assert [row[0] for row in page_entries(connection, after=2, limit=3)] == [3, 4, 5]
        assert [row[0] for row in stream_newest(connection)][:2] == [9, 8]
        assert list(stream_newest(connection, since=SECONDS + 1)) == []
    assert [(number, time) for number, time, _ in rows] == [(number, SECONDS) for number in range(1, 10)]
    grown = CompactRange()
    for number, _, entry in rows:
        told = parse_canonical(entry)
        assert (told["n"], told["before"]) == (number, grown.root().hex())
        grown = grown.extend([leaf_hash(entry)])
    assert head == grown


def test_an_entry_is_there_with_what_it_is_about_or_not_at_all(database: Database) -> None:
    def fail(connection: Connection) -> None:
        append(connection, Event("job", "test", "undone"), now=NOW)
        raise RuntimeError

    with pytest.raises(RuntimeError), database.write() as connection:
        fail(connection)
    add(database, "done")
    assert actions(database) == ["done"]


def test_several_in_one_transaction_keep_their_order(database: Database) -> None:
    with database.write() as connection:
        for action in ("first", "second"):
            append(connection, Event("job", "test", action), now=NOW)
    assert actions(database) == ["first", "second"]


def test_those_who_append_at_once_take_turns(database: Database, database_url: str) -> None:
    def work(name: str) -> None:
        with opened(database_url) as mine:
            add(mine, *(f"{name}{number}" for number in range(10)))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, "abcd"))
    found = actions(database)
    assert sorted(found) == sorted(f"{name}{number}" for name in "abcd" for number in range(10))
    with database.read() as connection:
        assert read_head(connection).size == 40


def test_an_alarm_is_recorded_when_it_is_raised_and_not_when_it_is_counted(database: Database) -> None:
    with database.write() as connection:
        raise_alarm(connection, "log-stale", "old", now=NOW)
        raise_alarm(connection, "log-stale", "older", now=NOW)
        clear_alarm(connection, "log-stale", now=NOW)
        raise_alarm(connection, "log-stale", "old again", now=NOW)
    with database.read() as connection:
        told = [parse_canonical(entry) for _, _, entry in stream_entries(connection)]
    assert [(one["action"], one["subject"], one["detail"]["what"]) for one in told] == [
        ("raise alarm", "log-stale", "old"),
        ("raise alarm", "log-stale", "old again"),
    ]


@pytest.mark.parametrize(
    "damage",
    ["DELETE FROM audit_head", "UPDATE audit_head SET size = 0, range = :empty", "UPDATE audit_head SET size = 3"],
)
def test_who_damages_the_log_does_not_stop_the_node(
    sqlite_database: Database, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    add(sqlite_database, "a", "b")
    with sqlite_database.write() as connection:
        connection.execute(text(damage), {"empty": b""} if ":empty" in damage else {})
    with sqlite_database.write() as connection:
        raise_alarm(connection, "log-stale", "old", now=NOW)
    with sqlite_database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM alarm")).scalar_one() == 1
    assert actions(sqlite_database) == ["a", "b"]
    assert "the audit log is damaged" in capsys.readouterr().out


def test_a_head_that_is_no_range_is_told(sqlite_database: Database) -> None:
    add(sqlite_database, "a")
    with sqlite_database.write() as connection:
        connection.execute(text("UPDATE audit_head SET size = 3"))
    with pytest.raises(TileError), sqlite_database.read() as connection:
        read_head(connection)
