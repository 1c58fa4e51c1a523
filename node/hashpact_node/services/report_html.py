"""A report as one HTML file: no script, nothing that is fetched, readable on paper and by screen readers."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final

from hashpact_node.services.report_charts import ROWS_MAX, chart
from hashpact_node.services.report_form import Figure, Report, Section, Table
from hashpact_node.services.suppression import Shown

_MINUTE: Final = 60
_HOUR: Final = 3_600
_DAY: Final = 86_400

_STYLE: Final = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1.25rem 4rem; color: #1a1a1a; background: #fff;
  font: 16px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
header { border-bottom: 3px solid #1f4e79; margin-bottom: 1.5rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.35rem; margin: 2.5rem 0 .25rem; border-top: 1px solid #bbb; padding-top: 1rem; }
h3 { font-size: 1.05rem; margin: 1.75rem 0 .5rem; }
p { max-width: 44rem; margin: .35rem 0 .75rem; }
nav ul { columns: 2; max-width: 44rem; padding-left: 1.2rem; }
a { color: #1f4e79; }
dl { display: grid; grid-template-columns: minmax(12rem, 1fr) auto; max-width: 44rem; margin: .5rem 0 1rem; }
dt, dd { margin: 0; padding: .3rem 0; border-bottom: 1px solid #ddd; }
dd { text-align: right; padding-left: 1.5rem; font-variant-numeric: tabular-nums; font-weight: 600; }
dd.none { font-weight: 400; color: #595959; font-style: italic; max-width: 20rem; }
table { border-collapse: collapse; margin: .25rem 0 1rem; min-width: 20rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .9rem .25rem 0; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top; }
thead th { border-bottom: 2px solid #1f4e79; }
th[scope=row] { font-weight: 400; overflow-wrap: break-word; min-width: 6.5rem; }
td, thead th + th { text-align: right; padding-left: 1.5rem; padding-right: 0; }
td.none, .withheld { color: #595959; font-style: italic; }
.unmeasured { border-left: 4px solid #e0a458; background: #fdf6ec; padding: .5rem .9rem; max-width: 44rem; }
figure { margin: 0 0 1.25rem; }
svg { display: block; max-width: 100%; height: auto; margin: .25rem 0 .75rem; font: 12px/1 system-ui, sans-serif; }
svg text { fill: #1a1a1a; }
svg text.withheld { fill: #595959; font-style: italic; }
footer { margin-top: 3rem; border-top: 1px solid #bbb; font-size: .9rem; color: #444; }
@media (max-width: 36rem) {
  nav ul { columns: 1; }
  dl { grid-template-columns: 1fr; }
  dd { text-align: left; padding-left: 0; }
  td, thead th + th { padding-left: .6rem; font-size: .9rem; }
}
@media print {
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  nav { display: none; }
  h2, h3 { break-after: avoid; }
  figure, tr, dl { break-inside: avoid; }
  a { color: inherit; text-decoration: none; }
  svg { max-width: 13cm; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""


def report_html(report: Report) -> str:
    """Write a report as a whole page."""
    period = f"{report.first} to {report.last}"
    title = f"Openness report of {report.name}, {period}"
    return "\n".join(
        (
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>",
            f"<style>{_STYLE}</style>",
            "</head>",
            "<body>",
            *_head(report, period),
            "<main>",
            *(line for section in report.sections for line in _section(section)),
            "</main>",
            *_foot(report),
            "</body>",
            "</html>",
            "",
        )
    )


def span(seconds: int) -> str:
    """Write a span of time in the largest units that tell it well."""
    if seconds < _MINUTE:
        return f"{seconds} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min {seconds % _MINUTE} s"
    if seconds < _DAY:
        return f"{seconds // _HOUR} h {seconds % _HOUR // _MINUTE} min"
    return f"{seconds // _DAY:,} d {seconds % _DAY // _HOUR} h"


def _head(report: Report, period: str) -> Iterator[str]:
    yield "<header>"
    yield f"<h1>Openness report of {escape(report.name)}</h1>"
    yield f"<p>{escape(period)}, in UTC, both days included. Member <strong>{escape(report.member)}</strong>.</p>"
    yield "</header>"
    if report.threshold > 1:
        yield (
            f"<p>Counts from 1 to {report.threshold - 1} are withheld, and others from which those could be worked "
            "out. What is not measured here is said to be so; it is not zero.</p>"
        )
    else:
        yield "<p>No count is withheld. What is not measured here is said to be so; it is not zero.</p>"
    yield '<nav aria-label="Parts"><ul>'
    for section in report.sections:
        yield f'<li><a href="#{escape(section.id)}">{escape(section.title)}</a></li>'
    yield "</ul></nav>"


def _foot(report: Report) -> Iterator[str]:
    yield "<footer><p>"
    yield f"Made by a Hashpact node on {escape(report.made_at)}. "
    yield "It holds no hash, no content, and nothing about a person."
    yield "</p></footer>"


def _section(section: Section) -> Iterator[str]:
    yield f'<section aria-labelledby="{escape(section.id)}">'
    yield f'<h2 id="{escape(section.id)}">{escape(section.title)}</h2>'
    yield f"<p>{escape(section.about)}</p>"
    if section.not_measured is not None:
        yield f'<p class="unmeasured"><strong>Not measured:</strong> {escape(section.not_measured)}.</p>'
    if section.figures:
        yield "<dl>"
        for figure in section.figures:
            yield from _figure(figure)
        yield "</dl>"
    for table in section.tables:
        yield from _table(table)
    yield "</section>"


def _figure(figure: Figure) -> Iterator[str]:
    yield f"<dt>{escape(figure.title)}</dt>"
    if figure.value is None:
        yield f'<dd class="none">{escape(figure.note or "")}</dd>'
    else:
        yield f"<dd>{span(figure.value) if figure.unit == 'seconds' else f'{figure.value:,}'}</dd>"


def _table(table: Table) -> Iterator[str]:
    yield "<figure>"
    yield f"<h3>{escape(table.title)}</h3>"
    if table.withheld:
        yield '<p class="withheld">Withheld: the counts are too small to be shown.</p></figure>'
        return
    if not table.rows:
        yield "<p>None.</p></figure>"
        return
    drawn = chart(table)
    if drawn:
        yield drawn
        if len(table.rows) > ROWS_MAX:
            yield f"<p>Drawn are the first {ROWS_MAX}; the table has all.</p>"
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in (table.by, *table.measures))
    yield f"<table><thead><tr>{heads}</tr></thead><tbody>"
    for row in table.rows:
        yield f'<tr><th scope="row">{_breakable(row.name)}</th>{_cells(row.values)}</tr>'
    yield "</tbody></table></figure>"


def _cells(values: Shown) -> str:
    return "".join('<td class="none">withheld</td>' if one is None else f"<td>{one:,}</td>" for one in values)


def _breakable(name: str) -> str:
    """Let a label be broken behind its colon, where a screen is narrow."""
    return escape(name).replace(":", ":<wbr>")
