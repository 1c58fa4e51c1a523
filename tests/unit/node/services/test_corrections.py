from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from msgspec import structs

from follower import Follower
from hashpact_node.services.actors import Actor, ActorKind
from hashpact_node.services.corrections import Corrections
from hashpact_node.services.drafts import ListingDraft, new_id
from hashpact_node.services.entries import EntryReader
from hashpact_node.services.publishing import Publisher
from hashpact_node.services.release import Releaser
from hashpact_node.store.logs import list_logs
from hashpact_protocol.errors import ConflictError, NotFoundError, RequestError
from hashpact_protocol.merkle import leaf_hash
from hashpact_protocol.statement_fields import format_time
from hashpact_protocol.statements import Opinion, Withdrawal
from members import TIME, TestLog, add_log, add_member, listing, sha256, terms, uuid_of, withdrawal
from own_member import NOW, OwnMember

JOE = Actor(ActorKind.COMMAND, "joe")


class Owner:
    """Acme, whose listings beta disputes."""

    def __init__(self, acme: OwnMember) -> None:
        self.acme, self.clock = acme, [NOW]
        releaser = Releaser(acme.database, acme.releaser.locks, acme.keyring, lambda: self.clock[0])
        self.publisher = Publisher(acme.database, releaser, lambda: self.clock[0])
        self.corrections = Corrections(acme.database, self.publisher, lambda: self.clock[0])
        _, (self.opinions,) = add_member(acme.database, "beta", terms("beta", "opinions-1", kind="opinions"))
        self.opinions.clock = self.clock

    def publish(self, *numbers: int, review_by: str | None = None) -> list[str]:
        drafts = [ListingDraft("image", (sha256(number),), review_by=review_by) for number in numbers]
        return [one.id for one in self.publisher.publish(drafts)]

    def dispute(self, identifier: str, verdict: str = "disagree") -> None:
        position = self.publisher.listing(identifier).index
        assert position is not None
        with self.acme.database.read() as connection:
            (own,) = [log for log in list_logs(connection) if log.origin == self.acme.log.origin]
            leaf = leaf_hash(EntryReader(connection).entry(own.number, position)).hex()
        said = Opinion(new_id(), TIME, "acme", "listings", identifier, leaf, verdict, "satire", "it is a cartoon")
        self.opinions.append(said)

    def states(self) -> list[str]:
        return [one.state for one in self.corrections.disputes(answered=True)][::-1]


@pytest.fixture
def owner(sqlite_follower: Follower) -> Owner:
    return Owner(sqlite_follower.own)


def test_disputes_are_a_queue_that_withdrawing_restating_and_keeping_empties(owner: Owner) -> None:
    one, two, three = owner.publish(1, 2, 3)
    for each in (one, two, three):
        owner.dispute(each)
    first, second, third = owner.corrections.disputes()
    assert (first.member, first.listing, first.state) == ("beta", f"acme/listings/{one}", "open")
    assert (first.reason, first.note, first.since) == ("satire", "it is a cartoon", "2026-11-24T04:00:00Z")
    owner.clock[0] = NOW + timedelta(hours=2)
    owner.publisher.withdraw(one, "error")
    owner.publisher.publish([ListingDraft("image", (sha256(2),), labels=("behaviour:other",), id=two)])
    kept = owner.corrections.keep(third.number, "seen by two people, it is real", JOE)
    assert (kept.state, kept.answered_by, kept.answer_note) == ("kept", "command joe", "seen by two people, it is real")
    assert owner.states() == ["withdrawn", "restated", "kept"]
    assert owner.corrections.disputes() == []
    with pytest.raises(ConflictError, match="answered already: kept"):
        owner.corrections.keep(third.number, "again", JOE)
    with pytest.raises(RequestError):
        owner.corrections.keep(second.number, " ", JOE)
    with pytest.raises(NotFoundError):
        owner.corrections.keep(99, "which", JOE)
    owner.dispute(three)  # says it again: it is open anew
    assert owner.states() == ["withdrawn", "restated", "open"]


def test_how_long_corrections_took(owner: Owner) -> None:
    one, two = owner.publish(1, 2)
    owner.dispute(one)
    owner.clock[0] = NOW + timedelta(hours=1)
    owner.dispute(two)
    owner.clock[0] = NOW + timedelta(hours=3)
    owner.corrections.withdraw_all([one, two], "error")
    gamma: TestLog = add_log(owner.acme.database, "gamma")
    gamma.clock = owner.clock
    gamma.append(listing(7, sha256(7)))
    gamma.append(at_time(withdrawal(8, of=7), owner.clock[0] - timedelta(seconds=90)))
    figures = owner.corrections.figures(NOW, NOW + timedelta(days=1))
    assert (figures.opened, figures.open, figures.corrected) == (2, 0, 2)
    assert figures.answered == {"withdrawn": 2, "restated": 0, "kept": 0, "taken-back": 0}
    assert (figures.median_seconds, figures.longest_seconds) == (9_000, 10_800)
    delays = {each.member: each for each in figures.members}
    assert (delays["gamma"].withdrawals, delays["gamma"].average_seconds, delays["gamma"].within_hour) == (1, 90, 1)
    assert delays["gamma"].within_minute == 0
    assert delays["acme"].longest_seconds == 0
    empty = owner.corrections.figures(NOW - timedelta(days=9), NOW - timedelta(days=8))
    assert (empty.opened, empty.median_seconds, empty.members) == (0, None, ())


def at_time(statement: Withdrawal, time: datetime) -> Withdrawal:
    return structs.replace(statement, time=format_time(time))


def test_many_are_withdrawn_in_one_release_or_none(owner: Owner) -> None:
    ids = owner.publish(*range(1, 6))
    with pytest.raises(NotFoundError, match="1 of them are no listings of ours"):
        owner.corrections.withdraw_all([*ids, uuid_of(99)], "error")
    assert owner.publisher.listing(ids[0]).live
    owner.publisher.withdraw(ids[0], "error")
    before = owner.acme.log
    done = owner.corrections.withdraw_all([*ids, ids[1]], "error", note="a wrong batch")
    assert (done.withdrawn, done.already, done.notice) == (4, 1, None)
    assert owner.acme.log.accepted_size == before.accepted_size + 4
    assert [owner.publisher.listing(one).state for one in ids] == ["withdrawn"] * 5
    again = owner.corrections.withdraw_all(ids, "error")
    assert (again.withdrawn, again.already) == (0, 5)
    for wrong in ([], ["x"]):
        with pytest.raises((RequestError, NotFoundError)):
            owner.corrections.withdraw_all(wrong, "error")


def test_reviews_that_are_due_are_a_queue(owner: Owner) -> None:
    owner.publish(1)
    (soon,) = owner.publish(2, review_by="2026-11-26T00:00:00Z")
    (late,) = owner.publish(3, review_by="2026-11-20T00:00:00Z")
    (gone,) = owner.publish(4, review_by="2026-11-20T00:00:00Z")
    owner.publisher.withdraw(gone, "error")
    assert [(one.id, one.overdue) for one in owner.corrections.due()] == [(late, True)]
    found = owner.corrections.due(within=timedelta(days=7))
    assert [(one.id, one.overdue) for one in found] == [(late, True), (soon, False)]
    assert (found[0].origin, found[0].content) == (owner.acme.log.origin, "image")
