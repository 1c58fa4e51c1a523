from __future__ import annotations

from datetime import timedelta

import pytest

from follower import Follower
from hashpact_keys.trust_files import METADATA
from hashpact_node.services.digests import counting_logs
from hashpact_node.services.rebuild import Rebuilder
from hashpact_node.services.trusting import Trusting
from hashpact_node.store.logs import Log, LogTerms, list_logs, put_card_logs
from hashpact_node.store.owners import find_owners
from hashpact_node.store.peers import Peer, add_peer
from hashpact_node.store.trust import load_files
from hashpact_protocol.errors import FetchStatusError, TrustError
from hashpact_protocol.merge import id_bytes
from hashpact_protocol.policy import Action
from members import listing, sha256, uuid_of, withdrawal
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
    assert [log.counts for log in follower_logs(follower, peer)] == [False, True], "nothing is held, so it starts there"
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


@pytest.fixture
def reader(follower: Follower, publisher: Publisher) -> Follower:
    publisher.log.append(listing(1, sha256(1), expires="2026-11-24T05:30:00Z"), listing(2, sha256(2)))
    follower.add(publisher)
    assert follower.pull(publisher) == []
    return follower


def as_it_stands(reader: Follower) -> tuple[list[int], str]:
    """What is recommended for some signals, and the digest, after looking that a rebuild finds nothing to mend."""
    rebuilt = Rebuilder(reader.database, reader.locks, reader.now).rebuild()
    assert (rebuilt.signals_mended, rebuilt.owners_mended) == (0, 0)
    counting = {log.number for log in counting_logs(follower_logs(reader, reader.peer()))}
    assert counting == {log.number for log in follower_logs(reader, reader.peer()) if log.counts}
    return [reader.action(sha256(number)) for number in range(1, 6)], reader.digest()


def next_card(reader: Follower, publisher: Publisher) -> None:
    publisher.now += timedelta(hours=1)
    reader.later(hours=1)
    publisher.publish()


def as_if_new(reader: Follower, publisher: Publisher) -> tuple[list[int], str]:
    """The same, once the member was removed, added anew and pulled."""
    reader.peering.remove(publisher.member)
    reader.add(publisher)
    assert reader.pull(publisher) == []
    return as_it_stands(reader)


def test_a_log_that_gets_another_name_is_merged_anew_under_it(reader: Follower, publisher: Publisher) -> None:
    publisher.log.name = "listings-eu"
    publisher.log.append(withdrawal(100, of=1), listing(2, sha256(3)))
    next_card(reader, publisher)
    assert reader.pull(publisher) == []
    assert "log-renamed" in reader.alarms()
    found = as_it_stands(reader)
    assert found[0] == [Action.NONE, Action.NONE, Action.REVIEW, Action.NONE, Action.NONE]
    assert as_if_new(reader, publisher) == found


def test_a_log_that_gets_another_kind_claims_nothing_of_its_old_one(reader: Follower, publisher: Publisher) -> None:
    publisher.log.name = publisher.log.kind = "opinions"
    next_card(reader, publisher)
    assert reader.pull(publisher) == []
    assert "log-renamed" in reader.alarms()
    assert as_it_stands(reader)[0] == [Action.NONE] * 5
    assert reader.log(publisher).quarantined == 2


def test_a_rebuild_mends_what_was_left_under_an_older_name(reader: Follower) -> None:
    with reader.database.write() as connection:
        (log,) = list_logs(connection, peer=reader.peer().number)
        terms = LogTerms("listings-eu", log.kind, log.origin, log.url, log.state, log.keys)
        put_card_logs(connection, log.peer, [terms])
    rebuilt = Rebuilder(reader.database, reader.locks, reader.now).rebuild()
    assert rebuilt.owners_mended == 4, "two are under the new name and not under the old one"
    with reader.database.read() as connection:
        assert find_owners(connection, log.sequence, [id_bytes(uuid_of(1)), id_bytes(uuid_of(2))]) == {}
    assert as_it_stands(reader)[0][:2] == [Action.REVIEW] * 2


def test_a_fresh_successor_replaces_in_one_step_once_its_first_entries_are_held(
    reader: Follower, publisher: Publisher
) -> None:
    publisher.log.close()
    successor = publisher.add_log("listings-2")
    successor.fresh = 2
    successor.append(listing(2, sha256(2)))
    next_card(reader, publisher)
    assert reader.pull(publisher) == []
    assert [log.counts for log in follower_logs(reader, reader.peer())] == [True, True]
    assert as_it_stands(reader)[0][:2] == [Action.REVIEW] * 2
    successor.append(listing(3, sha256(3)), listing(4, sha256(4)))
    publisher.now += timedelta(minutes=1)
    publisher.renew()
    assert reader.pull(publisher) == []
    assert [(log.counts, log.held_size) for log in follower_logs(reader, reader.peer())] == [(False, 0), (True, 3)]
    found = as_it_stands(reader)
    assert found[0] == [Action.NONE, *[Action.REVIEW] * 3, Action.NONE]
    assert as_if_new(reader, publisher) == found
    assert [log.counts for log in follower_logs(reader, reader.peer())] == [False, True]


def test_without_its_first_entries_a_fresh_successor_replaces_nothing(reader: Follower, publisher: Publisher) -> None:
    publisher.log.close()
    successor = publisher.add_log("listings-2")
    successor.fresh = 1
    successor.append(listing(3, sha256(3)))
    publisher.alter("/logs/listings-2/checkpoint", gone)
    next_card(reader, publisher)
    assert len(reader.pull(publisher)) == 1
    before = as_it_stands(reader)
    assert before[0][:3] == [Action.REVIEW, Action.REVIEW, Action.NONE]
    publisher.mend()
    assert reader.pull(publisher) == []
    assert as_it_stands(reader)[0][:3] == [Action.NONE, Action.NONE, Action.REVIEW]
