from __future__ import annotations

import pytest

from hashpact_node.services.restating import restate
from hashpact_node.store.database import Database
from hashpact_protocol.incidents import IncidentRules, Status, Step, judge
from hashpact_protocol.statements import Incident, WellFormed, encode_statement, parse_statement
from members import TIME, TestLog, add_member, listing, sha256, terms, uuid_of, withdrawal

FIRE, FLOOD = uuid_of(70), uuid_of(71)


@pytest.fixture
def crisis(sqlite_database: Database) -> TestLog:
    return add_member(sqlite_database, "acme", terms("acme", "crisis-1", kind="crisis"), own=True)[1][0]


def says(number: int, status: str, incident: str = FIRE) -> Incident:
    return Incident(uuid_of(number), TIME, incident, status)


def restated(log: TestLog) -> list[bytes]:
    with log.database.read() as connection:
        return list(restate(connection, [log.row], ()).entries)


def judged(entries: list[bytes]) -> dict[str, Status]:
    """Say what a reader of these entries takes each incident for, where one member is enough."""
    found = [(at, parse_statement(entry, "crisis")) for at, entry in enumerate(entries)]
    steps = [
        Step("acme", at, one.incident, Status(one.status), one.time) for at, one in found if isinstance(one, Incident)
    ]
    return {incident: one.status for incident, one in judge(steps, IncidentRules(members=1)).items()}


def test_every_word_on_an_incident_that_is_not_over_is_restated_in_order(crisis: TestLog) -> None:
    live: list[WellFormed] = [says(1, "proposed"), listing(2, sha256(1)), says(3, "active"), says(1, "active")]
    crisis.append(*live[:3], says(5, "active", FLOOD), withdrawal(6, 9), live[3], says(7, "concluded", FLOOD))
    assert restated(crisis) == [encode_statement(one) for one in live]
    assert judged(restated(crisis)) == {FIRE: Status.ACTIVE}


def test_an_id_that_speaks_of_another_incident_later_takes_nothing_away(crisis: TestLog) -> None:
    """Each statement counts by its place, whatever its id: so what a successor restates says the same."""
    crisis.append(says(1, "active"), says(1, "proposed", FLOOD))
    assert judged(restated(crisis)) == {FIRE: Status.ACTIVE, FLOOD: Status.PROPOSED}


def test_what_is_active_again_after_its_end_is_restated(crisis: TestLog) -> None:
    crisis.append(says(1, "concluded"), says(2, "active"))
    assert judged(restated(crisis)) == {FIRE: Status.ACTIVE}
