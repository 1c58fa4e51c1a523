"""The parts of a report about matches: how often something matched, and what became of it."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Final

from hashpact_node.services.matching import NO_ACTION
from hashpact_node.services.report_form import Maker, Section, Table
from hashpact_node.store.connection import Connection
from hashpact_node.store.outcomes import (
    Counts,
    MatchKey,
    date_of,
    day_of,
    first_matches,
    first_outcome,
    list_matches,
    sum_outcomes,
)

LOOKUPS: Final = ("lookups",)
UNSAID: Final = "not said"

_ABOUT: Final = (
    "Lookups that this node answered over its API. A lookup asks about one hash; content that is looked up by several "
    "hashes counts for each. Nothing tells which hash it was, of what content, or whose."
)
_OUTCOMES_ABOUT: Final = (
    "What whoever matches said became of it, in numbers. Nobody has to, and what is not said is not counted; what "
    "became of a match may be said later than the match."
)


def match_section(connection: Connection, first: date, last: date, make: Maker) -> Section:
    """Tell how often something matched."""
    begun = first_matches(connection)
    if begun is None or begun > day_of(last):
        why = "no lookup was ever counted" if begun is None else f"lookups are counted from {date_of(begun)} on"
        return Section("matches", "Matches", _ABOUT, not_measured=why)
    counts = list_matches(connection, day_of(first), day_of(last))
    met = {key: count for key, count in counts.items() if key.action != NO_ACTION}
    days: dict[date, tuple[int, ...]] = {}
    for key, count in met.items():
        day = date_of(key.day)
        days[day] = (days.get(day, (0,))[0] + count,)
    tables = (
        make.calendar("matches-by-month", "That met something, by month", LOOKUPS, days),
        _by("action", "That met something, by recommended action", met, make),
        _by("type", "That met something, by signal type", met, make),
        _by("surface", "That met something, by surface", met, make),
    )
    figures = (
        make.figure("lookups", "Lookups", sum(counts.values())),
        make.figure("matches", "Lookups that met something", sum(met.values())),
    )
    since = f" They are counted from {date_of(begun)} on." if begun > day_of(first) else ""
    return Section("matches", "Matches", _ABOUT + since, figures, tables)


def outcomes_between(connection: Connection, first: date, last: date) -> Counts | None:
    """Give what became of matches within the period; None where nobody has said anything yet."""
    begun = first_outcome(connection)
    if begun is None or begun > day_of(last):
        return None
    return sum_outcomes(connection, day_of(first), day_of(last))[0]


def outcome_section(outcomes: Counts | None, make: Maker) -> Section:
    """Tell what became of matches."""
    title = "What became of matches"
    if outcomes is None:
        why = "nobody who matches has said what became of a match; POST /v1/outcomes takes it"
        return Section("outcomes", title, _OUTCOMES_ABOUT, not_measured=why)
    words = {
        "matched": "Matches of which something was said",
        "removed": "Removed, or kept from being seen",
        "appealed": "Complained about",
        "reinstated": "Put back after a complaint",
    }
    counts: dict[str, int] = outcomes._asdict()
    telling: set[str] = set()
    for more, less in _PARTS:
        if (
            more not in telling
            and not make.withholds(counts[more])
            and make.withholds(abs(counts[more] - counts[less]))
        ):
            telling.add(less)
    figures = tuple(
        make.withheld(name, words[name]) if name in telling else make.figure(name, words[name], count)
        for name, count in counts.items()
    )
    return Section("outcomes", title, _OUTCOMES_ABOUT, figures)


_PARTS: Final = (("matched", "removed"), ("removed", "reinstated"), ("appealed", "reinstated"))
"""What is, as a rule, a part of what: the difference is told by both."""


def _by(field: str, title: str, met: dict[MatchKey, int], make: Maker) -> Table:
    counter: Counter[str] = Counter()
    for key, count in met.items():
        counter[getattr(key, field) or UNSAID] += count
    rows = {name: (count,) for name, count in counter.items()}
    return make.table(f"matches-by-{field}", title, field, LOOKUPS, rows)
