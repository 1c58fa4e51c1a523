from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from hashpact_node.store import logs, peers, queue
from hashpact_node.store.database import Database
from hashpact_node.store.logs import LogTerms

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)


@pytest.fixture
def pair(database: Database) -> tuple[int, int]:
    origins = [f"acme.example/logs/{kind}-1" for kind in ("listings", "crisis")]
    terms = [LogTerms(origin[18:-2], origin[18:-2], origin, f"https://{origin}", "open", ()) for origin in origins]
    with database.write() as connection:
        own = peers.add_peer(connection, "acme", "https://acme.example", now=NOW, own=True)
        first, second = logs.put_card_logs(connection, own.number, terms)
        return first.number, second.number


def test_entries_are_taken_in_order_and_once(database: Database, pair: tuple[int, int]) -> None:
    listings, crisis = pair
    entries = [f"entry {number}".encode() for number in range(10)]
    with database.write() as connection:
        assert queue.add_entries(connection, listings, entries, now=NOW) == 10
        assert queue.add_entries(connection, crisis, [b"crisis"], now=NOW) == 1
        assert queue.add_entries(connection, crisis, [], now=NOW) == 0
    with database.read() as connection:
        assert queue.count_entries(connection) == 11
        assert queue.count_entries(connection, listings) == 10
        assert queue.count_entries(connection, crisis) == 1
    with database.write() as connection:
        taken = queue.take_entries(connection, listings, limit=4)
        taken += queue.take_entries(connection, listings, limit=100)
        assert queue.take_entries(connection, listings, limit=100) == []
    assert [entry.entry for entry in taken] == entries
    assert {entry.queued_at for entry in taken} == {int(NOW.timestamp())}
    with database.read() as connection:
        assert queue.count_entries(connection, listings) == 0
        assert queue.count_entries(connection, crisis) == 1


def test_a_failed_release_gives_entries_back(database: Database, pair: tuple[int, int]) -> None:
    with database.write() as connection:
        queue.add_entries(connection, pair[0], [b"entry"], now=NOW)
    with database.write() as connection:
        assert len(queue.take_entries(connection, pair[0], limit=1)) == 1
        connection.rollback()
    with database.read() as connection:
        assert queue.count_entries(connection) == 1


def test_nothing_is_lost_or_taken_twice(database: Database, pair: tuple[int, int]) -> None:
    taken: list[bytes] = []

    def add(writer: int) -> None:
        for number in range(20):
            with database.write() as connection:
                queue.add_entries(connection, pair[0], [f"{writer} {number}".encode()], now=NOW)

    def take() -> None:
        while len(taken) < 40:
            with database.write() as connection:
                part = queue.take_entries(connection, pair[0], limit=7)
            taken.extend(entry.entry for entry in part)

    threads = [threading.Thread(target=add, args=(writer,)) for writer in range(2)]
    threads += [threading.Thread(target=take) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=300)
    assert len(taken) == len(set(taken)) == 40


def test_publications_are_remembered(database: Database) -> None:
    contents = [number.to_bytes(32, "big") for number in range(1_200)]
    listings = {content: content[:16] for content in contents[:1_100]}
    with database.write() as connection:
        queue.remember_publications(connection, listings)
        queue.remember_publications(connection, {contents[0]: b"n" * 16})
    with database.read() as connection:
        assert queue.find_publications(connection, contents) == listings | {contents[0]: b"n" * 16}
        assert queue.find_publications(connection, []) == {}


def test_entries_are_looked_at_in_order_and_stay(database: Database, pair: tuple[int, int]) -> None:
    entries = [f"entry {number}".encode() for number in range(2_500)]
    with database.write() as connection:
        queue.add_entries(connection, pair[0], entries, now=NOW)
        queue.add_entries(connection, pair[1], [b"crisis"], now=NOW)
    with database.read() as connection:
        assert list(queue.stream_entries(connection, pair[0])) == entries
        assert queue.count_entries(connection) == 2_501


def test_publications_of_one_listing_are_forgotten(database: Database) -> None:
    contents = [bytes([number]) * 32 for number in range(3)]
    with database.write() as connection:
        queue.remember_publications(connection, dict.fromkeys(contents[:2], b"a" * 16) | {contents[2]: b"b" * 16})
        queue.forget_publications(connection, b"a" * 16, contents[1:])
        assert queue.find_publications(connection, contents) == {contents[0]: b"a" * 16, contents[2]: b"b" * 16}
