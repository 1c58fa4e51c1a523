from __future__ import annotations

from dataclasses import replace

import pytest

from follower import Follower
from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.opining import Opining, Thought, thought_of
from hashpact_node.services.stating import Stating
from hashpact_node.services.succession import Succession
from hashpact_protocol.card_logs import LogKind
from hashpact_protocol.errors import ConflictError, NotFoundError, RequestError
from hashpact_protocol.facts import Verdict
from members import TestLog, add_log, add_member, listing, sha256, terms, uuid_of, withdrawal
from own_member import NOW, OwnMember

SATIRE = Thought("disagree", "satire", "a cartoon")


class Company:
    """Acme with an open log of opinions; beta and gamma list."""

    def __init__(self, acme: OwnMember) -> None:
        self.acme = acme
        succession = Succession(acme.database, acme.releaser.locks, acme.keyring, acme.releaser, lambda: NOW)
        self.stating = Stating(acme.database, acme.publisher, succession, lambda: NOW)
        self.opining = Opining(acme.database, self.stating, lambda: NOW)
        self.beta: TestLog = add_log(acme.database, "beta")
        self.gamma: TestLog = add_log(acme.database, "gamma")
        self.stating.open(LogKind.OPINIONS)


@pytest.fixture
def company(sqlite_follower: Follower) -> Company:
    return Company(sqlite_follower.own)


def test_an_opinion_is_published_on_the_revision_that_wins_and_not_said_twice(company: Company) -> None:
    company.beta.append(listing(1, sha256(1)))
    (told,) = company.opining.opine(uuid_of(1), SATIRE)
    assert (told.about, told.index, told.existing) == (f"beta/listings/{uuid_of(1)}", 0, False)
    (view,) = company.opining.opinions(uuid_of(1))
    assert (view.member, view.verdict, view.reason, view.counts) == ("acme", "disagree", "satire", True)
    assert (view.note, view.time) == ("a cartoon", "2026-11-24T04:00:00Z")
    (again,) = company.opining.opine(uuid_of(1), SATIRE)
    assert (again.existing, again.id) == (True, None)
    (other,) = company.opining.opine(uuid_of(1), replace(SATIRE, note=None))
    assert other.index == 1
    company.beta.append(listing(1, sha256(2)))
    assert [one.counts for one in company.opining.opinions(uuid_of(1))] == [False]
    (anew,) = company.opining.opine(uuid_of(1), SATIRE)
    assert anew.index == 2
    assert [one.counts for one in company.opining.opinions(uuid_of(1))] == [True]


def test_none_takes_it_back(company: Company) -> None:
    company.beta.append(listing(1, sha256(1)))
    with pytest.raises(NotFoundError, match="no opinion"):
        company.opining.opine(uuid_of(1), Thought("none"))
    company.opining.opine(uuid_of(1), Thought("agree"))
    company.opining.opine(uuid_of(1), Thought("none"))
    assert company.opining.opinions(uuid_of(1)) == []


def test_on_a_signal_it_is_told_to_all_others_who_list_it(company: Company) -> None:
    company.beta.append(listing(1, sha256(1)))
    company.gamma.append(listing(1, sha256(1)), listing(2, sha256(2)))
    company.acme.publisher.publish([ListingDraft("image", (sha256(1),)), ListingDraft("image", (sha256(3),))])
    told = company.opining.opine(f"sha256:{sha256(1).value}", SATIRE)
    assert sorted(one.about for one in told) == [f"beta/listings/{uuid_of(1)}", f"gamma/listings/{uuid_of(1)}"]
    for number in (3, 4):  # our own, and nobody's
        with pytest.raises(NotFoundError, match="no other member"):
            company.opining.opine(f"sha256:{sha256(number).value}", SATIRE)


def test_two_listings_with_one_id_are_told_apart(company: Company) -> None:
    company.beta.append(listing(1, sha256(1)))
    company.gamma.append(listing(1, sha256(1)))
    with pytest.raises(ConflictError, match="more than one listing") as caught:
        company.opining.opine(uuid_of(1), SATIRE)
    assert f"gamma/listings/{uuid_of(1)}" in (caught.value.mend or "")
    (told,) = company.opining.opine(f"gamma/{uuid_of(1)}", SATIRE)
    assert told.about == f"gamma/listings/{uuid_of(1)}"


def test_what_nobody_may_say(company: Company) -> None:
    (own,) = company.acme.publisher.publish([ListingDraft("image", (sha256(1),))])
    with pytest.raises(RequestError, match="own listing"):
        company.opining.opine(own.id, SATIRE)
    company.beta.append(listing(2, sha256(2)), withdrawal(3, of=2), listing(4, sha256(4)))
    with pytest.raises(ConflictError, match="withdrawn"):
        company.opining.opine(uuid_of(2), SATIRE)
    with pytest.raises(NotFoundError):
        company.opining.opine(uuid_of(9), SATIRE)
    for thought in (Thought("hates"), Thought("disagree"), Thought("disagree", "dislike"), Thought("agree", "satire")):
        with pytest.raises(RequestError):
            company.opining.opine(uuid_of(4), thought)
    assert company.opining.opinions(uuid_of(4)) == []


def test_a_listing_for_an_audience_is_not_spoken_of_to_all(company: Company) -> None:
    audience = replace(terms("delta", "listings-x"), name="listings-x")
    _, (log,) = add_member(company.acme.database, "delta", audience)
    log.append(listing(7, sha256(7)))
    with pytest.raises(RequestError, match="for an audience"):
        company.opining.opine(uuid_of(7), SATIRE)
    with pytest.raises(NotFoundError, match="no other member"):
        company.opining.opine(f"sha256:{sha256(7).value}", SATIRE)


def test_what_owners_are_told_of_a_decision() -> None:
    assert thought_of(Verdict.CONFIRM, None, "seen here") == Thought("agree", None, "seen here")
    assert thought_of(Verdict.REJECT, "satire", None) == Thought("disagree", "satire")
    assert thought_of(Verdict.ALLOW, "journalism", None) == Thought("disagree", "journalism")
    with pytest.raises(RequestError, match="has a reason"):
        thought_of(Verdict.REJECT, None, None)
    with pytest.raises(RequestError, match="says nothing"):
        thought_of(Verdict.DISABLE, None, None)
