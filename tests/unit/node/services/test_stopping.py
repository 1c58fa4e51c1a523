"""A pull ends when it has to, even while its peer keeps it waiting, and the next one goes on from there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from follower import Follower
from hashpact_node.net.stopping import OutOfTimeError, Stop, Stopped
from hashpact_node.net.trust import refresh_trust
from hashpact_node.services.pulling import Pulled
from hashpact_protocol.errors import EntriesError, FetchTimeoutError
from members import listing, sha256
from publisher import Asked, Publisher, flipped

SECONDS = 100.0
"""How long a busy machine may take for what is soon."""

SILENT_SECONDS = 600.0
"""How long a peer is silent that never answers, and how long a pull would wait for it if it were not told to end."""


@pytest.fixture
def go_on() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def reader(sqlite_follower: Follower, publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> Follower:
    """Acme, which follows the publisher, and has 2 bundles to a batch; it would wait for ever for an answer."""
    for name in ("peer_logs.CHECKPOINT_DEADLINE_SECONDS", "peer_logs.TILE_DEADLINE_SECONDS"):
        monkeypatch.setattr(f"hashpact_node.net.{name}", SILENT_SECONDS)
    monkeypatch.setitem(refresh_trust.__kwdefaults__, "deadline_seconds", SILENT_SECONDS)  # type: ignore[arg-type]  # it has some
    monkeypatch.setattr("hashpact_node.services.catch_up.ENTRIES_ALONE", 300)
    for module in ("catch_up", "prefetch"):
        monkeypatch.setattr(f"hashpact_node.services.{module}.BATCH_BUNDLES", 2)
    publisher.log.append(*(listing(number, sha256(number)) for number in range(256 * 8)))
    sqlite_follower.add(publisher)
    return sqlite_follower


def hold_at(publisher: Publisher, path: str, go_on: threading.Event) -> threading.Event:
    """Let the publisher not answer for a path; the event says that it was asked."""
    inside = threading.Event()

    def hold(asked: Asked) -> None:
        if path in asked.path:
            inside.set()
            go_on.wait(SILENT_SECONDS)

    publisher.before = hold
    return inside


@contextmanager
def pulling(reader: Follower, stop: threading.Event | None = None) -> Iterator[list[Pulled]]:
    """Pull in another thread for the body, and see that it ends after that, while the peer is silent still."""
    done: list[Pulled] = []
    thread = threading.Thread(target=lambda: done.append(reader.puller.pull("beta", stop=stop)), daemon=True)
    thread.start()
    yield done
    thread.join(SECONDS)
    assert done


@pytest.mark.parametrize("path", ["tile/entries/004", "tile/1/000.p/8", "checkpoint", "trust/metadata/timestamp"])
def test_a_pull_ends_when_it_is_told(reader: Follower, publisher: Publisher, go_on: threading.Event, path: str) -> None:
    inside, stop = hold_at(publisher, path, go_on), threading.Event()
    reader.later(hours=1)
    with pulling(reader, stop) as done:
        assert inside.wait(SECONDS)
        stop.set()
    assert done[0].errors == []
    assert "told to stop" in (done[0].unfinished or "")
    peer = reader.peer()
    assert (peer.failures, peer.last_try_at, reader.alarms()) == (0, None, {}), "that says nothing about the peer"
    go_on.set()
    assert reader.pull(publisher) == []
    assert reader.held(publisher) == 256 * 8


@pytest.mark.parametrize("state", ["paused", "removed"])
def test_a_pull_ends_when_its_peer_is_not_wanted_any_more(
    reader: Follower, publisher: Publisher, go_on: threading.Event, state: str
) -> None:
    inside = hold_at(publisher, "tile/entries/004", go_on)
    with pulling(reader) as done:
        assert inside.wait(SECONDS)
        if state == "paused":
            reader.peering.pause("beta")
        else:
            reader.peering.remove("beta")
    assert done[0].unfinished == f"beta is {state} now"
    held = reader.log(publisher).held_size
    assert held < 256 * 8
    if state == "removed":
        assert (held, reader.live(publisher)) == (0, [])
        return
    go_on.set()
    reader.peering.resume("beta")
    assert reader.pull(publisher) == []
    assert reader.held(publisher) == 256 * 8


def test_nothing_is_committed_once_the_peer_is_not_wanted(reader: Follower, publisher: Publisher) -> None:
    def pause(asked: Asked) -> None:
        if "entries/007" in asked.path:
            reader.peering.pause("beta")

    publisher.before = pause
    pulled = reader.pulled(publisher)
    assert pulled.unfinished == "beta is paused now"
    assert reader.held(publisher) < 256 * 8


def test_what_came_in_time_is_kept_and_the_next_pull_goes_on(
    reader: Follower, publisher: Publisher, go_on: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold_at(publisher, "tile/entries/005", go_on)
    monkeypatch.setattr("hashpact_node.services.pulling.PULL_SECONDS", 3.0)  # many times what five bundles take
    while reader.held(publisher) < 256 * 5:  # but on a machine that has much else to do
        pulled = reader.pulled(publisher)
        assert "time is over" in (pulled.unfinished or "")
        assert (pulled.errors, reader.peer().failures) == ([], 0)
    assert reader.held(publisher) == 256 * 5
    (error,) = reader.pull(publisher)
    assert isinstance(error, FetchTimeoutError), "a pull that comes to nothing is the peer's fault"
    assert reader.peer().failures == 1
    go_on.set()
    publisher.forget()
    assert reader.pull(publisher) == []
    assert publisher.paths("tile/entries/004") == []
    assert reader.held(publisher) == 256 * 8


def test_entries_without_right_tiles_are_bounded(
    reader: Follower, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashpact_node.services.catch_up.PROVEN_BY_ENTRIES_MAX", 256 * 8 - 1)
    publisher.alter("tile/1/000.p/8", flipped)
    (error,) = reader.pull(publisher)
    assert isinstance(error, EntriesError)
    assert "too many" in str(error)
    assert publisher.paths("tile/entries") == []
    monkeypatch.setattr("hashpact_node.services.catch_up.PROVEN_BY_ENTRIES_MAX", 256 * 8)
    assert reader.pull(publisher) == []


def test_a_short_gap_of_large_entries_is_not_held_at_once(
    reader: Follower, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashpact_node.services.catch_up.ENTRIES_ALONE", 256 * 8)
    monkeypatch.setattr("hashpact_node.services.catch_up.GATHERED_MAX_BYTES", 100_000)
    assert reader.pull(publisher) == []
    assert publisher.paths("tile/1/000.p/8"), "it went over to tiles"
    assert reader.held(publisher) == 256 * 8


@pytest.mark.parametrize("after", [0, 3])
def test_a_stop_asks_at_once_before_a_commit_and_now_and_then_else(after: int) -> None:
    time_is, asked = [0.0], []

    def ask() -> str | None:
        asked.append(time_is[0])
        return "no more" if time_is[0] > after else None

    stop = Stop(seconds=10, asks=ask, monotonic=lambda: time_is[0])
    stop.before_commit()
    stop.look()
    assert asked == [0.0]
    time_is[0] = after + 0.5
    stop.check()
    with pytest.raises(Stopped, match="no more"):
        stop.before_commit()
    with pytest.raises(Stopped, match="no more"):
        stop.check()


def test_time_that_is_over_lets_what_came_be_committed() -> None:
    time_is = [0.0]
    stop = Stop(seconds=1, monotonic=lambda: time_is[0])
    time_is[0] = 1.0
    for look in (stop.check, stop.look):
        with pytest.raises(OutOfTimeError):
            look()
    stop.before_commit()


def test_no_handler_of_errors_takes_a_stop_for_one() -> None:
    def handled(work: Callable[[], object]) -> None:
        try:
            work()
        except Exception:  # noqa: BLE001 - that is what must not happen
            pytest.fail("it was taken for an error")

    event = threading.Event()
    event.set()
    with pytest.raises(Stopped):
        handled(Stop(event=event).check)
