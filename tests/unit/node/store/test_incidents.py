from __future__ import annotations

from dataclasses import replace

import pytest

from hashpact_node.store import incidents as module
from hashpact_node.store.database import Database
from hashpact_node.store.incidents import (
    Arrival,
    NewArrival,
    PlacedStep,
    add_arrivals,
    add_steps,
    drop_steps,
    list_arrivals,
    list_steps,
    replace_steps,
    spoken_of,
)
from hashpact_node.store.peers import REMOVED, SUSPENDED, get_peer, set_state
from hashpact_protocol.incidents import STEPS_KEPT, Status, Step
from hashpact_protocol.merge import id_bytes
from hashpact_protocol.statements import Incident
from members import NOW, TIME, TestLog, add_member, terms, uuid_of

FIRE, FLOOD = uuid_of(70), uuid_of(71)
HELD = int(NOW.timestamp())


@pytest.fixture
def beta(database: Database) -> TestLog:
    return add_member(database, "beta", terms("beta", "crisis-1", kind="crisis"))[1][0]


def step(number: int, status: str = "active", *, log: int = 1, incident: str = FIRE, **more: str) -> PlacedStep:
    return PlacedStep(log, number, Incident(uuid_of(number), TIME, incident, status, **more))


def add(database: Database, log: TestLog, *steps: PlacedStep, seen_at: int | None = 5) -> None:
    with database.write() as connection:
        add_steps(connection, log.row.sequence, steps, seen_at=seen_at)


def said(database: Database, incident: str | None = None) -> list[Step]:
    with database.read() as connection:
        return sorted(list_steps(connection, incident), key=lambda one: (one.member, one.place))


def test_what_was_said_is_told_in_its_order_with_whose_word_it_is(database: Database, beta: TestLog) -> None:
    hostile = "a\x00b \U0001f525"  # PostgreSQL takes no NUL in text
    add(database, beta, step(1, "proposed", title=hostile, type="drill", note="n"), step(2, incident=FLOOD))
    add(database, beta, step(3, "concluded"), seen_at=None)
    assert said(database, FIRE) == [
        Step("beta", 0, FIRE, Status.PROPOSED, TIME, hostile, "drill", "n", seen=5),
        Step("beta", 2, FIRE, Status.CONCLUDED, TIME),
    ]
    assert [one.incident for one in said(database)] == [FIRE, FLOOD, FIRE]


def test_of_what_a_member_has_spoken_is_told(database: Database, beta: TestLog) -> None:
    add(database, beta, step(1), step(2), step(3, incident=FLOOD))
    with database.read() as connection:
        assert spoken_of(connection, get_peer(connection, "beta").number) == {FIRE, FLOOD}
        assert spoken_of(connection, 99) == set()


def test_the_newest_are_kept(database: Database, beta: TestLog) -> None:
    add(database, beta, step(1), step(2))
    add(database, beta, *(step(number) for number in range(3, STEPS_KEPT + 2)))
    assert [one.place for one in said(database)] == list(range(1, STEPS_KEPT + 1))


def test_one_that_is_restated_was_seen_when_it_was_seen_first(database: Database, beta: TestLog) -> None:
    add(database, beta, step(1), seen_at=5)
    add(database, beta, replace(step(1), log=2, position=0), step(3), seen_at=9)
    assert [one.seen for one in said(database)] == [5, 5, 9]


def test_what_one_log_says_can_be_forgotten(database: Database, beta: TestLog) -> None:
    add(database, beta, step(1, log=1), step(2, log=2))
    with database.write() as connection:
        drop_steps(connection, 1)
    assert [one.place for one in said(database)] == [1]


def test_replacing_changes_what_differs_and_keeps_when_it_was_seen(database: Database, beta: TestLog) -> None:
    add(database, beta, step(1), step(2))
    sequence = beta.row.sequence
    with database.write() as connection:
        assert replace_steps(connection, sequence, [step(1), step(2)]) == 0
        assert replace_steps(connection, sequence, [step(2), step(4)]) == 2
    assert [(one.place, one.seen) for one in said(database)] == [(0, 5), (1, None)]
    with database.write() as connection:
        assert replace_steps(connection, sequence, [step(4), step(2)]) == 1  # the order alone
        assert replace_steps(connection, sequence, []) == 2
    assert said(database) == []


def test_audiences_hear_of_it_and_nobody_heeds_it(database: Database) -> None:
    log = replace(terms("beta", "crisis-x-1", kind="crisis"), name="crisis-x")
    add(database, add_member(database, "beta", log)[1][0], step(1))
    assert said(database) == []


@pytest.mark.parametrize("state", [SUSPENDED, REMOVED])
def test_who_is_not_followed_says_nothing(database: Database, beta: TestLog, state: str) -> None:
    add(database, beta, step(1))
    arrive(database, beta, NewArrival(id_bytes(uuid_of(1)), id_bytes(FIRE), 3), merged_at=4)
    with database.write() as connection:
        set_state(connection, get_peer(connection, "beta").number, state)
    assert said(database) == []
    with database.read() as connection:
        assert list_arrivals(connection, FIRE) == []


def arrive(database: Database, log: TestLog, *arrivals: NewArrival, merged_at: float | None) -> None:
    with database.write() as connection:
        add_arrivals(connection, log.row.sequence, arrivals, merged_at=merged_at)


def test_the_first_arrival_counts(database: Database, beta: TestLog) -> None:
    first = NewArrival(id_bytes(uuid_of(1)), id_bytes(FIRE), -3)
    arrive(database, beta, first, replace(first, said_at=9), merged_at=4.25)
    arrive(database, beta, first, replace(first, listing=id_bytes(uuid_of(2)), said_at=7), merged_at=None)
    arrive(database, beta, merged_at=5)
    with database.read() as connection:
        assert list_arrivals(connection, FIRE) == [
            Arrival("beta", uuid_of(1), -3, 4.25, HELD),
            Arrival("beta", uuid_of(2), 7, None, HELD),
        ]
        assert list_arrivals(connection, FLOOD) == []


def test_a_flood_of_arrivals_is_measured_up_to_a_bound(
    database: Database, beta: TestLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ARRIVALS_KEPT", 3)
    many = [NewArrival(id_bytes(uuid_of(number)), id_bytes(FIRE), number) for number in range(5)]
    arrive(database, beta, *many[:2], merged_at=1)
    arrive(database, beta, *many, merged_at=2)
    with database.read() as connection:
        assert len(list_arrivals(connection, FIRE)) <= 3
