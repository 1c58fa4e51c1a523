from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from hashpact_node.services import removal
from hashpact_node.services.blocklist import Blocklist
from hashpact_node.services.change_feed import ChangeFeed
from hashpact_node.services.release import merge_stored
from hashpact_node.services.removal import drop_claims_of, drop_claims_of_log, drop_if_out, finish_removals
from hashpact_node.store.alarms import list_alarms, raise_alarm
from hashpact_node.store.bundles import count_entries
from hashpact_node.store.database import Database
from hashpact_node.store.locks import Locks
from hashpact_node.store.owners import count_live
from hashpact_node.store.peers import REMOVED, SUSPENDED, set_state
from hashpact_node.store.quarantine import count_quarantined
from hashpact_node.store.signals import change_signals
from members import NOW, TestLog, add_log, listing, pdq, sha256, withdrawal

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def acme(database: Database) -> TestLog:
    return add_log(database, "acme", own=True)


@pytest.fixture
def beta(database: Database) -> TestLog:
    return add_log(database, "beta")


def faces(database: Database) -> dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]]:
    return {view.key: (view.action, view.publishers, view.labels) for view in Blocklist(database).export(None)}


def remove(database: Database, log: TestLog) -> int:
    return drop_claims_of(database, log.row.peer, now=LATER)


def fill(acme: TestLog, beta: TestLog) -> None:
    acme.append(listing(1, sha256(1), labels=["a"]), listing(2, sha256(2)))
    beta.append(listing(1, sha256(1), sha256(3), labels=["b"], expires="2027-01-01T00:00:00Z"), b"no JSON")
    beta.append(listing(2, pdq(1)), listing(3, sha256(4)), withdrawal(4, 3))


def test_a_removed_members_claims_leave_and_others_stay(database: Database, acme: TestLog, beta: TestLog) -> None:
    fill(acme, beta)
    assert remove(database, beta) == 3
    assert faces(database) == {
        f"sha256:{sha256(1).value}": ("block", ("acme",), ("a",)),
        f"sha256:{sha256(2).value}": ("block", ("acme",), ()),
    }
    with database.read() as connection:
        assert count_live(connection) == {acme.number: 2}
        assert count_quarantined(connection) == 0
        assert count_entries(connection, beta.number) == 5
    assert (beta.row.held_size, beta.row.held_range, beta.row.quarantined) == (0, b"", 0)


def test_the_feed_tells_of_a_removal(database: Database, acme: TestLog, beta: TestLog) -> None:
    fill(acme, beta)
    changes = ChangeFeed(database)
    cursor = changes.changes().cursor
    remove(database, beta)
    page = changes.changes(cursor)
    assert {(change.op, change.key) for change in page.changes} == {
        ("set", f"sha256:{sha256(1).value}"),
        ("remove", f"sha256:{sha256(3).value}"),
        ("remove", f"pdq:{pdq(1).value}"),
    }
    assert page.time == "2026-11-24T05:00:00Z"


def test_a_member_added_again_is_merged_from_what_is_stored(database: Database, acme: TestLog, beta: TestLog) -> None:
    fill(acme, beta)
    before = faces(database)
    remove(database, beta)
    merge_stored(database, beta.row, 5, now=lambda: LATER)
    assert faces(database) == before
    assert (beta.row.held_size, beta.row.quarantined) == (5, 1)


def test_removal_reaches_every_chunk(
    database: Database, acme: TestLog, beta: TestLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme.append(*(listing(number, sha256(number)) for number in range(0, 40, 3)))
    beta.append(*(listing(number, sha256(number)) for number in range(40)))
    kept = {f"sha256:{sha256(number).value}": ("block", ("acme",), ()) for number in range(0, 40, 3)}
    monkeypatch.setattr(removal, "SIGNALS_AT_ONCE", 4)
    assert remove(database, beta) == 40
    assert faces(database) == kept


@pytest.mark.parametrize("state", [REMOVED, SUSPENDED])
def test_a_removal_that_is_cut_off_changed_nothing_and_is_done_later(  # noqa: PLR0917  fixtures
    database: Database, acme: TestLog, beta: TestLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    monkeypatch.setattr(removal, "SIGNALS_AT_ONCE", 10)
    fill(acme, beta)
    beta.append(*(listing(number, sha256(number)) for number in range(10, 60)))
    before = faces(database)
    steps: list[int] = []

    def break_off(*arguments: object, **named: object) -> None:
        steps.append(1)
        if len(steps) == 3:
            raise KeyboardInterrupt
        change_signals(*arguments, **named)  # type: ignore[arg-type]  # what it was called with

    locks = Locks(database, tmp_path)
    assert finish_removals(database, locks, now=LATER) == 0, "nobody was removed"
    with database.write() as connection:
        set_state(connection, beta.row.peer, state)
        raise_alarm(connection, "log-stale", "old", now=NOW, peer=beta.row.peer, log=beta.number)
    with monkeypatch.context() as patch:
        patch.setattr(removal, "change_signals", break_off)
        with pytest.raises(KeyboardInterrupt):
            remove(database, beta)
    assert faces(database) == before, "it is one transaction"
    with locks.hold("peer/beta"):
        assert finish_removals(database, locks, now=LATER) == 1
        assert beta.row.held_size > 0
    assert finish_removals(database, locks, now=LATER) == 1
    assert {publishers for _, publishers, _ in faces(database).values()} == {("acme",)}
    with database.read() as connection:
        assert (count_live(connection), list_alarms(connection)) == ({acme.number: 2}, [])
    assert finish_removals(database, locks, now=LATER) == 0


def test_whoever_came_back_meanwhile_keeps_its_claims(database: Database, acme: TestLog, beta: TestLog) -> None:
    fill(acme, beta)
    before = faces(database)
    drop_if_out(database, "beta", now=LATER)
    assert faces(database) == before
    with database.write() as connection:
        set_state(connection, beta.row.peer, SUSPENDED)
    drop_if_out(database, "beta", now=LATER)
    assert {publishers for _, publishers, _ in faces(database).values()} == {("acme",)}


def test_nothing_is_removed_twice(database: Database, acme: TestLog, beta: TestLog) -> None:
    fill(acme, beta)
    remove(database, beta)
    assert remove(database, beta) == 0


def test_a_member_without_logs_has_nothing_to_remove(database: Database, acme: TestLog) -> None:
    assert drop_claims_of(database, acme.row.peer + 1, now=LATER) == 0


def test_the_claims_of_one_log_leave_and_those_of_its_members_other_logs_stay(
    database: Database, acme: TestLog, beta: TestLog
) -> None:
    fill(acme, beta)
    with database.write() as connection:
        assert drop_claims_of_log(connection, beta.row, now=LATER) == 3
    assert set(faces(database)) == {f"sha256:{sha256(1).value}", f"sha256:{sha256(2).value}"}
    assert (beta.row.held_size, acme.row.held_size) == (0, 2)
    with database.read() as connection:
        assert count_live(connection) == {acme.row.number: 2}
        assert count_entries(connection, beta.row.number) == 5
