from __future__ import annotations

from datetime import timedelta

import pytest

from follower import Follower
from hashpact_keys.trust_files import METADATA
from hashpact_node.services.trusting import Trusting
from hashpact_node.store.logs import Log, list_logs
from hashpact_node.store.peers import Peer, add_peer
from hashpact_node.store.trust import load_files
from hashpact_protocol.errors import FetchStatusError, TrustError
from publisher import Publisher, flipped, gone, says


@pytest.fixture
def trusting(follower: Follower) -> Trusting:
    return Trusting(follower.database, follower.fetcher, follower.now)


@pytest.fixture
def stranger(follower: Follower, publisher: Publisher) -> Peer:
    """The publisher's row, pinned and not read yet."""
    with follower.database.write() as connection:
        return add_peer(
            connection, publisher.member, publisher.url, now=follower.now(), pinned_fingerprint=publisher.fingerprint
        )


def files(follower: Follower, peer: Peer) -> dict[tuple[str, str], bytes]:
    with follower.database.read() as connection:
        return load_files(connection, peer.number)


def test_a_look_from_before_the_clock_was_put_back_is_due_again(
    follower: Follower, trusting: Trusting, stranger: Peer
) -> None:
    peer = trusting.refresh(stranger)
    assert not trusting.due(peer, hint=True)
    follower.clock[0] -= timedelta(days=30)
    assert trusting.due(peer)
    assert trusting.due(peer, hint=True)


def test_the_first_look_stores_files_card_and_logs(
    follower: Follower, publisher: Publisher, trusting: Trusting, stranger: Peer
) -> None:
    assert trusting.due(stranger)
    assert trusting.due(stranger, hint=True)
    peer = trusting.refresh(stranger)
    assert (peer.card, peer.card_version) == (publisher.card(), publisher.card_version)
    assert peer.trust_checked_at == peer.card_accepted_at == int(follower.now().timestamp())
    assert peer.trust_error is None
    assert files(follower, peer) == publisher.files
    with follower.database.read() as connection:
        (log,) = list_logs(connection, peer=peer.number)
    assert (log.origin, log.url, log.state, log.named, log.counts) == (
        publisher.log.origin,
        publisher.log.url,
        "open",
        True,
        True,
    )
    assert not trusting.due(peer)


def test_without_a_card_what_is_wrong_is_an_error(
    follower: Follower, publisher: Publisher, trusting: Trusting, stranger: Peer
) -> None:
    publisher.alter("/trust/metadata/1.root.json", gone)
    with pytest.raises(FetchStatusError):
        trusting.refresh(stranger)
    publisher.mend()
    publisher.alter("/trust/metadata/timestamp.json", flipped)
    with pytest.raises(TrustError):
        trusting.refresh(stranger)
    assert "trust-repository" in follower.alarms()
    assert follower.peer().card is None
    publisher.mend()
    assert trusting.refresh(follower.peer()).card is not None
    assert "trust-repository" not in follower.alarms()


def test_with_a_card_what_is_wrong_is_an_alarm(
    follower: Follower, publisher: Publisher, trusting: Trusting, stranger: Peer
) -> None:
    before = trusting.refresh(stranger)
    held = files(follower, before)
    publisher.now += timedelta(hours=1)
    publisher.add_log("listings-x", name="listings-x")
    publisher.publish()
    publisher.alter("/trust/metadata/timestamp.json", says(b"{}"))
    follower.later(hours=1)
    after = trusting.refresh(before)
    assert (after.card, after.card_version) == (before.card, before.card_version)
    assert files(follower, after) == held
    assert after.trust_error is not None
    assert after.trust_error["code"] == "trust-refused"
    assert after.trust_checked_at == int(follower.now().timestamp())
    assert follower.alarms()["trust-repository"].peer == after.number


def test_a_new_card_replaces_files_and_roots_stay(
    follower: Follower, publisher: Publisher, trusting: Trusting, stranger: Peer
) -> None:
    peer = trusting.refresh(stranger)
    for _ in range(3):
        publisher.now += timedelta(hours=1)
        follower.later(hours=1)
        publisher.publish(name=f"Beta at {publisher.now}")
        peer = trusting.refresh(peer)
    assert peer.card_version == publisher.card_version
    names = [name for place, name in files(follower, peer) if place == METADATA]
    assert sorted(name.partition(".")[2] for name in names) == ["json", "root.json", "snapshot.json", "targets.json"]
    assert not follower.alarms()


def test_the_same_card_under_a_new_version_is_the_same_card(
    follower: Follower, publisher: Publisher, trusting: Trusting, stranger: Peer
) -> None:
    before = trusting.refresh(stranger)
    publisher.now += timedelta(hours=1)
    publisher.publish()
    after = trusting.refresh(before)
    assert after.card == before.card
    assert after.card_version == publisher.card_version != before.card_version
    assert not follower.alarms()


def test_what_changes_in_a_card_is_told(
    follower: Follower, publisher: Publisher, trusting: Trusting, stranger: Peer
) -> None:
    peer = trusting.refresh(stranger)

    def publish() -> Peer:
        publisher.now += timedelta(hours=1)
        publisher.publish()
        return trusting.refresh(follower.peer())

    publisher.log.close(0)
    successor = publisher.add_log("listings-2")
    publish()
    assert not follower.alarms(), "a first closing is a notice, and a new log is none"
    assert [log.counts for log in follower_logs(follower, peer)] == [True, True]
    successor.fresh = 1
    publish()
    assert [log.counts for log in follower_logs(follower, peer)] == [False, True]
    successor.fresh = None
    publisher.log.append(b"{}")
    publisher.log.close(1)
    publish()
    assert "closed at size 0" in follower.alarms()["log-final-changed"].what
    publisher.logs.remove(successor)
    publisher.log.final = None
    publish()
    assert {"log-final-changed", "log-reopened", "log-dropped"} <= follower.alarms().keys()


def follower_logs(follower: Follower, peer: Peer) -> list[Log]:
    with follower.database.read() as connection:
        return list_logs(connection, peer=peer.number)


def test_a_key_that_another_member_lists_too_is_an_alarm(
    follower: Follower, publisher: Publisher, trusting: Trusting, stranger: Peer
) -> None:
    trusting.refresh(stranger)
    with Publisher("gamma") as other:
        other.witness = publisher.witness
        other.now += timedelta(hours=1)
        other.publish()
        follower.add(other)
    assert follower.alarms()["key-shared"].what == "gamma and beta list the same public key"
