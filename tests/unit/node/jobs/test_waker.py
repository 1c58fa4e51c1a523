from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from hashpact_node import clock
from hashpact_node.assembly import Node, open_node
from hashpact_node.jobs import waker
from hashpact_node.jobs.waker import Waker
from hashpact_node.services import card_bell, trusting
from hashpact_node.store.database import Database
from hashpact_node.store.doorbells import find_ring, ring
from hashpact_node.store.logs import Log, find_log
from hashpact_node.store.peers import Peer, get_peer
from members import listing, sha256
from own_member import found_member
from publisher import Publisher, Reply, gone

GENEROUS_SECONDS = 120.0


@pytest.fixture
def beta() -> Iterator[Publisher]:
    with Publisher(now=clock.now()) as one:
        one.log.append(listing(0, sha256(0)))
        yield one


@pytest.fixture
def node(sqlite_database: Database, tmp_path: Path, beta: Publisher) -> Iterator[Node]:
    own = found_member(sqlite_database, tmp_path / "home", sqlite_database.where)
    one = open_node(own.settings, lambda: b"passphrase of a test")
    one.peering.add(beta.member, beta.url, fingerprint=beta.fingerprint)
    yield one
    one.close()


@pytest.fixture
def running(node: Node) -> Iterator[Waker]:
    one = Waker(node)
    one.start()
    yield one
    one.stop()


def wait_for(question: Callable[[], object]) -> None:
    deadline = time.monotonic() + GENEROUS_SECONDS
    while not question():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def row(node: Node, beta: Publisher) -> Log:
    with node.database.read() as connection:
        found = find_log(connection, beta.log.origin)
    assert found is not None
    return found


def peer(node: Node) -> Peer:
    with node.database.read() as connection:
        return get_peer(connection, "beta")


def rings(node: Node, beta: Publisher, size: int, *, later: float = 0.0) -> None:
    with node.database.write() as connection:
        ring(connection, row(node, beta).number, size=size, due_ms=int((clock.now().timestamp() + later) * 1_000))


def asked_for(node: Node, beta: Publisher) -> bool:
    with node.database.read() as connection:
        return find_ring(connection, row(node, beta).number) is not None


def test_what_was_rung_for_is_pulled_and_told(node: Node, running: Waker, beta: Publisher) -> None:
    rings(node, beta, 1)
    wait_for(lambda: row(node, beta).held_size == 1)
    wait_for(lambda: row(node, beta).news_by == "doorbell")
    assert not asked_for(node, beta)
    assert row(node, beta).news_age is not None
    del running


def test_what_is_due_later_waits_and_what_is_held_is_forgotten(node: Node, running: Waker, beta: Publisher) -> None:
    rings(node, beta, 1, later=3_600)
    time.sleep(3 * waker.LOOK_SECONDS)
    assert row(node, beta).held_size == 0
    assert node.puller.pull("beta").errors == []
    wait_for(lambda: not asked_for(node, beta))
    assert row(node, beta).news_by == "poll"
    del running


def test_rings_that_bring_nothing_are_answered_ever_more_slowly(
    node: Node, running: Waker, beta: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waker, "PAUSE_MAX_SECONDS", 3_600.0)
    beta.alter("checkpoint", gone)
    running._pauses["beta"] = 1_800.0
    rings(node, beta, 9)
    wait_for(lambda: beta.paths("checkpoint"))
    wait_for(lambda: not running._running)
    for _ in range(5):
        rings(node, beta, 9)
        node.witness.rung.set()
        time.sleep(waker.LOOK_SECONDS)
    assert len(beta.paths("checkpoint")) == 1
    # Nothing of it is held against the peer, and polling is as it was.
    assert (peer(node).failures, peer(node).next_try_at, peer(node).last_error) == (0, None, None)


def test_what_waits_for_cosignatures_is_asked_for_until_it_has_them(
    node: Node, running: Waker, beta: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node.puller, "_required", 1)
    rings(node, beta, 1)
    wait_for(lambda: len(beta.paths("checkpoint")) > 1)
    assert row(node, beta).held_size == 0
    monkeypatch.setattr(node.puller, "_required", 0)  # in place of a cosignature that came late
    wait_for(lambda: row(node, beta).held_size == 1)
    wait_for(lambda: not asked_for(node, beta))
    del running


def hints(node: Node, beta: Publisher, card: int) -> None:
    with node.database.write() as connection:
        ring(connection, row(node, beta).number, size=0, due_ms=int(clock.now().timestamp() * 1_000), card=card)


def test_a_newer_card_is_read_though_nothing_has_grown(
    node: Node, running: Waker, beta: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (trusting, card_bell):
        monkeypatch.setattr(module, "TRUST_HINT_INTERVAL", timedelta(hours=1))
    assert node.puller.pull("beta").errors == []
    beta.publish(contacts=["mailto:new@beta.example"])
    hints(node, beta, beta.card_version)
    # It was looked at a moment ago, so it is asked for again when a hint may make it look.
    wait_for(lambda: ring_due(node, beta) > clock.now().timestamp() + 60)
    assert peer(node).card_version != beta.card_version
    for module in (trusting, card_bell):
        monkeypatch.setattr(module, "TRUST_HINT_INTERVAL", timedelta())
    hints(node, beta, beta.card_version)
    wait_for(lambda: peer(node).card_version == beta.card_version)
    wait_for(lambda: not asked_for(node, beta))
    wait_for(lambda: running._pauses["beta"] == waker.PAUSE_SECONDS)


def ring_due(node: Node, beta: Publisher) -> float:
    with node.database.read() as connection:
        found = find_ring(connection, row(node, beta).number)
    return 0.0 if found is None else found[1] / 1_000


def test_whoever_tells_of_a_card_that_is_none_is_soon_forgotten(
    node: Node, running: Waker, beta: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trusting, "TRUST_HINT_INTERVAL", timedelta())
    monkeypatch.setattr(card_bell, "TRUST_HINT_INTERVAL", timedelta())
    now, looks = clock.now, itertools.count()
    # Time passes between two looks at the clock, which is no reason to ask once more.
    monkeypatch.setattr("hashpact_node.clock.now", lambda: now() + next(looks) * timedelta(milliseconds=5))
    assert node.puller.pull("beta").errors == []
    beta.forget()
    hints(node, beta, 10**15)
    wait_for(lambda: running._pauses["beta"] > waker.PAUSE_SECONDS)
    wait_for(lambda: not asked_for(node, beta))
    assert [asked for asked in beta.paths() if asked.startswith("trust/")] == []
    assert len(beta.paths("checkpoint")) == 1


def test_it_goes_on_whatever_breaks(
    node: Node, running: Waker, beta: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, broken = Waker._look, threading.Event()

    def breaks(one: Waker) -> float:
        if not broken.is_set():
            broken.set()
            raise RuntimeError("a fault of this program")
        return look(one)

    monkeypatch.setattr(Waker, "_look", breaks)
    assert broken.wait(GENEROUS_SECONDS)
    rings(node, beta, 1)
    wait_for(lambda: row(node, beta).held_size == 1)
    del running


def test_a_pull_that_runs_already_is_asked_for_again(node: Node, running: Waker, beta: Publisher) -> None:
    with node.locks.hold("peer/beta", timeout=GENEROUS_SECONDS):
        rings(node, beta, 1)
        wait_for(lambda: not asked_for(node, beta))
        wait_for(lambda: asked_for(node, beta))
    wait_for(lambda: row(node, beta).held_size == 1)
    del running


def test_what_comes_while_a_pull_runs_or_too_early_is_pulled_as_soon_as_it_may(
    node: Node, beta: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By itself it would look again long after this test has given up."""
    monkeypatch.setattr(waker, "LOOK_SECONDS", 10 * GENEROUS_SECONDS)
    reading, goes_on = threading.Event(), threading.Event()

    def slow(honest: Reply) -> Reply:
        reading.set()
        goes_on.wait(GENEROUS_SECONDS)
        return honest

    beta.alter("checkpoint", slow)
    one = Waker(node)
    one.start()
    try:
        rings(node, beta, 1)
        node.witness.rung.set()
        assert reading.wait(GENEROUS_SECONDS)
        beta.log.append(listing(1, sha256(1)))
        rings(node, beta, 2)
        node.witness.rung.set()
        wait_for(lambda: one._asked_meanwhile)
        goes_on.set()
        wait_for(lambda: row(node, beta).held_size == 2)
        beta.log.append(listing(2, sha256(2)))
        rings(node, beta, 3, later=1.0)
        node.witness.rung.set()
        wait_for(lambda: row(node, beta).held_size == 3)
    finally:
        one.stop()
