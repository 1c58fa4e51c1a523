from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from hashpact_node.index.scan import ScanIndex
from hashpact_node.services import explaining
from hashpact_node.services.explaining import Explainer
from hashpact_node.services.explaining_views import Became, ExplainedSignal
from hashpact_node.services.hashing import HashedFile
from hashpact_node.services.index_feed import IndexFeed
from hashpact_node.services.matching import Matcher
from hashpact_node.services.outcomes import NewOutcome, Outcomes
from hashpact_node.services.views import logs_by_number
from hashpact_node.store.database import Database
from hashpact_node.store.local_decisions import NewDecision, Subject, add_decision
from hashpact_node.store.opinions import Listed, Opinion, put_opinions
from hashpact_node.store.outcomes import Counts
from hashpact_protocol.claims import Place
from hashpact_protocol.errors import NotFoundError, SignalError
from hashpact_protocol.facts import Verdict
from hashpact_protocol.merge import id_bytes
from hashpact_protocol.signals import SIGNAL_TYPES, Signal, signal_key
from members import NOW, TestLog, add_log, listing, pdq, sha256, uuid_of, withdrawal

AT = int(NOW.timestamp())


@pytest.fixture
def acme(sqlite_database: Database) -> TestLog:
    return add_log(sqlite_database, "acme", own=True)


@pytest.fixture
def beta(sqlite_database: Database, acme: TestLog) -> TestLog:
    assert acme.number
    return add_log(sqlite_database, "beta")


@pytest.fixture
def gamma(sqlite_database: Database, beta: TestLog) -> TestLog:
    assert beta.number
    return add_log(sqlite_database, "gamma")


@pytest.fixture
def explainer(sqlite_database: Database, gamma: TestLog) -> Explainer:
    assert gamma.number
    feed = IndexFeed(sqlite_database, ScanIndex(SIGNAL_TYPES["pdq"].code))
    return Explainer(Matcher(sqlite_database, feed, lambda: NOW), lambda: NOW)


def one(explainer: Explainer, signal: Signal) -> ExplainedSignal:
    explained = explainer.signal(signal.type, signal.value)
    assert explained.known
    return explained.signals[0]


def test_one_member_s_word_is_explained(explainer: Explainer, beta: TestLog) -> None:
    beta.append(listing(1, sha256(1), labels=["a"], expires="2027-01-01T00:00:00Z"))
    found = one(explainer, sha256(1))
    assert (found.action, found.rule, found.claims_total) == ("review", "one-member", 1)
    assert found.because == ("rule one-member: one member lists it", "counted: beta")
    assert found.changed_at == "2026-11-24T04:00:00Z"
    (said,) = found.said
    assert (said.member, said.own, said.listing, said.log, said.index) == (
        "beta",
        False,
        uuid_of(1),
        "beta.example/logs/listings-1",
        0,
    )
    assert (said.time, said.content, said.labels, said.expires) == (
        listing(1).time,
        "image",
        ("a",),
        "2027-01-01T00:00:00Z",
    )
    assert [(change.what, change.action) for change in found.would_change] == [
        ("if this company confirms it", "block"),
        ("if this company rejects it", "ignore"),
        ("if one more member lists it", "block"),
        ("if beta withdraws it", "none"),
        ("by itself on 2027-01-01T00:00:00Z, when the listing of beta expires", "ignore"),
    ]


def test_the_agreement_of_two_and_its_history_are_explained(
    explainer: Explainer, beta: TestLog, gamma: TestLog
) -> None:
    beta.append(listing(1, sha256(1)), listing(1, sha256(1), sha256(2), labels=["b"]))
    gamma.append(listing(9, sha256(9)), listing(2, sha256(1)), withdrawal(3, 2), listing(2, sha256(1)))
    found = one(explainer, sha256(1))
    assert (found.action, found.rule) == ("block", "members-agree")
    assert found.because[1] == "counted: beta, gamma"
    told = {change.what: change.action for change in found.would_change}
    assert told["if beta withdraws it"] == "review"
    assert told["if all that list it withdraw it"] == "none"
    assert told["if 2 more members disagree"] == "review"
    assert "if one more member disagrees" not in told
    assert "if one more member lists it" not in told
    assert [(event.member, event.what, event.index) for event in found.history] == [
        ("beta", "listed", 0),
        ("beta", "restated", 1),
        ("gamma", "listed", 1),
        ("gamma", "withdrew", 2),
        ("gamma", "restated", 3),
    ]
    assert found.history[1].labels == ("b",)
    assert found.history[3].reason == "error"
    assert explainer.signal("sha256", sha256(1).value, history=False).signals[0].history == ()


def test_what_was_withdrawn_is_known_by_its_history(explainer: Explainer, beta: TestLog) -> None:
    beta.append(listing(1, sha256(1)), withdrawal(2, 1))
    found = one(explainer, sha256(1))
    assert (found.action, found.rule, found.said) == ("none", "not-claimed", ())
    assert [event.what for event in found.history] == ["listed", "withdrew"]
    assert found.would_change == ()


def test_what_nobody_ever_listed_is_not_known(explainer: Explainer) -> None:
    found = explainer.signal("sha256", sha256(5).value)
    assert (found.known, found.action, found.signals) == (False, "none", ())
    assert found.notices == (explaining.NEVER,)
    with pytest.raises(SignalError):
        explainer.signal("sha256", "short")


def test_what_lies_near_is_explained_with_its_distance(explainer: Explainer, beta: TestLog) -> None:
    beta.append(listing(1, pdq(1)))
    value = f"{int(pdq(1).value, 16) ^ 0b111:064x}"
    found = explainer.signal("pdq", value)
    (near,) = found.signals
    assert (found.action, near.value, near.distance, near.action) == ("review", pdq(1).value, 3, "review")


def test_a_file_is_explained_by_its_hashes(explainer: Explainer, beta: TestLog) -> None:
    beta.append(listing(1, sha256(1), pdq(1)))
    file = HashedFile("a.png", "image", bytes(32), 9, (sha256(1), pdq(1)), ("a notice",))
    found = explainer.file(file)
    assert (found.asked, found.kind, found.action) == ("a.png", "file", "review")
    assert {signal.type for signal in found.signals} == {"sha256", "pdq"}
    assert found.notices == ("a notice",)
    nothing = explainer.file(replace(file, signals=(sha256(7),)))
    assert (nothing.known, nothing.notices) == (False, ("a notice", explaining.NEVER))


def test_a_listing_is_explained_after_its_withdrawal_too(explainer: Explainer, beta: TestLog, gamma: TestLog) -> None:
    beta.append(listing(1, sha256(1), sha256(2)), withdrawal(2, 1))
    gamma.append(listing(3, sha256(2)))
    found = explainer.listing(uuid_of(1))
    assert [(signal.value, signal.action) for signal in found.signals] == [
        (sha256(2).value, "review"),
        (sha256(1).value, "none"),
    ]
    assert [(event.member, event.what) for event in found.history] == [("beta", "listed"), ("beta", "withdrew")]
    assert explainer.listing(uuid_of(1), history=False).history == ()
    with pytest.raises(NotFoundError):
        explainer.listing(uuid_of(77))


def test_who_disagrees_and_why_is_told(explainer: Explainer, sqlite_database: Database, beta: TestLog) -> None:
    beta.append(listing(1, sha256(1)))
    with sqlite_database.write() as connection:
        listed = Listed("beta", "listings", id_bytes(uuid_of(1)))
        about = Place(beta.number, 0)
        sequence = next(log.sequence for log in logs_by_number(connection).values() if log.member == "gamma")
        put_opinions(
            connection,
            [Opinion(sequence, listed, Place(3, 7), AT, "disagree", "satire", bytes(32), about)],
        )
    found = one(explainer, sha256(1))
    (thought,) = found.said[0].opinions
    assert (thought.member, thought.verdict, thought.reason, thought.index, thought.counts) == (
        "gamma",
        "disagree",
        "satire",
        7,
        True,
    )
    assert "disagree: gamma (satire)" in found.because


def test_a_decision_of_this_company_is_told(explainer: Explainer, sqlite_database: Database, beta: TestLog) -> None:
    beta.append(listing(1, sha256(1)))
    key = signal_key("sha256", sha256(1).value)
    until = int(datetime(2026, 12, 1, tzinfo=UTC).timestamp())
    new = NewDecision(Verdict.ALLOW, Subject(key=key), "a known picture", "command:ann", until=until, keys=(key,))
    with sqlite_database.write() as connection:
        add_decision(connection, new, now=NOW)
    found = one(explainer, sha256(1))
    (decided,) = found.decisions
    assert (decided.verdict, decided.about, decided.why, decided.made_by, decided.until) == (
        "allow",
        "this signal",
        "a known picture",
        "command:ann",
        "2026-12-01T00:00:00Z",
    )
    assert found.rule == "allowed-here"
    assert "decision of this company: allow, until 2026-12-01T00:00:00Z: a known picture" in found.because
    told = {change.what: change.action for change in found.would_change}
    assert told["by itself on 2026-12-01T00:00:00Z"] == "review"
    assert told["if this company ends its decision about it"] == "review"


def test_only_some_of_very_many_are_explained(
    explainer: Explainer, beta: TestLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explaining, "SIGNALS_MAX", 2)
    beta.append(listing(1, *(sha256(number) for number in range(3))))
    found = explainer.listing(uuid_of(1))
    assert len(found.signals) == 2
    assert found.notices == ("3 signals are near; the nearest 2 are explained",)


def test_what_became_of_matches_is_told_and_what_has_evidential_value(explainer: Explainer, beta: TestLog) -> None:
    beta.append(listing(1, sha256(1), preserve=True))
    before = one(explainer, sha256(1))
    assert (before.outcomes, [said.preserve for said in before.said]) == (None, [True])
    outcomes = Outcomes(explainer.matcher.database, lambda: NOW)
    outcomes.add([NewOutcome(f"sha256:{sha256(1).value}", Counts(4, 3, 2, 1))], "t1")
    assert one(explainer, sha256(1)).outcomes == Became(4, 3, 2, 1, "2026-11-24")
