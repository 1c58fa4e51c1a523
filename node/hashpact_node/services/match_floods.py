"""A signal that suddenly matches far more often than is usual for it: it is held for review (docs/policy.md, Floods).

Lookups only add to numbers in memory; every process writes its own down every few seconds, those of signals that match
often. What is stored is how often a hash matched on a day, and nothing of who asked, or about what.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

import structlog

from hashpact_node.services.floods import MATCH_FLOOD, allowed, usual_of
from hashpact_node.services.known_facts import KnownFacts, policy_of
from hashpact_node.services.matching import MatchResult
from hashpact_node.services.naming import signal_text
from hashpact_node.services.rejudging import rejudge_now
from hashpact_node.services.views import active_incidents
from hashpact_node.store.alarms import raise_alarm
from hashpact_node.store.changes import Numbers
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.holds import NewHold, Notice, add_hold, holds_of
from hashpact_node.store.matched import add_matched, matched_by_day, matched_on
from hashpact_node.store.outcomes import day_of
from hashpact_node.store.signals import find_signals
from hashpact_protocol.errors import StoreError
from hashpact_protocol.facts import DAY_SECONDS, Verdict
from hashpact_protocol.policy import Action
from hashpact_protocol.signals import signal_key

KEYS_MAX: Final = 20_000
"""How many signals a process counts on a day; the rare ones are forgotten to make room."""

WRITTEN_FROM: Final = 10
"""From so many matches on in a process and day a signal's are written down."""

_Met = tuple[str, str]

log = structlog.get_logger(__name__)


class MatchFloods:
    """Counts what the lookups of one process matched, and holds what floods; shared by threads."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now
        self._day = 0
        self._counts: Counter[_Met] = Counter()
        self._written: Counter[_Met] = Counter()
        self._left_alone: set[bytes] = set()
        self._full = False
        self._lock = threading.Lock()
        self._flushing = threading.Lock()

    def add(self, results: Iterable[MatchResult]) -> None:
        """Count the signals at ``block`` that some lookups met."""
        met = [(hit.type, hit.value) for one in results for hit in one.hits if hit.action == Action.BLOCK.word]
        if not met:
            return
        with self._lock:
            self._begin_day()
            for one in met:
                if one in self._counts or self._has_room():
                    self._counts[one] += 1

    def flush(self) -> None:
        """Write down what was counted, and hold what matched far too often; what cannot be written is tried again."""
        with self._flushing:
            with self._lock:
                self._begin_day()
                day = self._day
                new = {
                    one: count - self._written[one]
                    for one, count in self._counts.items()
                    if count >= WRITTEN_FROM and count > self._written[one]
                }
                self._written.update(new)
            if not new:
                return
            try:
                flooding = self._write(day, {signal_key(*one): count for one, count in new.items()})
            except StoreError as error:
                log.warning("the numbers of matches could not be written", error=str(error))
                with self._lock:
                    if self._day == day:
                        self._written.subtract(new)
                return
            for key in flooding - self._left_alone:
                try:
                    self._look(key, day)
                except StoreError as error:  # what was counted is written, and it is looked at again
                    log.warning("a signal that matches far too often could not be held", error=str(error))

    def _begin_day(self) -> None:
        day = day_of(self._now().date())
        if day != self._day:
            self._day, self._full = day, False
            self._counts.clear()
            self._written.clear()
            self._left_alone.clear()

    def _has_room(self) -> bool:
        if len(self._counts) < KEYS_MAX:
            return True
        if self._full:  # until the day ends: to look for rare ones at each lookup would cost too much
            return False
        rare = [one for one, count in self._counts.items() if count < WRITTEN_FROM]
        for one in rare:
            del self._counts[one]
        if not rare and not self._full:
            self._full = True
            log.warning("more signals match often than are counted; the others are not held", counted=KEYS_MAX)
        return bool(rare)

    def _write(self, day: int, counts: dict[bytes, int]) -> set[bytes]:
        """Add to the numbers of a day; give the signals that match so often that they may flood."""
        with self._database.write() as connection:
            add_matched(connection, day, counts)
            terms = policy_of(connection).flood.matches
            matched = matched_on(connection, day, counts)
        return {key for key, lookups in matched.items() if terms.hold and lookups > terms.at_least}

    def _look(self, key: bytes, day: int) -> None:
        """Hold a signal if it floods; it is left alone for the rest of the day then, held or not."""
        if self._hold_flooding(key, day):
            self._left_alone.add(key)

    def _hold_flooding(self, key: bytes, day: int) -> bool:
        """Say whether a signal floods, and hold it unless there is a reason not to."""
        now = self._now()
        with self._database.write() as connection:
            # The counter first: what merges meanwhile sees the hold, and of two that look only one finds none.
            Numbers(connection, now=int(now.timestamp()))
            flood = policy_of(connection).flood
            days = matched_by_day(connection, key)
            usual = usual_of(days, day, flood.matches)
            came = days.get(day, 0)
            if came <= allowed(usual, flood.matches):
                return False
            if _was_held(connection, key, day) or not _may_be_held(connection, key, now):
                return True
            notice = Notice.DUE if flood.notify else Notice.NONE
            number = add_hold(connection, NewHold(came, usual, notice, key=key), now=now)
            rejudge_now(connection, [key], now=now)
            raise_alarm(
                connection,
                MATCH_FLOOD,
                f"{signal_text(key)} matched {came:,} lookups within a day, where {usual:,} are usual; it is held",
                now=now,
                mend=f"look at what matches; see `hashpact hold show {number}`, and decide, or `hashpact hold release`",
            )
            return True


def _was_held(connection: Connection, key: bytes, day: int) -> bool:
    """Say whether a signal is held, or was let through on this day."""
    return any(one.released_at is None or one.released_at // DAY_SECONDS == day for one in holds_of(connection, key))


def _may_be_held(connection: Connection, key: bytes, now: datetime) -> bool:
    """Say whether a signal is at ``block`` for nothing but what other members list, outside an active incident."""
    row = find_signals(connection, [key]).get(key)
    if row is None or row.action != Action.BLOCK:
        return False
    reader = KnownFacts(connection, now)
    (known,) = reader.of([(row.key, row.claims)])
    decision = known.judgement.because.decision
    if decision is not None and decision.verdict is Verdict.CONFIRM:
        return False
    active = {one.incident for one in active_incidents(connection, reader.policy)}
    return not any(claim.own or claim.listing.incident in active for claim in known.facts.claims)
