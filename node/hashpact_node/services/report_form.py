"""The form of an openness report: sections of figures and tables, in which small counts are withheld from the start.

What is not measured has no number: a section or a figure says so, in words, and why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from hashpact_node.services.suppression import Counts, Shown, is_small, shown, suppress

WITHHELD: Final = "withheld"
NOT_MEASURED: Final = "not measured"


@dataclass(frozen=True, slots=True)
class Figure:
    """A number by itself, in ``unit``; ``value`` is None where ``note`` says that it is withheld or not measured."""

    id: str
    title: str
    value: int | None
    unit: str = ""
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: its counts, None where they are withheld."""

    name: str
    values: Shown


@dataclass(frozen=True, slots=True)
class Table:
    """Counts by something. ``withheld`` says that the whole table is, since its counts are too small."""

    id: str
    title: str
    by: str
    measures: tuple[str, ...]
    rows: tuple[Row, ...]
    withheld: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report; ``not_measured`` says why it has no numbers, where it has none."""

    id: str
    title: str
    about: str
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    not_measured: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a member tells of its node: from one day to another, both included, in UTC."""

    member: str
    name: str
    first: str
    last: str
    made_at: str
    threshold: int
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes figures and tables with everything withheld that is below ``threshold``."""

    threshold: int

    def figure(self, identifier: str, title: str, count: int, unit: str = "") -> Figure:
        """Make a figure of a count."""
        value = shown(count, self.threshold)
        note = None if value is not None else f"{WITHHELD}: it is below {self.threshold}"
        return Figure(identifier, title, value, unit, note)

    def withholds(self, count: int) -> bool:
        """Say whether a count is withheld."""
        return is_small(count, self.threshold)

    def withheld(self, identifier: str, title: str) -> Figure:
        """Make a figure that is withheld, since it tells of another one that is too small."""
        return Figure(identifier, title, None, note=f"{WITHHELD}: it tells of a count that is below {self.threshold}")

    def spans(self, identifier: str, title: str, seconds: Sequence[int]) -> tuple[Figure, ...]:
        """Make the figures that tell of so many spans of time: their median, and what nine of ten kept to.

        None for so few that they are withheld, and nothing of how many they are.
        """
        if len(seconds) < max(1, self.threshold):
            return ()
        ordered = sorted(seconds)
        half, nine = ordered[(len(ordered) - 1) // 2], ordered[-(-9 * len(ordered) // 10) - 1]
        return (
            Figure(f"{identifier}-median", f"{title}: half of them took at most", half, "seconds"),
            Figure(f"{identifier}-90", f"{title}: nine of ten took at most", nine, "seconds"),
        )

    def related(self, figures: Sequence[tuple[str, str, int]]) -> tuple[Figure, ...]:
        """Make figures of which each can be worked out of the others, as (id, title, count): several are withheld."""
        kept = suppress({identifier: (count,) for identifier, _, count in figures}, self.threshold) or {}
        why = f"{WITHHELD}: it is below {self.threshold}, or tells of one that is"
        made = []
        for identifier, title, _ in figures:
            (value,) = kept.get(identifier, (None,))
            made.append(Figure(identifier, title, value, note=None if value is not None else why))
        return tuple(made)

    def table(
        self,
        identifier: str,
        title: str,
        by: str,
        measures: Sequence[str],
        rows: Mapping[str, Counts],
        *,
        sums: Sequence[Figure] = (),
    ) -> Table:
        """Make a table, the largest row first; rows of nothing but zeros are left out.

        It is withheld whole where one of ``sums`` is, the figures that its columns add up to.

        Rows may have more counts than there are ``measures``. Those are not shown, and what they would tell is withheld
        all the same: differences of what is shown, which anybody can work out.
        """
        some = {name: counts for name, counts in rows.items() if any(counts)}
        kept = suppress(some, self.threshold)
        if kept is None or any(one.value is None for one in sums):
            return Table(identifier, title, by, tuple(measures), (), withheld=True)
        shown_rows = {name: counts[: len(measures)] for name, counts in kept.items()}
        ordered = sorted(
            shown_rows, key=lambda name: (None in shown_rows[name], *(-(one or 0) for one in shown_rows[name]), name)
        )
        return Table(identifier, title, by, tuple(measures), tuple(Row(name, shown_rows[name]) for name in ordered))

    def calendar(self, identifier: str, title: str, measures: Sequence[str], days: Mapping[date, Counts]) -> Table:
        """Make a table by month, in order of time."""
        months: dict[str, Counts] = {}
        for day, counts in sorted(days.items()):
            month = f"{day:%Y-%m}"
            before = months.get(month, (0,) * len(counts))
            months[month] = tuple(one + other for one, other in zip(before, counts, strict=True))
        made = self.table(identifier, title, "month", measures, months)
        return Table(
            identifier, title, "month", made.measures, tuple(sorted(made.rows, key=lambda row: row.name)), made.withheld
        )


def unmeasured(identifier: str, title: str, why: str) -> Figure:
    """Make a figure that nobody measured."""
    return Figure(identifier, title, None, note=f"{NOT_MEASURED}: {why}")
