"""How often something matched, by day, action, type and surface; beside it, for floods, how often each signal did.

Lookups only add to numbers in memory, which cost nothing to speak of; every process that serves writes its own down
every few seconds. What a process that dies has not written is lost: the numbers are at most a few seconds short, never
too high.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import structlog

from hashpact_node.services.match_floods import MatchFloods
from hashpact_node.services.matching import COMPARED, MatchResult
from hashpact_node.store.database import Database
from hashpact_node.store.outcomes import MatchKey, add_matches, day_of
from hashpact_protocol.errors import StoreError

FLUSH_SECONDS: Final = 5.0
"""How often a process writes its numbers down, and so how much of them a crash may lose."""

UNMATCHED_TYPES: Final = "other"
"""Stands for all types that are never matched here, of which whoever asks could make up any number."""

log = structlog.get_logger(__name__)


class MatchTally:
    """Counts the lookups of one process; shared by threads."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now
        self._floods = MatchFloods(database, now)
        self._counts: Counter[MatchKey] = Counter()
        self._lock = threading.Lock()

    def add(self, results: Sequence[MatchResult], surface: str | None) -> None:
        """Count the results of a batch, which was met on one surface, if that was said."""
        self._floods.add(results)
        met = Counter((one.action, one.type) for one in results)
        day = day_of(self._now().date())
        with self._lock:
            for (action, kind), count in met.items():
                named = kind if kind in COMPARED else UNMATCHED_TYPES
                self._counts[MatchKey(day, action, named, surface or "")] += count

    def flush(self) -> None:
        """Write down what was counted, and hold what floods; what cannot be written is tried again with the next."""
        self._floods.flush()
        with self._lock:
            counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            with self._database.write() as connection:
                add_matches(connection, counts)
        except StoreError as error:
            log.warning("the numbers of matches could not be written", error=str(error))
            with self._lock:
                self._counts.update(counts)
