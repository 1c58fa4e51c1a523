"""The parts of a report about judgement: disputes, this company's own decisions, incidents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Final

import msgspec

from hashpact_node.services.report_form import Maker, Section
from hashpact_node.services.report_words import INCIDENT_TYPES, OPINION_REASONS, known_word
from hashpact_node.store.connection import Connection
from hashpact_node.store.disputes import Answer
from hashpact_node.store.outcomes import day_of
from hashpact_node.store.report_rows import (
    Arrivals,
    arrivals_between,
    decisions_between,
    disputes_between,
    has_log,
    incident_steps,
    open_disputes,
    standing_decisions,
)
from hashpact_protocol.statements import Incident

DISPUTES: Final = ("disputes",)
DECISIONS: Final = ("decisions",)
INCIDENTS: Final = ("incidents",)
ANSWERS: Final = frozenset(one.value for one in Answer)

_DISPUTES_ABOUT: Final = (
    "A dispute is another member's disagreement with one revision of an item that this member lists. Answered are "
    "those that were within the period, whenever they began; how long that took counts from when the disagreement came "
    "here."
)
_ARRIVALS_ABOUT: Final = (
    "Withdrawals of other members: how long they took from the time that their publisher wrote to the merge here."
)
_DECISIONS_ABOUT: Final = (
    "What this company decided for itself about hashes and items, against the list or with it. Such a decision beats "
    "every other member's word here, and is told to nobody unless the company says so."
)
_INCIDENTS_ABOUT: Final = (
    "Crises of which a member said something within the period. What a member merely proposed changes nobody's action. "
    "Names and titles are not repeated here."
)


def dispute_section(connection: Connection, first: date, last: date, make: Maker) -> Section:
    """Tell of disputes of own items, and of how withdrawals of others arrived."""
    title = "Disputes and corrections"
    if not has_log(connection, "opinions"):
        why = "no member whose lists are read here has a log of opinions, in which a dispute could be told"
        return Section("disputes", title, _DISPUTES_ABOUT, not_measured=why)
    begin, end = _bounds(first, last)
    found = disputes_between(connection, begin, end)
    began = [one for one in found if begin <= one.since < end]
    answered = [one for one in found if one.answered_at is not None and begin <= one.answered_at < end]
    took = [(one.answered_at or 0) - one.since for one in answered]
    arrivals = arrivals_between(connection, day_of(first), day_of(last))
    counts = make.related(
        (
            ("disputes", "Disputes that began", len(began)),
            ("disputes-answered", "Disputes that were answered", len(answered)),
            ("disputes-open", "Open when the report is made", open_disputes(connection)),
        )
    )
    figures = (
        *counts,
        *make.spans("disputes-answered", "Disputes that were answered", took),
    )
    reasons = _counted(known_word(one.reason, OPINION_REASONS) for one in began)
    answers = _counted(known_word(one.answer, ANSWERS) for one in answered)
    tables = (
        make.table("disputes-by-reason", "By reason", "reason", DISPUTES, reasons, sums=counts[:1]),
        make.table("disputes-by-answer", "By answer", "answer", DISPUTES, answers, sums=counts[1:2]),
        make.table(
            "arrivals", "How soon withdrawals of others arrived here", "within", ("withdrawals",), _soon(arrivals)
        ),
    )
    return Section("disputes", title, f"{_DISPUTES_ABOUT} {_ARRIVALS_ABOUT}", figures, tables)


def decision_section(connection: Connection, first: date, last: date, make: Maker) -> Section:
    """Tell of this company's own decisions."""
    made = decisions_between(connection, *_bounds(first, last))
    standing = standing_decisions(connection)
    both = {verdict: (made.get(verdict, 0), standing.get(verdict, 0)) for verdict in {*made, *standing}}
    # How many have ended since is told by nobody, and by the difference: so it is withheld as if it were told.
    rows = {verdict: (*counts, abs(counts[0] - counts[1])) for verdict, counts in both.items()}
    begun, stand = sum(made.values()), sum(standing.values())
    figures = make.related(
        (
            ("decisions", "Decisions made in the period", begun),
            ("decisions-standing", "Decisions that stand when the report is made", stand),
            ("decisions-ended", "", abs(begun - stand)),
        )
    )[:2]
    measures = ("made in the period", "standing")
    tables = (make.table("decisions-by-verdict", "By what was decided", "decision", measures, rows, sums=figures),)
    return Section("decisions", "Decisions of this company", _DECISIONS_ABOUT, figures, tables)


def incident_section(connection: Connection, first: date, last: date, make: Maker) -> Section:
    """Tell of incidents."""
    if not has_log(connection, "crisis"):
        why = "no member whose lists are read here has a log for crises"
        return Section("incidents", "Incidents", _INCIDENTS_ABOUT, not_measured=why)
    said: dict[str, set[bytes]] = {}
    kinds: dict[bytes, str] = {}
    for incident, step in incident_steps(connection):
        told = msgspec.json.decode(step, type=Incident)
        if f"{first}T00:00:00Z" <= told.time <= f"{last}T23:59:59Z":
            said.setdefault(told.status, set()).add(incident)
            if told.type is not None or incident not in kinds:
                kinds[incident] = known_word(told.type, INCIDENT_TYPES)
    figures = (make.figure("incidents", "Incidents of which something was said", len(kinds)),)
    statuses = {status: (len(incidents),) for status, incidents in said.items()}
    tables = (
        make.table("incidents-by-word", "By what at least one member said", "word", INCIDENTS, statuses),
        make.table("incidents-by-type", "By type", "type", INCIDENTS, _counted(kinds.values())),
    )
    return Section("incidents", "Incidents", _INCIDENTS_ABOUT, figures, tables)


def _soon(arrivals: Arrivals) -> dict[str, tuple[int, ...]]:
    """Tell arrivals apart by how soon they were, each in one row."""
    steps = (arrivals.within_minute, arrivals.within_hour, arrivals.within_day, arrivals.arrived)
    names = ("a minute", "an hour", "a day", "longer")
    apart = [steps[0], *(later - earlier for earlier, later in pairwise(steps))]
    return {name: (max(0, count),) for name, count in zip(names, apart, strict=True)}


def _counted(words: Iterable[str]) -> dict[str, tuple[int, ...]]:
    return {word: (count,) for word, count in Counter(words).items()}


def _bounds(first: date, last: date) -> tuple[int, int]:
    """Give the Unix seconds from which on and up to but without which a period lasts."""
    begin = datetime(first.year, first.month, first.day, tzinfo=UTC)
    end = datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1)
    return int(begin.timestamp()), int(end.timestamp())
