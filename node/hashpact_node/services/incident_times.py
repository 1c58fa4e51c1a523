"""How long listings of an incident took to reach us, as far as that can be measured: a pure reckoning.

It goes from the ``time`` of a listing's statement, which its publisher's node wrote when it took the listing in, in
whole seconds of its clock, to the moment at which this node merged it, by ours. From then on it is matchable: the
next lookup finds it. So the span holds all that lay between: waiting for a second person, an undo delay, the release,
the way here. What was published before the member was followed here, or was merged when nobody measured, is counted and
left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

from hashpact_node.store.incidents import Arrival


@dataclass(frozen=True, slots=True)
class Spread:
    """How a number of spans spreads, in seconds: the median, the 95th percentile and the longest (nearest rank)."""

    count: int
    p50: float
    p95: float
    longest: float


@dataclass(frozen=True, slots=True)
class MemberTimes:
    """What was measured of one member's listings of an incident; times are Unix seconds.

    ``earlier``: published before the member was followed here; ``unmeasured``: nobody knows when they were merged.
    ``first_said`` and ``last_said`` by the publisher's clock, ``first_merged`` by ours. ``clock_ahead``: by how many
    seconds our clock was ahead of the publisher's when that was last heard, None where it never was; nothing is
    corrected by it.
    """

    member: str
    listings: int
    live: int
    earlier: int
    unmeasured: int
    first_said: int
    last_said: int
    first_merged: float | None
    to_matchable: Spread | None
    clock_ahead: float | None = None


def member_times(arrivals: Iterable[Arrival], clocks: dict[str, float]) -> list[MemberTimes]:
    """Reckon the times of each member, in order of its id; ``clocks`` says how far ours is ahead of theirs."""
    by_member: dict[str, list[Arrival]] = {}
    for one in arrivals:
        by_member.setdefault(one.member, []).append(one)
    return [_times(member, by_member[member], clocks.get(member)) for member in sorted(by_member)]


def spread(spans: Sequence[float]) -> Spread | None:
    """Give how spans spread; None where there are none."""
    if not spans:
        return None
    ordered = sorted(spans)
    return Spread(len(ordered), _rank(ordered, 50), _rank(ordered, 95), ordered[-1])


def is_earlier(arrival: Arrival) -> bool:
    """Say whether a listing was published before its member was followed here, so that its way here says nothing."""
    return arrival.said_at < arrival.followed_at


def _times(member: str, arrivals: Sequence[Arrival], clock_ahead: float | None) -> MemberTimes:
    measured = [one for one in arrivals if one.merged_at is not None and not is_earlier(one)]
    merged = [one.merged_at for one in arrivals if one.merged_at is not None]
    return MemberTimes(
        member,
        listings=len(arrivals),
        live=sum(one.place is not None for one in arrivals),
        earlier=sum(map(is_earlier, arrivals)),
        unmeasured=sum(one.merged_at is None and not is_earlier(one) for one in arrivals),
        first_said=min(one.said_at for one in arrivals),
        last_said=max(one.said_at for one in arrivals),
        first_merged=min(merged, default=None),
        to_matchable=spread([one.merged_at - one.said_at for one in measured if one.merged_at is not None]),
        clock_ahead=clock_ahead,
    )


def _rank(ordered: Sequence[float], percent: int) -> float:
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]
