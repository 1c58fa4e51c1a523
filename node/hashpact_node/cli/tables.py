"""Tables and times as people read them, within 80 columns."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from hashpact_node.cli.output import coloured, console, printable

NOTHING: Final = "-"
GAP: Final = 3
NARROWEST: Final = 12
_STEPS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_COLOURS: Final = {
    "block": "red",
    "review": "yellow",
    "observe": "cyan",
    "failed": "red",
    "failing": "red",
    "stale": "yellow",
    "paused": "yellow",
    "suspended": "red",
    "ok": "green",
    "active": "green",
}


def show_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    title: str | None = None,
    right: Sequence[str] = (),
    keep: Sequence[str] = (),
) -> None:
    """Write a table as wide as the terminal, or 80 columns; the columns named in ``right`` are figures.

    Long values are folded, never cut; those of the columns in ``keep`` last, since people copy them.
    """
    target = console(sys.stdout)
    cells = [[_shown(value) for value in row] for row in rows]
    table = Table(
        box=SIMPLE_HEAD,
        title=None if title is None else printable(title),
        title_justify="left",
        title_style="bold",
        pad_edge=False,
        show_edge=False,
    )
    # What rich makes of long words without spaces, such as hashes and paths, drops other columns.
    widths = _widths(columns, cells, target.width - GAP * len(columns), [columns.index(name) for name in keep])
    for column, width in zip(columns, widths, strict=True):
        table.add_column(column, justify="right" if column in right else "left", overflow="fold", width=width)
    for row in cells:
        table.add_row(*(Text(text, style=_COLOURS.get(text, "")) for text in row))
    target.print(table)


def _widths(columns: Sequence[str], rows: Sequence[Sequence[str]], room: int, keep: Sequence[int]) -> list[int]:
    """Give each column what it needs, and take from the widest until all fit."""
    lines = [
        [len(name), *(len(line) for row in rows for line in row[at].split("\n"))] for at, name in enumerate(columns)
    ]
    widths = [min(max(each), room) for each in lines]
    shrinkable = [at for at in range(len(columns)) if at not in keep]
    while sum(widths) > room:
        candidates = [at for at in shrinkable if widths[at] > NARROWEST] or list(range(len(columns)))
        widest = max(candidates, key=widths.__getitem__)
        if widths[widest] == 1:
            break
        widths[widest] -= 1
    return widths


def show_fields(fields: Iterable[tuple[str, object]], *, title: str | None = None) -> None:
    """Write names and values, one pair a line; pairs without a value are left out. Nothing is folded: it is copied."""
    if title is not None:
        print(_styled(printable(title), "1"))
    shown = [(name, str(value)) for name, value in fields if value is not None]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        print(f"{_styled(name.ljust(width), '2')}  {printable(value)}")


def ago(seconds: int | None, now: datetime) -> str:
    """Give a moment (Unix seconds) as its distance from now: ``12 s ago``, ``in 3 h``."""
    if seconds is None:
        return NOTHING
    passed = int(now.timestamp()) - seconds
    size = abs(passed)
    length, unit = next(((size // step, unit) for step, unit in _STEPS if size >= step), (0, "s"))
    if not length:
        return "now"
    return f"{length} {unit} ago" if passed > 0 else f"in {length} {unit}"


def moment(seconds: int | None) -> str | None:
    """Give a moment (Unix seconds) as it is written on the wire."""
    return None if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def figure(number: int) -> str:
    """Give a figure with its thousands apart."""
    return f"{number:,}"


def count(number: int, one: str, many: str | None = None) -> str:
    """Give a figure with its noun: ``1 peer``, ``3 peers``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def short(text: str, length: int = 16) -> str:
    """Give the beginning of a long value."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _shown(value: object) -> str:
    return NOTHING if value is None or value == "" else "\n".join(map(printable, str(value).split("\n")))


def _styled(text: str, style: str) -> str:
    return f"\x1b[{style}m{text}\x1b[0m" if coloured(sys.stdout) else text
