from __future__ import annotations

import re
from xml.dom.minidom import parseString

from hashpact_node.services.report_charts import ROWS_MAX, WIDTH, chart
from hashpact_node.services.report_form import Row, Table


def table(*rows: Row, measures: tuple[str, ...] = ("hashes", "items")) -> Table:
    return Table("t", "T", "x", measures, rows)


def widths(drawn: str) -> list[float]:
    return [float(one) for one in re.findall(r'<rect x="200" y="[0-9]+" width="([0-9.]+)"', drawn)]


def test_bars_are_as_long_as_what_they_stand_for_and_stay_within_the_picture() -> None:
    drawn = chart(table(Row("a & b", (1_000, 500)), Row("c", (1, 0)), measures=("hashes", "items")))
    parseString(drawn)  # noqa: S318 - it is ours, and must be well formed
    legend, most, half, least, none = widths(drawn)
    assert (legend, most, half, least, none) == (14, 2 * half, most / 2, 1, 0)
    assert 200 + most < WIDTH
    assert "1,000</text>" in drawn
    assert "a &amp; b" in drawn
    assert 'aria-hidden="true"' in drawn


def test_what_is_withheld_has_no_bar() -> None:
    drawn = chart(table(Row("a", (10, 5)), Row("b", (None, None))))
    assert drawn.count(">withheld</text>") == 2
    assert len(widths(drawn)) == 1 + 2  # the first is of the legend


def test_only_what_can_be_told_apart_is_drawn() -> None:
    many = [Row(f"r{n}", (n + 1, 1, 7_777, 7_777)) for n in range(ROWS_MAX + 5)]
    drawn = chart(table(*many, measures=("hashes", "items", "listed", "withdrawn")))
    assert "7,777" not in drawn
    assert f">r{ROWS_MAX - 1}<" in drawn
    assert f">r{ROWS_MAX}<" not in drawn
    assert "…</text>" in chart(table(Row("x" * 60, (1, 1))))


def test_nothing_is_drawn_of_nothing() -> None:
    assert chart(table()) == chart(table(Row("a", (None, None)))) == chart(table(Row("a", (0, 0)))) == ""
