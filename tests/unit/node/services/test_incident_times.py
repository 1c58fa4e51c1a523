from __future__ import annotations

import pytest

from hashpact_node.services.incident_times import MemberTimes, Spread, member_times, spread
from hashpact_node.store.incidents import Arrival
from hashpact_protocol.claims import Place


def arrival(said: int, merged: float | None, *, member: str = "beta", followed: int = 0, live: bool = True) -> Arrival:
    return Arrival(member, "an id", said, merged, followed, Place(1, 2) if live else None)


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], None),
        ([3.0], Spread(1, 3.0, 3.0, 3.0)),
        ([4.0, 1.0, 2.0, 3.0], Spread(4, 2.0, 4.0, 4.0)),
        ([float(span) for span in range(100, 0, -1)], Spread(100, 50.0, 95.0, 100.0)),
    ],
)
def test_spans_spread_by_nearest_rank(spans: list[float], expected: Spread | None) -> None:
    assert spread(spans) == expected


def test_what_was_never_measured_is_counted_and_left_out() -> None:
    found = member_times(
        [
            arrival(100, 101.5, followed=50),
            arrival(110, 110.25, followed=50, live=False),
            arrival(20, 60.0, followed=50),  # history, fetched when the member was added
            arrival(120, None, followed=50),
            arrival(30, None, followed=50),
            arrival(7, 8.0, member="acme"),
        ],
        {"beta": -2.5},
    )
    assert found == [
        MemberTimes("acme", 1, 1, 0, 0, 7, 7, 8.0, Spread(1, 1.0, 1.0, 1.0)),
        MemberTimes("beta", 5, 4, 2, 1, 20, 120, 60.0, Spread(2, 0.25, 1.5, 1.5), -2.5),
    ]


def test_where_nothing_was_measured_nothing_is_said() -> None:
    (found,) = member_times([arrival(10, None)], {})
    assert (found.to_matchable, found.first_merged) == (None, None)


def test_a_publisher_whose_clock_is_ahead_gives_a_span_below_nothing() -> None:
    (found,) = member_times([arrival(10, 8.5)], {"beta": -3.0})
    assert found.to_matchable == Spread(1, -1.5, -1.5, -1.5)
