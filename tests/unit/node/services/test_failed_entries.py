"""A flood of failed entries is one entry a minute for each who knocks, and what it was is still known."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from hashpact_node.services.actors import Actor, ActorKind
from hashpact_node.services.audit import AuditLog
from hashpact_node.services.failed_entries import APART_MAX, WINDOW_SECONDS, FailedEntries
from hashpact_node.store.database import Database

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
WRONG = "token-unknown"


@dataclass
class Door:
    """A door whose clock is set by hand."""

    audit: AuditLog
    failed: FailedEntries
    time: float = 0.0

    def knock(self, times: int = 1, *, host: int = 1, result: str = WRONG) -> None:
        for _ in range(times):
            self.failed.note(Actor(ActorKind.TOKEN, "nobody", f"192.0.2.{host}"), "/v1", result)

    def told(self) -> list[tuple[str, str, int]]:
        entries: list[dict[str, Any]] = self.audit.newest(limit=1_000)
        assert {one["action"] for one in entries} <= {"enter"}
        return [
            (one["actor"]["address"] or one["actor"]["name"], one["result"], one["detail"].get("more", 0))
            for one in entries
        ]


@pytest.fixture
def door(sqlite_database: Database) -> Door:
    audit = AuditLog(sqlite_database, lambda: NOW)
    made = Door(audit, FailedEntries(audit))
    made.failed.monotonic = lambda: made.time
    return made


def test_the_first_is_written_at_once_and_the_rest_of_its_minute_counted(door: Door) -> None:
    door.knock(1_000)
    assert door.told() == [("192.0.2.1", WRONG, 0)]
    assert not door.failed.is_due()
    door.time = WINDOW_SECONDS
    assert door.failed.is_due()
    door.knock()
    assert door.told() == [("192.0.2.1", WRONG, 0), ("192.0.2.1", WRONG, 999), ("192.0.2.1", WRONG, 0)]


def test_the_first_says_why(door: Door) -> None:
    door.failed.note(Actor(ActorKind.MEMBER, "beta", None), "/logs", "unauthorized", "sent before")
    assert door.audit.newest(limit=1)[0]["detail"] == {"why": "sent before"}


def test_counting_alone_is_enough_within_the_minute(door: Door) -> None:
    nobody = Actor(ActorKind.TOKEN, "nobody", "192.0.2.1")
    assert not door.failed.count(nobody, WRONG)
    door.knock()
    assert door.failed.count(nobody, WRONG)
    assert not door.failed.count(nobody, "token-expired")
    door.time = WINDOW_SECONDS
    assert not door.failed.count(nobody, WRONG)
    door.failed.flush()
    assert door.told() == [("192.0.2.1", WRONG, 0), ("192.0.2.1", WRONG, 1)]


def test_counts_are_written_when_their_minute_is_over(door: Door) -> None:
    door.knock(3)
    door.failed.flush()
    assert len(door.told()) == 1
    door.time = WINDOW_SECONDS
    door.failed.flush()
    door.failed.flush()
    assert door.told()[1:] == [("192.0.2.1", WRONG, 2)]
    assert not door.failed.is_due()


def test_nothing_is_lost_at_the_end(door: Door) -> None:
    door.knock(3)
    door.failed.flush(everything=True)
    assert door.told()[1:] == [("192.0.2.1", WRONG, 2)]


def test_one_who_was_counted_alone_leaves_no_second_entry(door: Door) -> None:
    door.knock()
    door.time = WINDOW_SECONDS
    assert not door.failed.is_due()
    door.failed.flush()
    assert len(door.told()) == 1


def test_those_who_knock_are_told_apart_and_so_is_why(door: Door) -> None:
    door.knock(host=1)
    door.knock(host=2)
    door.knock(host=1, result="token-expired")
    assert door.told() == [("192.0.2.1", WRONG, 0), ("192.0.2.2", WRONG, 0), ("192.0.2.1", "token-expired", 0)]


def test_a_flood_from_everywhere_is_bounded(door: Door) -> None:
    for host in range(1, 200):
        door.knock(2, host=host, result=f"{WRONG}-{host}")
    door.failed.flush(everything=True)
    told = door.told()
    assert len(told) <= 4 * APART_MAX + 2
    # However many there were, all are counted: first ones, and what each count says.
    assert sum(more or 1 for _, _, more in told) == 398


def test_threads_count_together(door: Door) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: door.knock(10), range(8)))
    door.failed.flush(everything=True)
    assert door.told() == [("192.0.2.1", WRONG, 0), ("192.0.2.1", WRONG, 79)]
