from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from sqlalchemy import insert

from hashpact_node.services.report_form import Maker, Section
from hashpact_node.services.report_judged import decision_section, dispute_section, incident_section
from hashpact_node.store.database import Database
from hashpact_node.store.incidents import PlacedStep, add_steps
from hashpact_node.store.local_decisions import NewDecision, Subject, add_decision, end_decision
from hashpact_node.store.tables_opinions import CorrectionDelay, Dispute
from hashpact_protocol.facts import Verdict
from hashpact_protocol.statements import Incident
from members import NOW, add_member, sha256, terms, uuid_of

FIRST, LAST = date(2026, 11, 1), date(2026, 11, 30)
MAKE, OPEN = Maker(5), Maker(0)


def at(day: int, month: int = 11) -> int:
    return int(datetime(2026, month, day, tzinfo=UTC).timestamp())


def figures(part: Section) -> Mapping[str, int | None]:
    return {one.id: one.value for one in part.figures}


def rows(part: Section, table: str) -> Mapping[str, tuple[int | None, ...]]:
    return {row.name: row.values for one in part.tables if one.id == table for row in one.rows}


@pytest.fixture
def crisis(database: Database) -> int:
    """The number of the sequence of beta's log for crises; it has one for opinions, too."""
    logs = (terms("beta"), terms("beta", "crisis-1", kind="crisis"), terms("beta", "opinions-1", kind="opinions"))
    return add_member(database, "beta", *logs)[1][1].row.sequence


def dispute(number: int, since: int, answered: int | None, answer: str | None, reason: str | None) -> dict[str, object]:
    told = {"member": "beta", "log_name": "listings", "listing": bytes(16), "leaf": bytes([number]) * 32, "log": 1}
    return {**told, "position": number, "since": since, "answered_at": answered, "answer": answer, "reason": reason}


def test_disputes_and_corrections(database: Database, crisis: int) -> None:
    assert crisis
    with database.write() as connection:
        made = [dispute(n, at(3), at(3) + 60 * n, "withdrawn", "satire") for n in range(1, 7)]
        made += [dispute(n, at(30, 10), at(2), "kept", "somebody") for n in range(7, 9)]
        made += [dispute(n, at(5), None, None, None) for n in range(9, 15)]
        made += [dispute(20, at(30, 10), at(31, 10), "kept", "satire"), dispute(21, at(1, 12), None, None, "satire")]
        connection.execute(insert(Dispute), made)
        day = at(4) // 86_400
        delays = {"total_seconds": 1, "longest_seconds": 1, "count": 20, "within_minute": 5, "within_hour": 12}
        connection.execute(insert(CorrectionDelay), [{"peer": 1, "day": day, **delays, "within_day": 20}])
    with database.read() as connection:
        told, small = (dispute_section(connection, FIRST, LAST, make) for make in (OPEN, MAKE))
    assert figures(told) == {
        "disputes": 12,
        "disputes-answered": 8,
        "disputes-open": 7,
        "disputes-answered-median": 240,
        "disputes-answered-90": 3 * 86_400,
    }
    assert rows(told, "disputes-by-reason") == {"satire": (6,), "not stated": (6,)}
    assert rows(told, "disputes-by-answer") == {"withdrawn": (6,), "kept": (2,)}
    assert rows(told, "arrivals") == {"a minute": (5,), "an hour": (7,), "a day": (8,)}
    assert rows(small, "disputes-by-answer") == {"kept": (None,), "withdrawn": (None,)}


def test_decisions(database: Database) -> None:
    def decide(verdict: Verdict, number: int) -> NewDecision:
        return NewDecision(verdict, Subject(key=sha256(number).key), "why", "ann", until=None)

    with database.write() as connection:
        for number in range(6):
            add_decision(connection, decide(Verdict.ALLOW, number), now=NOW)
        old = add_decision(connection, decide(Verdict.REJECT, 9), now=datetime(2026, 9, 1, tzinfo=UTC))
        gone = add_decision(connection, decide(Verdict.REJECT, 10), now=NOW)
        end_decision(connection, gone, by="ann", why=None, now=NOW)
        assert old != gone
    with database.read() as connection:
        told, small = (decision_section(connection, FIRST, LAST, make) for make in (OPEN, MAKE))
    assert figures(told) == {"decisions": 7, "decisions-standing": 7}
    assert rows(told, "decisions-by-verdict") == {"allow": (6, 6), "reject": (1, 1)}
    assert rows(small, "decisions-by-verdict") == {"allow": (None, None), "reject": (None, None)}


def test_incidents(database: Database, crisis: int) -> None:
    def step(number: int, of: int, status: str, kind: str | None, day: str = "2026-11-09") -> PlacedStep:
        said = Incident(uuid_of(number), f"{day}T00:00:00Z", uuid_of(of), status, "somebody", kind)
        return PlacedStep(2, number, said)

    with database.write() as connection:
        steps = [step(1, 50, "proposed", "manifesto"), step(2, 50, "active", None), step(3, 51, "proposed", "somebody")]
        add_steps(connection, crisis, [*steps, step(4, 52, "proposed", "exercise", "2026-12-01")], seen_at=None)
    with database.read() as connection:
        told = incident_section(connection, FIRST, LAST, OPEN)
    assert figures(told) == {"incidents": 2}
    assert rows(told, "incidents-by-word") == {"proposed": (2,), "active": (1,)}
    assert rows(told, "incidents-by-type") == {"manifesto": (1,), "other words": (1,)}
    assert str(UUID(uuid_of(50))) not in str(told)


def test_without_the_logs_nothing_is_measured(sqlite_database: Database) -> None:
    add_member(sqlite_database, "beta")
    with sqlite_database.read() as connection:
        disputes = dispute_section(connection, FIRST, LAST, OPEN)
        incidents = incident_section(connection, FIRST, LAST, OPEN)
    assert "log of opinions" in (disputes.not_measured or "")
    assert "log for crises" in (incidents.not_measured or "")
