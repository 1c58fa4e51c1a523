from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hashpact_node.store import alarms, peers, trust
from hashpact_node.store.database import Database
from hashpact_protocol.errors import ConflictError, NotFoundError, StoreMovedError

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
URL = "https://beta.example"


def add(database: Database, member: str = "beta", url: str = URL) -> int:
    with database.write() as connection:
        return peers.add_peer(connection, member, url, now=NOW, pinned_root=b"root", pinned_fingerprint="1").number


def get(database: Database, member: str = "beta") -> peers.Peer:
    with database.write() as connection:
        return peers.get_peer(connection, member, lock=True)


def test_a_peer_is_added_and_found(database: Database) -> None:
    number = add(database)
    peer = get(database)
    assert (peer.number, peer.member, peer.url, peer.own) == (number, "beta", URL, False)
    assert (peer.state, peer.added_at, peer.failures, peer.card) == (peers.ACTIVE, SECONDS, 0, None)
    assert (peer.pinned_root, peer.pinned_fingerprint) == (b"root", "1")
    with database.read() as connection:
        assert peers.find_peer(connection, "nobody") is None
        assert peers.find_own(connection) is None
        with pytest.raises(NotFoundError, match="nobody"):
            peers.get_peer(connection, "nobody")


@pytest.mark.parametrize(("member", "url"), [("beta", "https://other.example"), ("other", URL)])
def test_a_member_or_url_is_there_once(database: Database, member: str, url: str) -> None:
    add(database)
    with pytest.raises(ConflictError), database.write() as connection:
        peers.add_peer(connection, member, url, now=NOW)


def test_peers_are_listed_by_name(database: Database) -> None:
    add(database, "gamma", "https://gamma.example")
    removed = add(database, "delta", "https://delta.example")
    add(database)
    with database.write() as connection:
        peers.add_peer(connection, "acme", "https://acme.example", now=NOW, own=True)
        peers.set_state(connection, removed, peers.REMOVED)
    with database.read() as connection:
        assert [peer.member for peer in peers.list_peers(connection)] == ["beta", "gamma"]
        assert [peer.member for peer in peers.list_peers(connection, own=True)] == ["acme", "beta", "gamma"]
        assert [peer.member for peer in peers.list_peers(connection, states=(peers.REMOVED,))] == ["delta"]
        own = peers.find_own(connection)
    assert own is not None
    assert own.member == "acme"


def test_a_removed_peer_starts_anew(database: Database) -> None:
    number = add(database)
    with database.write() as connection:
        peers.accept_card(connection, number, old_version=None, version=7, card=b"card", now=NOW)
        peers.record_failure(connection, number, now=NOW, error={"code": "fetch-failed"}, next_try_at=1)
        trust.save_files(connection, number, {(trust.METADATA, "1.root.json"): b"root"})
        peers.set_state(connection, number, peers.REMOVED)
    with database.write() as connection:
        peers.add_peer(connection, "beta", "https://new.example", now=NOW, pinned_root=b"new")
        assert trust.load_files(connection, number) == {}
    peer = get(database)
    assert (peer.number, peer.url, peer.state, peer.pinned_root) == (number, "https://new.example", "active", b"new")
    assert (peer.card, peer.card_version, peer.failures, peer.last_error) == (None, None, 0, None)


def test_a_removed_peer_does_not_take_anothers_url(database: Database) -> None:
    number = add(database)
    add(database, "gamma", "https://gamma.example")
    with database.write() as connection:
        peers.set_state(connection, number, peers.REMOVED)
    with pytest.raises(ConflictError), database.write() as connection:
        peers.add_peer(connection, "beta", "https://gamma.example", now=NOW)


def test_a_card_is_accepted_by_compare_and_swap(database: Database) -> None:
    number = add(database)
    with database.write() as connection:
        peers.accept_card(connection, number, old_version=None, version=7, card=b"7", now=NOW)
        peers.accept_card(connection, number, old_version=7, version=8, card=b"8", now=NOW)
    for old_version in (None, 7):
        with pytest.raises(StoreMovedError), database.write() as connection:
            peers.accept_card(connection, number, old_version=old_version, version=9, card=b"9", now=NOW)
    peer = get(database)
    assert (peer.card, peer.card_version, peer.card_accepted_at) == (b"8", 8, SECONDS)


def test_tries_are_recorded(database: Database) -> None:
    number = add(database)
    error = {"code": "fetch-timeout", "what": "no answer"}
    with database.write() as connection:
        for _ in range(2):
            peers.record_failure(connection, number, now=NOW, error=error, next_try_at=SECONDS + 60)
        peers.record_trust_check(connection, number, now=NOW, error=error)
        peers.pin_root(connection, number, b"other", None)
    peer = get(database)
    assert (peer.failures, peer.last_error, peer.trust_error) == (2, error, error)
    assert (peer.last_try_at, peer.last_good_at, peer.next_try_at) == (SECONDS, None, SECONDS + 60)
    assert (peer.pinned_root, peer.pinned_fingerprint, peer.trust_checked_at) == (b"other", None, SECONDS)
    with database.write() as connection:
        peers.record_success(connection, number, now=NOW, next_try_at=None)
        peers.record_trust_check(connection, number, now=NOW, error=None)
    peer = get(database)
    assert (peer.failures, peer.last_error, peer.trust_error) == (0, None, None)
    assert (peer.last_good_at, peer.next_try_at) == (SECONDS, None)


def test_a_resumed_peer_is_tried_at_once(database: Database) -> None:
    number = add(database)
    for state, next_try_at in ((peers.PAUSED, SECONDS + 60), (peers.ACTIVE, None)):
        with database.write() as connection:
            peers.record_failure(connection, number, now=NOW, error={"code": "fetch-failed"}, next_try_at=SECONDS + 60)
            peers.set_state(connection, number, state)
        assert (get(database).state, get(database).next_try_at) == (state, next_try_at)


def test_a_missing_row_is_an_error(database: Database) -> None:
    with pytest.raises(NotFoundError), database.write() as connection:
        peers.set_state(connection, 99, peers.PAUSED)


def test_a_member_of_whom_nothing_was_accepted_is_forgotten_whole(database: Database) -> None:
    with database.write() as connection:
        peer = peers.add_peer(connection, "beta", "https://beta.example", now=NOW)
        trust.save_files(connection, peer.number, {("metadata", "1.root.json"): b"{}"})
        alarms.raise_alarm(connection, "trust-repository", "wrong", now=NOW, peer=peer.number)
        peers.drop_peer(connection, peer.number)
    with database.write() as connection:
        assert peers.find_peer(connection, "beta") is None
        assert trust.load_files(connection, peer.number) == {}
        assert alarms.find_alarm(connection, "trust-repository", peer=peer.number) is None
        assert peers.add_peer(connection, "gamma", "https://beta.example", now=NOW).state == "active"
