"""The token bucket."""

from __future__ import annotations

import pytest

from hashpact_node.net.rates import Budgets, RateLimit


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_burst_then_rate() -> None:
    clock = Clock()
    limit = RateLimit(per_second=10, burst=3, monotonic=clock)
    assert [limit.take() for _ in range(5)] == pytest.approx([0, 0, 0, 0.1, 0.2])
    clock.seconds += 0.2
    assert limit.take() == pytest.approx(0.1)
    clock.seconds += 0.2
    assert limit.take() == pytest.approx(0.0)


def test_rest_fills_no_more_than_the_burst() -> None:
    clock = Clock()
    limit = RateLimit(per_second=10, burst=2, monotonic=clock)
    clock.seconds += 3_600
    assert [limit.take() for _ in range(3)] == pytest.approx([0, 0, 0.1])


def test_the_projects_clock_is_the_default() -> None:
    assert RateLimit(per_second=1, burst=1).take() == 0.0


@pytest.mark.parametrize(("per_second", "burst"), [(0, 1), (-1, 1), (1, 0)])
def test_senseless_rates(per_second: float, burst: float) -> None:
    with pytest.raises(ValueError, match="rate"):
        RateLimit(per_second=per_second, burst=burst)


def test_budgets_are_kept_apart_and_fill_again() -> None:
    clock = [0.0]
    budgets = Budgets(per_second=2, burst=2, monotonic=lambda: clock[0])
    assert [budgets.spend("a") for _ in range(3)] == [0.0, 0.0, 0.5]
    assert budgets.spend("b") == 0.0
    clock[0] += 0.25
    assert budgets.spend("a") == 0.25  # asking in vain costs nothing
    clock[0] += 0.25
    assert budgets.spend("a") == 0.0
    clock[0] += 60
    assert [budgets.spend("a") for _ in range(3)] == [0.0, 0.0, 0.5]


def test_budgets_remember_so_many() -> None:
    budgets = Budgets(per_second=1, burst=1, keys=2, monotonic=lambda: 0.0)
    assert [budgets.spend(key) for key in "abab"] == [0.0, 0.0, 1.0, 1.0]
    assert [budgets.spend(key) for key in "cab"] == [0.0, 0.0, 0.0]
    with pytest.raises(ValueError, match="above 0"):
        Budgets(per_second=0, burst=1)
