from __future__ import annotations

import multiprocessing
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from databases import opened
from follower import Follower, InlineWorkers
from full_disk import PLENTY, limit_pages, page_count
from hashpact_node.net.addresses import AddressRules
from hashpact_node.net.fetcher import Fetcher
from hashpact_node.services.pulling import BACKOFF_MAX_SECONDS, Puller
from hashpact_node.settings import Settings
from hashpact_node.store.database import Database
from hashpact_node.store.locks import Locks
from hashpact_node.store.peers import set_state
from hashpact_protocol.errors import (
    ConfigurationError,
    ConflictError,
    FetchError,
    FetchStatusError,
    HashpactError,
    KeyUnavailableError,
    NotFoundError,
    SignatureError,
    StoreBusyError,
    StoreFullError,
)
from hashpact_protocol.policy import Action
from members import listing, sha256, withdrawal
from own_member import NOW
from publisher import Publisher, Reply, gone, says

CHECKPOINT = "checkpoint"


@pytest.fixture
def reader(sqlite_follower: Follower, publisher: Publisher) -> Follower:
    """Acme, which holds the first listing of the publisher."""
    publisher.log.append(listing(0, sha256(0)))
    sqlite_follower.add(publisher)
    assert sqlite_follower.pull(publisher) == []
    publisher.forget()
    return sqlite_follower


def trust_looks(publisher: Publisher) -> int:
    return len(publisher.paths("/trust/metadata/timestamp.json"))


def test_what_a_pull_came_to_is_kept_with_the_peer(reader: Follower, publisher: Publisher) -> None:
    publisher.log.append(listing(1, sha256(1)), listing(2, sha256(2)))
    pulled = reader.pulled(publisher)
    (polled,) = pulled.logs
    assert (polled.origin, polled.before, polled.after) == (publisher.log.origin, 1, 3)
    assert (pulled.requests, pulled.errors) == (2, [])
    assert pulled.bytes > 500
    peer = reader.peer()
    assert (peer.failures, peer.last_error, peer.next_try_at) == (0, None, None)
    assert peer.last_try_at == peer.last_good_at == int(reader.now().timestamp())


def test_trust_is_read_hourly(reader: Follower, publisher: Publisher) -> None:
    reader.later(minutes=59)
    assert reader.pull(publisher) == []
    assert trust_looks(publisher) == 0
    reader.later(minutes=1)
    assert reader.pull(publisher) == []
    assert trust_looks(publisher) == 1


def test_a_hint_makes_it_look_at_the_card_at_most_once_a_minute(reader: Follower, publisher: Publisher) -> None:
    newer = {"Hashpact-Card": str(publisher.card_version + 1)}
    publisher.alter(CHECKPOINT, lambda honest: Reply(honest.status, honest.body, {**honest.headers, **newer}))
    reader.later(seconds=59)
    assert reader.pull(publisher) == []
    assert trust_looks(publisher) == 0
    reader.later(seconds=1)
    for _ in range(3):
        assert reader.pull(publisher) == []
        assert trust_looks(publisher) == 1
        reader.later(seconds=19)
    reader.later(seconds=3)
    assert reader.pull(publisher) == []
    assert trust_looks(publisher) == 2


@pytest.mark.parametrize(
    "reason", [KeyUnavailableError("no passphrase is at hand"), ConfigurationError("the card names no request key")]
)
def test_that_we_cannot_sign_is_not_the_peer_s_failure(
    reader: Follower, publisher: Publisher, reason: HashpactError
) -> None:
    def refuse(_method: str, _url: str, _body: bytes) -> dict[str, str]:
        raise reason

    before = reader.peer()
    publisher.log.append(listing(1, sha256(1)))
    reader.later(hours=1)
    with Fetcher(AddressRules(), signs=refuse) as fetcher:
        puller = replace(reader.puller, fetcher=fetcher)
        with pytest.raises(type(reason)) as caught:
            puller.pull(publisher.member)
    assert caught.value is reason
    after = reader.peer()
    assert (after.failures, after.last_error, after.next_try_at) == (0, None, None)
    assert after.last_good_at == before.last_good_at
    assert reader.alarms() == {}
    assert trust_looks(publisher) == 1  # what is public needs no signature
    assert reader.pull(publisher) == []


@pytest.mark.parametrize("hint", ["1" * 17, "-1", "0", "1.0", "x", "", "1, 2"])
def test_what_is_no_version_is_no_hint(reader: Follower, publisher: Publisher, hint: str) -> None:
    publisher.alter(CHECKPOINT, lambda honest: Reply(honest.status, honest.body, {"Hashpact-Card": hint}))
    reader.later(minutes=2)
    assert reader.pull(publisher) == []
    assert trust_looks(publisher) == 0


@pytest.mark.parametrize("status", [404, 410])
def test_a_log_that_is_gone_makes_it_look_at_the_card(reader: Follower, publisher: Publisher, status: int) -> None:
    publisher.alter(CHECKPOINT, says(b"", status))
    reader.later(minutes=1)
    (error,) = reader.pull(publisher)
    assert isinstance(error, FetchStatusError)
    assert trust_looks(publisher) == 1
    reader.later(seconds=30)
    assert len(reader.pull(publisher)) == 1
    assert trust_looks(publisher) == 1
    publisher.alter(CHECKPOINT, says(b"", 500))
    reader.later(minutes=2)
    assert len(reader.pull(publisher)) == 1
    assert trust_looks(publisher) == 1, "an error of the server is no hint"


def test_a_rotated_key_is_found_in_the_new_card_at_once(reader: Follower, publisher: Publisher) -> None:
    publisher.log.keys = [Ed25519PrivateKey.generate()]
    publisher.log.append(listing(1, sha256(1)))
    publisher.now += timedelta(minutes=2)
    reader.later(minutes=2)
    (error,) = reader.pull(publisher)
    assert isinstance(error, SignatureError), "the card does not name the key yet"
    assert reader.log(publisher).held_size == 1
    publisher.publish()
    reader.later(minutes=1)
    assert reader.pull(publisher) == []
    assert reader.log(publisher).held_size == 2
    assert reader.log(publisher).keys == tuple(str(key) for key in publisher.log.verifier_keys())
    assert "signature-invalid" not in reader.alarms()


def test_both_keys_of_a_rotation_sign_for_a_while(reader: Follower, publisher: Publisher) -> None:
    old, new = publisher.log.keys[0], Ed25519PrivateKey.generate()
    for keys in ([old, new], [new]):
        publisher.log.keys = keys
        publisher.now += timedelta(hours=1)
        reader.later(hours=1)
        publisher.publish()
        assert reader.pull(publisher) == []
    publisher.alter(CHECKPOINT, says(publisher.note(keys=[old])))
    assert [type(error) for error in reader.pull(publisher)] == [SignatureError]


def test_a_log_that_the_card_drops_is_read_no_more(reader: Follower, publisher: Publisher) -> None:
    publisher.logs = []
    publisher.now += timedelta(hours=2)
    publisher.publish()
    reader.later(hours=2)
    pulled = reader.pulled(publisher)
    assert (pulled.logs, pulled.errors) == ([], [])
    assert publisher.log.origin in reader.alarms()["log-dropped"].what
    assert not reader.log(publisher).named
    assert reader.action(sha256(0)) == Action.NONE
    assert publisher.paths() == []


def test_a_card_that_is_refused_leaves_the_old_one_in_force(reader: Follower, publisher: Publisher) -> None:
    version = reader.peer().card_version
    publisher.now += timedelta(hours=2)
    publisher.renew()
    publisher.alter("/trust/metadata/timestamp.json", says(b"<html>"))
    publisher.log.append(listing(1, sha256(1)))
    reader.later(hours=2)
    assert reader.pull(publisher) == [], "logs go on under the last accepted card"
    assert reader.held(publisher) == 2
    assert reader.peer().card_version == version
    assert "trust repository of beta" in reader.alarms()["trust-repository"].what
    assert reader.peer().trust_error is not None
    publisher.mend()
    reader.later(hours=1)
    assert reader.pull(publisher) == []
    assert "trust-repository" not in reader.alarms()
    assert reader.peer().trust_error is None


def test_an_expired_trust_repository_is_an_alarm_and_logs_go_on(reader: Follower, publisher: Publisher) -> None:
    reader.later(days=2)
    publisher.now += timedelta(days=2)
    publisher.log.append(listing(1, sha256(1)))
    assert reader.pull(publisher) == []
    assert reader.held(publisher) == 2
    assert "expired" in reader.alarms()["trust-repository"].what


def test_back_off_grows_and_is_capped_and_a_person_need_not_wait(reader: Follower, publisher: Publisher) -> None:
    publisher.alter(CHECKPOINT, says(b"", 500))
    waits = []
    for failures in range(1, 9):
        (error,) = reader.pull(publisher)
        assert isinstance(error, FetchStatusError)
        peer = reader.peer()
        assert peer.failures == failures
        assert peer.next_try_at is not None
        waits.append(peer.next_try_at - reader.now().timestamp())
    interval = reader.own.settings.pull_interval_seconds
    assert waits == [min(interval * 2**n, BACKOFF_MAX_SECONDS) for n in range(8)]
    assert waits[-1] == waits[-2] == BACKOFF_MAX_SECONDS
    assert not reader.puller.is_due(reader.peer())
    reader.later(minutes=59, seconds=59)
    assert not reader.puller.is_due(reader.peer())
    reader.later(seconds=1)
    assert reader.puller.is_due(reader.peer())
    publisher.mend()
    assert reader.pull(publisher) == []
    assert reader.puller.is_due(reader.peer())
    assert reader.peer().failures == 0


def test_a_peer_that_is_down_keeps_its_list_and_stops_nobody(
    reader: Follower, publisher: Publisher, fetcher: Fetcher
) -> None:
    with Publisher("gamma") as other:
        other.log.append(listing(1, sha256(1)))
        reader.add(other)
        assert reader.pull(other) == []
    (error,) = reader.pull(other)
    assert type(error) is FetchError
    assert reader.action(sha256(1)) == Action.REVIEW
    publisher.log.append(listing(2, sha256(2)))
    assert reader.pull(publisher) == []
    assert reader.action(sha256(2)) == Action.REVIEW
    assert fetcher is reader.fetcher


def test_one_log_that_fails_does_not_stop_the_others(reader: Follower, publisher: Publisher) -> None:
    crisis = publisher.add_log("crisis-1", name="crisis", kind="crisis")
    crisis.append(listing(1, sha256(1)))
    publisher.now += timedelta(hours=1)
    publisher.publish()
    reader.later(hours=1)
    publisher.alter("/logs/crisis-1/checkpoint", gone)
    publisher.log.append(listing(2, sha256(2)))
    pulled = reader.pulled(publisher)
    assert [polled.origin for polled in pulled.logs] == [publisher.log.origin]
    assert [type(error) for error in pulled.errors] == [FetchStatusError]
    assert reader.action(sha256(2)) == Action.REVIEW
    publisher.mend()
    assert reader.pull(publisher) == []
    assert reader.action(sha256(1)) == Action.REVIEW


@pytest.mark.parametrize("closed_first", [True, False])
def test_a_log_waits_until_those_before_it_are_held(
    follower: Follower, publisher: Publisher, *, closed_first: bool
) -> None:
    """Whichever the card names first: what withdraws a listing of a closed log is merged after it."""
    publisher.log.append(listing(1, sha256(1)), listing(2, sha256(2)))
    publisher.log.close()
    publisher.add_log("listings-2").append(withdrawal(100, of=1))
    publisher.logs.sort(key=lambda log: (log.final is None) is closed_first)
    publisher.now += timedelta(hours=1)
    publisher.publish()
    follower.later(hours=1)
    follower.add(publisher)
    for path in ("tile/entries/000.p/2", "tile/entries/000"):
        publisher.alter(path, gone)
    pulled = follower.pulled(publisher)
    assert len(pulled.errors) == 1
    assert [(log.after, log.verdict) for log in pulled.logs] == [(0, "waits-for-earlier")]
    publisher.mend()
    assert follower.pull(publisher) == []
    assert [follower.action(sha256(number)) for number in (1, 2)] == [Action.NONE, Action.REVIEW]


def test_nobody_pulls_strangers_or_themselves_or_the_paused(reader: Follower, publisher: Publisher) -> None:
    with pytest.raises(NotFoundError):
        reader.puller.pull("delta")
    with pytest.raises(ConflictError, match="is this node itself"):
        reader.puller.pull("acme")
    for state in ("paused", "removed"):
        with reader.database.write() as connection:
            set_state(connection, reader.peer().number, state)
        with pytest.raises(ConflictError, match=f"beta is {state}"):
            reader.pull(publisher)
    assert publisher.asked == []


def test_two_threads_pull_one_peer_and_nothing_is_doubled(follower: Follower, publisher: Publisher) -> None:
    publisher.log.append(*(listing(number, sha256(number)) for number in range(600)))
    follower.add(publisher)
    inside, go_on = threading.Event(), threading.Event()

    def hold(asked: object) -> None:
        if "entries" in str(asked):
            inside.set()
            assert go_on.wait(120)

    publisher.before = hold
    first: list[object] = []
    thread = threading.Thread(target=lambda: first.extend(follower.pull(publisher)))
    thread.start()
    assert inside.wait(120)
    with pytest.raises(StoreBusyError):
        follower.make_puller().pull(publisher.member)
    go_on.set()
    thread.join()
    assert first == []
    assert (follower.held(publisher), len(follower.live(publisher))) == (600, 600)
    assert len(publisher.paths("tile/entries")) == 3
    assert follower.peer().failures == 0


def _pull_elsewhere(home: Path, url: str, results: multiprocessing.Queue[str]) -> None:
    with opened(url) as database, Fetcher() as fetcher:
        settings = Settings(home=home, member="acme", url="https://acme.example", database_url=url)
        puller = Puller(database, Locks(database, home), fetcher, InlineWorkers(), settings, lambda: NOW)
        try:
            puller.pull("beta")
        except StoreBusyError:
            results.put("busy")
        else:
            results.put("pulled")


def test_two_processes_pull_one_peer_and_nothing_is_doubled(
    follower: Follower, publisher: Publisher, database_url: str
) -> None:
    publisher.log.append(*(listing(number, sha256(number)) for number in range(300)))
    follower.add(publisher)
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=_pull_elsewhere, args=(follower.own.home, database_url, results))
    said: list[str] = []

    def pull_in_the_middle(asked: object) -> None:
        if "entries/000" in str(asked) and not said:
            said.append("asked")
            process.start()
            said.append(results.get(timeout=300))
            process.join()

    publisher.before = pull_in_the_middle
    assert follower.pull(publisher) == []
    assert said == ["asked", "busy"]
    assert (follower.held(publisher), len(follower.live(publisher))) == (300, 300)


def test_a_full_disk_leaves_nothing_half_applied(
    sqlite_follower: Follower, sqlite_database: Database, publisher: Publisher
) -> None:
    follower = sqlite_follower
    publisher.log.append(listing(1, sha256(1)))
    follower.add(publisher)
    assert follower.pull(publisher) == []
    before = follower.log(publisher), follower.digest()
    publisher.log.append(*(listing(number, sha256(number), labels=["x" * 100]) for number in range(2, 2_000)))
    limit_pages(sqlite_database, page_count(sqlite_database) + 10)
    try:
        errors = follower.pull(publisher)
    except StoreFullError as error:
        errors = [error]
    assert StoreFullError in {type(error) for error in errors}
    log = follower.log(publisher)
    assert (log.held_size, log.held_range) == (before[0].held_size, before[0].held_range)
    assert follower.digest() == before[1]
    assert follower.held(publisher) == 1
    limit_pages(sqlite_database, PLENTY)
    assert follower.pull(publisher) == []
    assert follower.held(publisher) == 1_999
    assert "store-full" not in follower.alarms()


def test_a_next_try_beyond_the_longest_wait_counts_as_due(reader: Follower, publisher: Publisher) -> None:
    publisher.alter(CHECKPOINT, says(b"", 500))
    assert len(reader.pull(publisher)) == 1
    assert not reader.puller.is_due(reader.peer())
    reader.later(days=-30)  # the clock is put back
    assert reader.puller.is_due(reader.peer())
