from __future__ import annotations

from datetime import timedelta

import pytest

from hashpact_node.store.database import Database
from hashpact_node.store.holds import (
    HoldKind,
    NewHold,
    Notice,
    add_hold,
    count_holds,
    due_notices,
    get_hold,
    grow_hold,
    held_now,
    holds_of,
    list_holds,
    release_hold,
    set_notice,
    standing_hold,
)
from hashpact_protocol.errors import NotFoundError
from members import NOW, add_log, sha256

AT = int(NOW.timestamp())
KEY = sha256(1).key


def matches(notice: Notice = Notice.NONE) -> NewHold:
    return NewHold(5_000, 10, notice, key=KEY)


def test_held_is_what_was_not_released(database: Database) -> None:
    beta = add_log(database, "beta").row
    with database.write() as connection:
        assert not held_now(connection)
        first = NewHold(900, 3, Notice.DUE, peer=beta.peer, log=beta.number, first=256, last=300)
        number = add_hold(connection, first, now=NOW)
        signal = add_hold(connection, matches(), now=NOW)
        held = held_now(connection)
        assert held
        assert held.keys == {KEY}
        assert [held.holds_entry(beta.number, at) for at in (255, 256, 299, 300)] == [False, True, True, False]
        assert not held.holds_entry(beta.number + 1, 256)
        assert count_holds(connection) == {HoldKind.LISTINGS: 1, HoldKind.MATCHES: 1}
        release_hold(connection, number, by="person ann", why="they told us", now=NOW + timedelta(hours=1))
        held = held_now(connection)
        assert not held.holds_entry(beta.number, 256)
        assert [one.number for one in list_holds(connection)] == [signal]
        assert [one.number for one in list_holds(connection, released=True)] == [signal, number]
        assert [one.number for one in list_holds(connection, released=True, before=signal, limit=1)] == [number]
        released = get_hold(connection, number, lock=True)
        assert (released.released_at, released.released_by, released.released_why) == (
            AT + 3_600,
            "person ann",
            "they told us",
        )
        with pytest.raises(NotFoundError, match="no hold 77"):
            get_hold(connection, 77)


def test_spans_that_touch_or_overlap_hold_what_each_holds(database: Database) -> None:
    beta = add_log(database, "beta").row
    with database.write() as connection:
        for first, last in ((40, 50), (10, 20), (20, 25), (12, 15), (30, 31)):
            new = NewHold(9, 0, Notice.NONE, peer=beta.peer, log=beta.number, first=first, last=last)
            add_hold(connection, new, now=NOW)
        held = held_now(connection)
    assert held.spans == {beta.number: ((10, 25), (30, 31), (40, 50))}
    inside = [at for at in range(60) if held.holds_entry(beta.number, at)]
    assert inside == [*range(10, 25), 30, *range(40, 50)]


def test_a_hold_of_listings_grows_until_it_is_released(database: Database) -> None:
    beta = add_log(database, "beta").row
    with database.write() as connection:
        assert standing_hold(connection, beta.number) is None
        new = NewHold(900, 3, Notice.NONE, peer=beta.peer, log=beta.number, first=256, last=300)
        number = add_hold(connection, new, now=NOW)
        grow_hold(connection, number, 512, 1_100, now=NOW + timedelta(minutes=1))
        grown = standing_hold(connection, beta.number)
        assert grown is not None
        assert (grown.kind, grown.first, grown.last, grown.came) == (HoldKind.LISTINGS, 256, 512, 1_100)
        assert (grown.since, grown.grown_at) == (AT, AT + 60)
        release_hold(connection, number, by="person ann", why=None, now=NOW)
        grow_hold(connection, number, 600, 1_200, now=NOW)
        assert get_hold(connection, number).last == 512
        assert standing_hold(connection, beta.number) is None


def test_what_was_held_of_a_signal_is_remembered(database: Database) -> None:
    with database.write() as connection:
        assert holds_of(connection, KEY) == []
        first = add_hold(connection, matches(), now=NOW)
        release_hold(connection, first, by="person ann", why=None, now=NOW)
        second = add_hold(connection, matches(), now=NOW)
        assert [one.number for one in holds_of(connection, KEY)] == [second, first]


def test_a_notice_is_due_until_it_is_sent_or_refused(database: Database) -> None:
    with database.write() as connection:
        first, second = (add_hold(connection, matches(Notice.DUE), now=NOW) for _ in range(2))
        add_hold(connection, matches(), now=NOW)
        assert [one.number for one in due_notices(connection, limit=5)] == [first, second]
        assert [one.number for one in due_notices(connection, limit=1)] == [first]
        set_notice(connection, first, Notice.SENT, now=NOW)
        set_notice(connection, second, Notice.REFUSED, error="no log of opinions is open")
        assert due_notices(connection, limit=5) == []
        assert get_hold(connection, first).notified_at == AT
        refused = get_hold(connection, second)
        assert (refused.notice, refused.notice_error) == (Notice.REFUSED, "no log of opinions is open")
