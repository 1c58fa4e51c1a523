from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hashpact_node.store.database import Database
from hashpact_node.store.local_decisions import (
    NewDecision,
    Subject,
    add_decision,
    decided_listings,
    due_decisions,
    end_decision,
    get_decision,
    hamming,
    keys_of,
    list_decisions,
    listing_decisions,
    near_decisions,
    place_decisions,
    same_decisions,
    signal_decisions,
)
from hashpact_protocol.claims import Place
from hashpact_protocol.errors import NotFoundError
from hashpact_protocol.facts import LocalDecision, Verdict
from members import pdq, sha256

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
AT = int(NOW.timestamp())
ONE, TWO = sha256(1).key, sha256(2).key
LISTING = bytes(range(16))


def about_signal(key: bytes, verdict: Verdict = Verdict.REJECT, **fields: object) -> NewDecision:
    near = fields.pop("near", None)
    assert near is None or isinstance(near, int)
    return NewDecision(verdict, Subject(key, near), "no violence in it", "command joe", keys=(key,), **fields)  # type: ignore[arg-type]  # fields of the class


def about_listing(place: Place | None, *keys: bytes) -> NewDecision:
    subject = Subject(member="beta", log_name="listings", listing=LISTING)
    return NewDecision(Verdict.ALLOW, subject, "our own film", "token t", ("gamma", "beta"), keys=keys, place=place)


def test_a_decision_is_kept_found_and_ended(database: Database) -> None:
    with database.write() as connection:
        number = add_decision(connection, about_signal(ONE, scope=("gamma", "beta"), until=AT + 60), now=NOW)
        other = add_decision(connection, about_signal(TWO, Verdict.CONFIRM), now=NOW)
    with database.read() as connection:
        decided = signal_decisions(connection, [ONE, TWO, sha256(3).key], now=NOW)
        kept = get_decision(connection, number)
        assert keys_of(connection, number) == [ONE]
        assert [one.number for one in list_decisions(connection)] == [other, number]
        assert [one.number for one in list_decisions(connection, before=other)] == [number]
    assert decided == {
        ONE: (LocalDecision(Verdict.REJECT, frozenset({"beta", "gamma"}), AT + 60, "no violence in it"),),
        TWO: (LocalDecision(Verdict.CONFIRM, None, None, "no violence in it"),),
    }
    assert decided[ONE] == (kept.local,)
    assert (kept.scope, kept.made_at, kept.made_by, kept.ended_at) == (("beta", "gamma"), AT, "command joe", None)
    with database.write() as connection:
        end_decision(connection, number, by="command eve", why="seen again", now=NOW + timedelta(seconds=5))
        end_decision(connection, number, by="command mallory", why=None, now=NOW + timedelta(seconds=9))
    with database.read() as connection:
        assert signal_decisions(connection, [ONE], now=NOW) == {}
        ended = get_decision(connection, number)
        assert [one.number for one in list_decisions(connection, ended=True, limit=1)] == [other]
        assert [one.number for one in list_decisions(connection, ended=True)] == [other, number]
    assert (ended.ended_at, ended.ended_by, ended.ended_why) == (AT + 5, "command eve", "seen again")


def test_an_unknown_number(database: Database) -> None:
    with database.read() as connection, pytest.raises(NotFoundError, match="no decision 7"):
        get_decision(connection, 7)


def test_one_whose_time_is_over_counts_no_more_and_is_due(database: Database) -> None:
    with database.write() as connection:
        number = add_decision(connection, about_signal(ONE, Verdict.DISABLE, until=AT + 60), now=NOW)
        later = NOW + timedelta(seconds=60)
        assert signal_decisions(connection, [ONE], now=later) == {}
        assert [one.number for one in due_decisions(connection, now=later, limit=9)] == [number]
        assert due_decisions(connection, now=NOW, limit=9) == []


def test_what_was_said_of_exactly_this_signal_goes_first_then_the_newest(database: Database) -> None:
    centre, close, far = pdq(0), pdq(0b111), pdq(0b1111)
    with database.write() as connection:
        add_decision(connection, about_signal(close.key, Verdict.CONFIRM), now=NOW)
        add_decision(connection, about_signal(centre.key, Verdict.ALLOW, near=3), now=NOW)
        assert {one.subject.near for one in near_decisions(connection)} == {3}
        decided = signal_decisions(connection, [centre.key, close.key, far.key, ONE], now=NOW)
        assert {key: [one.verdict for one in each] for key, each in decided.items()} == {
            centre.key: [Verdict.ALLOW],
            close.key: [Verdict.CONFIRM, Verdict.ALLOW],
        }
        other = pdq(0b11)
        assert signal_decisions(connection, [other.key], now=NOW)[other.key][0].verdict is Verdict.ALLOW
        add_decision(connection, about_signal(pdq(1).key, Verdict.REJECT, near=9), now=NOW)
        assert signal_decisions(connection, [other.key], now=NOW)[other.key][0].verdict is Verdict.REJECT
        add_decision(connection, about_signal(close.key, Verdict.DISABLE), now=NOW)
        assert signal_decisions(connection, [close.key], now=NOW)[close.key][0].verdict is Verdict.DISABLE
    assert hamming(centre.key, far.key) == 4


def test_decisions_about_a_listing_follow_its_winning_revision(database: Database) -> None:
    with database.write() as connection:
        number = add_decision(connection, about_listing(Place(3, 9), ONE, TWO), now=NOW)
        assert keys_of(connection, number) == sorted([ONE, TWO])
        assert set(signal_decisions(connection, [ONE, TWO], now=NOW)) == {ONE, TWO}
        expected = LocalDecision(Verdict.ALLOW, frozenset({"beta", "gamma"}), None, "our own film")
        assert listing_decisions(connection, [Place(3, 9), Place(3, 8)], now=NOW) == {Place(3, 9): (expected,)}
        assert decided_listings(connection, "beta", "listings") == {LISTING}
        assert decided_listings(connection, "beta", "crisis") == set()
        place_decisions(connection, "beta", "listings", {LISTING: Place(4, 1)})
        assert listing_decisions(connection, [Place(3, 9)], now=NOW) == {}
        assert listing_decisions(connection, [Place(4, 1)], now=NOW) == {Place(4, 1): (expected,)}
        place_decisions(connection, "beta", "listings", {LISTING: None})
        assert listing_decisions(connection, [Place(4, 1)], now=NOW) == {}
        assert signal_decisions(connection, [ONE], now=NOW) == {ONE: (expected,)}  # it survives the listing


def test_the_same_subject_for_the_same_members_is_found_again(database: Database) -> None:
    with database.write() as connection:
        one = add_decision(connection, about_signal(ONE), now=NOW)
        add_decision(connection, about_signal(ONE, scope=("beta",)), now=NOW)
        add_decision(connection, about_signal(TWO), now=NOW)
        assert [found.number for found in same_decisions(connection, Subject(ONE), None)] == [one]
        assert same_decisions(connection, Subject(ONE, 5), None) == []
        listed = add_decision(connection, about_listing(None), now=NOW)
        subject = Subject(member="beta", log_name="listings", listing=LISTING)
        assert [found.number for found in same_decisions(connection, subject, ("beta", "gamma"))] == [listed]
