from __future__ import annotations

import pytest

from hashpact_node.services.batches import compress
from hashpact_node.services.claims_view import UNREADABLE, ClaimsView, ClaimView, read_listings
from hashpact_node.services.views import logs_by_number
from hashpact_node.store.bundles import Bundle, put_bundles
from hashpact_node.store.database import Database
from hashpact_node.store.signals import find_signals
from hashpact_protocol.claims import Place
from hashpact_protocol.errors import ConfigurationError
from hashpact_protocol.tiles import encode_bundle
from members import TIME, TestLog, add_log, listing, pdq, sha256, uuid_of, withdrawal

LATER = "2026-11-24T05:00:00Z"


@pytest.fixture
def acme(database: Database) -> TestLog:
    return add_log(database, "acme", own=True)


@pytest.fixture
def beta(database: Database) -> TestLog:
    return add_log(database, "beta")


def test_a_signal_shows_every_claim_of_it(database: Database, acme: TestLog, beta: TestLog) -> None:
    beta.append(listing(1, pdq(7, 98), labels=["b", "a"]), listing(2, sha256(1)))
    acme.append(listing(9, pdq(7, 40), labels=["c"], expires=LATER, content="video"))
    with database.read() as connection:
        view = ClaimsView(connection)
        rows = find_signals(connection, [pdq(7).key, sha256(1).key])
        shown, other = view.views([rows[pdq(7).key], rows[sha256(1).key]])
        brief = view.views([rows[pdq(7).key]], claims=False)[0]
    assert (shown.type, shown.value, shown.key) == ("pdq", pdq(7).value, f"pdq:{pdq(7).value}")
    assert (shown.action, shown.rule) == ("review", "one-member")  # our own listing is of too low a quality to count
    assert shown.publishers == ("acme", "beta")
    assert shown.labels == ("a", "b", "c")
    assert set(shown.claims) == {
        ClaimView(
            "beta",
            "beta.example/logs/listings-1",
            0,
            98,
            expired=False,
            listing=uuid_of(1),
            content="image",
            labels=("b", "a"),
            time=TIME,
        ),
        ClaimView(
            "acme",
            "acme.example/logs/listings-1",
            0,
            40,
            expired=False,
            listing=uuid_of(9),
            content="video",
            labels=("c",),
            time=TIME,
            expires=LATER,
        ),
    }
    assert other.publishers == ("beta",)
    assert brief.claims == ()
    assert brief.labels == shown.labels
    assert not shown.preserve


def test_a_signal_claimed_no_more_shows_nobody(database: Database, acme: TestLog) -> None:
    acme.append(listing(1, sha256(1), labels=["a"]))
    acme.append(withdrawal(2, 1))
    with database.read() as connection:
        (shown,) = ClaimsView(connection).views(list(find_signals(connection, [sha256(1).key]).values()))
    assert (shown.action, shown.rule) == ("none", "not-claimed")
    assert (shown.publishers, shown.labels, shown.claims) == ((), (), ())


def test_of_very_many_claims_some_are_shown(database: Database, acme: TestLog, beta: TestLog) -> None:
    beta.append(*(listing(number, sha256(1), labels=[f"b{number:03}"]) for number in range(1, 151)))
    acme.append(listing(1, sha256(1), labels=["a"]))
    with database.read() as connection:
        rows = list(find_signals(connection, [sha256(1).key]).values())
        (full,) = ClaimsView(connection).views(rows)
        (brief,) = ClaimsView(connection).views(rows, claims=False)
    assert (full.claims_total, len(full.claims), len(full.labels)) == (151, 100, 100)
    assert {"a", "b001", "b150"} <= set(full.labels)
    assert full.publishers == ("acme", "beta")
    assert (brief.claims_total, brief.labels) == (151, full.labels)


def test_listings_are_read_over_many_bundles(database: Database, acme: TestLog, beta: TestLog) -> None:
    acme.append(*(listing(number, sha256(number)) for number in range(600)))
    beta.append(*(listing(number, sha256(number)) for number in range(300)))
    places = [Place(acme.number, position) for position in (599, 0, 256, 300)] + [Place(beta.number, 299)]
    with database.read() as connection:
        found = read_listings(connection, places, logs_by_number(connection))
    assert {place: one.id for place, one in found.items()} == {place: uuid_of(place.position) for place in places}


@pytest.mark.parametrize("damage", ["no zstd frame", "another entry", "too short"])
def test_a_damaged_bundle_takes_reasons_away_and_no_hash(database: Database, beta: TestLog, damage: str) -> None:
    add_log(database, "acme", own=True)
    signal = sha256(1)
    beta.append(listing(1, signal, labels=["a"]))
    with database.write() as connection:
        if damage == "no zstd frame":
            put_bundles(connection, beta.number, [Bundle(0, 1, b"x")])
        elif damage == "another entry":
            put_bundles(connection, beta.number, [Bundle(0, 1, compress(encode_bundle([b"no JSON"])))])
        row = find_signals(connection, [signal.key])[signal.key]
        if damage == "too short":
            row = row._replace(claims=row.claims[:6] + b"\x09" + row.claims[7:])
        (shown,) = ClaimsView(connection).views([row])
    assert (shown.action, shown.publishers, shown.labels) == ("review", ("beta",), ())
    assert [claim.problem for claim in shown.claims] == [UNREADABLE]
    assert shown.claims[0].listing is None


def test_nothing_is_shown_before_init(database: Database) -> None:
    add_log(database, "beta")
    with database.read() as connection, pytest.raises(ConfigurationError):
        ClaimsView(connection)


def test_one_publisher_is_enough_to_ask_for_preservation(database: Database, acme: TestLog, beta: TestLog) -> None:
    acme.append(listing(1, sha256(1)))
    beta.append(listing(2, sha256(1), preserve=True))
    with database.read() as connection:
        row = find_signals(connection, [sha256(1).key])[sha256(1).key]
        (shown,) = ClaimsView(connection).views([row])
        (brief,) = ClaimsView(connection).views([row], claims=False)
    assert (shown.preserve, brief.preserve) == (True, True)
    assert {claim.member: claim.preserve for claim in shown.claims} == {"acme": False, "beta": True}
