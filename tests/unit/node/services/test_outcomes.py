from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from hashpact_node.services.outcomes import COUNT_MAX, OUTCOMES_MAX, NewOutcome, Outcomes, OutcomeView
from hashpact_node.store.database import Database
from hashpact_node.store.idempotency import KEPT_SECONDS
from hashpact_node.store.outcomes import Counts, day_of, sum_outcomes
from hashpact_protocol.errors import RequestError
from members import NOW, add_log, listing, sha256, withdrawal

ONE, TWO = f"sha256:{1:064x}", f"sha256:{2:064x}"
COUNTS = Counts(4, 3, 2, 1)


class Clock:
    def __init__(self) -> None:
        self.time = NOW

    def __call__(self) -> object:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outcomes(database: Database, clock: Clock) -> Outcomes:
    add_log(database, "acme", own=True)
    beta = add_log(database, "beta")
    beta.append(listing(1, sha256(1)), listing(2, sha256(2)))
    beta.append(withdrawal(3, 2))
    return Outcomes(database, clock)  # type: ignore[arg-type]  # a clock that is set


def test_counts_add_up_over_days_and_sources(outcomes: Outcomes, clock: Clock, database: Database) -> None:
    answer = outcomes.add([NewOutcome(ONE, COUNTS), NewOutcome(TWO, Counts(matched=1))], "t1")
    assert (answer.status, msgspec.json.decode(answer.body)) == (200, {"count": 2})
    outcomes.add([NewOutcome(ONE, COUNTS)], "t2")
    clock.time = NOW + timedelta(days=1)
    outcomes.add([NewOutcome(ONE, COUNTS)], "t1")
    assert outcomes.show(ONE) == OutcomeView(ONE, 12, 9, 6, 3, "2026-11-25")
    assert outcomes.show(TWO) == OutcomeView(TWO, 1, 0, 0, 0, "2026-11-24")  # withdrawn by now, and known all the same
    assert outcomes.show(f"sha256:{3:064x}") == OutcomeView(f"sha256:{3:064x}", 0, 0, 0, 0, None)
    today = day_of(NOW.date())
    with database.read() as connection:
        assert sum_outcomes(connection, today, today) == (Counts(9, 6, 4, 2), 3)
        assert sum_outcomes(connection, 0, today - 1) == (Counts(), 0)


def test_the_same_request_counts_once(outcomes: Outcomes, clock: Clock) -> None:
    ask = [NewOutcome(ONE, COUNTS)]
    first = outcomes.add(ask, "t1", idempotency_key="k", request=b"1")
    again = outcomes.add(ask, "t1", idempotency_key="k", request=b"1")
    assert (first.body, first.repeated, again.repeated) == (again.body, False, True)
    assert outcomes.show(ONE).matched == 4
    with pytest.raises(RequestError, match="another request"):
        outcomes.add(ask, "t1", idempotency_key="k", request=b"2")
    with pytest.raises(RequestError, match="1 to 255"):
        outcomes.add(ask, "t1", idempotency_key="", request=b"2")
    clock.time = NOW + timedelta(seconds=KEPT_SECONDS)
    assert not outcomes.add(ask, "t1", idempotency_key="k", request=b"2").repeated
    assert outcomes.show(ONE).matched == 8


def test_a_request_that_is_refused_counts_nothing_and_keeps_no_key(outcomes: Outcomes) -> None:
    wrong = [NewOutcome(ONE, COUNTS), NewOutcome(f"sha256:{9:064x}", COUNTS)]
    with pytest.raises(RequestError, match="nobody ever listed") as caught:
        outcomes.add(wrong, "t1", idempotency_key="k", request=b"1")
    assert caught.value.where == "outcomes[1].key"
    assert outcomes.show(ONE).matched == 0
    assert not outcomes.add(wrong[:1], "t1", idempotency_key="k", request=b"2").repeated


def test_whoever_may_only_match_does_not_learn_what_was_listed(outcomes: Outcomes) -> None:
    never = f"sha256:{9:064x}"
    answers = [outcomes.add([NewOutcome(key, COUNTS)], "t1", tells=False) for key in (TWO, never)]
    assert answers[0] == answers[1]
    assert outcomes.show(TWO).matched == 4
    assert outcomes.show(never).matched == 0


@pytest.mark.parametrize(
    ("asked", "where", "what"),
    [
        ([], "outcomes", "1 to 1,000"),
        ([NewOutcome(ONE, COUNTS)] * (OUTCOMES_MAX + 1), "outcomes", "not 1,001"),
        ([NewOutcome(ONE, COUNTS)] * 2, "outcomes[1].key", "twice"),
        ([NewOutcome("sha256", COUNTS)], "outcomes[0].key", "no signal"),
        ([NewOutcome("sha256:zz", COUNTS)], "outcomes[0].key", "no signal"),
        ([NewOutcome(ONE, Counts(appealed=-1))], "outcomes[0].appealed", "0 to"),
        ([NewOutcome(ONE, Counts(removed=COUNT_MAX + 1))], "outcomes[0].removed", "0 to"),
    ],
)
def test_what_is_refused(outcomes: Outcomes, asked: list[NewOutcome], where: str, what: str) -> None:
    with pytest.raises(RequestError, match=what) as caught:
        outcomes.add(asked, "")
    assert caught.value.where == where


def test_no_signal_is_shown_for_what_is_none(outcomes: Outcomes) -> None:
    with pytest.raises(RequestError, match="no signal"):
        outcomes.show("sha256")
