from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from hashpact_node.services.incident_states import active_incidents
from hashpact_node.services.incident_times import Spread
from hashpact_node.services.incidents import Incidents, Words
from hashpact_node.services.stating import Stating
from hashpact_node.services.succession import Succession
from hashpact_node.store.directories import record_directory
from hashpact_node.store.key_watch import Reading, put_readings
from hashpact_protocol.card_logs import LogKind
from hashpact_protocol.directory import Directory, encode_directory
from hashpact_protocol.errors import ConflictError, NotFoundError, RequestError
from hashpact_protocol.incidents import IncidentRules, Status, Step
from hashpact_protocol.statements import Incident, Listing
from members import TIME, TestLog, add_member, sha256, terms, uuid_of
from own_member import NOW, OwnMember

FIRE = uuid_of(70)
HELD = int(NOW.timestamp())


@pytest.fixture
def incidents(acme: OwnMember) -> Incidents:
    succession = Succession(acme.database, acme.releaser.locks, acme.keyring, acme.releaser, lambda: NOW)
    stating = Stating(acme.database, acme.publisher, succession, lambda: NOW)
    stating.open(LogKind.CRISIS)
    return Incidents(acme.database, stating, lambda: NOW)


@pytest.fixture
def beta(acme: OwnMember) -> TestLog:
    return add_member(acme.database, "beta", terms("beta", "crisis-1", kind="crisis"))[1][0]


def says(number: int, status: str, title: str | None = None) -> Incident:
    return Incident(uuid_of(number), TIME, FIRE, status, title)


def test_proposed_here_activated_there_and_here_and_concluded(incidents: Incidents, beta: TestLog) -> None:
    said = incidents.propose(Words("A drill", "drill"))
    assert (said.status, said.stated.index) == (Status.PROPOSED, 0)
    assert incidents.show(said.incident).incident.status is Status.PROPOSED
    beta.append(replace_incident(says(1, "active"), said.incident))
    assert incidents.list(status=Status.ACTIVE) == []
    incidents.activate(said.incident, Words(note="seen here, too"))
    (found,) = incidents.list(status=Status.ACTIVE)
    assert (found.title, found.type, found.active) == ("A drill", "drill", ("acme", "beta"))
    incidents.conclude(said.incident)
    assert [one.status for one in incidents.list()] == [Status.CONCLUDED]
    assert [one.note for one in incidents.show(said.incident).words] == ["seen here, too", None]


def replace_incident(statement: Incident, incident: str) -> Incident:
    return Incident(statement.id, statement.time, incident, statement.status, statement.title)


def test_what_others_call_it_is_taken_over_where_nothing_is_given(incidents: Incidents, beta: TestLog) -> None:
    beta.append(says(1, "proposed", "Theirs"))
    incidents.activate(FIRE)
    assert [one.title for one in incidents.show(FIRE).words] == ["Theirs", "Theirs"]
    incidents.update(FIRE, Words("Ours"))
    incidents.conclude(FIRE)
    assert incidents.show(FIRE).words[0] == Step(
        "acme", 2, FIRE, Status.CONCLUDED, "2026-11-24T04:00:00Z", "Ours", seen=HELD
    )


def test_one_joins_what_is_active_and_activates_what_is_not(incidents: Incidents, beta: TestLog) -> None:
    beta.append(says(1, "active"))
    with pytest.raises(ConflictError, match="it is proposed"):
        incidents.join(FIRE)
    alone = replace(incidents, rules=lambda: IncidentRules(members=1))
    assert alone.join(FIRE).status is Status.ACTIVE
    assert incidents.show(FIRE).incident.status is Status.ACTIVE


Act = Callable[[Incidents], object]


@pytest.mark.parametrize(
    ("act", "error", "says_what"),
    [
        (lambda here: here.activate(uuid_of(71)), NotFoundError, "nobody speaks"),
        (lambda here: here.join(uuid_of(71)), NotFoundError, "nobody speaks"),
        (lambda here: here.show("fire"), NotFoundError, "no incident has this id"),
        (lambda here: here.propose(Words(), incident="fire"), NotFoundError, "no incident has this id"),
        (lambda here: here.update(uuid_of(71), Words("x")), ConflictError, "says nothing"),
        (lambda here: here.conclude(uuid_of(71)), ConflictError, "says nothing"),
        (lambda here: here.activate(FIRE), ConflictError, "says so already"),
        (lambda here: here.propose(Words(), incident=FIRE), ConflictError, "active"),
        (lambda here: here.update(FIRE, Words("A drill")), RequestError, "nothing would change"),
        (lambda here: (here.conclude(FIRE), here.conclude(FIRE)), ConflictError, "says so already"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_said(
    incidents: Incidents, act: Act, error: type[Exception], says_what: str
) -> None:
    incidents.propose(Words("A drill"), incident=FIRE)
    incidents.activate(FIRE)
    with pytest.raises(error, match=says_what):
        act(incidents)


def test_a_statement_may_be_said_again_after_the_end(incidents: Incidents) -> None:
    incidents.propose(Words("A drill"), incident=FIRE)
    incidents.conclude(FIRE)
    incidents.activate(FIRE)
    assert incidents.show(FIRE).words[0].status is Status.ACTIVE


def test_policy_hears_of_the_active_ones_alone(incidents: Incidents, beta: TestLog, acme: OwnMember) -> None:
    beta.append(says(1, "active"))
    incidents.propose(Words(), incident=uuid_of(71))
    with acme.database.read() as connection:
        assert active_incidents(connection) == []
        assert [one.incident for one in active_incidents(connection, IncidentRules(members=1))] == [FIRE]


def test_what_was_measured_is_told_of_each_member(incidents: Incidents, beta: TestLog, acme: OwnMember) -> None:
    """Hashes keep coming after the end, and are measured as before."""
    beta.append(
        says(1, "active"), says(2, "concluded"), Listing(uuid_of(9), TIME, "image", (sha256(1),), incident=FIRE)
    )
    with acme.database.write() as connection:
        put_readings(connection, [Reading("beta", 1_500, HELD)])
    (times,) = incidents.show(FIRE).times
    assert (times.member, times.listings, times.live, times.clock_ahead) == ("beta", 1, 1, 1.5)
    assert times.to_matchable == Spread(1, 0.0, 0.0, 0.0)


def test_the_directory_makes_it_active_where_policy_lets_it(incidents: Incidents, acme: OwnMember) -> None:
    said = incidents.propose(Words("A drill"))
    data = encode_directory(Directory("A Consortium", (), (said.incident,)))
    with acme.database.write() as connection:
        record_directory(connection, "pin", "https://directory.example", now=NOW, error=None, accepted=(1, data))
    assert incidents.show(said.incident).incident.status is Status.PROPOSED
    heeds = replace(incidents, rules=lambda: IncidentRules(directory=True))
    found = heeds.show(said.incident).incident
    assert (found.status, found.by_directory) == (Status.ACTIVE, True)
    assert [one.incident for one in heeds.list(status=Status.ACTIVE)] == [said.incident]
    heeds.join(said.incident)
