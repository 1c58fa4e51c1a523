from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest

from hashpact_node.services import deciding
from hashpact_node.services.actors import Actor, ActorKind
from hashpact_node.services.deciding import Choice, Deciding, read_scope
from hashpact_node.services.rebuild import MemberRebuild, Rebuilt
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import LAST, Database
from hashpact_node.store.local_decisions import Subject, signal_decisions
from hashpact_node.store.peers import get_peer
from hashpact_node.store.signals import find_signals
from hashpact_protocol.errors import ConflictError, NotFoundError, RequestError
from hashpact_protocol.facts import Verdict
from hashpact_protocol.policy import Action
from hashpact_protocol.signals import Signal
from members import NOW, TestLog, add_log, listing, pdq, sha256, uuid_of, withdrawal

JOE, EVE = Actor(ActorKind.COMMAND, "joe"), Actor(ActorKind.TOKEN, "t7k2")


class Desk:
    """Acme, which decides; beta lists."""

    def __init__(self, database: Database) -> None:
        self.database, self.clock = database, [NOW]
        add_log(database, "acme", own=True)
        self.beta: TestLog = add_log(database, "beta")
        self.deciding = Deciding(database, lambda: self.clock[0])

    def action(self, signal: Signal) -> Action:
        with self.database.read() as connection:
            row = find_signals(connection, [signal.key]).get(signal.key)
        return Action.NONE if row is None else Action(row.action)

    def verdict(self, signal: Signal, now: datetime | None = None) -> Verdict | None:
        with self.database.read() as connection:
            found = signal_decisions(connection, [signal.key], now=now or self.clock[0]).get(signal.key)
        return None if found is None else found[0].verdict


@pytest.fixture
def desk(sqlite_database: Database) -> Desk:
    return Desk(sqlite_database)


def text(signal: Signal) -> str:
    return f"{signal.type}:{signal.value}"


def test_a_decision_about_a_signal_stands_until_it_is_undone(desk: Desk) -> None:
    made = desk.deciding.decide(Choice(Verdict.REJECT, text(sha256(1)), " no violence ", scope=("beta",)), JOE)
    assert (made.verdict, made.about, made.why, made.scope) == ("reject", text(sha256(1)), "no violence", ("beta",))
    assert (made.state, made.made_by, made.made_at) == ("stands", "command joe", "2026-11-24T04:00:00Z")
    assert made.signals == (text(sha256(1)),)
    assert desk.verdict(sha256(1)) is Verdict.REJECT
    assert desk.deciding.list() == [made]
    undone = desk.deciding.undo(made.number, EVE, "looked again")
    assert (undone.state, undone.ended_by, undone.ended_why) == ("ended", "token t7k2", "looked again")
    assert desk.verdict(sha256(1)) is None
    assert desk.deciding.list() == []
    assert desk.deciding.list(ended=True) == [undone] == [desk.deciding.show(made.number)]
    with pytest.raises(ConflictError, match="ended already"):
        desk.deciding.undo(made.number, JOE)
    with pytest.raises(NotFoundError):
        desk.deciding.undo(99, JOE)


def test_who_decides_anew_ends_what_was_said_of_the_same_before(desk: Desk) -> None:
    first = desk.deciding.decide(Choice(Verdict.REJECT, text(sha256(1)), "one"), JOE)
    other = desk.deciding.decide(Choice(Verdict.REJECT, text(sha256(1)), "for beta", scope=("beta",)), JOE)
    second = desk.deciding.decide(Choice(Verdict.CONFIRM, text(sha256(1)), "two"), EVE)
    ended = desk.deciding.show(first.number)
    assert (ended.state, ended.ended_by, ended.ended_why) == ("ended", "token t7k2", "decided anew")
    assert [one.number for one in desk.deciding.list()] == [second.number, other.number]


def test_a_decision_about_a_listing_covers_its_content_whoever_lists_it_again(desk: Desk) -> None:
    desk.beta.append(listing(1, sha256(1), pdq(7)))
    made = desk.deciding.decide(Choice(Verdict.ALLOW, uuid_of(1), "our own film"), JOE)
    assert made.about == f"beta/listings/{uuid_of(1)}"
    assert set(made.signals) == {text(sha256(1)), text(pdq(7))}
    desk.beta.append(withdrawal(2, of=1), listing(3, sha256(1)))
    assert desk.verdict(sha256(1)) is Verdict.ALLOW
    again = desk.deciding.decide(Choice(Verdict.REJECT, f"beta/{uuid_of(1)}", "withdrawn, and still"), JOE)
    assert desk.deciding.show(made.number).state == "ended"
    assert again.about == made.about
    with pytest.raises(NotFoundError):
        desk.deciding.decide(Choice(Verdict.REJECT, uuid_of(8), "nothing"), JOE)


def test_a_decision_beats_every_peer_at_once_and_survives_listing_again_and_rebuilding(desk: Desk) -> None:
    desk.beta.append(listing(1, sha256(1)))
    assert desk.action(sha256(1)) is Action.REVIEW
    desk.deciding.decide(Choice(Verdict.CONFIRM, uuid_of(1), "seen by two"), JOE)
    assert desk.action(sha256(1)) is Action.BLOCK
    made = desk.deciding.decide(Choice(Verdict.REJECT, uuid_of(1), "a news report"), JOE)
    assert desk.action(sha256(1)) is Action.IGNORE
    desk.beta.append(withdrawal(2, of=1), listing(3, sha256(1)), listing(4, sha256(1)))
    assert desk.action(sha256(1)) is Action.IGNORE
    with desk.database.read() as connection:
        peer = get_peer(connection, "beta")
    MemberRebuild(desk.database, peer, NOW, Rebuilt(), None, 0).run()
    assert desk.action(sha256(1)) is Action.IGNORE
    desk.deciding.undo(made.number, JOE)
    assert desk.action(sha256(1)) is Action.REVIEW


def test_what_is_disabled_for_a_time_acts_again_afterwards(desk: Desk) -> None:
    desk.beta.append(listing(1, pdq(0b1)))
    until = NOW + timedelta(hours=1)
    desk.deciding.decide(Choice(Verdict.DISABLE, text(pdq(0)), "floods us", until=until, near=3), JOE)
    assert desk.action(pdq(0b1)) is Action.IGNORE
    desk.clock[0] = until
    assert desk.deciding.end_due() == 1
    assert desk.action(pdq(0b1)) is Action.REVIEW


def test_what_is_decided_about_one_member_stands_beside_what_is_about_another(desk: Desk) -> None:
    gamma = add_log(desk.database, "gamma")
    for log in (desk.beta, gamma):
        log.append(listing(1, sha256(1)))
    for member in ("beta", "gamma"):
        desk.deciding.decide(Choice(Verdict.REJECT, text(sha256(1)), "no", scope=(member,)), JOE)
    assert desk.action(sha256(1)) is Action.IGNORE
    desk.deciding.decide(Choice(Verdict.CONFIRM, text(sha256(1)), "seen", scope=("gamma",)), JOE)
    assert desk.action(sha256(1)) is Action.BLOCK


def test_a_decision_about_one_member_hides_none_of_what_lies_near(desk: Desk) -> None:
    desk.beta.append(listing(1, pdq(0b1)))
    desk.deciding.decide(Choice(Verdict.ALLOW, text(pdq(0)), "a logo", near=3), JOE)
    desk.deciding.decide(Choice(Verdict.CONFIRM, text(pdq(0b1)), "seen", scope=("gamma",)), JOE)
    assert desk.action(pdq(0b1)) is Action.IGNORE


def test_many_that_end_together_end_at_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deciding, "DUE_AT_ONCE", 2)
    until = NOW + timedelta(hours=1)
    for number in range(5):
        desk.deciding.decide(Choice(Verdict.DISABLE, text(sha256(number)), "floods us", until=until), JOE)
    desk.clock[0] = until
    assert desk.deciding.end_due() == 5


def test_what_lies_near_is_covered_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.deciding.decide(Choice(Verdict.ALLOW, text(pdq(0)), "a logo", near=3), JOE)
    assert desk.verdict(pdq(0b111)) is Verdict.ALLOW
    assert desk.verdict(pdq(0b1111)) is None
    monkeypatch.setattr(deciding, "NEAR_DECISIONS_MAX", 1)
    with pytest.raises(ConflictError, match="cover what lies near already"):
        desk.deciding.decide(Choice(Verdict.ALLOW, text(pdq(9)), "another", near=3), JOE)


@pytest.mark.parametrize("ends", [False, True], ids=["decided", "undone"])
def test_what_lies_near_and_comes_at_once_is_not_missed(
    postgresql_database: Database, monkeypatch: pytest.MonkeyPatch, *, ends: bool
) -> None:
    desk = Desk(postgresql_database)
    choice = Choice(Verdict.ALLOW, text(pdq(0)), "a logo", near=3)
    made = desk.deciding.decide(choice, JOE) if ends else None
    threads: list[threading.Thread] = []
    look = deciding._keys_near

    def meanwhile(connection: Connection, subject: Subject, since: int) -> set[bytes]:
        found = look(connection, subject, since)
        if threads or LAST not in connection.info:  # it only reads
            return found
        threads.append(threading.Thread(target=desk.beta.append, args=(listing(1, pdq(0b1)),)))
        threads[0].start()
        threads[0].join(1)  # it comes to its end now, or waits until this transaction has come to its own
        return found

    monkeypatch.setattr(deciding, "_keys_near", meanwhile)
    if made is None:
        desk.deciding.decide(choice, JOE)
    else:
        desk.deciding.undo(made.number, JOE)
    threads[0].join()
    assert desk.action(pdq(0b1)) is (Action.REVIEW if ends else Action.IGNORE)


def test_what_a_decision_is_about_is_judged_anew(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[set[bytes]] = []
    monkeypatch.setattr(deciding, "rejudge_now", lambda _, keys, **__: judged.append(set(keys)))
    desk.beta.append(listing(1, pdq(0b1), sha256(4)), listing(2, pdq(0b11111)))
    made = desk.deciding.decide(Choice(Verdict.ALLOW, text(pdq(0)), "a logo", near=2), JOE)
    assert judged == [{pdq(0).key, pdq(1).key}]
    desk.deciding.undo(made.number, JOE)
    assert judged[1:] == [{pdq(0).key, pdq(1).key}]


def test_a_decision_ends_by_itself_when_its_time_is_over(desk: Desk) -> None:
    until = NOW + timedelta(hours=1)
    made = desk.deciding.decide(Choice(Verdict.DISABLE, text(sha256(1)), "floods our queue", until=until), JOE)
    assert made.until == "2026-11-24T05:00:00Z"
    assert desk.deciding.end_due() == 0
    desk.clock[0] = until
    assert desk.verdict(sha256(1)) is None
    assert desk.deciding.end_due() == 1
    assert desk.deciding.end_due() == 0
    ended = desk.deciding.show(made.number)
    assert (ended.state, ended.ended_by, ended.ended_why) == ("ended", "itself", "its time was over")


@pytest.mark.parametrize(
    ("choice", "where"),
    [
        (Choice(Verdict.REJECT, "sha256:zz", "why"), "sha256:zz"),
        (Choice(Verdict.REJECT, text(sha256(1)), "  "), "why"),
        (Choice(Verdict.REJECT, text(sha256(1)), "w" * 1_001), "why"),
        (Choice(Verdict.REJECT, text(sha256(1)), "why", until=NOW), "until"),
        (Choice(Verdict.DISABLE, text(sha256(1)), "why"), "until"),
        (Choice(Verdict.ALLOW, text(sha256(1)), "why", near=3), "near"),
        (Choice(Verdict.ALLOW, text(pdq(1)), "why", near=0), "near"),
        (Choice(Verdict.ALLOW, text(pdq(1)), "why", near=32), "near"),
        (Choice(Verdict.ALLOW, uuid_of(1), "why", near=3), "near"),
        (Choice(Verdict.ALLOW, text(pdq(1)), "why", scope=("No!",)), "scope"),
        (Choice(Verdict.ALLOW, "a/b/c/d", "why"), "a/b/c/d"),
    ],
    ids=["no-hash", "no-reason", "endless", "past", "for-ever", "exact", "zero", "far", "listing", "scope", "parts"],
)
def test_what_cannot_be_decided(desk: Desk, choice: Choice, where: str) -> None:
    with pytest.raises(RequestError) as caught:
        desk.deciding.decide(choice, JOE)
    assert caught.value.where == where
    assert desk.deciding.list() == []


def test_a_scope_names_each_member_once() -> None:
    assert read_scope(["gamma", "beta", "gamma"]) == ("beta", "gamma")
    assert read_scope([]) is None
