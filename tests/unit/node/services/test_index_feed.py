from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from hashpact_node.index.scan import ScanIndex
from hashpact_node.services.index_feed import PDQ, IndexFeed, is_matchable, matchable_claims
from hashpact_node.store.database import Database
from hashpact_protocol.claims import pack_claim
from members import TestLog, add_log, listing, pdq, sha256, withdrawal


@pytest.fixture
def log(database: Database) -> TestLog:
    return add_log(database, "acme", own=True)


def feed_of(database: Database) -> tuple[IndexFeed, ScanIndex]:
    index = ScanIndex(PDQ.code)
    return IndexFeed(database, index), index


def found(index: ScanIndex, number: int) -> bool:
    return pdq(number).key in {hit.key for hit in index.search(pdq(number).key[1:], 0)}


def test_the_index_takes_up_what_changed(database: Database, log: TestLog) -> None:
    feed, index = feed_of(database)
    feed.refresh()
    assert (feed.number, len(index)) == (0, 0)
    log.append(listing(1, pdq(1), sha256(1)), listing(2, pdq(2, 49)), listing(3, pdq(3, 50)))
    feed.refresh()
    assert (feed.number, len(index)) == (4, 2)
    assert [found(index, number) for number in (1, 2, 3)] == [True, False, True]
    log.append(listing(4, pdq(4)))
    feed.refresh()
    assert (feed.number, len(index)) == (5, 3)


def test_nothing_is_read_again_where_nothing_changed(database: Database, log: TestLog) -> None:
    log.append(listing(1, pdq(1)))
    feed, index = feed_of(database)
    for _ in range(3):
        feed.refresh()
    assert len(index) == 1
    log.append(listing(2, sha256(2)))
    feed.refresh()
    assert (feed.number, len(index)) == (2, 1)


def test_an_index_made_later_answers_alike(database: Database, log: TestLog) -> None:
    early, early_index = feed_of(database)
    log.append(listing(1, pdq(1), expires="2026-11-24T04:30:00Z"), listing(2, pdq(2)))
    early.refresh()
    log.clock[0] = log.clock[0].replace(hour=5)
    log.append(withdrawal(3, 2))
    late, late_index = feed_of(database)
    early.refresh()
    late.refresh()
    assert found(early_index, 1)
    assert found(late_index, 1)  # expired, and still found, as what it is now


def test_a_snapshot_sees_no_more_than_the_index_holds(database: Database, log: TestLog) -> None:
    log.append(listing(1, pdq(1)))
    feed, index = feed_of(database)
    with database.read() as connection:
        feed.refresh_from(connection)
        log.append(listing(2, pdq(2)))
        feed.refresh()
        feed.refresh_from(connection)
    assert (feed.number, len(index)) == (2, 2)


def test_many_threads_refresh_at_once(database: Database, log: TestLog) -> None:
    log.append(*(listing(number, pdq(number)) for number in range(1, 301)))
    feed, index = feed_of(database)
    with ThreadPoolExecutor(4) as pool:
        for _ in range(12):
            pool.submit(feed.refresh)
    assert (feed.number, len(index)) == (300, 300)


def test_only_claims_of_sufficient_quality_can_be_matched() -> None:
    low, good, without = pack_claim(1, 0, 49), pack_claim(1, 1, 50), pack_claim(1, 2, None)
    expired = good[:-1] + bytes([good[-1] | 0x80])
    assert [is_matchable(claim) for claim in (b"", low, good, without, expired)] == [False, False, True, True, True]
    assert matchable_claims(low + expired + without) == expired + without
    assert matchable_claims(low) == b""
    assert matchable_claims(good) == good
