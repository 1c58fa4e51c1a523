"""What may get a place, and when: approved by another person, within the limits, rested for long enough (ADR 0025).

Asked in the transaction that gives places, under the lock of the log's row, so that nothing gets past it: neither a
process with other settings, nor one that died, nor two at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

import msgspec

from hashpact_node.services.incident_states import active_incidents
from hashpact_node.settings import Settings
from hashpact_node.store.alarms import clear_alarm, find_alarm, raise_alarm
from hashpact_node.store.connection import Connection
from hashpact_node.store.logs import Log, get_log
from hashpact_node.store.placed_counts import add_placed, placed_lately
from hashpact_node.store.queue import LetsGo, QueuedEntry, count_unconfirmed, first_resting, has_entries
from hashpact_protocol.card_logs import LogKind
from hashpact_protocol.incidents import DEFAULT_RULES, IncidentRules
from hashpact_protocol.merge import Kind

HELD: Final = "release-held"


@dataclass(frozen=True, slots=True)
class Hold:
    """Why nothing of a log gets a place until a person has decided."""

    what: str
    mend: str


@dataclass(frozen=True, slots=True)
class ReleaseRules:
    """The rules of one node; 0 stands for no limit and no delay. Times are seconds."""

    four_eyes: bool = False
    max_listings: int = 0
    max_withdrawals: int = 0
    undo_delay_seconds: int = 0
    incidents: Callable[[], IncidentRules] = lambda: DEFAULT_RULES

    @classmethod
    def of(cls, settings: Settings) -> ReleaseRules:
        """Give the rules that the settings of a node say."""
        return cls(
            settings.four_eyes,
            settings.release_max_listings,
            settings.release_max_withdrawals,
            settings.undo_delay_seconds,
        )

    def due_before(self, connection: Connection, log: int, *, now: datetime) -> int | None:
        """Give the number of the first entry that rests still, with all behind it; None where nothing rests."""
        if not self.undo_delay_seconds:
            return None
        until = int(now.timestamp()) - self.undo_delay_seconds
        return first_resting(connection, log, until=until, lets_go=self.lets_go(connection, log))

    def lets_go(self, connection: Connection, log: int) -> LetsGo | None:
        """Say what of the log of crises goes at once while incidents are active, where policy says so; else None.

        Their listings, incident statements, and withdrawals, lest a correction waits where a listing does not.
        """
        rules = self.incidents()
        if rules.undo_delay or get_log(connection, log).kind != LogKind.CRISIS:
            return None
        active = frozenset(one.incident for one in active_incidents(connection, rules))
        return partial(_goes_at_once, active) if active else None

    def has_work(self, connection: Connection, log: int, *, now: datetime) -> bool:
        """Say whether anything waits that may get a place, or of which a person has to be told."""
        told = _is_told(connection, log)
        if not has_entries(connection, log, before=self.due_before(connection, log, now=now)):
            return told  # of what is gone by now
        return not told or self.hold(connection, log, now=now) is None

    def hold(self, connection: Connection, log: int, *, now: datetime) -> Hold | None:
        """Say why nothing of a log may get a place; None where all that is due may, together."""
        before = self.due_before(connection, log, now=now)
        if self.four_eyes and has_entries(connection, log, before=before, unapproved=True):
            return Hold(
                "statements wait that no second person approved: they were stored before four_eyes was set, or by a "
                "command that was told otherwise",
                "look at them with `hashpact release show`, drop them with `hashpact release drop`, and publish them "
                "again for somebody to approve",
            )
        lately, lets_go = None, self.lets_go(connection, log)
        for kind, limit, place in self._limits():
            # However many are let go, many withdrawals at once are for a person to look at.
            exempt = lets_go if kind is Kind.LISTING else None
            waiting = count_unconfirmed(connection, log, kind, before=before, cap=limit + 1, lets_go=exempt)
            lately = lately or placed_lately(connection, log, now=now)
            if waiting and lately[place] + waiting > limit:
                name = f"{kind.name.lower()}s"
                return Hold(
                    f"more than {limit:,} {name} would be released within an hour: {lately[place]:,} were, and "
                    f"{'more than ' if waiting > limit else ''}{min(waiting, limit):,} more wait; nothing of this log "
                    "is signed",
                    "look at them with `hashpact release show`; then `hashpact release confirm` lets them go, and "
                    "`hashpact release drop` drops them",
                )
        return None

    def check(self, connection: Connection, log: Log, *, now: datetime) -> bool:
        """Say whether what is due may get its place; raise or clear the alarm that says that it may not."""
        held = self.hold(connection, log.number, now=now)
        if held is None:
            clear_alarm(connection, HELD, now=now, log=log.number)
            return True
        if not _is_told(connection, log.number):
            raise_alarm(connection, HELD, held.what, mend=held.mend, now=now, log=log.number)
        return False

    def count(self, connection: Connection, log: int, taken: Sequence[QueuedEntry], *, now: datetime) -> None:
        """Count what gets its place now towards the limits of this hour."""
        if not self._limits():
            return
        lets_go = self.lets_go(connection, log)
        counted = [entry.kind for entry in taken if entry.counted and not _is_exempt(entry, lets_go)]
        listings, withdrawals = (sum(kind in (None, one) for kind in counted) for one in _COUNTED)
        if listings or withdrawals:
            add_placed(connection, log, listings, withdrawals, now=now)

    def _limits(self) -> list[tuple[Kind, int, int]]:
        limits = zip(_COUNTED, (self.max_listings, self.max_withdrawals), (0, 1), strict=True)
        return [limit for limit in limits if limit[1]]


NO_RULES: Final = ReleaseRules()


class _Head(msgspec.Struct, gc=False):
    kind: str
    incident: str | None = None


_decode_head = msgspec.json.Decoder(_Head).decode


def _goes_at_once(active: Collection[str], entry: bytes) -> bool:
    try:
        head = _decode_head(entry)
    except msgspec.MsgspecError:
        return False
    return head.kind in _AT_ONCE or (head.kind == Kind.LISTING.name.lower() and head.incident in active)


def _is_exempt(entry: QueuedEntry, lets_go: LetsGo | None) -> bool:
    return lets_go is not None and entry.kind == Kind.LISTING and lets_go(entry.entry)


def _is_told(connection: Connection, log: int) -> bool:
    told = find_alarm(connection, HELD, log=log)
    return told is not None and told.cleared_at is None


_AT_ONCE: Final = frozenset(kind.name.lower() for kind in (Kind.INCIDENT, Kind.WITHDRAWAL))
_COUNTED: Final = (Kind.LISTING, Kind.WITHDRAWAL)
