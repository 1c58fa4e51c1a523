from __future__ import annotations

from datetime import timedelta

import pytest

from flooding import BLOCKED, HELD, TODAY, count, hold_policy, judged, listings_of
from hashpact_node.services.actors import Actor, ActorKind
from hashpact_node.services.floods import LISTING_FLOOD
from hashpact_node.services.holds import Holds
from hashpact_node.services.judging_anew import Rejudger
from hashpact_node.services.known_facts import KnownFacts
from hashpact_node.services.rebuild import Rebuilder
from hashpact_node.store.alarms import list_alarms
from hashpact_node.store.database import Database
from hashpact_node.store.holds import NewHold, Notice, add_hold
from hashpact_node.store.listed import listed_by_day
from hashpact_node.store.local_decisions import NewDecision, Subject, add_decision
from hashpact_node.store.locks import Locks
from hashpact_node.store.signals import find_signals
from hashpact_protocol.errors import ConflictError, NotFoundError, RequestError
from hashpact_protocol.facts import Verdict
from hashpact_protocol.policy import Action
from members import NOW, TestLog, add_log, listing, sha256

ANN = Actor(ActorKind.COMMAND, "ann")


@pytest.fixture
def beta(database: Database) -> TestLog:
    add_log(database, "acme", own=True)
    hold_policy(database)
    return add_log(database, "beta")


@pytest.fixture
def holds(database: Database) -> Holds:
    return Holds(database, lambda: NOW)


def test_what_is_released_is_judged_as_if_it_had_never_been_held(
    database: Database, beta: TestLog, holds: Holds
) -> None:
    count(beta, 0)
    beta.append(*listings_of(1, 9))
    (view,) = holds.list()
    assert (view.kind, view.member, view.log, view.first, view.last) == ("listings", "beta", beta.row.origin, 0, 8)
    assert (view.state, view.notice, view.signal, view.released_at) == ("held", "due", None, None)
    released = holds.release(view.number, ANN, "they told us")
    assert (released.state, released.released_by, released.released_why) == ("released", "command ann", "they told us")
    assert Rejudger(database, lambda: NOW).run() == 8
    assert judged(database, sha256(3)) == BLOCKED
    with database.read() as connection:
        assert listed_by_day(connection, beta.row.sequence)[TODAY] == 0
        assert LISTING_FLOOD not in [alarm.code for alarm in list_alarms(connection)]
    assert holds.list() == []
    assert holds.list(released=True) == [holds.show(view.number)]
    with pytest.raises(ConflictError, match="released already"):
        holds.release(view.number, ANN)
    with pytest.raises(NotFoundError):
        holds.show(99)
    with pytest.raises(RequestError, match="longer than"):
        holds.release(view.number, ANN, "x" * 10_000)


def test_a_signal_that_is_released_is_judged_at_once(database: Database, beta: TestLog, holds: Holds) -> None:
    with database.write() as connection:
        number = add_hold(connection, NewHold(900, 2, Notice.NONE, key=sha256(1).key), now=NOW)
    beta.append(listing(1, sha256(1)), listing(2, sha256(2)))
    assert judged(database, sha256(1)) == HELD
    assert judged(database, sha256(2)) == BLOCKED
    assert holds.show(number).signal == f"sha256:{sha256(1).value}"
    holds.release(number, ANN)
    assert judged(database, sha256(1)) == BLOCKED


def test_a_decision_of_this_company_goes_before_a_hold(database: Database, beta: TestLog) -> None:
    confirmed, refused = sha256(3).key, sha256(4).key
    with database.write() as connection:
        for verdict, key in ((Verdict.CONFIRM, confirmed), (Verdict.ALLOW, refused)):
            add_decision(connection, NewDecision(verdict, Subject(key), "why", "x", keys=(key,)), now=NOW)
    count(beta, 0)
    beta.append(*listings_of(1, 9))
    assert judged(database, sha256(3)) == (Action.BLOCK, "confirmed-here")
    assert judged(database, sha256(4)) == (Action.IGNORE, "allowed-here")
    assert judged(database, sha256(5)) == HELD


def test_a_rebuild_keeps_what_is_held(
    database: Database, beta: TestLog, tmp_path_factory: pytest.TempPathFactory
) -> None:
    count(beta, 0)
    beta.append(*listings_of(1, 9))
    before = [judged(database, sha256(number)) for number in range(1, 9)]
    assert before == [HELD] * 8
    rebuilt = Rebuilder(database, Locks(database, tmp_path_factory.mktemp("locks")), lambda: NOW).rebuild()
    assert rebuilt.signals_mended == 0
    assert [judged(database, sha256(number)) for number in range(1, 9)] == before


def test_all_that_judge_know_of_holds(database: Database, beta: TestLog) -> None:
    count(beta, 0)
    beta.append(*listings_of(1, 9))
    with database.read() as connection:
        row = find_signals(connection, [sha256(3).key])[sha256(3).key]
        (known,) = KnownFacts(connection, NOW + timedelta(hours=1)).of([(row.key, row.claims)])
    assert [claim.held for claim in known.facts.claims] == [True]
    assert known.judgement.rule == "flood-hold"
