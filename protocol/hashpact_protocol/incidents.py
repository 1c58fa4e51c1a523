"""Incidents: what their status is, out of what members say of them (docs/protocol.md, Incidents).

Every incident statement is a step: its publisher's word on one incident, and on nobody else's behalf. Of a member the
newest step on an incident counts. Steps of one member have an order, their places in its log; those of different
members have none, so nothing here depends on which came first. No clock is asked, and no ``time`` of a statement.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

STEPS_KEPT: Final = 1_024
"""How many incident statements of one member count: the newest ones."""

ACTIVATING_DEFAULT: Final = 2


class Status(StrEnum):
    """What a member says of an incident, and what an incident is."""

    PROPOSED = "proposed"
    ACTIVE = "active"
    CONCLUDED = "concluded"


@dataclass(frozen=True, slots=True)
class Step:
    """One incident statement of a member; ``place`` orders those of one member, by whatever rises.

    ``time`` is as on the wire. ``seen`` is when the reader merged it, in Unix seconds, None where that is not known.
    """

    member: str
    place: int
    incident: str
    status: Status
    time: str
    title: str | None = None
    type: str | None = None
    note: str | None = None
    seen: int | None = None


@dataclass(frozen=True, slots=True)
class IncidentRules:
    """What makes an incident active here.

    ``members``: how many members have to say that it is active, at least 1. ``counting`` names those whose word counts;
    None stands for everybody who is heard (:meth:`Policy.incident_rules` narrows that to whom policy trusts).
    ``directory``: whether the word of the directory that is followed makes it active, too. ``undo_delay``: whether
    own listings of an active incident rest before their release, and count towards the limits of an hour, as all
    others do.
    """

    members: int = ACTIVATING_DEFAULT
    counting: frozenset[str] | None = None
    directory: bool = False
    undo_delay: bool = True


DEFAULT_RULES: Final = IncidentRules()


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident as it stands, out of the newest step of each member.

    ``title`` and ``type`` are what most of those say who say the most that can be said (that it is active, else
    proposed, else concluded), of those whose word counts if there is any. ``active``, ``proposed`` and
    ``concluded`` name who says so, sorted. ``short`` is how many members more it takes to make it active, 0 while
    it is. ``by_directory``: the directory says that it is active, and that counts.
    """

    incident: str
    status: Status
    title: str | None
    type: str | None
    active: tuple[str, ...]
    proposed: tuple[str, ...]
    concluded: tuple[str, ...]
    short: int
    by_directory: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """A moment at which the status of an incident changed for a reader: ``at`` in Unix seconds, by its clock."""

    at: int
    status: Status
    member: str


def judge(
    steps: Iterable[Step], rules: IncidentRules = DEFAULT_RULES, *, directory: Collection[str] = ()
) -> dict[str, Incident]:
    """Give every incident of which anybody speaks, by its id, in order of the ids.

    ``directory`` holds the incidents that the directory names as active; what no member speaks of is left out.
    """
    found: dict[str, dict[str, Step]] = {}
    for (incident, member), step in newest(steps).items():
        found.setdefault(incident, {})[member] = step
    return {one: _judge_one(one, found[one], rules, in_directory=one in directory) for one in sorted(found)}


def newest(steps: Iterable[Step]) -> dict[tuple[str, str], Step]:
    """Give the newest step of each member on each incident, by incident and member."""
    found: dict[tuple[str, str], Step] = {}
    for step in steps:
        before = found.get((step.incident, step.member))
        if before is None or step.place > before.place:
            found[step.incident, step.member] = step
    return found


def _judge_one(incident: str, words: Mapping[str, Step], rules: IncidentRules, *, in_directory: bool) -> Incident:
    said = {status: tuple(sorted(one for one in words if words[one].status is status)) for status in Status}
    counting = [one for one in words if rules.counting is None or one in rules.counting]
    active = sum(words[one].status is Status.ACTIVE for one in counting)
    were_active = active + sum(words[one].status is Status.CONCLUDED for one in counting)
    by_directory = rules.directory and in_directory
    if active >= rules.members or by_directory:
        status = Status.ACTIVE
    elif said[Status.CONCLUDED] and (
        were_active >= rules.members or not (said[Status.ACTIVE] or said[Status.PROPOSED])
    ):
        status = Status.CONCLUDED
    else:
        status = Status.PROPOSED
    speaking = next(said[one] for one in (Status.ACTIVE, Status.PROPOSED, Status.CONCLUDED) if said[one])
    speaking = tuple(one for one in speaking if one in counting) or speaking
    return Incident(
        incident,
        status,
        _most_said(words[one].title for one in speaking),
        _most_said(words[one].type for one in speaking),
        said[Status.ACTIVE],
        said[Status.PROPOSED],
        said[Status.CONCLUDED],
        0 if status is Status.ACTIVE else rules.members - active,
        by_directory,
    )


def _most_said(texts: Iterable[str | None]) -> str | None:
    """Give the text that most say, of several the first by its code points; None where nobody says anything."""
    counts = Counter(text for text in texts if text is not None)
    return min(counts, key=lambda text: (-counts[text], text), default=None)


def turns(steps: Iterable[Step], rules: IncidentRules = DEFAULT_RULES) -> list[Turn]:
    """Say when the status of one incident changed here, going by when its steps were merged, under rules of today.

    Steps of which that is not known are taken as having been there before all others, and make no turn. The directory
    is left out: when it said what is not known.
    """
    found: list[Turn] = []
    words: dict[str, Step] = {}
    last: Status | None = None
    for step in sorted(steps, key=lambda one: (-1 if one.seen is None else one.seen, one.member, one.place)):
        before = words.get(step.member)
        if before is None or step.place > before.place:
            words[step.member] = step
        status = _judge_one(step.incident, words, rules, in_directory=False).status
        if status is not last and step.seen is not None:
            found.append(Turn(step.seen, status, step.member))
        last = status
    return found
