"""The report of an incident: who said what when, what was listed, how fast it got here, and what it does now.

Everything in it is of this node: another sees other moments. What was not measured is counted as such.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hashpact_node.services.entries import EntryReader
from hashpact_node.services.incident_states import IncidentShown, shown
from hashpact_node.services.incident_times import Spread, is_earlier, spread
from hashpact_node.services.views import logs_by_number, own_peer
from hashpact_node.store.changes import change_times
from hashpact_node.store.connection import Connection
from hashpact_node.store.incidents import Arrival, list_arrivals, list_steps
from hashpact_node.store.signals import find_signals
from hashpact_protocol.claims import Place
from hashpact_protocol.errors import FetchError, MalformedError, NotFoundError, VerificationError
from hashpact_protocol.incidents import IncidentRules, Status, Step
from hashpact_protocol.policy import Action
from hashpact_protocol.statements import Listing


@dataclass(frozen=True, slots=True)
class MemberEffect:
    """What a member's live listings of an incident do here now.

    ``actions`` counts their signals by action, each signal once. ``blocking`` counts listings with a signal that
    blocks. ``to_blocking``: from a listing's ``time`` to the last change of such a signal, in seconds: it blocks since
    then at the latest, since what happened before the last change is not kept. ``unreadable``: cannot be read back.
    """

    member: str
    actions: Mapping[str, int]
    blocking: int
    to_blocking: Spread | None
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class IncidentReport:
    """A report; ``made_at`` and all times of ``shown`` are Unix seconds.

    ``steps`` is everything that is kept of what members said, in the order in which it was merged here. ``listings``:
    all that named the incident when they were merged, ``live`` of them still stand; ``after_the_end`` were merged after
    it had been concluded here. ``signals``: distinct ones of the live listings, ``actions`` their number by action.
    """

    member: str
    made_at: int
    shown: IncidentShown
    steps: tuple[Step, ...]
    listings: int
    live: int
    after_the_end: int
    signals: int
    actions: Mapping[str, int]
    effects: tuple[MemberEffect, ...]


def make_report(connection: Connection, incident: str, rules: IncidentRules, *, now: datetime) -> IncidentReport:
    """Report on one incident; NotFoundError where nobody speaks of it."""
    found = shown(connection, incident, rules)
    arrivals = list_arrivals(connection, incident)
    steps = sorted(list_steps(connection, incident), key=lambda one: (one.seen or 0, one.member, one.place))
    effects = _Effects(connection).of(arrivals)
    actions: Counter[str] = Counter(effects.all_actions.values())
    return IncidentReport(
        own_peer(connection).member,
        int(now.timestamp()),
        found,
        tuple(steps),
        listings=len(arrivals),
        live=sum(one.place is not None for one in arrivals),
        after_the_end=_after_the_end(found, arrivals),
        signals=len(effects.all_actions),
        actions=dict(actions),
        effects=tuple(effects.members),
    )


def _after_the_end(found: IncidentShown, arrivals: Sequence[Arrival]) -> int:
    last = found.turns[-1] if found.turns else None
    if last is None or last.status is not Status.CONCLUDED:
        return 0
    return sum(one.merged_at is not None and one.merged_at >= last.at and not is_earlier(one) for one in arrivals)


@dataclass(frozen=True, slots=True)
class _Found:
    members: list[MemberEffect]
    all_actions: dict[bytes, str]


class _Effects:
    """Looks up what listings do."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._reader = EntryReader(connection)
        self._kinds = {number: log.kind for number, log in logs_by_number(connection).items()}

    def of(self, arrivals: Sequence[Arrival]) -> _Found:
        live = sorted(
            ((one.place, one) for one in arrivals if one.place is not None), key=lambda pair: pair[0]
        )  # in this order each bundle is read once
        read = [(one, self._listing(place)) for place, one in live]
        keys = {signal.key for _, listing in read if listing is not None for signal in listing.signals}
        rows = find_signals(self._connection, keys)
        numbers = [row.number for row in rows.values()]
        times = change_times(self._connection, min(numbers), max(numbers)) if numbers else []
        actions = {key: Action(row.action).word for key, row in rows.items()}
        since = {key: _time_of(times, row.number) for key, row in rows.items() if row.action == Action.BLOCK}
        by_member: dict[str, list[tuple[Arrival, Listing | None]]] = {}
        for one, listing in read:
            by_member.setdefault(one.member, []).append((one, listing))
        return _Found([_effect(member, by_member[member], actions, since) for member in sorted(by_member)], actions)

    def _listing(self, place: Place) -> Listing | None:
        try:
            return self._reader.listing(place, self._kinds[place.log])
        except (FetchError, MalformedError, NotFoundError, VerificationError):
            return None


def _effect(
    member: str,
    read: Sequence[tuple[Arrival, Listing | None]],
    actions: Mapping[bytes, str],
    since: Mapping[bytes, int],
) -> MemberEffect:
    keys = {signal.key for _, listing in read if listing is not None for signal in listing.signals}
    spans, blocking = [], 0
    for one, listing in read:
        blocks = [since[signal.key] for signal in (listing.signals if listing else ()) if signal.key in since]
        blocking += bool(blocks)
        if blocks and one.merged_at is not None and not is_earlier(one):
            spans.append(float(max(0, min(blocks) - one.said_at)))
    return MemberEffect(
        member,
        dict(Counter(actions[key] for key in keys if key in actions)),
        blocking,
        spread(spans),
        sum(listing is None for _, listing in read),
    )


def _time_of(times: Sequence[tuple[int, int]], number: int) -> int:
    """Give the time of a change out of the steps that ``change_times`` gives."""
    return times[bisect_right(times, number, key=lambda step: step[0]) - 1][1]
