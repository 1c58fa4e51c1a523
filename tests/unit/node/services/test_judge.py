from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from hashpact_node.services.judge import asks_listings, parsed_policy
from hashpact_node.services.views import viewpoint
from hashpact_node.store.changes import Numbers
from hashpact_node.store.database import Database
from hashpact_node.store.judging import number_rules, rule_names, set_policy
from hashpact_node.store.local_decisions import NewDecision, Subject, add_decision
from hashpact_node.store.opinions import Listed, Opinion, put_opinions
from hashpact_node.store.signals import SignalChange, change_signals, find_signals
from hashpact_protocol.claims import Place
from hashpact_protocol.facts import Verdict
from hashpact_protocol.judging import judge
from hashpact_protocol.merge import id_bytes
from hashpact_protocol.policy import Action
from hashpact_protocol.policy_file import read_policy
from hashpact_protocol.policy_form import DEFAULT_POLICY
from hashpact_protocol.signals import Signal, make_signal
from members import NOW, TestLog, add_log, add_member, listing, pdq, sha256, terms, uuid_of

ODD = make_signal("odd_type", "value")
LABELLED = """
otherwise = "observe"
[[rule]]
name = "praise"
when = { labels = ["behaviour:glorification"], members = 1 }
then = "block"
[[rule]]
name = "odd"
when = { types = ["odd_type"] }
then = "review"
"""


@pytest.fixture
def acme(sqlite_database: Database) -> TestLog:
    return add_log(sqlite_database, "acme", own=True)


@pytest.fixture
def beta(acme: TestLog) -> TestLog:
    return add_log(acme.database, "beta")


def hold(database: Database, text: str | None) -> None:
    """Let a policy hold for what is merged from now on."""
    with database.write() as connection:
        Numbers(connection, now=int(NOW.timestamp()))
        number_rules(connection, [rule.name for rule in parsed_policy(text).rules])
        set_policy(connection, text, now=int(NOW.timestamp()))


def rejudge(database: Database, *signals: Signal) -> None:
    with database.write() as connection:
        numbers = Numbers(connection, now=int(NOW.timestamp()))
        changes = {signal.key: SignalChange() for signal in signals}
        change_signals(connection, changes, viewpoint(connection, NOW), numbers)
        numbers.close()


def stands(database: Database, signal: Signal) -> tuple[Action, str]:
    with database.read() as connection:
        row = find_signals(connection, [signal.key])[signal.key]
        return Action(row.action), rule_names(connection)[row.rule]


def test_a_policy_says_what_it_asks_of_listings() -> None:
    assert not asks_listings(DEFAULT_POLICY)
    assert not asks_listings(
        read_policy("[[rule]]\nname = 'a'\nthen = 'block'\nwhen = { members = 3, types = ['pdq'] }")
    )
    assert asks_listings(read_policy(LABELLED))
    assert asks_listings(read_policy("[[rule]]\nname = 'a'\nthen = 'block'\nwhen = { older_than_days = 3 }"))
    assert asks_listings(read_policy("[overdue]\nat_most = 'review'"))
    assert asks_listings(read_policy("[peers.beta]\nscope = { logs = ['crisis'] }"))


@pytest.mark.parametrize(
    "asked",
    [
        "content = ['image']",
        "labels = ['a']",
        "without_labels = ['a']",
        "confirmed = ['human']",
        "origin = ['own']",
        "incident = true",
        "incident_types = ['manifesto']",
        "newer_than_days = 3",
        "overdue = true",
    ],
)
def test_each_condition_that_a_listing_alone_tells_has_listings_read(asked: str) -> None:
    assert asks_listings(read_policy(f"[[rule]]\nname = 'a'\nthen = 'block'\nwhen = {{ {asked} }}"))


def test_what_is_merged_is_judged_by_the_policy_in_force(beta: TestLog) -> None:
    hold(beta.database, LABELLED)
    beta.append(listing(1, sha256(1), labels=["behaviour:glorification"]), listing(2, sha256(2), ODD))
    assert stands(beta.database, sha256(1)) == (Action.BLOCK, "praise")
    assert stands(beta.database, sha256(2)) == (Action.OBSERVE, "otherwise")
    assert stands(beta.database, ODD) == (Action.REVIEW, "odd")


def test_many_new_signals_are_judged_by_their_listings_too(beta: TestLog) -> None:
    hold(beta.database, LABELLED)
    labels: list[list[str]] = [["behaviour:glorification"], ["other"]]
    beta.append(*(listing(number, sha256(number), labels=labels[number % 2]) for number in range(600)))
    assert stands(beta.database, sha256(400)) == (Action.BLOCK, "praise")
    assert stands(beta.database, sha256(401)) == (Action.OBSERVE, "otherwise")


def test_a_revision_with_other_labels_is_judged_anew(beta: TestLog) -> None:
    hold(beta.database, LABELLED)
    beta.append(listing(1, sha256(1), labels=["behaviour:glorification"]))
    beta.append(listing(1, sha256(1), labels=["other"]))
    assert stands(beta.database, sha256(1)) == (Action.OBSERVE, "otherwise")


def test_the_claims_of_several_members_are_judged_together(acme: TestLog, beta: TestLog) -> None:
    hold(beta.database, LABELLED.replace("members = 1", "members = 2"))
    beta.append(listing(1, sha256(1), labels=["behaviour:glorification"]))
    assert stands(beta.database, sha256(1)) == (Action.OBSERVE, "otherwise")
    acme.append(listing(1, sha256(1), labels=["behaviour:glorification"]))
    assert stands(beta.database, sha256(1)) == (Action.BLOCK, "praise")


def test_a_rollout_holds_for_a_part_of_the_signals(beta: TestLog) -> None:
    hold(beta.database, "[[rule]]\nname = 'new'\nthen = 'block'\nrollout = 50")
    beta.append(*(listing(number, sha256(number)) for number in range(400)))
    blocked = sum(stands(beta.database, sha256(number))[0] is Action.BLOCK for number in range(400))
    assert 150 < blocked < 250


def disagree(database: Database, *members: str) -> None:
    """Let members disagree with what stands first in the log of ``beta``, number 2."""
    for member in members:
        _, (log,) = add_member(database, member, terms(member, "opinions-1", kind="opinions"))
        listed = Listed("beta", "listings", id_bytes(uuid_of(1)))
        opinion = Opinion(
            log.row.sequence, listed, Place(log.number, 0), 7, "disagree", "satire", bytes(32), Place(2, 0)
        )
        with database.write() as connection:
            put_opinions(connection, [opinion])


def test_a_listing_that_two_members_dispute_falls_to_review(acme: TestLog, beta: TestLog) -> None:
    beta.append(listing(1, sha256(1), sha256(2)))
    gamma = add_log(beta.database, "gamma")
    gamma.append(listing(1, sha256(1)))
    assert stands(beta.database, sha256(1)) == (Action.BLOCK, "members-agree")
    disagree(beta.database, "delta", "epsilon")
    rejudge(beta.database, sha256(1), sha256(2))
    assert stands(beta.database, sha256(1)) == (Action.REVIEW, "one-member")
    with beta.database.read() as connection:
        row = find_signals(connection, [sha256(1).key])[sha256(1).key]
        found = viewpoint(connection, NOW).judgement(row.key, row.claims)
    assert found.because.disagree == (("delta", "satire"), ("epsilon", "satire"))
    assert acme.number == 1


def decide(database: Database, verdict: Verdict, **fields: object) -> None:
    subject = Subject(sha256(1).key)
    new = NewDecision(verdict, subject, "why", "command joe", keys=(sha256(1).key,), **fields)  # type: ignore[arg-type]  # fields of the class
    with database.write() as connection:
        add_decision(connection, new, now=NOW)


def test_a_decision_beats_peers_and_survives_listing_again(beta: TestLog) -> None:
    beta.append(listing(1, sha256(1)))
    decide(beta.database, Verdict.REJECT)
    rejudge(beta.database, sha256(1))
    assert stands(beta.database, sha256(1)) == (Action.IGNORE, "rejected-here")
    beta.append(listing(1, sha256(1), labels=["again"]), listing(2, sha256(1)))
    assert stands(beta.database, sha256(1)) == (Action.IGNORE, "rejected-here")


def test_a_decision_about_a_listing_is_found_by_its_place(beta: TestLog) -> None:
    beta.append(listing(1, sha256(1)))
    subject = Subject(member="beta", log_name="listings", listing=id_bytes(uuid_of(1)))
    with beta.database.write() as connection:
        add_decision(connection, NewDecision(Verdict.CONFIRM, subject, "why", "x", place=Place(2, 0)), now=NOW)
    rejudge(beta.database, sha256(1))
    assert stands(beta.database, sha256(1)) == (Action.BLOCK, "confirmed-here")


@pytest.mark.parametrize("text", [None, LABELLED, "[[rule]]\nname = 'a'\nthen = 'block'\nrollout = 50"])
def test_judging_many_at_once_is_judging_each_with_all_its_facts(
    acme: TestLog, beta: TestLog, text: str | None
) -> None:
    hold(beta.database, text)
    beta.append(
        *(
            listing(number, sha256(number), pdq(number, 40 + number), labels=["behaviour:glorification"][number % 2 :])
            for number in range(20)
        ),
        *(listing(100 + number, sha256(number % 4), ODD) for number in range(40)),
        *(listing(200 + number, sha256(7)) for number in range(100)),
    )
    acme.append(*(listing(number, sha256(number * 3)) for number in range(5)))
    decide(beta.database, Verdict.DISABLE, until=int((NOW + timedelta(days=1)).timestamp()), scope=("beta",))
    disagree(beta.database, "delta", "epsilon")
    with beta.database.read() as connection:
        keys = [sha256(number).key for number in range(20)] + [pdq(number).key for number in range(20)] + [ODD.key]
        rows = find_signals(connection, keys)
        eyes, names = viewpoint(connection, NOW), rule_names(connection)
        outcomes = eyes.judge([(row.key, row.claims) for row in rows.values()])
        again = eyes.judge([(row.key, row.claims) for row in rows.values()])
        assert outcomes == again
        for row, outcome in zip(rows.values(), outcomes, strict=True):
            facts = eyes.facts(row.key, row.claims)
            expected = judge(facts, parsed_policy(text), NOW)
            assert (Action(outcome.action), names[outcome.rule]) == (expected.action, expected.rule)
            assert judge(replace(facts, claims=facts.claims[::-1]), parsed_policy(text), NOW) == expected


def test_what_nobody_claims_is_judged_too(beta: TestLog) -> None:
    with beta.database.read() as connection:
        (outcome,) = viewpoint(connection, NOW).judge([(sha256(1).key, b"")])
    assert outcome.action == Action.NONE
