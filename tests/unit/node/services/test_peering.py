from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from threading import Thread

import pytest

from follower import Follower
from hashpact_node.services import peering
from hashpact_node.services.peering import Peering
from hashpact_node.services.removal import drop_if_out, finish_removals
from hashpact_node.services.trusting import Trusting
from hashpact_node.store.audiences import (
    add_audience,
    add_readers,
    close_audience,
    get_audience,
    list_audiences,
)
from hashpact_node.store.bundles import count_entries
from hashpact_node.store.connection import Connection
from hashpact_node.store.decisions import DIRECTORY, LOCAL, find_decision, list_decisions
from hashpact_node.store.owners import count_live
from hashpact_node.store.peers import REMOVED, SUSPENDED, Peer, find_peer, list_peers, set_state
from hashpact_protocol.errors import (
    CardError,
    ConfigurationError,
    ConflictError,
    FetchError,
    HashpactError,
    MemberNameError,
    NotFoundError,
    RequestError,
    StoreBusyError,
    TrustError,
)
from hashpact_protocol.policy import Action
from members import NOW, listing, sha256
from publisher import Publisher, login_page, says


def nobody_is_followed(follower: Follower) -> None:
    with follower.database.read() as connection:
        assert list_peers(connection) == []
    assert follower.peering.list() == []


@pytest.mark.parametrize("pin", ["root", "fingerprint", "both"])
def test_a_peer_is_added_under_its_pin(sqlite_follower: Follower, publisher: Publisher, pin: str) -> None:
    view = sqlite_follower.peering.add(
        publisher.member,
        publisher.url,
        root=publisher.root_file if pin != "fingerprint" else None,
        fingerprint=publisher.fingerprint if pin != "root" else None,
    )
    assert (view.peer.member, view.peer.state) == ("beta", "active")
    assert view.peer.pinned_fingerprint == publisher.fingerprint
    assert view.peer.card == publisher.card()
    assert [log.log.origin for log in view.logs] == [publisher.log.origin]
    assert [shown.peer.member for shown in sqlite_follower.peering.list()] == ["beta"]


def test_no_peer_is_added_without_a_pin(sqlite_follower: Follower, publisher: Publisher) -> None:
    with pytest.raises(RequestError, match="pinned by its root") as caught:
        sqlite_follower.peering.add(publisher.member, publisher.url)
    assert caught.value.mend is not None
    assert "--fingerprint" in caught.value.mend
    assert publisher.asked == []
    nobody_is_followed(sqlite_follower)


def test_a_failed_add_leaves_no_active_peer(sqlite_follower: Follower, publisher: Publisher) -> None:
    add, url, right = sqlite_follower.peering.add, publisher.url, publisher.fingerprint
    with Publisher("delta") as other:
        other_root, other_fingerprint = other.root_file, other.fingerprint
    tries: list[tuple[type[HashpactError], str, dict[str, object]]] = [
        (TrustError, "was pinned", {"fingerprint": f"1:sha256:{'0' * 64}"}),
        (TrustError, "was pinned", {"fingerprint": other_fingerprint}),
        (RequestError, "no fingerprint", {"fingerprint": "sha256:00"}),
        (TrustError, "", {"root": other_root}),
        (
            RequestError,
            "the root given has the fingerprint",
            {"root": publisher.root_file, "fingerprint": other_fingerprint},
        ),
        (TrustError, "", {"root": b"{}"}),
        (TrustError, "", {"root": b""}),
    ]
    for kind, words, pin in tries:
        with pytest.raises(kind, match=words or None):
            add("beta", url, **pin)  # type: ignore[arg-type]  # a table of keyword arguments
        nobody_is_followed(sqlite_follower)
    with pytest.raises(CardError, match="member"):
        add("gamma", url, fingerprint=right)
    nobody_is_followed(sqlite_follower)
    for answer, kind in ((login_page, TrustError), (says(b"", 500), FetchError)):
        publisher.alter("/trust/metadata/timestamp.json", answer)
        with pytest.raises(kind):
            add("beta", url, fingerprint=right)
        nobody_is_followed(sqlite_follower)
    assert "trust-repository" not in sqlite_follower.alarms(), "who asked was told"
    publisher.mend()
    assert add("beta", url, fingerprint=right).peer.state == "active"


@pytest.mark.parametrize(
    ("member", "url"),
    [
        ("Beta", "https://beta.example"),
        ("b", "https://beta.example"),
        ("beta", "https://beta.example/"),
        ("beta", "https://user@beta.example"),
        ("beta", "http://beta.example"),
        ("beta", "ftp://beta.example"),
        ("beta", "https://BETA.example"),
        ("beta", "https://beta.example/a/../b"),
    ],
)
def test_names_of_another_form_are_refused(sqlite_follower: Follower, member: str, url: str) -> None:
    with pytest.raises(MemberNameError):
        sqlite_follower.peering.add(member, url, fingerprint=f"1:sha256:{'0' * 64}")
    nobody_is_followed(sqlite_follower)


def test_urls_that_begin_alike_collide(sqlite_follower: Follower, publisher: Publisher) -> None:
    add = sqlite_follower.peering.add
    for url in ("https://acme.example", "https://acme.example/sub"):
        with pytest.raises(ConflictError, match=r"that of acme \(https://acme.example\)"):
            add("delta", url, fingerprint=publisher.fingerprint)
    sqlite_follower.add(publisher)
    for member, url in (("delta", publisher.url), ("delta", f"{publisher.url}/sub")):
        with pytest.raises(ConflictError, match="that of beta"):
            add(member, url, fingerprint=publisher.fingerprint)
    with pytest.raises(ConflictError, match="beta is followed already"):
        add("beta", publisher.url, fingerprint=publisher.fingerprint)
    with pytest.raises(ConflictError, match="beta, or its URL, is there already"):
        add("beta", "https://elsewhere.example", fingerprint=publisher.fingerprint)
    assert [view.peer.url for view in sqlite_follower.peering.list()] == [publisher.url]
    with pytest.raises(ConflictError):
        add("acme", "https://elsewhere.example", fingerprint=publisher.fingerprint)


def test_a_database_without_a_member_has_no_peers(
    sqlite_follower: Follower, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashpact_node.services.views.find_own", lambda _connection: None)
    with pytest.raises(ConfigurationError, match="hashpact init"):
        sqlite_follower.peering.add("beta", publisher.url, fingerprint=publisher.fingerprint)


def test_a_paused_peer_is_not_pulled_and_its_list_stays(sqlite_follower: Follower, publisher: Publisher) -> None:
    publisher.log.append(listing(1, sha256(1)))
    sqlite_follower.add(publisher)
    assert sqlite_follower.pull(publisher) == []
    assert sqlite_follower.peering.pause("beta").peer.state == "paused"
    with pytest.raises(ConflictError, match="paused"):
        sqlite_follower.pull(publisher)
    assert sqlite_follower.action(sha256(1)) == Action.REVIEW
    assert [view.peer.state for view in sqlite_follower.peering.list()] == ["paused"]
    assert sqlite_follower.peering.resume("beta").peer.state == "active"
    assert sqlite_follower.pull(publisher) == []


def test_a_removed_peer_leaves_the_blocklist_and_may_come_back(follower: Follower, publisher: Publisher) -> None:
    publisher.log.append(*(listing(number, sha256(number)) for number in range(300)))
    follower.add(publisher)
    assert follower.pull(publisher) == []
    digest = follower.digest()
    assert follower.peering.remove("beta").peer.state == REMOVED
    assert follower.action(sha256(1)) == Action.NONE
    nobody_is_followed(follower)
    assert follower.live(publisher) == []
    for change in (follower.peering.pause, follower.peering.suspend, follower.peering.resume):
        with pytest.raises(ConflictError, match="was removed"):
            change("beta")
    with pytest.raises(ConflictError, match="removed"):
        follower.pull(publisher)
    follower.add(publisher)
    assert follower.pull(publisher) == []
    assert follower.action(sha256(1)) == Action.REVIEW
    assert follower.held(publisher) == 300
    assert follower.digest() == digest


def test_a_suspended_peer_leaves_the_blocklist_and_comes_back_unasked(follower: Follower, publisher: Publisher) -> None:
    publisher.log.append(*(listing(number, sha256(number)) for number in range(300)))
    follower.add(publisher)
    assert follower.pull(publisher) == []
    digest, held = follower.digest(), follower.held(publisher)
    view = follower.peering.suspend("beta", reason="its key was stolen")
    assert (view.peer.state, view.decision and view.decision.reason) == (SUSPENDED, "its key was stolen")
    assert (follower.action(sha256(1)), follower.live(publisher)) == (Action.NONE, [])
    with pytest.raises(ConflictError, match="beta is suspended"):
        follower.pull(publisher)
    with pytest.raises(ConflictError, match="beta is suspended") as caught:
        follower.peering.add("beta", "https://elsewhere.example", fingerprint=publisher.fingerprint)
    assert "peer resume beta" in str(caught.value.mend)
    with pytest.raises(ConflictError, match="that of beta"):
        follower.peering.add("delta", publisher.url, fingerprint=publisher.fingerprint)
    with pytest.raises(ConflictError, match="beta is suspended"):
        follower.peering.pause("beta")
    assert [one.peer.state for one in follower.peering.list()] == [SUSPENDED]
    with follower.database.read() as connection:
        assert list_peers(connection) == []
        assert count_entries(connection, follower.log(publisher).number) == 300, "what it published stays"
    publisher.forget()
    assert follower.peering.resume("beta").peer.state == "active"
    assert publisher.asked == [], "nobody was asked for what is stored"
    assert (follower.digest(), follower.held(publisher)) == (digest, held)
    assert follower.action(sha256(1)) == Action.REVIEW
    publisher.log.append(listing(300, sha256(300)))
    assert follower.pull(publisher) == []
    assert follower.held(publisher) == 301


def test_a_suspension_ends_a_pull_and_is_finished_by_upkeep(
    sqlite_follower: Follower, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher.log.append(listing(1, sha256(1)))
    sqlite_follower.add(publisher)
    assert sqlite_follower.pull(publisher) == []
    monkeypatch.setattr(peering, "PEER_WAIT_SECONDS", 0.01)
    with sqlite_follower.locks.hold("peer/beta"), pytest.raises(StoreBusyError):
        sqlite_follower.peering.suspend("beta")
    assert sqlite_follower.peer().state == SUSPENDED
    assert sqlite_follower.action(sha256(1)) == Action.REVIEW
    assert finish_removals(sqlite_follower.database, sqlite_follower.locks, now=sqlite_follower.clock[0]) == 1
    assert sqlite_follower.action(sha256(1)) == Action.NONE


def test_who_decided_is_kept(sqlite_follower: Follower, publisher: Publisher) -> None:
    sqlite_follower.peering.add("beta", publisher.url, fingerprint=publisher.fingerprint, by=DIRECTORY)
    steps: list[tuple[Callable[[], object], str, str | None]] = [
        (lambda: sqlite_follower.peering.suspend("beta", by=DIRECTORY, reason="theft"), DIRECTORY, "theft"),
        (lambda: sqlite_follower.peering.resume("beta", by=DIRECTORY), DIRECTORY, None),
        (lambda: sqlite_follower.peering.suspend("beta"), LOCAL, None),
        (lambda: sqlite_follower.peering.resume("beta"), LOCAL, None),
        (lambda: sqlite_follower.peering.pause("beta"), LOCAL, None),
    ]
    assert _decided(sqlite_follower) == (DIRECTORY, None)
    for step, by, reason in steps:
        step()
        assert _decided(sqlite_follower) == (by, reason)
    sqlite_follower.peering.remove("beta")
    with sqlite_follower.database.read() as connection:
        assert list_decisions(connection)["beta"].by == LOCAL


def _decided(follower: Follower) -> tuple[str, str | None]:
    decision = follower.peering.show("beta").decision
    assert decision is not None
    return decision.by, decision.reason


def test_nobody_pauses_strangers_or_this_node(sqlite_follower: Follower) -> None:
    peering: Peering = sqlite_follower.peering
    for change in (peering.pause, peering.suspend, peering.resume, peering.remove, peering.show):
        with pytest.raises(NotFoundError, match="no member delta"):
            change("delta")
    for change in (peering.pause, peering.suspend, peering.resume, peering.remove):
        with pytest.raises(ConflictError, match="this node itself"):
            change("acme")


def test_a_peer_is_shown_with_its_logs_and_alarms(sqlite_follower: Follower, publisher: Publisher) -> None:
    publisher.log.append(listing(1, sha256(1)), listing(2, sha256(2)))
    sqlite_follower.add(publisher)
    (log,) = sqlite_follower.peering.show("beta").logs
    assert (log.live, log.stale, log.log.held_size) == (0, True, 0)
    assert sqlite_follower.pull(publisher) == []
    view = sqlite_follower.peering.show("beta")
    assert [(log.live, log.stale, log.log.held_size) for log in view.logs] == [(2, False, 2)]
    assert view.alarms == ()
    publisher.alter("checkpoint", says(b"", 500))
    sqlite_follower.later(hours=7)
    assert len(sqlite_follower.pull(publisher)) == 1
    view = sqlite_follower.peering.show("beta")
    assert [alarm.code for alarm in view.alarms] == ["fetch-status"]
    assert view.logs[0].stale


def test_an_add_that_is_interrupted_leaves_no_active_peer(
    sqlite_follower: Follower, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_trusting: object, _peer: Peer) -> Peer:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("hashpact_node.services.trusting.Trusting.refresh", interrupt)
        with pytest.raises(KeyboardInterrupt):
            sqlite_follower.add(publisher)
    nobody_is_followed(sqlite_follower)
    publisher.now += timedelta(minutes=1)
    sqlite_follower.add(publisher)
    with sqlite_follower.database.read() as connection:
        assert find_peer(connection, "beta") == sqlite_follower.peer()


def test_a_failed_add_of_a_removed_member_leaves_it_removed(sqlite_follower: Follower, publisher: Publisher) -> None:
    publisher.log.append(listing(1, sha256(1)))
    sqlite_follower.add(publisher)
    assert sqlite_follower.pull(publisher) == []
    sqlite_follower.peering.remove("beta")
    with pytest.raises(TrustError):
        sqlite_follower.peering.add("beta", publisher.url, fingerprint=f"1:sha256:{'0' * 64}")
    nobody_is_followed(sqlite_follower)
    assert sqlite_follower.peer().state == REMOVED
    sqlite_follower.add(publisher)
    assert sqlite_follower.pull(publisher) == []
    assert sqlite_follower.action(sha256(1)) == Action.REVIEW


def test_a_killed_add_leaves_nobody_followed(
    sqlite_follower: Follower, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    states: list[str] = []

    def look(_trusting: object, _peer: Peer) -> Peer:
        states.append(sqlite_follower.peer().state)
        nobody_is_followed(sqlite_follower)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("hashpact_node.services.trusting.Trusting.refresh", look)
        patch.setattr("hashpact_node.services.peering.Peering._forget", lambda *_: None)  # as if it had been killed
        with pytest.raises(KeyboardInterrupt):
            sqlite_follower.add(publisher)
    assert states == [REMOVED]
    nobody_is_followed(sqlite_follower)
    sqlite_follower.add(publisher)
    assert sqlite_follower.peer().state == "active"


def test_a_removed_member_blocks_no_name(follower: Follower, publisher: Publisher) -> None:
    publisher.log.append(listing(1, sha256(1)))
    follower.add(publisher)
    assert follower.pull(publisher) == []
    follower.later(hours=7)
    assert follower.pull(publisher) == []
    assert follower.alarms()
    follower.peering.remove("beta")
    assert follower.alarms() == {}
    publisher.member = "renamed"
    publisher.now += timedelta(hours=8)
    follower.later(hours=1)
    publisher.publish()
    follower.add(publisher)
    assert follower.pull(publisher) == []
    assert follower.live(publisher) == [0]
    assert (follower.peer("renamed").url, follower.action(sha256(1))) == (publisher.url, Action.REVIEW)
    assert follower.peer("beta").url == f"{publisher.url}#{follower.peer('beta').number}"
    with pytest.raises(ConflictError, match="that of renamed"):
        follower.peering.add("beta", publisher.url, fingerprint=publisher.fingerprint)


def test_live_listings_are_counted_once_for_all_peers(
    sqlite_follower: Follower, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher.log.append(listing(1, sha256(1)))
    with Publisher("gamma") as gamma:
        for one in (publisher, gamma):
            sqlite_follower.add(one)
            assert sqlite_follower.pull(one) == []
    counted: list[object] = []

    def counts(connection: Connection) -> dict[int, int]:
        counted.append(connection)
        return count_live(connection)

    monkeypatch.setattr(peering, "count_live", counts)
    found = sqlite_follower.peering.list()
    assert [(view.peer.member, [one.live for one in view.logs]) for view in found] == [("beta", [1]), ("gamma", [0])]
    assert len(counted) == 1


def test_a_suspension_during_a_resumption_stands(
    follower: Follower, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher.log.append(listing(1, sha256(1)))
    follower.add(publisher)
    assert follower.pull(publisher) == []
    follower.peering.suspend("beta")
    merge = Peering._merge_again
    waiting: list[Thread] = []

    def merge_while_somebody_suspends(peering: Peering, member: str) -> None:
        waiting.append(while_it_waits(follower, lambda: follower.peering.suspend("beta", reason="theft")))
        merge(peering, member)

    with monkeypatch.context() as patch:
        patch.setattr(Peering, "_merge_again", merge_while_somebody_suspends)
        with pytest.raises(ConflictError, match="decided about beta meanwhile"):
            follower.peering.resume("beta")
    waiting[0].join(60)
    assert (follower.peer().state, _decided(follower)) == (SUSPENDED, (LOCAL, "theft"))
    assert (follower.action(sha256(1)), follower.live(publisher)) == (Action.NONE, [])
    assert follower.peering.resume("beta").peer.state == "active"
    assert follower.action(sha256(1)) == Action.REVIEW


def test_a_suspension_whose_lock_is_busy_leaves_no_claims_behind(
    sqlite_follower: Follower, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher.log.append(listing(1, sha256(1)))
    sqlite_follower.add(publisher)
    assert sqlite_follower.pull(publisher) == []
    sqlite_follower.peering.suspend("beta")
    merge = Peering._merge_again

    def merge_while_somebody_fails_to_wait(peering_: Peering, member: str) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(peering, "PEER_WAIT_SECONDS", 0.01)
            with pytest.raises(StoreBusyError):
                sqlite_follower.peering.suspend("beta")
        merge(peering_, member)

    with monkeypatch.context() as patch:
        patch.setattr(Peering, "_merge_again", merge_while_somebody_fails_to_wait)
        with pytest.raises(ConflictError, match="meanwhile"):
            sqlite_follower.peering.resume("beta")
    assert (sqlite_follower.peer().state, sqlite_follower.action(sha256(1))) == (SUSPENDED, Action.NONE)


@pytest.mark.parametrize("known", ["removed before", "never known"])
def test_a_removal_during_an_addition_stands(
    sqlite_follower: Follower, publisher: Publisher, monkeypatch: pytest.MonkeyPatch, known: str
) -> None:
    if known == "removed before":
        sqlite_follower.add(publisher)
        sqlite_follower.peering.remove("beta")
        publisher.now += timedelta(minutes=1)
    refresh = Trusting.refresh
    waiting: list[Thread] = []

    def refresh_while_somebody_removes(trusting: Trusting, peer: Peer) -> Peer:
        waiting.append(while_it_waits(sqlite_follower, lambda: sqlite_follower.peering.remove("beta")))
        return refresh(trusting, peer)

    with monkeypatch.context() as patch:
        patch.setattr(Trusting, "refresh", refresh_while_somebody_removes)
        with pytest.raises(ConflictError, match="decided about beta meanwhile"):
            sqlite_follower.add(publisher)
    waiting[0].join(60)
    nobody_is_followed(sqlite_follower)
    assert (sqlite_follower.peer().state, _decided(sqlite_follower)) == (REMOVED, (LOCAL, None))


def test_a_removal_during_an_addition_that_fails_is_remembered(
    sqlite_follower: Follower, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting: list[Thread] = []

    def fail_while_somebody_removes(_trusting: Trusting, _peer: Peer) -> Peer:
        waiting.append(while_it_waits(sqlite_follower, lambda: sqlite_follower.peering.remove("beta")))
        raise TrustError("no card came")

    with monkeypatch.context() as patch:
        patch.setattr(Trusting, "refresh", fail_while_somebody_removes)
        with pytest.raises(TrustError, match="no card came"):
            sqlite_follower.add(publisher)
    waiting[0].join(60)
    assert (sqlite_follower.peer().state, _decided(sqlite_follower)) == (REMOVED, (LOCAL, None))


def test_whoever_is_taken_up_again_before_it_is_out_is_told_of(
    sqlite_follower: Follower, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite_follower.add(publisher)
    drop = drop_if_out

    def resume_first(*told: object, **more: object) -> None:
        with sqlite_follower.database.write() as connection:  # as another process that had the lock before
            set_state(connection, sqlite_follower.peer().number, "active")
        drop(*told, **more)  # type: ignore[arg-type]  # handed on

    monkeypatch.setattr(peering, "drop_if_out", resume_first)
    for change in (sqlite_follower.peering.suspend, sqlite_follower.peering.remove):
        with pytest.raises(ConflictError, match="took beta up again meanwhile"):
            change("beta")


def test_whoever_is_removed_leaves_every_audience_and_whoever_is_suspended_none(
    sqlite_follower: Follower, publisher: Publisher
) -> None:
    def readers() -> dict[str, tuple[str, ...]]:
        with sqlite_follower.database.read() as connection:
            return {one.name: one.readers for one in list_audiences(connection, closed=True)}

    sqlite_follower.add(publisher)
    with sqlite_follower.database.write() as connection:
        for name, members in (("eu", ("beta", "gamma")), ("us", ("beta",)), ("old", ("beta",)), ("other", ("gamma",))):
            made = add_audience(connection, name, f"listings-{name}", members, now=NOW)
            if name == "old":
                close_audience(connection, made.number, now=NOW)
    before = readers()
    sqlite_follower.peering.suspend("beta")
    sqlite_follower.peering.resume("beta")
    assert readers() == before
    assert sqlite_follower.peering.remove("beta").audiences == ("eu", "us")
    after = {"eu": ("gamma",), "us": (), "old": ("beta",), "other": ("gamma",)}
    assert readers() == after
    with sqlite_follower.database.write() as connection:  # as an older version left it
        add_readers(connection, get_audience(connection, "us").number, ("beta",), now=NOW)
    publisher.now += timedelta(minutes=1)
    sqlite_follower.add(publisher)
    assert readers() == after, "who takes an id up under another root reads nothing that was opened to somebody else"


def while_it_waits(follower: Follower, decide: Callable[[], object]) -> Thread:
    """Let somebody decide about beta in another thread; return once that is written down, and it waits for the lock."""

    def decided() -> object:
        with follower.database.read() as connection:
            return find_decision(connection, "beta")

    before, until = decided(), time.monotonic() + 60
    thread = Thread(target=decide, daemon=True)
    thread.start()
    while decided() == before:
        assert time.monotonic() < until, "nobody decided"
        time.sleep(0.01)
    return thread
