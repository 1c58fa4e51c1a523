"""The only reader of time in the project; everything else is told what time it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

Now = Callable[[], datetime]
"""Tells the time, aware and in UTC."""


def now() -> datetime:
    """Return the present moment, aware and in UTC."""
    return datetime.now(tz=UTC)  # noqa: TID251  this is the one place that reads the clock


def monotonic() -> float:
    """Return seconds from some fixed point, which never run back; for deadlines and durations only."""
    return time.monotonic()
