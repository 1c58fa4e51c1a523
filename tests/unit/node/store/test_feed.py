from __future__ import annotations

import pytest

from hashpact_node.store import feed
from hashpact_node.store.changes import last_change
from hashpact_node.store.database import Database
from members import TestLog, add_log, listing, pdq, sha256, withdrawal


@pytest.fixture
def logs(database: Database) -> tuple[TestLog, TestLog]:
    acme, beta = add_log(database, "acme", own=True), add_log(database, "beta")
    acme.append(*(listing(number, sha256(number), pdq(number)) for number in range(1, 6)))
    beta.append(listing(1, sha256(1)), listing(2, sha256(9)))
    acme.append(withdrawal(10, 5))
    return acme, beta


@pytest.mark.parametrize("chunk", [1, 2, 5, 100])
def test_a_range_of_keys_streams_in_order_of_change(
    database: Database, logs: tuple[TestLog, TestLog], chunk: int
) -> None:
    with database.read() as connection:
        chunks = list(feed.stream_range(connection, 0, first=b"\3", end=b"\4", chunk=chunk))
        later = list(feed.stream_range(connection, last_change(connection), first=b"\3", end=b"\4"))
    rows = [row for each in chunks for row in each]
    assert [row.number for row in rows] == sorted(row.number for row in rows)
    assert {row.key for row in rows} == {sha256(number).key for number in (1, 2, 3, 4, 5, 9)}
    assert all(0 < len(each) <= chunk for each in chunks)
    assert {row.key for row in rows if not row.claims} == {sha256(5).key}
    assert later == []
    assert logs[0].row.held_size == 6


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_the_signals_of_some_logs_stream(database: Database, logs: tuple[TestLog, TestLog], chunk: int) -> None:
    with database.read() as connection:
        last = last_change(connection)
        found = [
            row.key for rows in feed.stream_claimed_by(connection, [logs[1].number], last, chunk=chunk) for row in rows
        ]
        # Others may be among them, whose indices look like the log's number.
        assert {sha256(1).key, sha256(9).key} <= set(found)
        assert len(found) == len(set(found)) < 11
        assert list(feed.stream_claimed_by(connection, [], last)) == []
        assert list(feed.stream_claimed_by(connection, [logs[1].number], 0)) == []


def test_claims_are_found_by_key(
    database: Database, logs: tuple[TestLog, TestLog], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "CHUNK", 2)
    with database.read() as connection:
        found = feed.find_claims(connection, [sha256(number).key for number in (1, 2, 5, 7, 9)])
        assert feed.find_claims(connection, []) == {}
        members = feed.log_members(connection)
    assert {key: len(claims) // 8 for key, claims in found.items()} == {
        sha256(1).key: 2,
        sha256(2).key: 1,
        sha256(9).key: 1,
    }
    assert {(one.log, one.member, one.own) for one in members} == {
        (logs[0].number, "acme", True),
        (logs[1].number, "beta", False),
    }
