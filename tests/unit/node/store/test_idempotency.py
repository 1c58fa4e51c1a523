from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from hashpact_node.store import idempotency
from hashpact_node.store.database import Database
from hashpact_protocol.errors import ConflictError, NotFoundError

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
HASH = b"h" * 32


def test_the_second_request_gets_the_first_answer(database: Database) -> None:
    with database.write() as connection:
        assert idempotency.begin(connection, "key", HASH, now=NOW) is None
    with database.write() as connection:
        running = idempotency.begin(connection, "key", HASH, now=NOW)
        assert running == idempotency.Repeat("key", HASH, None, None, int(NOW.timestamp()))
        idempotency.finish(connection, "key", 201, b"{}")
    with database.write() as connection:
        done = idempotency.begin(connection, "key", HASH, now=NOW)
    assert done is not None
    assert (done.status, done.answer) == (201, b"{}")


def test_a_key_belongs_to_one_request(database: Database) -> None:
    with database.write() as connection:
        idempotency.begin(connection, "key", HASH, now=NOW)
        with pytest.raises(ConflictError):
            idempotency.begin(connection, "key", b"other", now=NOW)


def test_what_never_began_cannot_finish(database: Database) -> None:
    with pytest.raises(NotFoundError), database.write() as connection:
        idempotency.finish(connection, "key", 200, b"")


def test_requests_are_forgotten(database: Database) -> None:
    with database.write() as connection:
        for age, key in ((0, "new"), (23, "young"), (25, "old")):
            idempotency.begin(connection, key, HASH, now=NOW - timedelta(hours=age))
        assert idempotency.expire(connection, now=NOW) == 1
        assert idempotency.find(connection, "old") is None
        assert idempotency.find(connection, "young") is not None
        idempotency.forget(connection, "young")
        assert idempotency.begin(connection, "young", HASH, now=NOW) is None


def test_of_two_at_once_one_begins(database: Database) -> None:
    begun: list[bool] = []

    def begin() -> None:
        with database.write() as connection:
            begun.append(idempotency.begin(connection, "key", HASH, now=NOW) is None)

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(begun) == [False, False, False, True]
