from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from sqlalchemy import text

from hashpact_node.services.incident_report import IncidentReport, MemberEffect, make_report
from hashpact_node.services.incident_times import Spread
from hashpact_node.store.database import Database
from hashpact_node.store.incidents import PlacedStep, replace_steps
from hashpact_protocol.errors import NotFoundError
from hashpact_protocol.incidents import DEFAULT_RULES, Status
from hashpact_protocol.statements import Incident, Listing
from members import NOW, TIME, TestLog, add_member, listing, pdq, sha256, terms, uuid_of, withdrawal

FIRE = uuid_of(70)
HELD = int(NOW.timestamp())


@pytest.fixture
def acme(database: Database) -> TestLog:
    return add_member(database, "acme", terms("acme", "crisis-1", kind="crisis"), own=True)[1][0]


@pytest.fixture
def beta(database: Database, acme: TestLog) -> TestLog:  # noqa: ARG001  # whoever is followed is followed by somebody
    return add_member(database, "beta", terms("beta", "crisis-1", kind="crisis"))[1][0]


def says(number: int, status: str) -> Incident:
    return Incident(uuid_of(number), TIME, FIRE, status, "A drill")


def tagged(one: Listing) -> Listing:
    return msgspec.structs.replace(one, incident=FIRE)


def report(database: Database) -> IncidentReport:
    with database.read() as connection:
        return make_report(connection, FIRE, DEFAULT_RULES, now=NOW)


def test_nobody_reports_on_what_nobody_speaks_of(database: Database, beta: TestLog) -> None:
    beta.append(tagged(listing(1, sha256(1))))
    with pytest.raises(NotFoundError, match="nobody speaks"):
        report(database)


def test_it_tells_what_was_said_listed_and_how_fast_and_what_that_does(
    database: Database, acme: TestLog, beta: TestLog
) -> None:
    beta.append(says(1, "active"), tagged(listing(2, sha256(1), pdq(1))), tagged(listing(3, sha256(2))))
    acme.clock[0] = NOW + timedelta(seconds=4)
    acme.append(says(1, "active"), tagged(listing(2, sha256(1))))
    beta.clock[0] = NOW + timedelta(seconds=9)
    beta.append(says(4, "concluded"), withdrawal(5, 3), tagged(listing(6, sha256(3))))
    found = report(database)
    assert (found.member, found.made_at) == ("acme", HELD)
    assert [(one.member, one.status) for one in found.steps] == [
        ("beta", Status.ACTIVE),
        ("acme", Status.ACTIVE),
        ("beta", Status.CONCLUDED),
    ]
    assert [(one.at - HELD, one.status) for one in found.shown.turns] == [
        (0, Status.PROPOSED),
        (4, Status.ACTIVE),
        (9, Status.CONCLUDED),
    ]
    assert (found.listings, found.live, found.after_the_end) == (4, 3, 1)
    assert (found.signals, found.actions) == (3, {"block": 1, "review": 2})
    assert found.effects == (
        MemberEffect("acme", {"block": 1}, 1, Spread(1, 4.0, 4.0, 4.0)),
        MemberEffect("beta", {"block": 1, "review": 2}, 1, Spread(1, 4.0, 4.0, 4.0)),
    )
    assert [one.to_matchable for one in found.shown.times] == [Spread(1, 4.0, 4.0, 4.0), Spread(3, 0.0, 9.0, 9.0)]


def test_without_listings_there_is_nothing_to_measure(database: Database, beta: TestLog) -> None:
    beta.append(says(1, "proposed"))
    found = report(database)
    assert (found.listings, found.signals, found.actions, found.effects, found.shown.times) == (0, 0, {}, (), ())


def test_what_cannot_be_read_back_is_counted(database: Database, beta: TestLog) -> None:
    beta.append(says(1, "proposed"), tagged(listing(2, sha256(1))))
    with database.write() as connection:
        connection.execute(text("DELETE FROM bundle"))
    (effect,) = report(database).effects
    assert (effect.unreadable, effect.blocking, effect.actions) == (1, 0, {})


def test_where_nobody_knows_when_words_came_no_end_is_claimed(database: Database, beta: TestLog) -> None:
    beta.append(says(1, "active"), tagged(listing(2, sha256(1))))
    with database.write() as connection:
        replace_steps(connection, beta.row.sequence, [PlacedStep(beta.number, 0, says(3, "concluded"))])
    assert report(database).after_the_end == 0
