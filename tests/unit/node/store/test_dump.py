"""Rows as plain values, out of either kind of database and into it."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from hashpact_node.store.database import Database
from hashpact_node.store.dump import (
    DumpedTable,
    TableLoader,
    count_rows,
    dumped_tables,
    must_be_empty,
    revision,
    set_counters,
    stream_rows,
)
from hashpact_node.store.migrate import bring_to, newest_revision
from hashpact_protocol.errors import ConflictError, RequestError

PEER = next(table for table in dumped_tables() if table.name == "peer")


def peer(number: int, member: str, **values: object) -> list[object]:
    row = dict.fromkeys(PEER.columns)
    row |= {"number": number, "added_at": 1, "failures": 0, "own": False, "state": "active"}
    row |= {"member": member, "url": f"https://{member}.example", **values}
    return [row[column] for column in PEER.columns]


def test_tables_stand_behind_those_they_refer_to() -> None:
    names = [table.name for table in dumped_tables()]
    for earlier, later in (("peer", "log"), ("sequence", "log"), ("log", "bundle"), ("peer", "trust_file")):
        assert names.index(earlier) < names.index(later)
    assert "process" not in names
    assert "alembic_version" not in names


def test_rows_go_in_and_come_out(database: Database) -> None:
    rows = [
        peer(number, f"m{number}", card=bytes([number]), last_error={"code": "x", "n": number}) for number in (1, 2)
    ]
    rows += [peer(number, f"m{number}") for number in range(3, 400)]
    with database.write() as connection:
        TableLoader(connection, PEER).load(rows)
        set_counters(connection)
    with database.read() as connection:
        found = [list(row) for part in stream_rows(connection, PEER) for row in part]
        nothing = connection.execute(text("SELECT COUNT(*) FROM peer WHERE last_error IS NULL")).scalar_one()
        assert count_rows(connection) >= 399
        assert revision(connection) == newest_revision()
    assert found == rows
    assert nothing == 397


@pytest.mark.parametrize(
    "table",
    [
        DumpedTable("nowhere", ("a",)),
        DumpedTable("alembic_version", ("version_num",)),
        DumpedTable("process", ("slot",)),
        DumpedTable("sqlite_master", ("name",)),
        DumpedTable("peer", PEER.columns[1:]),
        DumpedTable("peer", (*PEER.columns, PEER.columns[0])),
        DumpedTable("peer", (*PEER.columns, "more")),
    ],
)
def test_only_tables_of_the_form_are_loaded(database: Database, table: DumpedTable) -> None:
    with database.write() as connection, pytest.raises(RequestError, match="does not have"):
        TableLoader(connection, table)


@pytest.mark.parametrize(
    "row",
    [
        peer(1, "acme")[1:],
        [*peer(1, "acme"), 1],
        peer(1, "acme", card="text"),
        peer(1, "acme", own=1),
        peer(1, "acme", failures=True),
        peer(1, "acme", url=b"bytes"),
    ],
)
def test_values_have_the_type_of_their_column(database: Database, row: list[object]) -> None:
    with database.write() as connection, pytest.raises(RequestError, match="does not have the form"):
        TableLoader(connection, PEER).load([row])


@pytest.mark.parametrize("count", [1, 300])
def test_rows_that_do_not_fit_together(database: Database, count: int) -> None:
    rows = [peer(number, f"m{number}") for number in range(1, count + 1)]
    with database.write() as connection:
        TableLoader(connection, PEER).load(rows)
    with pytest.raises(RequestError, match="do not fit together"), database.write() as connection:
        TableLoader(connection, PEER).load([*rows, peer(count + 1, "another")])


def test_an_empty_database_is_told_from_one_that_is_not(empty_database: Database) -> None:
    with empty_database.write() as connection:
        must_be_empty(connection, "here")
        bring_to(connection, "r0001", "here")
        with pytest.raises(ConflictError, match="not empty"):
            must_be_empty(connection, "here")
