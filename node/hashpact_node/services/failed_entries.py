"""Failed entries, in the audit log without filling it: a flood is one entry a minute for each who knocks.

What somebody tries first is written at once. What else the same one tries in that minute is counted, and the count is
written when the minute is over. Beyond so many at once all others are one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from hashpact_node import clock
from hashpact_node.services.actors import Actor, ActorKind
from hashpact_node.services.audit import AuditLog

WINDOW_SECONDS: Final = 60.0
APART_MAX: Final = 16
"""How many who knock are told apart in one minute."""

ACTION: Final = "enter"
OTHERS: Final = Actor(ActorKind.TOKEN, "others")

Key = tuple[Actor, str]


@dataclass(slots=True)
class _Window:
    """What one tried since it began; ``more`` counts what is not written yet."""

    began: float
    place: str
    more: int = 0


@dataclass(slots=True)
class FailedEntries:
    """Counts failed entries of one process; shared by threads. ``monotonic`` in seconds."""

    audit: AuditLog
    monotonic: Callable[[], float] = clock.monotonic
    _windows: dict[Key, _Window] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, actor: Actor, result: str) -> bool:
        """Count somebody who knocked in this minute already; whether it was so, and all is done. It costs nothing."""
        with self._lock:
            window = self._windows.get(self._key(actor, result))
            if window is None or window.began <= self.monotonic() - WINDOW_SECONDS:
                return False
            window.more += 1
            return True

    def note(self, actor: Actor, place: str, result: str, why: str = "") -> None:
        """Note that somebody was not let in.

        ``place`` says where they knocked, ``result`` is the problem's code, and ``why`` what it says.
        """
        over = self._take_over()
        with self._lock:
            key = self._key(actor, result)
            window = self._windows.get(key)
            if window is None:
                self._windows[key] = _Window(self.monotonic(), place)
            else:
                window.more += 1
        self._write(over)
        if window is None:
            self.audit.try_record(key[0], ACTION, place, key[1], {"why": why})

    def is_due(self) -> bool:
        """Whether there is something that ``flush`` would write; costs nothing."""
        horizon = self.monotonic() - WINDOW_SECONDS
        return any(window.more and window.began <= horizon for window in list(self._windows.values()))

    def flush(self, *, everything: bool = False) -> None:
        """Write the counts of minutes that are over; where this is the end, all of them."""
        self._write(self._take_over(everything=everything))

    def _key(self, actor: Actor, result: str) -> Key:
        key = (actor, result)
        if key in self._windows or len(self._windows) < APART_MAX:
            return key
        others = (OTHERS, result)
        return others if others in self._windows or len(self._windows) < 2 * APART_MAX else (OTHERS, "several")

    def _take_over(self, *, everything: bool = False) -> list[tuple[Key, _Window]]:
        horizon = self.monotonic() - WINDOW_SECONDS
        with self._lock:
            over = [(key, one) for key, one in self._windows.items() if everything or one.began <= horizon]
            for key, _ in over:
                del self._windows[key]
        return over

    def _write(self, over: list[tuple[Key, _Window]]) -> None:
        for (actor, result), window in over:
            if window.more:
                self.audit.try_record(actor, ACTION, window.place, result, {"more": window.more})
