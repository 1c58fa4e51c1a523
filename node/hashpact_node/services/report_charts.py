"""Charts of a report as inline SVG: bars beside the table whose numbers they show, for those who see them.

A chart repeats what its table says, so it is hidden from screen readers, which read the table. Its colours differ in
lightness and its bars in pattern, so that it can be read in grey, too. What is withheld has no bar and is marked so.
"""

from __future__ import annotations

from html import escape
from typing import Final

from hashpact_node.services.report_form import Table

WIDTH: Final = 640
ROWS_MAX: Final = 20
"""So many rows are drawn; the table has them all."""

_NAMES_WIDTH: Final = 200
_NUMBERS_WIDTH: Final = 76
_BAR: Final = 14
_GAP: Final = 4
_ROW_GAP: Final = 12
_NAME_CHARACTERS: Final = 30
_FILLS: Final = ("#1f4e79", "#e0a458")
_ROOM: Final = WIDTH - _NAMES_WIDTH - _NUMBERS_WIDTH


def chart(table: Table) -> str:
    """Draw the first measures of a table; an empty text where there is nothing to draw."""
    measures = table.measures[: len(_FILLS)]
    rows = [(row.name, row.values[: len(measures)]) for row in table.rows[:ROWS_MAX]]
    largest = max((count for _, values in rows for count in values if count is not None), default=0)
    if not largest:
        return ""
    parts: list[str] = []
    at = 0
    if len(measures) > 1:
        parts += _legend(measures)
        at = 28
    step = len(measures) * (_BAR + _GAP) - _GAP
    for name, values in rows:
        middle = at + step / 2 + 4
        parts.append(f'<text x="{_NAMES_WIDTH - 8}" y="{middle:g}" text-anchor="end">{escape(_short(name))}</text>')
        for number, count in enumerate(values):
            parts += _bar(count, largest, at + number * (_BAR + _GAP), _FILLS[number])
        at += step + _ROW_GAP
    height = at - _ROW_GAP + 6
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" aria-hidden="true" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


def _bar(count: int | None, largest: int, top: int, fill: str) -> list[str]:
    baseline = top + _BAR - 3
    if count is None:
        return [f'<text class="withheld" x="{_NAMES_WIDTH}" y="{baseline}">withheld</text>']
    width = max(1.0, _ROOM * count / largest) if count else 0.0
    bar = f'<rect x="{_NAMES_WIDTH}" y="{top}" width="{width:.1f}" height="{_BAR}" fill="{fill}"/>'
    return [bar, f'<text x="{_NAMES_WIDTH + width + 6:.1f}" y="{baseline}">{count:,}</text>']


def _legend(measures: tuple[str, ...]) -> list[str]:
    parts: list[str] = []
    left = _NAMES_WIDTH
    for measure, fill in zip(measures, _FILLS, strict=False):
        parts.append(f'<rect x="{left}" y="0" width="{_BAR}" height="{_BAR}" fill="{fill}"/>')
        parts.append(f'<text x="{left + _BAR + 6}" y="{_BAR - 3}">{escape(measure)}</text>')
        left += _BAR + 30 + 8 * len(measure)
    return parts


def _short(name: str) -> str:
    return name if len(name) <= _NAME_CHARACTERS else name[: _NAME_CHARACTERS - 1] + "…"
