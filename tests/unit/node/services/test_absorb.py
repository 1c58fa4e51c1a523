from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from hashpact_node.services.absorb import Absorber
from hashpact_node.services.batches import BatchRequest, Frame, read_batch, read_batch_unknown
from hashpact_node.services.change_feed import Change, ChangeFeed
from hashpact_node.services.entries import EntryReader
from hashpact_node.services.views import viewpoint
from hashpact_node.store.bundles import count_entries, read_tile
from hashpact_node.store.changes import Numbers
from hashpact_node.store.database import Database
from hashpact_node.store.logs import put_card_logs
from hashpact_node.store.owners import find_owners, live_listings
from hashpact_node.store.peers import add_peer
from hashpact_node.store.quarantine import list_quarantined
from hashpact_node.store.signals import SignalChange, change_signals, find_signals
from hashpact_protocol.claims import pack_claim
from hashpact_protocol.errors import StoreMovedError
from hashpact_protocol.merge import id_bytes
from hashpact_protocol.merkle import CompactRange, leaf_hash, subtree_root
from hashpact_protocol.policy import Action
from hashpact_protocol.signals import Signal
from hashpact_protocol.statements import WellFormed, encode_statement
from hashpact_protocol.tiles import encode_bundle
from members import NOW, TestLog, add_log, listing, pdq, sha256, terms, unknown, uuid_of, withdrawal


@pytest.fixture
def own(database: Database) -> TestLog:
    return add_log(database, "acme", own=True)


@pytest.fixture
def log(database: Database, own: TestLog) -> TestLog:
    assert own.number
    return add_log(database, "beta")


def action(database: Database, signal: Signal) -> Action:
    with database.read() as connection:
        row = find_signals(connection, [signal.key]).get(signal.key)
    return Action(row.action) if row else Action.NONE


def changes(database: Database) -> list[Change]:
    return list(ChangeFeed(database).changes(limit=10_000).changes)


def request_of(log: TestLog, *statements: WellFormed | bytes, merges: bool = True) -> BatchRequest:
    """A batch of one bundle with these entries, for a log of which nothing is held."""
    entries = [one if isinstance(one, bytes) else encode_statement(one) for one in statements]
    frame = Frame(0, len(entries), encode_bundle(entries), "identity")
    return BatchRequest(log.number, log.row.sequence, "listings", (frame,), merges=merges)


def absorber(log: TestLog) -> Absorber:
    row = log.row
    return Absorber(log.database, row, CompactRange.decode(row.held_size, row.held_range), now=lambda: NOW)


def test_a_batch_is_stored_with_all_that_follows_from_it(database: Database, log: TestLog) -> None:
    log.append(*(listing(number, sha256(number), pdq(number)) for number in range(600)))
    row = log.row
    with database.read() as connection:
        reader = EntryReader(connection)
        leaves = [leaf_hash(reader.entry(log.number, index)) for index in range(600)]
        assert reader.root_at(log.number, 600) == subtree_root(leaves)
        assert read_tile(connection, log.number, 1, 0) == b"".join(
            subtree_root(leaves[start : start + 256]) for start in (0, 256)
        )
        assert live_listings(connection, log.number, sequence=row.sequence) == list(range(600))
    assert CompactRange.decode(row.held_size, row.held_range).root() == subtree_root(leaves)
    assert action(database, sha256(599)) == action(database, pdq(0)) == Action.REVIEW
    assert len(changes(database)) == 1_200


def test_another_members_listing_makes_it_two(database: Database, own: TestLog, log: TestLog) -> None:
    log.append(listing(1, sha256(1)))
    other = add_log(database, "gamma")
    other.append(listing(2, sha256(1)))
    assert action(database, sha256(1)) == Action.BLOCK
    other.append(withdrawal(50, 2))
    assert action(database, sha256(1)) == Action.REVIEW
    own.append(listing(3, sha256(1)))
    log.append(withdrawal(51, 1))
    assert action(database, sha256(1)) == Action.BLOCK


@pytest.mark.parametrize("fresh", [True, False])
def test_hoping_that_all_ids_are_new_changes_nothing(database: Database, log: TestLog, *, fresh: bool) -> None:
    """The same batch, read as a worker process reads it, or with what the database knows."""
    log.append(listing(1, sha256(1)), listing(2, sha256(2)), listing(3, sha256(3)))
    row = log.row
    one = absorber(log)
    with database.read() as connection:
        reader = EntryReader(connection)
        before, leaves = reader.bundle(log.number, 0), reader.leaf_hashes(log.number, 0, 3)
    new = [
        encode_statement(statement) for statement in (withdrawal(50, 1), listing(2, sha256(20)), listing(4, sha256(4)))
    ]
    frame = Frame(0, 6, encode_bundle([*before, *new]), "identity")
    request = BatchRequest(log.number, row.sequence, "listings", (frame,), tuple(leaves))
    one.absorb(request, read_batch_unknown(request) if fresh else read_batch(request, one.known), fresh=fresh)
    with database.read() as connection:
        assert live_listings(connection, log.number, sequence=row.sequence) == [2, 4, 5]
        owners = find_owners(connection, row.sequence, [id_bytes(uuid_of(number)) for number in (1, 2, 4, 50)])
    assert {owner.position: owner.live for owner in owners.values()} == {0: False, 4: True, 5: True, 3: True}
    found = [action(database, sha256(number)) for number in (1, 2, 20, 3, 4)]
    assert found == [Action.NONE, Action.NONE, *[Action.REVIEW] * 3]
    assert log.row.held_size == one.held.size == 6


def test_a_batch_that_somebody_else_committed_is_not_doubled(database: Database, log: TestLog) -> None:
    first, second = absorber(log), absorber(log)
    request = request_of(log, listing(1, sha256(1)))
    first.absorb(request, read_batch(request, first.known), fresh=False)
    before = changes(database)
    for fresh in (True, False):
        with pytest.raises(StoreMovedError):
            second.absorb(request, read_batch_unknown(request), fresh=fresh)
    assert log.row.held_size == 1
    assert changes(database) == before


def test_a_failure_in_the_middle_leaves_nothing(
    database: Database, log: TestLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append(listing(1, sha256(1)))
    before = changes(database)

    def fail(*_arguments: object, **_named: object) -> None:
        raise StoreMovedError("in the middle")

    with monkeypatch.context() as patch:
        patch.setattr("hashpact_node.services.absorb.expire_due", fail)  # the last of its steps
        with pytest.raises(StoreMovedError):
            log.append(listing(2, sha256(2)), withdrawal(50, 1), b"{}")
    assert (log.row.held_size, log.row.quarantined) == (1, 0)
    assert changes(database) == before
    with database.read() as connection:
        assert count_entries(connection, log.number) == 1
        assert list_quarantined(connection, log.number, limit=10) == []
    log.append(listing(2, sha256(2)), withdrawal(50, 1), b"{}")
    assert (log.row.held_size, log.row.quarantined) == (4, 1)
    assert [action(database, sha256(number)) for number in (1, 2)] == [Action.NONE, Action.REVIEW]


def test_what_is_odd_is_counted_and_kept_with_its_reason(database: Database, log: TestLog) -> None:
    odd = b'{"content":"image","id":"%b","kind":"listing","signals":[{"type":"md5","value":"00"}],"time":"%b"}'
    log.append(
        b"{}", b"", b"no json", unknown(), odd % (uuid_of(1).encode(), b"2026-11-24T04:00:00Z"), listing(2, sha256(2))
    )
    row = log.row
    assert (row.quarantined, row.dropped_signals, row.unknown_statements) == (3, 1, 1)
    with database.read() as connection:
        kept = list_quarantined(connection, log.number, limit=10)
    assert [(one.position, one.part) for one in kept] == [(0, 0), (1, 0), (2, 0), (4, 1)]
    assert all(one.code and one.reason for one in kept)
    assert action(database, sha256(2)) == Action.REVIEW


def test_a_flood_of_odd_entries_is_counted_and_kept_up_to_a_bound(
    database: Database, log: TestLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashpact_node.services.absorb.QUARANTINE_KEPT", 5)
    log.append(*[b"{}"] * 3)
    log.append(*[b"{}"] * 300)
    log.append(b"{}")
    assert log.row.quarantined == 304
    with database.read() as connection:
        assert len(list_quarantined(connection, log.number, limit=100)) == 5


def test_a_flood_of_odd_signals_is_counted_and_kept_up_to_a_bound(database: Database, log: TestLog) -> None:
    head = b'{"content":"image","id":"%b","kind":"listing","signals":['
    body = b",".join([b"{}"] * 128) + b'],"time":"2026-11-24T04:00:00Z"}'
    log.append(*(head % uuid_of(number).encode() + body for number in range(100)))
    assert log.row.dropped_signals == 12_800
    with database.read() as connection:
        assert len(list_quarantined(connection, log.number, limit=100_000)) == 10_000


def test_nothing_counts_from_a_critical_statement_on(database: Database, log: TestLog) -> None:
    log.append(listing(1, sha256(1)), unknown(critical=True), withdrawal(50, 1), listing(2, sha256(2)))
    assert (log.row.held_size, log.row.stopped_at) == (4, 1)
    log.append(listing(3, sha256(3)), withdrawal(51, 1))
    assert (log.row.held_size, log.row.stopped_at) == (6, 1)
    found = [action(database, sha256(number)) for number in (1, 2, 3)]
    assert found == [Action.REVIEW, Action.NONE, Action.NONE]


def test_what_was_read_before_the_stop_was_known_gives_no_claims(database: Database, log: TestLog) -> None:
    """The next batch is read while the one that stops the log is being committed."""
    log.append(*[unknown()] * 255, unknown(critical=True))
    one = absorber(log)
    assert not one.merges
    entries = [encode_statement(statement) for statement in (listing(1, sha256(1)), listing(2, sha256(2)))]
    frame = Frame(1, 2, encode_bundle(entries), "identity")
    request = BatchRequest(log.number, log.row.sequence, "listings", (frame,))
    one.absorb(request, read_batch_unknown(request), fresh=True)
    assert log.row.held_size == 258
    assert log.row.unknown_statements == 256
    assert action(database, sha256(1)) == Action.NONE
    assert changes(database) == []


def test_restating_with_other_labels_shows_in_the_feed(database: Database, log: TestLog) -> None:
    log.append(listing(1, sha256(1), labels=["a"]))
    (first,) = changes(database)
    assert first.labels == ("a",)
    log.append(listing(1, sha256(1), labels=["a"]))
    assert changes(database) == [first]
    log.append(listing(1, sha256(1), labels=["b"]))
    (second,) = changes(database)
    assert second.n > first.n
    assert (second.op, second.labels) == ("set", ("b",))
    log.append(withdrawal(50, 1))
    (third,) = changes(database)
    assert third.n > second.n
    assert third.op == "remove"


def test_what_has_expired_stops_acting_with_the_batch_that_brings_it(database: Database, log: TestLog) -> None:
    log.append(
        listing(1, sha256(1), expires="2026-11-24T04:00:00Z"),
        listing(2, sha256(2), expires="2026-11-24T04:00:01Z"),
        listing(3, sha256(3), expires="0001-01-01T00:00:00Z"),
    )
    found = [action(database, sha256(number)) for number in (1, 2, 3)]
    assert found == [Action.IGNORE, Action.REVIEW, Action.IGNORE]
    log.clock[0] += timedelta(seconds=1)
    log.append(unknown())
    assert action(database, sha256(2)) == Action.IGNORE


def test_leaf_hashes_in_a_partial_bundle_go_on(database: Database, log: TestLog) -> None:
    for size in (1, 255, 1, 256, 100):
        log.append(*[unknown()] * size)
    row = log.row
    assert row.held_size == 613
    leaf = leaf_hash(unknown())
    assert CompactRange.decode(613, row.held_range).root() == subtree_root([leaf] * 613)
    with database.read() as connection:
        assert EntryReader(connection).root_at(log.number, 513) == subtree_root([leaf] * 513)


def test_a_log_that_is_added_while_a_batch_waits_to_be_committed_is_seen(database: Database, log: TestLog) -> None:
    with ThreadPoolExecutor(1) as pool:
        with database.write() as connection:
            numbers = Numbers(connection, now=int(NOW.timestamp()))
            waiting = pool.submit(log.append, listing(1, sha256(1)))
            time.sleep(0.3)  # until the other thread waits for its turn
            peer = add_peer(connection, "gamma", "https://gamma.example", now=NOW)
            (other,) = put_card_logs(connection, peer.number, [terms("gamma")])
            change = SignalChange(add=pack_claim(other.number, 0, None))
            change_signals(connection, {sha256(1).key: change}, viewpoint(connection, NOW), numbers)
            numbers.close()
        waiting.result()
    assert action(database, sha256(1)) == Action.BLOCK
