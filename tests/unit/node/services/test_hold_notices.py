from __future__ import annotations

from dataclasses import dataclass

import pytest

from follower import Follower
from hashpact_node.services.actors import Actor, ActorKind
from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.hold_notices import HoldNotices
from hashpact_node.services.holds import Holds, HoldView
from hashpact_node.services.opining import Opining, Thought
from hashpact_node.services.own_listings import open_log
from hashpact_node.services.release_rules import ReleaseRules
from hashpact_node.services.stating import Stating
from hashpact_node.services.succession import Succession
from hashpact_node.store.holds import NewHold, Notice, add_hold
from hashpact_protocol.card_logs import LogKind
from hashpact_protocol.errors import ConflictError, NotFoundError
from members import TestLog, add_log, listing, sha256, uuid_of, withdrawal
from own_member import NOW, OwnMember

SIGNAL = sha256(1)


@dataclass
class Company:
    """Acme, whose log of opinions may be opened; beta lists three."""

    acme: OwnMember
    beta: TestLog
    stating: Stating
    opining: Opining

    @property
    def notices(self) -> HoldNotices:
        return HoldNotices(self.acme.database, self.opining, lambda: NOW)

    def hold(self, new: NewHold) -> int:
        with self.acme.database.write() as connection:
            return add_hold(connection, new, now=NOW)

    def flood(self, notice: Notice = Notice.DUE) -> int:
        row = self.beta.row
        return self.hold(NewHold(12_000, 40, notice, row.peer, row.number, first=0, last=row.held_size))

    def release(self) -> None:
        with self.acme.database.read() as connection:
            log = open_log(connection, LogKind.OPINIONS.value)
        self.acme.releaser.release(log.number)

    def show(self, number: int) -> HoldView:
        return Holds(self.acme.database, lambda: NOW).show(number)

    def said(self, number: int) -> list[tuple[str, str | None]]:
        return [(one.verdict, one.note) for one in self.opining.opinions(f"beta/listings/{uuid_of(number)}")]


@pytest.fixture
def company(sqlite_follower: Follower) -> Company:
    acme = sqlite_follower.own
    succession = Succession(acme.database, acme.releaser.locks, acme.keyring, acme.releaser, lambda: NOW)
    stating = Stating(acme.database, acme.publisher, succession, lambda: NOW)
    beta = add_log(acme.database, "beta")
    beta.append(listing(1, SIGNAL), listing(2, sha256(2)), listing(3, sha256(3)))
    return Company(acme, beta, stating, Opining(acme.database, stating, lambda: NOW))


def test_a_publisher_is_told_once_of_a_flood_by_its_newest_listing_that_stands(company: Company) -> None:
    company.stating.open(LogKind.OPINIONS)
    company.beta.append(withdrawal(9, 3))
    number = company.flood()
    quiet = company.flood(Notice.NONE)
    assert company.notices.send_due() == 1
    company.release()
    told = "held for review here: 12,000 listings of yours came within a day, usually 40"
    assert company.said(2) == [("seen", told)]
    assert company.said(1) == []
    view = company.show(number)
    assert (view.notice, view.notified_at, view.notice_error) == ("sent", "2026-11-24T04:00:00Z", None)
    assert company.show(quiet).notice == "none"
    assert company.notices.send_due() == 0


def test_all_others_who_list_a_signal_are_told(company: Company) -> None:
    company.stating.open(LogKind.OPINIONS)
    gamma = add_log(company.acme.database, "gamma")
    gamma.append(listing(1, SIGNAL))
    company.acme.publisher.publish([ListingDraft("image", (SIGNAL,))])
    company.hold(NewHold(5_000, 3, Notice.DUE, key=SIGNAL.key))
    assert company.notices.send_due() == 1
    company.release()
    told = "held for review here: it matched 5,000 times within a day, usually 3"
    assert company.said(1) == [("seen", told)]
    assert [one.note for one in company.opining.opinions(f"gamma/listings/{uuid_of(1)}")] == [told]


def test_what_this_member_thinks_already_is_not_taken_back(company: Company) -> None:
    company.stating.open(LogKind.OPINIONS)
    company.opining.opine(f"beta/listings/{uuid_of(1)}", Thought("disagree", "satire"))
    number = company.hold(NewHold(5_000, 3, Notice.DUE, key=SIGNAL.key))
    assert company.notices.send_due() == 0
    assert company.said(1) == [("disagree", None)]
    view = company.show(number)
    assert view.notice == "refused"
    assert "says of it already" in (view.notice_error or "")


def test_what_cannot_be_told_is_shown_and_may_be_told_later(company: Company) -> None:
    number = company.flood()
    assert company.notices.send_due() == 0
    view = company.show(number)
    assert view.notice == "refused"
    assert "no open log of kind opinions" in (view.notice_error or "")
    with pytest.raises(NotFoundError):
        company.notices.send(number)
    company.stating.open(LogKind.OPINIONS)
    company.notices.send(number)
    assert company.show(number).notice == "sent"
    Holds(company.acme.database, lambda: NOW).release(number, Actor(ActorKind.COMMAND, "ann"))
    with pytest.raises(ConflictError, match="released"):
        company.notices.send(number)


def test_with_four_eyes_nobody_is_told_without_a_person(company: Company) -> None:
    company.stating.open(LogKind.OPINIONS)
    number = company.flood()
    company.acme.releaser.rules = ReleaseRules(four_eyes=True)
    assert company.notices.send_due() == 0
    assert company.said(3) == []
    view = company.show(number)
    assert view.notice == "refused"
    assert "four_eyes" in (view.notice_error or "")
