"""A report as CSV: one number a line, so that spreadsheets and programs can take it apart."""

from __future__ import annotations

import csv
import io
from typing import Final

from hashpact_node.services.report_form import NOT_MEASURED, WITHHELD, Report

COLUMNS: Final = ("section", "table", "row", "measure", "value", "note")


def report_csv(report: Report) -> str:
    """Write a report; ``value`` is a number, ``withheld`` or ``not measured``, never empty."""
    target = io.StringIO()
    table = csv.writer(target)
    table.writerow(COLUMNS)
    for name in ("member", "first", "last", "made_at", "threshold"):
        table.writerow(("report", "", "", name, _cell(str(getattr(report, name))), ""))
    for section in report.sections:
        if section.not_measured is not None:
            table.writerow((section.id, "", "", "", NOT_MEASURED, _cell(section.not_measured)))
        for figure in section.figures:
            note = figure.note or ""
            state = NOT_MEASURED if note.startswith(NOT_MEASURED) else WITHHELD
            value = state if figure.value is None else figure.value
            table.writerow((section.id, "", "", figure.id, value, _cell(note or figure.unit)))
        for one in section.tables:
            if one.withheld:
                table.writerow((section.id, one.id, "", "", WITHHELD, ""))
            for row in one.rows:
                for measure, count in zip(one.measures, row.values, strict=True):
                    shown = WITHHELD if count is None else count
                    table.writerow((section.id, one.id, _cell(row.name), measure, shown, ""))
    return target.getvalue()


def _cell(text: str) -> str:
    """Keep spreadsheets from taking a word for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
