"""How often one peer is asked, and how often others may ask: token buckets with an injectable clock."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

from hashpact_node import clock


class RateLimit:
    """At most ``burst`` requests at once and ``per_second`` in the long run; may be shared by threads.

    Whoever comes when the bucket is empty is told how long to wait and has its place kept, so the order of arrival
    is the order of service.
    """

    def __init__(self, *, per_second: float, burst: float, monotonic: Callable[[], float] = clock.monotonic) -> None:
        if per_second <= 0 or burst < 1:
            raise ValueError("a rate must be above 0, and a burst at least 1")
        self._per_second = per_second
        self._burst = burst
        self._monotonic = monotonic
        self._tokens = burst
        self._filled_at = monotonic()
        self._lock = threading.Lock()

    def take(self) -> float:
        """Take one request's place and return the seconds to wait before it is made; 0.0 when it may go at once."""
        with self._lock:
            now = self._monotonic()
            self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._per_second)
            self._filled_at = now
            self._tokens -= 1.0
            return max(0.0, -self._tokens / self._per_second)


class Budgets:
    """A budget for each of many keys, such as clients or logs; nobody waits, whoever is over it is refused.

    At most ``keys`` are remembered, those that came last: whoever is forgotten begins with a full budget.
    """

    def __init__(
        self,
        *,
        per_second: float,
        burst: float,
        keys: int = 4_096,
        monotonic: Callable[[], float] = clock.monotonic,
    ) -> None:
        if per_second <= 0 or burst < 1:
            raise ValueError("a rate must be above 0, and a burst at least 1")
        self._per_second = per_second
        self._burst = burst
        self._keys = keys
        self._monotonic = monotonic
        self._left: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def spend(self, key: Hashable) -> float:
        """Spend one, and give 0.0; where there is none left spend nothing, and give the seconds until there is."""
        with self._lock:
            now = self._monotonic()
            left, at = self._left.pop(key, (self._burst, now))
            left = min(self._burst, left + (now - at) * self._per_second)
            wait = 0.0 if left >= 1 else (1 - left) / self._per_second
            self._left[key] = (left if wait else left - 1, now)
            if len(self._left) > self._keys:
                self._left.popitem(last=False)
            return wait
