from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from hashpact_node.services import opinion_merging
from hashpact_node.services.opinion_merging import Winning
from hashpact_node.services.rebuild import MemberRebuild, Rebuilt
from hashpact_node.services.removal import drop_claims_of
from hashpact_node.store.alarms import list_alarms
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.disputes import Answer, Dispute, answer_dispute, list_delays, list_disputes
from hashpact_node.store.local_decisions import NewDecision, Subject, add_decision, listing_decisions
from hashpact_node.store.opinions import Listed, opinions_about, opinions_at
from hashpact_node.store.peers import Peer
from hashpact_node.store.signals import find_signals
from hashpact_protocol.claims import Place
from hashpact_protocol.facts import OpinionFacts, Verdict
from hashpact_protocol.merge import id_bytes
from hashpact_protocol.merkle import leaf_hash
from hashpact_protocol.policy import Action
from hashpact_protocol.statements import Listing, Opinion, encode_statement
from members import NOW, TIME, TestLog, add_member, listing, sha256, terms, uuid_of, withdrawal

ONE = listing(1, sha256(1))
AGAIN = listing(1, sha256(1), sha256(2))
DAY = int(NOW.timestamp()) // 86_400


def leaf(of: Listing) -> str:
    return leaf_hash(encode_statement(of)).hex()


def opinion(number: int, about: Listing, verdict: str = "disagree", **fields: Any) -> Opinion:
    """An opinion of id ``number`` on a listing of beta's, or of the member that is given."""
    reason = "satire" if verdict == "disagree" else None
    told: dict[str, Any] = {"member": "beta", "log": "listings", "reason": reason} | fields
    return Opinion(uuid_of(number), TIME, listing=about.id, leaf=leaf(about), verdict=verdict, **told)


class World:
    """Acme is this member; beta lists, gamma and delta opine."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.peers: dict[str, Peer] = {}
        self.logs: dict[str, TestLog] = {}
        self.opinions: dict[str, TestLog] = {}
        for member in ("acme", "beta", "gamma", "delta"):
            logs = (terms(member), terms(member, "opinions-1", kind="opinions"))
            peer, (listings, opinions) = add_member(database, member, *logs, own=member == "acme")
            self.peers[member], self.logs[member], self.opinions[member] = peer, listings, opinions

    def facts(self, member: str = "beta", position: int = 0) -> OpinionFacts | None:
        place = Place(self.logs[member].number, position)
        with self.database.read() as connection:
            return opinions_at(connection, [place]).get(place)

    def held(self, member: str = "beta") -> int:
        with self.database.read() as connection:
            return len(opinions_about(connection, member, "listings"))

    def disputes(self) -> list[Dispute]:
        with self.database.read() as connection:
            return list_disputes(connection, answered=True)[::-1]

    def rebuild(self, member: str) -> None:
        MemberRebuild(self.database, self.peers[member], NOW, Rebuilt(), None, 0).run()


@pytest.fixture
def world(sqlite_database: Database) -> World:
    return World(sqlite_database)


AGAINST = OpinionFacts((), (("gamma", "satire"),))


def test_opinions_count_for_the_winning_revision_on_each_kind_of_database(database: Database) -> None:
    world = World(database)
    world.logs["beta"].append(ONE)
    world.opinions["gamma"].append(opinion(1, ONE))
    world.opinions["delta"].append(opinion(1, ONE, "agree"))
    assert world.facts() == OpinionFacts(("delta",), (("gamma", "satire"),))
    world.logs["beta"].append(AGAIN)
    assert (world.facts(), world.facts(position=1)) == (None, None)
    assert world.held() == 2  # kept, and they count for nothing
    world.opinions["gamma"].append(opinion(2, AGAIN, "seen"), opinion(3, AGAIN))
    assert world.facts(position=1) == AGAINST


def test_signals_are_judged_anew_when_enough_members_disagree(world: World) -> None:
    def action() -> Action:
        with world.database.read() as connection:
            return Action(find_signals(connection, [sha256(1).key])[sha256(1).key].action)

    world.logs["acme"].append(ONE)
    assert action() is Action.BLOCK
    world.opinions["gamma"].append(opinion(1, ONE, member="acme"))
    assert action() is Action.BLOCK
    world.opinions["delta"].append(opinion(1, ONE, member="acme"))
    assert action() is Action.REVIEW
    drop_claims_of(world.database, world.peers["delta"].number, now=NOW)
    assert action() is Action.BLOCK
    world.opinions["delta"].append(opinion(2, ONE, member="acme"))
    assert action() is Action.REVIEW
    world.logs["acme"].append(listing(1, sha256(1), labels=["behaviour:other"]))
    assert action() is Action.BLOCK


def test_whoever_speaks_of_another_revision_speaks_of_this_one_no_more(world: World) -> None:
    world.logs["acme"].append(ONE)
    for member in ("gamma", "delta"):
        world.opinions[member].append(opinion(1, ONE, member="acme"))
    world.opinions["delta"].append(opinion(2, AGAIN, member="acme"))  # which is not published yet
    with world.database.read() as connection:
        assert find_signals(connection, [sha256(1).key])[sha256(1).key].action == Action.BLOCK


def test_it_is_the_same_in_whatever_order_listings_and_opinions_come(sqlite_database: Database) -> None:
    steps: list[Listing | Opinion] = [ONE, AGAIN, opinion(1, ONE), opinion(2, AGAIN)]
    for number, order in enumerate(permutations(range(4))):
        if order.index(0) > order.index(1) or order.index(2) > order.index(3):
            continue  # within a log there is one order
        logs = (terms("beta"), terms("gamma", "opinions-1", kind="opinions"))
        beta, gamma = f"beta{number}", f"gamma{number}"
        _, (listings,) = add_member(sqlite_database, beta, replace(logs[0], origin=f"{beta}.example/logs/listings-1"))
        origin = f"{gamma}.example/logs/opinions-1"
        _, (opinions,) = add_member(sqlite_database, gamma, replace(logs[1], origin=origin))
        if number == 0:
            add_member(sqlite_database, "acme", own=True)
        for at in order:
            statement = steps[at]
            if isinstance(statement, Opinion):
                opinions.append(Opinion(**{**as_fields(statement), "member": beta}))
            else:
                listings.append(statement)
        with sqlite_database.read() as connection:
            place = Place(listings.number, 1)
            assert opinions_at(connection, [place]) == {place: OpinionFacts((), ((gamma, "satire"),))}, order


def test_an_opinion_and_the_revision_it_is_about_do_not_miss_each_other(
    postgresql_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(postgresql_database)
    world.logs["beta"].append(ONE)
    threads: list[threading.Thread] = []
    find = opinion_merging.find_winning

    def meanwhile(connection: Connection, listed: Iterable[Listed]) -> dict[Listed, Winning]:
        found = find(connection, listed)
        if not threads:
            threads.append(threading.Thread(target=world.logs["beta"].append, args=(AGAIN,)))
            threads[0].start()
            threads[0].join(1)  # it comes to its end now, or waits until this transaction has come to its own
        return found

    monkeypatch.setattr(opinion_merging, "find_winning", meanwhile)
    world.opinions["gamma"].append(opinion(1, AGAIN))
    threads[0].join()
    assert world.facts(position=1) == AGAINST


def as_fields(statement: Opinion) -> dict[str, Any]:
    return {name: getattr(statement, name) for name in statement.__struct_fields__}


def test_the_newest_counts_and_none_takes_it_back(world: World) -> None:
    world.logs["beta"].append(ONE)
    world.opinions["gamma"].append(opinion(1, ONE), opinion(2, ONE, "agree"))
    assert world.facts() == OpinionFacts(("gamma",))
    world.opinions["gamma"].append(opinion(3, ONE))
    assert world.facts() == AGAINST
    world.opinions["gamma"].append(opinion(4, ONE, "none"))
    assert world.facts() is None


def test_what_is_about_nothing_or_oneself_has_no_effect(world: World) -> None:
    world.logs["beta"].append(ONE)
    nobody = opinion(1, ONE, member="omega")
    nameless = opinion(2, ONE, member="No Member!")
    elsewhere = opinion(3, ONE, log="listings-x")
    endless = opinion(4, ONE, log="l" * 200)
    missing = opinion(5, listing(9, sha256(9)))
    world.opinions["gamma"].append(nobody, nameless, elsewhere, endless, missing)
    world.opinions["beta"].append(opinion(6, ONE, "agree"))
    assert world.facts() is None
    with world.database.read() as connection:
        assert len(opinions_about(connection, "omega", "listings")) == 1
        assert opinions_about(connection, "No Member!", "listings") == []
        assert opinions_about(connection, "beta", "l" * 200) == []
    assert world.held() == 1  # gamma's on what is not there, and may come


def test_a_withdrawn_listing_is_no_more_spoken_of_and_comes_back_with_its_bytes(world: World) -> None:
    world.logs["beta"].append(ONE)
    world.opinions["gamma"].append(opinion(1, ONE))
    world.logs["beta"].append(withdrawal(2, of=1))
    assert world.facts() is None
    world.logs["beta"].append(ONE)
    assert world.facts(position=2) == AGAINST


def test_a_member_that_opines_on_everything_is_held_down(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opinion_merging, "KEPT_MAX", 3)
    listings = [listing(number, sha256(number)) for number in range(1, 6)]
    world.logs["beta"].append(*listings)
    world.opinions["gamma"].append(*(opinion(10 + at, one) for at, one in enumerate(listings[:3])))
    with world.database.read() as connection:
        assert list_alarms(connection) == []
    world.opinions["gamma"].append(*(opinion(20 + at, one) for at, one in enumerate(listings[3:])))
    assert world.held() == 3
    assert [world.facts(position=at) for at in range(5)] == [None, None, AGAINST, AGAINST, AGAINST]
    with world.database.read() as connection:
        (alarm,) = list_alarms(connection)
    assert (alarm.code, alarm.peer) == ("opinion-flood", world.peers["gamma"].number)


def test_a_long_reason_is_cut(world: World) -> None:
    world.logs["beta"].append(ONE)
    world.opinions["gamma"].append(opinion(1, ONE, reason="x" * 4_000))
    facts = world.facts()
    assert facts is not None
    assert facts.disagree == (("gamma", "x" * 100),)


def test_whoever_leaves_takes_its_opinions_along_and_brings_them_back(world: World) -> None:
    world.logs["beta"].append(ONE)
    world.opinions["gamma"].append(opinion(1, ONE))
    drop_claims_of(world.database, world.peers["gamma"].number, now=NOW)
    assert (world.facts(), world.held()) == (None, 0)
    world.opinions["gamma"].append(opinion(2, ONE))
    assert world.facts() == AGAINST


def test_a_rebuild_finds_the_same_and_mends_what_differs(world: World) -> None:
    world.logs["beta"].append(ONE, AGAIN)
    world.opinions["gamma"].append(opinion(1, ONE, "agree"), opinion(2, AGAIN), opinion(3, listing(8, sha256(8))))
    world.logs["acme"].append(ONE)
    world.opinions["delta"].append(opinion(4, ONE, member="acme"))
    with world.database.read() as connection:
        before = opinions_about(connection, "beta", "listings")
    disputes = world.disputes()
    for member in ("gamma", "beta", "acme", "delta"):
        world.rebuild(member)
    with world.database.read() as connection:
        assert opinions_about(connection, "beta", "listings") == before
    assert world.disputes() == disputes
    with world.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM opinion WHERE listing = ?", (id_bytes(AGAIN.id),))
        connection.exec_driver_sql("UPDATE opinion SET about_log = 77, about_position = 5")
    world.rebuild("gamma")
    with world.database.read() as connection:
        assert opinions_about(connection, "beta", "listings") == before
    with world.database.write() as connection:
        connection.exec_driver_sql("UPDATE opinion SET about_log = 77, about_position = 5")
    world.rebuild("beta")
    with world.database.read() as connection:
        assert opinions_about(connection, "beta", "listings") == before


def test_a_decision_about_a_listing_follows_it(world: World) -> None:
    world.logs["beta"].append(ONE)
    subject = Subject(member="beta", log_name="listings", listing=id_bytes(ONE.id))
    with world.database.write() as connection:
        place = Place(world.logs["beta"].number, 0)
        new = NewDecision(Verdict.REJECT, subject, "a film", "command joe", keys=(sha256(1).key,), place=place)
        add_decision(connection, new, now=NOW)
    world.logs["beta"].append(AGAIN)
    places = [Place(world.logs["beta"].number, at) for at in range(2)]
    with world.database.read() as connection:
        assert set(listing_decisions(connection, places, now=NOW)) == {places[1]}
    world.logs["beta"].append(withdrawal(2, of=1))
    with world.database.read() as connection:
        assert listing_decisions(connection, places, now=NOW) == {}


def test_disagreement_with_an_own_listing_is_a_dispute_until_it_is_answered(world: World) -> None:
    own = world.logs["acme"]
    two, three = listing(2, sha256(2)), listing(3, sha256(3))
    own.append(ONE, two, three)
    said = [opinion(10 + at, one, member="acme") for at, one in enumerate((ONE, two, three))]
    world.opinions["gamma"].append(*said, opinion(20, two, "agree", member="beta"))
    world.opinions["delta"].append(opinion(21, ONE, "agree", member="acme"))
    assert [(one.member, one.reason, one.answer) for one in world.disputes()] == [("gamma", "satire", None)] * 3
    own.append(withdrawal(5, of=1), listing(2, sha256(2), labels=["behaviour:glorification"]))
    world.opinions["gamma"].append(opinion(30, three, "none", member="acme"))
    assert [one.answer for one in world.disputes()] == [Answer.WITHDRAWN, Answer.RESTATED, Answer.TAKEN_BACK]
    assert {one.answered_at for one in world.disputes()} == {int(NOW.timestamp())}
    own.append(ONE)  # the bytes that were disputed stand again
    assert [one.answer for one in world.disputes()] == [None, Answer.RESTATED, Answer.TAKEN_BACK]


def test_what_was_kept_is_open_again_when_it_is_said_again_and_not_when_it_is_merged_anew(world: World) -> None:
    world.logs["acme"].append(ONE)
    world.opinions["gamma"].append(opinion(1, ONE, member="acme"))
    (dispute,) = world.disputes()
    with world.database.write() as connection:
        answer_dispute(connection, dispute.number, Answer.KEPT, now=9, by="command joe", note="it is real")
    world.rebuild("gamma")
    kept = [(dispute.number, Answer.KEPT, "it is real")]
    assert [(one.number, one.answer, one.note) for one in world.disputes()] == kept
    world.opinions["gamma"].append(opinion(2, ONE, member="acme", note="look again"))
    assert [(one.number, one.answer, one.note) for one in world.disputes()] == [(dispute.number, None, None)]


def test_whoever_takes_it_back_and_says_it_again_has_one_dispute(world: World) -> None:
    world.logs["acme"].append(ONE)
    for number in range(1, 8):
        world.opinions["gamma"].append(opinion(number, ONE, "disagree" if number % 2 else "none", member="acme"))
    assert [one.answer for one in world.disputes()] == [None]


def test_an_old_revision_of_an_own_listing_is_not_disputed_again(world: World) -> None:
    world.logs["acme"].append(ONE, AGAIN)
    world.opinions["gamma"].append(opinion(1, ONE, member="acme"))
    assert world.disputes() == []


def test_corrections_are_measured_where_the_listing_acted(world: World) -> None:
    beta = world.logs["beta"]
    beta.append(ONE, listing(2, sha256(2)), listing(3, sha256(3)), withdrawal(9, of=3))
    with world.database.read() as connection:
        assert list_delays(connection, first_day=0, last_day=DAY) == []  # it never acted
    beta.clock[0] = NOW + timedelta(minutes=5)
    beta.append(withdrawal(10, of=1))
    beta.clock[0] = NOW + timedelta(seconds=-30)
    beta.append(withdrawal(11, of=2))
    with world.database.read() as connection:
        (one,) = list_delays(connection, first_day=DAY, last_day=DAY)
    assert (one.peer, one.count, one.total_seconds, one.longest_seconds) == (beta.row.peer, 2, 300, 300)
    assert (one.within_minute, one.within_hour, one.within_day) == (1, 2, 2)
