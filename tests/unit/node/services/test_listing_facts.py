from __future__ import annotations

from hashpact_node.services.batches import compress
from hashpact_node.services.listing_facts import UNREADABLE, ListingFactsReader
from hashpact_node.store.bundles import Bundle, put_bundles
from hashpact_node.store.database import Database
from hashpact_protocol.facts import ListingFacts, listing_facts
from hashpact_protocol.policy_file import read_policy
from hashpact_protocol.policy_form import DEFAULT_POLICY
from hashpact_protocol.statements import Listing
from hashpact_protocol.tiles import encode_bundle
from members import TIME, add_log, listing, sha256, uuid_of, withdrawal

FULL = Listing(
    uuid_of(9),
    TIME,
    "video",
    (sha256(9),),
    ("b", "a", "b"),
    confirmed="human",
    handling="no-reshare",
    origin="import",
    incident=uuid_of(4),
    review_by="2027-01-02T03:04:05Z",
    expires="2028-01-02T03:04:05Z",
)


def test_facts_are_those_of_the_listing_and_the_same_have_one_number(sqlite_database: Database) -> None:
    log = add_log(sqlite_database, "beta", own=True)
    log.append(*(listing(number, sha256(number), labels=["x"]) for number in range(300)), FULL, withdrawal(400, 3))
    with sqlite_database.read() as connection:
        reader = ListingFactsReader(connection, None)
        reader.load((log.number, position) for position in (3, 299, 300, 301, 999))
        reader.load([(log.number, 3)])
        assert reader.number_at(log.number, 3) == reader.number_at(log.number, 299)
        assert reader.facts[reader.number_at(log.number, 3)] == listing_facts(listing(3, sha256(3), labels=["x"]))
        assert reader.facts[reader.number_at(log.number, 300)] == listing_facts(FULL)
        for position in (301, 999):
            assert reader.number_at(log.number, position) == UNREADABLE
        assert len(reader.facts) == 3


def test_dates_are_read_only_for_policies_that_ask_for_them(sqlite_database: Database) -> None:
    log = add_log(sqlite_database, "beta", own=True)
    log.append(FULL)
    with sqlite_database.read() as connection:
        found = []
        for text in ("", "[[rule]]\nname = 'a'\nthen = 'block'\nwhen = { newer_than_days = 3, overdue = false }"):
            policy = read_policy(text) if text else DEFAULT_POLICY
            reader = ListingFactsReader(connection, policy)
            reader.load([(log.number, 0)])
            facts = reader.facts[reader.number_at(log.number, 0)]
            found.append((facts.listed, facts.review_by))
    whole = listing_facts(FULL)
    assert found == [(0, None), (whole.listed, whole.review_by)]


def test_what_is_damaged_has_no_facts(sqlite_database: Database) -> None:
    log = add_log(sqlite_database, "beta", own=True)
    log.append(FULL, listing(1, sha256(1)))
    for data in (b"no zstd", compress(b"no bundle"), compress(encode_bundle([b"no JSON", b"{}"]))):
        with sqlite_database.write() as connection:
            put_bundles(connection, log.number, [Bundle(0, 2, data)])
        with sqlite_database.read() as connection:
            reader = ListingFactsReader(connection, None)
            reader.load([(log.number, 0), (log.number, 1)])
            assert [reader.number_at(log.number, at) for at in (0, 1)] == [UNREADABLE, UNREADABLE]
            assert reader.facts == [ListingFacts("")]
