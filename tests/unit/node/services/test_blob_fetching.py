from __future__ import annotations

import gzip
import hashlib
import threading
from collections import Counter
from collections.abc import Iterator

import pytest
import zstandard

from follower import Follower
from hashpact_node.services.blob_fetching import BlobFetcher, Trouble
from hashpact_node.store.blobs import blob_lengths, count_wants, drop_unclaimed, read_blob
from hashpact_node.store.peers import set_state
from hashpact_protocol.blobs import blob_signal
from hashpact_protocol.policy import Action
from hashpact_protocol.signals import Signal, make_signal
from members import listing, sha256, withdrawal
from nodes import wait_until
from publisher import Alter, Publisher, gone, login_page, says

MEBIBYTE = 1024 * 1024
MISSING, WRONG, QUOTA = (trouble.value for trouble in Trouble)


def frames(number: int, count: int = 1) -> bytes:
    """Give a vPDQ blob of its own, 76 bytes or so a frame."""
    return b"".join(b"%064x,98,%d.000\n" % (number, second) for second in range(count))


def path(data: bytes) -> str:
    return f"blob/{hashlib.sha256(data).hexdigest()}"


class Reader:
    """Acme, and what fetches its peers' blobs."""

    def __init__(self, follower: Follower, quota: int = MEBIBYTE) -> None:
        self.follower = follower
        self.blobs = BlobFetcher(follower.database, follower.fetcher, quota, follower.now, follower.puller.is_due)

    def pull(self, publisher: Publisher) -> int:
        """Pull, and fetch what is due; how many blobs came."""
        assert not self.follower.pull(publisher)
        return self.blobs.run()

    def again(self) -> int:
        """Fetch when everything is due once more."""
        self.follower.later(days=1, seconds=1)
        return self.blobs.run()

    def held(self, signal: Signal) -> bytes | None:
        """Give a blob that is here."""
        with self.follower.database.read() as connection:
            return read_blob(connection, signal.key)

    def wants(self) -> dict[str | None, int]:
        """Count what is wanted: ``held``, or by what went wrong."""
        with self.follower.database.read() as connection:
            counts = count_wants(connection)
        found: Counter[str | None] = Counter()
        for one in counts:
            found["held" if one.held else one.code] += one.count
        return dict(found)


@pytest.fixture
def reader(follower: Follower, publisher: Publisher) -> Reader:
    """On each kind of database."""
    follower.add(publisher)
    return Reader(follower)


@pytest.fixture
def quick(sqlite_follower: Follower, publisher: Publisher) -> Reader:
    """On SQLite alone, for what has nothing to do with SQL."""
    sqlite_follower.add(publisher)
    return Reader(sqlite_follower)


def test_a_blob_is_fetched_once_and_kept_while_it_is_named(reader: Reader, publisher: Publisher) -> None:
    data = frames(1)
    signal = blob_signal("vpdq", data)
    publisher.log.append(listing(1, signal), listing(2, signal), listing(3, sha256(1)))
    publisher.alter(path(data), says(data))
    assert reader.pull(publisher) == 1
    assert reader.held(signal) == data
    assert reader.wants() == {"held": 1}
    view = reader.follower.peering.show("beta")
    assert (view.blobs.held, view.blobs.missing, view.blobs.bytes) == (1, 0, len(data))
    assert not view.stale
    assert not reader.follower.alarms()
    assert reader.again() == 0
    assert len(publisher.paths("blob/")) == 1
    publisher.log.append(withdrawal(4, 1))
    reader.pull(publisher)
    assert reader.wants() == {"held": 1}
    publisher.log.append(withdrawal(5, 2))
    publisher.now = reader.follower.now()
    publisher.renew()
    reader.pull(publisher)
    assert reader.wants() == {}
    with reader.follower.database.write() as connection:
        assert drop_unclaimed(connection, used_before=reader.follower.now()) == 1
    assert reader.held(signal) is None


def test_types_that_are_not_matched_are_not_fetched(quick: Reader, publisher: Publisher) -> None:
    publisher.log.append(listing(1, make_signal("moon_hash", sha256="ab" * 32, length=5), sha256(1)))
    assert quick.pull(publisher) == 0
    assert quick.wants() == {}


@pytest.mark.parametrize(
    ("alter", "code", "reason"),
    [
        (says(frames(2)), WRONG, "another hash"),
        (says(frames(1) + b"x"), WRONG, "longer than"),
        (says(b"x" * MEBIBYTE), WRONG, "longer than"),
        (says(zstandard.compress(b" " * 50 * MEBIBYTE), content_encoding="zstd"), WRONG, "longer than"),
        (says(gzip.compress(b" " * 50 * MEBIBYTE), content_encoding="gzip"), WRONG, "longer than"),
        (login_page, WRONG, "another hash"),
        (says(b""), WRONG, "another hash"),
        (gone, MISSING, "status 404"),
        (says(b"", 410), MISSING, "status 410"),
        (says(b"no", 403), MISSING, "status 403"),
        (says(b"", 302, location="http://127.0.0.1:1/"), MISSING, "redirect"),
        (says(frames(1)[:-1] + b"\xff", content_encoding="zstd"), MISSING, "zstd"),
    ],
)
def test_a_blob_that_is_not_what_was_said_stands_alone(
    quick: Reader, publisher: Publisher, alter: Alter, code: str, reason: str
) -> None:
    """ATTACKS 44: not matched, an alarm, and everything else goes on; mended, it is fetched."""
    bad, good = frames(1), frames(7)
    signal = blob_signal("vpdq", bad)
    publisher.log.append(listing(1, signal, sha256(1)), listing(2, blob_signal("vpdq", good), sha256(2)))
    publisher.alter(path(good), says(good))
    publisher.alter(path(bad), alter)
    assert quick.pull(publisher) == 1
    if code == MISSING:
        assert not quick.follower.alarms()  # it may only just be published
    quick.again()
    assert quick.held(signal) is None
    assert quick.wants() == {"held": 1, code: 1}
    alarm = quick.follower.alarms()[code]
    assert reason in alarm.what
    assert hashlib.sha256(bad).hexdigest() in alarm.what
    assert alarm.mend
    assert alarm.peer == quick.follower.peer().number
    assert quick.follower.action(sha256(1)) == quick.follower.action(sha256(2)) == Action.REVIEW
    assert quick.follower.action(signal) == Action.REVIEW  # the claim stands whatever becomes of the bytes
    assert quick.follower.peer().failures == 0
    publisher.alter(path(bad), says(bad))
    assert quick.again() == 1
    assert quick.held(signal) == bad
    assert not quick.follower.alarms()


def test_a_malformed_one_is_not_matched(quick: Reader, publisher: Publisher) -> None:
    data = b"these are no frames\n"
    signal = make_signal("vpdq", sha256=hashlib.sha256(data).hexdigest(), length=len(data))
    publisher.log.append(listing(1, signal))
    publisher.alter(path(data), says(data))
    quick.pull(publisher)
    assert quick.held(signal) is None
    assert "line 1" in quick.follower.alarms()[WRONG].what


def test_it_is_asked_for_again_with_growing_pauses(quick: Reader, publisher: Publisher) -> None:
    data = frames(1)
    publisher.log.append(listing(1, blob_signal("vpdq", data)))
    publisher.alter(path(data), gone)
    quick.pull(publisher)
    for _minute in range(60):
        quick.follower.later(minutes=1)
        quick.blobs.run()
    assert 4 <= len(publisher.paths("blob/")) <= 9
    asked = len(publisher.paths("blob/"))
    quick.follower.later(days=30)
    for _ in range(3):
        quick.again()
    assert len(publisher.paths("blob/")) == asked + 3


def test_a_shorter_one_with_the_hash_is_right(quick: Reader, publisher: Publisher) -> None:
    data = frames(1)
    name = hashlib.sha256(data).hexdigest()
    # Of several lengths the greatest counts.
    publisher.log.append(
        listing(1, make_signal("vpdq", sha256=name, length=len(data) + 5)),
        listing(2, make_signal("vpdq", sha256=name, length=5)),
    )
    publisher.alter(path(data), says(data))
    assert quick.pull(publisher) == 1
    assert quick.wants() == {"held": 1}


def test_a_quota_is_each_member_s_own(quick: Reader, publisher: Publisher) -> None:
    blobs = [frames(number, 5) for number in range(4)]
    quick.blobs.quota_bytes = len(blobs[0]) * 2
    publisher.log.append(*(listing(number, blob_signal("vpdq", data)) for number, data in enumerate(blobs, 1)))
    for data in blobs:
        publisher.alter(path(data), says(data))
    with Publisher("gamma") as gamma:
        quick.follower.add(gamma)
        theirs = frames(99, 5)
        gamma.log.append(listing(1, blob_signal("vpdq", theirs)), listing(2, blob_signal("vpdq", blobs[3])))
        for data in (theirs, blobs[3]):
            gamma.alter(path(data), says(data))
        assert quick.pull(publisher) == 2
        assert quick.wants() == {"held": 2, QUOTA: 2}
        assert "quota" in quick.follower.alarms()[QUOTA].what
        assert quick.pull(gamma) == 2
        assert quick.held(blob_signal("vpdq", theirs)) == theirs
        # What another member brought costs nothing.
        quick.again()
        assert quick.wants() == {"held": 5, QUOTA: 1}
        quick.blobs.quota_bytes = MEBIBYTE
        quick.again()
        assert quick.wants() == {"held": 6}
        assert not quick.follower.alarms()


def test_listing_and_withdrawing_in_turn_takes_no_more_room(quick: Reader, publisher: Publisher) -> None:
    first, second = frames(1, 5), frames(2, 5)
    quick.blobs.quota_bytes = len(first) + 10
    publisher.log.append(listing(1, blob_signal("vpdq", first)))
    publisher.alter(path(first), says(first))
    assert quick.pull(publisher) == 1
    publisher.log.append(withdrawal(2, 1), listing(3, blob_signal("vpdq", second)))
    assert quick.pull(publisher) == 0
    assert QUOTA in quick.follower.alarms()


def test_what_was_dropped_and_is_named_again_is_fetched_again(reader: Reader, publisher: Publisher) -> None:
    data = frames(1)
    signal = blob_signal("vpdq", data)
    publisher.log.append(listing(1, signal))
    publisher.alter(path(data), says(data))
    reader.pull(publisher)
    publisher.log.append(withdrawal(2, 1))
    assert not reader.follower.pull(publisher)
    reader.follower.later(seconds=1)
    with reader.follower.database.write() as connection:
        assert drop_unclaimed(connection, used_before=reader.follower.now()) == 1
    publisher.log.append(listing(3, signal))
    assert not reader.follower.pull(publisher)
    reader.blobs.run()
    assert reader.held(signal) == data


def test_the_log_that_names_it_now_is_asked(quick: Reader, publisher: Publisher) -> None:
    data = frames(1)
    publisher.log.append(listing(1, blob_signal("vpdq", data)))
    publisher.alter(path(data), gone)
    quick.pull(publisher)
    crisis = publisher.add_log("listings-2", name="listings-eu")
    publisher.publish()
    crisis.append(listing(1, blob_signal("vpdq", data)))
    publisher.alter(f"/logs/listings-2/{path(data)}", says(data))
    quick.follower.later(hours=2)
    publisher.now = quick.follower.now()
    publisher.renew()
    assert quick.pull(publisher) == 1


def test_a_paused_or_failing_member_is_left_alone(quick: Reader, publisher: Publisher) -> None:
    data = frames(1)
    publisher.log.append(listing(1, blob_signal("vpdq", data)))
    assert not quick.follower.pull(publisher)
    peer = quick.follower.peer().number
    with quick.follower.database.write() as connection:
        set_state(connection, peer, "paused")
    assert quick.blobs.run() == 0
    with quick.follower.database.write() as connection:
        set_state(connection, peer, "active")
    quick.blobs.is_due = lambda _peer: False
    assert quick.blobs.run() == 0
    assert not publisher.paths("blob/")


@pytest.fixture
def stalled(publisher: Publisher) -> Iterator[threading.Event]:
    """A blob for which the publisher never answers, until the test is over."""
    over, asked = threading.Event(), threading.Event()

    def before(request: object) -> None:
        if "/blob/" in request.path:  # type: ignore[attr-defined]  # publisher.Asked
            asked.set()
            over.wait(600)

    publisher.before = before
    yield asked
    over.set()


def test_a_member_that_stalls_keeps_no_other_waiting(
    quick: Reader, publisher: Publisher, stalled: threading.Event
) -> None:
    data, theirs = frames(1), frames(2)
    publisher.log.append(listing(1, blob_signal("vpdq", data)))
    publisher.alter(path(data), says(data))
    with Publisher("gamma") as gamma:
        quick.follower.add(gamma)
        gamma.log.append(listing(1, blob_signal("vpdq", theirs)))
        gamma.alter(path(theirs), says(theirs))
        assert not quick.follower.pull(publisher)
        assert not quick.follower.pull(gamma)
        stop = threading.Event()
        running = threading.Thread(target=quick.blobs.run, args=(stop,))
        running.start()
        assert stalled.wait(120)
        wait_until(lambda: quick.held(blob_signal("vpdq", theirs)) == theirs)
        stop.set()
        running.join(120)
        assert not running.is_alive()
    with quick.follower.database.read() as connection:
        assert not blob_lengths(connection, [blob_signal("vpdq", data).key])
