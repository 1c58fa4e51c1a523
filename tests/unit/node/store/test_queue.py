from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from hashpact_node.store import logs, peers, queue
from hashpact_node.store.database import Database
from hashpact_node.store.logs import LogTerms
from hashpact_node.store.succession import requeue
from hashpact_protocol.merge import Kind

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


LISTING = b'{"id":"a","kind":"listing"}'
WITHDRAWAL = b'{"id":"b","kind":"withdrawal","listing":"a"}'


def test_the_kind_of_an_entry_is_known(database: Database, pair: tuple[int, int]) -> None:
    with database.write() as connection:
        queue.add_entries(connection, pair[0], [LISTING, WITHDRAWAL, b"no entry", b'{"kind":"other"}'], now=NOW)
        assert [entry.kind for entry in queue.list_entries(connection, pair[0])] == [1, 2, None, None]
        # What is not known counts as of every kind.
        assert queue.count_unconfirmed(connection, pair[0], Kind.LISTING) == 3
        assert queue.count_unconfirmed(connection, pair[0], Kind.WITHDRAWAL) == 3
        assert queue.count_unconfirmed(connection, pair[0], Kind.LISTING, cap=2) == 2
        assert queue.count_unconfirmed(connection, pair[1], Kind.LISTING) == 0


def test_what_rests_keeps_all_behind_it(database: Database, pair: tuple[int, int]) -> None:
    log, at = pair[0], int(NOW.timestamp())
    with database.write() as connection:
        for minutes in (0, 10, 5):  # the clock ran back once
            queue.add_entries(connection, log, [b"%d" % minutes], now=NOW + timedelta(minutes=minutes))
        first, second, _third = [entry.number for entry in queue.list_entries(connection, log)]
        assert queue.first_resting(connection, log, until=at - 1) == first
        assert queue.first_resting(connection, log, until=at + 300) == second
        assert queue.first_resting(connection, log, until=at + 600) is None
        assert queue.first_resting(connection, pair[1], until=0) is None
        assert queue.has_entries(connection, log, before=second)
        assert not queue.has_entries(connection, log, before=first)
        assert [entry.entry for entry in queue.take_entries(connection, log, limit=9, before=second)] == [b"0"]
        assert [entry.entry for entry in queue.take_entries(connection, log, limit=9)] == [b"10", b"5"]


def test_what_was_looked_at_is_confirmed_and_nothing_later(database: Database, pair: tuple[int, int]) -> None:
    log = pair[0]
    with database.write() as connection:
        queue.add_entries(connection, log, [LISTING] * 3, now=NOW)
        queue.add_entries(connection, pair[1], [LISTING], now=NOW)
        before = max(entry.number for entry in queue.list_entries(connection, log)) + 1
        queue.add_entries(connection, log, [LISTING], now=NOW)
        assert queue.confirm_entries(connection, log, before=before, now=NOW) == 3
        assert queue.confirm_entries(connection, log, before=before, now=NOW) == 0
        assert queue.count_unconfirmed(connection, log, Kind.LISTING) == 1
        assert queue.count_unconfirmed(connection, pair[1], Kind.LISTING) == 1
        assert [entry.counted for entry in queue.list_entries(connection, log)] == [False, False, False, True]
        assert queue.next_number(connection, log) > before


def test_one_entry_is_dropped_once(database: Database, pair: tuple[int, int]) -> None:
    with database.write() as connection:
        queue.add_entries(connection, pair[0], [LISTING, WITHDRAWAL], now=NOW)
        (number, _other) = [entry.number for entry in queue.list_entries(connection, pair[0])]
        assert queue.drop_entry(connection, number)
        assert not queue.drop_entry(connection, number)
        assert list(queue.stream_entries(connection, pair[0])) == [WITHDRAWAL]


def test_what_had_a_place_needs_no_second_yes(database: Database, pair: tuple[int, int]) -> None:
    log = pair[0]
    with database.write() as connection:
        queue.add_entries(connection, log, [LISTING], now=NOW)
        queue.confirm_entries(connection, log, before=queue.next_number(connection, log), now=NOW)
        queue.add_entries(connection, log, [LISTING], now=NOW)
        requeue(connection, log, [WITHDRAWAL], now=NOW)
        waiting = list(queue.list_entries(connection, log))
        assert [(entry.entry, entry.draft, entry.counted) for entry in waiting] == [
            (WITHDRAWAL, queue.HAD_A_PLACE, False),
            (LISTING, None, False),
            (LISTING, None, True),
        ]
        assert [entry.kind for entry in waiting] == [2, 1, 1]
        assert queue.has_entries(connection, log, unapproved=True)
        assert not queue.has_entries(connection, log, before=waiting[1].number, unapproved=True)
