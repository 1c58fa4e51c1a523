"""The one reader of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hashpact_node import clock


def test_now_is_aware_and_in_utc() -> None:
    moment = clock.now()
    assert moment.tzinfo is UTC
    assert abs(moment - datetime.fromtimestamp(moment.timestamp(), tz=UTC)) < timedelta(milliseconds=1)


def test_monotonic_never_runs_back() -> None:
    moments = [clock.monotonic() for _ in range(1000)]
    assert moments == sorted(moments)
