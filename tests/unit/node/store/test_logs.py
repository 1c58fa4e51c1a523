from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection

from hashpact_node.store import logs, peers
from hashpact_node.store.database import Database
from hashpact_node.store.logs import Log, LogTerms
from hashpact_protocol.errors import ConflictError, NotFoundError, StoreMovedError
from hashpact_protocol.merkle import EMPTY_ROOT

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
ROOT = bytes(range(32))
OTHER = bytes(reversed(range(32)))


def terms(name: str, number: int, **values: Any) -> LogTerms:
    origin = f"beta.example/logs/{name}-{number}"
    standing = {"state": "open", "keys": (f"{origin}+key",)}
    return LogTerms(name=name, kind=name, origin=origin, url=f"https://{origin}", **standing | values)


@pytest.fixture
def peer(database: Database) -> int:
    with database.write() as connection:
        return peers.add_peer(connection, "beta", "https://beta.example", now=NOW).number


@pytest.fixture
def log(database: Database, peer: int) -> int:
    with database.write() as connection:
        return logs.put_card_logs(connection, peer, [terms("listings", 1)])[0].number


def get(database: Database, log: int) -> Log:
    with database.write() as connection:
        return logs.get_log(connection, log, lock=True)


def test_a_card_makes_logs(database: Database, peer: int) -> None:
    card = [terms("listings", 1), terms("crisis", 1), terms("listings", 2, fresh=900)]
    with database.write() as connection:
        made = logs.put_card_logs(connection, peer, card)
        assert logs.find_sequence(connection, peer, "listings") == made[0].sequence
        assert logs.find_sequence(connection, peer, "opinions") is None
        assert logs.list_logs(connection, sequence=made[0].sequence) == [made[0], made[2]]
        assert logs.find_log(connection, card[1].origin) == made[1]
        assert logs.find_log(connection, "nowhere.example/logs/listings-1") is None
        assert logs.list_logs(connection) == made
    assert [log.position for log in made] == [0, 1, 2]
    assert made[0].sequence == made[2].sequence != made[1].sequence
    first = made[0]
    assert (first.member, first.name, first.keys, first.fresh) == ("beta", "listings", card[0].keys, None)
    assert (first.named, first.counts, first.erased) == (True, False, False)
    assert (first.held_size, first.held_range, first.stopped_at) == (0, b"", None)
    assert (first.accepted_size, first.accepted_root, first.accepted_note) == (0, EMPTY_ROOT, None)
    assert (first.cosigned_size, first.cosigned_root, first.cosigned_note) == (0, EMPTY_ROOT, None)
    assert made[2].fresh == 900


def test_a_later_card_changes_terms_and_leaves_heads(database: Database, peer: int, log: int) -> None:
    later = [terms("listings", 2), terms("listings", 1, state="closed", final_size=7, final_root=ROOT, erased=True)]
    with database.write() as connection:
        logs.move_held(connection, log, old_size=0, new_size=7, range=ROOT)
        logs.set_counts(connection, log, counts=True)
        second, first = logs.put_card_logs(connection, peer, later)
    assert (first.number, first.position, first.state) == (log, 1, "closed")
    assert (first.final_size, first.final_root, first.erased) == (7, ROOT, True)
    assert (first.held_size, first.counts) == (7, True)
    with database.write() as connection:
        assert logs.put_card_logs(connection, peer, later[:1]) == [second]
        dropped = logs.get_log(connection, log)
    assert (dropped.named, dropped.counts) == (False, True)


def test_an_origin_is_one_members(database: Database, log: int) -> None:
    with database.write() as connection:
        other = peers.add_peer(connection, "gamma", "https://gamma.example", now=NOW).number
    with pytest.raises(ConflictError, match="beta"), database.write() as connection:
        logs.put_card_logs(connection, other, [terms("listings", 1)])
    assert get(database, log).member == "beta"


def test_a_missing_log_is_an_error(database: Database) -> None:
    with pytest.raises(NotFoundError), database.read() as connection:
        logs.get_log(connection, 99)
    with database.write() as connection:
        assert logs.put_card_logs(connection, 99, []) == []


def test_held_moves_and_counts(database: Database, log: int) -> None:
    with database.write() as connection:
        logs.move_held(connection, log, old_size=0, new_size=256, range=ROOT, quarantined=2, dropped_signals=3)
        logs.move_held(connection, log, old_size=256, new_size=2**32, range=OTHER, quarantined=1, stopped_at=300)
        logs.move_held(connection, log, old_size=2**32, new_size=2**32, range=OTHER, unknown_statements=4)
    row = get(database, log)
    assert (row.held_size, row.held_range, row.stopped_at) == (2**32, OTHER, 300)
    assert (row.quarantined, row.dropped_signals, row.unknown_statements) == (3, 3, 4)
    with database.write() as connection:
        logs.reset_held(connection, log, old_size=2**32, new_size=0, range=b"")
    row = get(database, log)
    assert (row.held_size, row.stopped_at, row.quarantined, row.unknown_statements) == (0, None, 0, 0)


def test_heads_move(database: Database, log: int) -> None:
    with database.write() as connection:
        logs.move_cosigned(connection, log, old_size=0, new_size=5, root=ROOT, note=b"cosigned")
        logs.move_accepted(connection, log, old_size=0, new_size=5, root=ROOT, note=b"accepted")
        logs.move_accepted(connection, log, old_size=5, new_size=5, root=ROOT, note=b"renewed")
        logs.set_etag(connection, log, '"tag"')
    row = get(database, log)
    assert (row.cosigned_size, row.cosigned_root, row.cosigned_note) == (5, ROOT, b"cosigned")
    assert (row.accepted_size, row.accepted_root, row.accepted_note, row.etag) == (5, ROOT, b"renewed", '"tag"')


def test_only_a_newer_own_cosignature_counts(database: Database, log: int) -> None:
    for timestamp, seen in ((100, 100), (90, 100), (110, 110)):
        with database.write() as connection:
            logs.see_own_cosignature(connection, log, timestamp)
        assert get(database, log).own_cosigned_at == seen


def test_an_own_log_is_placed_signed_and_shown(database: Database, log: int) -> None:
    with database.write() as connection:
        logs.place(connection, log, old_size=0, new_size=3, range=ROOT)
        logs.set_pending(connection, log, size=3, root=ROOT)
    row = get(database, log)
    assert (row.placed_size, row.placed_range, row.pending_size, row.pending_root) == (3, ROOT, 3, ROOT)
    with database.write() as connection:
        logs.show(connection, log, old_size=0, note=b"note", size=3, root=ROOT, shown_at=1)
        logs.place(connection, log, old_size=3, new_size=4, range=OTHER)
    row = get(database, log)
    assert (row.accepted_size, row.accepted_root, row.accepted_note) == (3, ROOT, b"note")
    assert (row.cosigned_size, row.cosigned_root, row.cosigned_note) == (3, ROOT, b"note")
    assert (row.pending_size, row.pending_root, row.placed_size) == (None, None, 4)


def place_and_sign(connection: Connection, log: int) -> None:
    logs.place(connection, log, old_size=0, new_size=3, range=ROOT)
    logs.set_pending(connection, log, size=3, root=ROOT)


def accept(connection: Connection, log: int) -> None:
    logs.move_accepted(connection, log, old_size=0, new_size=5, root=ROOT, note=None)


def cosign(connection: Connection, log: int) -> None:
    logs.move_cosigned(connection, log, old_size=0, new_size=5, root=ROOT, note=None)


Step = Callable[[Connection, int], None]


@pytest.mark.parametrize(
    ("before", "step"),
    [
        (None, lambda c, n: logs.move_held(c, n, old_size=1, new_size=2, range=ROOT)),
        (None, lambda c, n: logs.reset_held(c, n, old_size=1, new_size=0, range=b"")),
        (accept, lambda c, n: logs.move_accepted(c, n, old_size=0, new_size=6, root=ROOT, note=None)),
        (accept, lambda c, n: logs.move_accepted(c, n, old_size=5, new_size=5, root=OTHER, note=None)),
        (cosign, lambda c, n: logs.move_cosigned(c, n, old_size=0, new_size=6, root=ROOT, note=None)),
        (cosign, lambda c, n: logs.move_cosigned(c, n, old_size=5, new_size=5, root=OTHER, note=None)),
        (place_and_sign, lambda c, n: logs.place(c, n, old_size=3, new_size=4, range=ROOT)),
        (place_and_sign, lambda c, n: logs.set_pending(c, n, size=3, root=OTHER)),
        (place_and_sign, lambda c, n: logs.show(c, n, old_size=0, note=b"", size=3, root=OTHER, shown_at=1)),
        (place_and_sign, lambda c, n: logs.show(c, n, old_size=1, note=b"", size=3, root=ROOT, shown_at=1)),
        (place_and_sign, lambda c, n: logs.show(c, n, old_size=0, note=b"", size=2, root=ROOT, shown_at=1)),
        (None, lambda c, n: logs.place(c, n, old_size=1, new_size=2, range=ROOT)),
        (None, lambda c, n: logs.set_pending(c, n, size=3, root=ROOT)),
        (None, lambda c, n: logs.set_pending(c, n, size=0, root=ROOT)),
        (None, lambda c, n: logs.show(c, n, old_size=0, note=b"", size=0, root=EMPTY_ROOT, shown_at=1)),
    ],
)
def test_whoever_comes_second_is_told(database: Database, log: int, before: Step | None, step: Step) -> None:
    if before is not None:
        with database.write() as connection:
            before(connection, log)
    standing = get(database, log)
    with pytest.raises(StoreMovedError) as caught, database.write() as connection:
        step(connection, log)
    assert caught.value.mend
    assert get(database, log) == standing


def test_of_two_that_move_at_once_one_wins(database: Database, log: int) -> None:
    with database.read() as reading:
        size = logs.get_log(reading, log).accepted_size
        with database.write() as connection:
            logs.move_accepted(connection, log, old_size=size, new_size=5, root=ROOT, note=b"first")
        with pytest.raises(StoreMovedError), database.write() as connection:
            logs.move_accepted(connection, log, old_size=size, new_size=6, root=OTHER, note=b"second")
    assert get(database, log).accepted_note == b"first"
