"""``hashpact report``: what the node did within a period, for the public."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hashpact_node.cli.common import DEFAULT_HOME, Home, opened
from hashpact_node.cli.files import text_output
from hashpact_node.cli.output import note, plain, waiting
from hashpact_protocol.errors import RequestError

if TYPE_CHECKING:
    from hashpact_node.services.report_form import Report


class ReportFormat(StrEnum):
    """The forms of a report."""

    JSON = "json"
    CSV = "csv"
    HTML = "html"


def report(
    *,
    first: Annotated[str, typer.Option("--from", metavar="DAY", help="The first day, such as 2026-01-01, in UTC.")],
    last: Annotated[str, typer.Option("--to", metavar="DAY", help="The last day, included.")],
    form: Annotated[
        ReportFormat | None, typer.Option("--format", help="By the name of --out where it is left out; else json.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Not standard output.")] = None,
    home: Home = DEFAULT_HOME,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Report on a period, for the public.

    Hashes and items by label, content, type and publisher; matches and what became of them; withdrawals, disputes,
    decisions, incidents; the counters of Regulation (EU) 2021/784. Small counts are withheld (report_threshold), and
    what is not measured is said to be so. HTML is one file that needs nothing else.
    """
    from hashpact_node.services.reports import read_day

    form = ReportFormat.JSON if as_json else form or _form_of(out)
    days = read_day(first, "--from"), read_day(last, "--to")
    with opened(home) as node, waiting("reading logs…"):
        made = node.reporter.report(*days)
    try:
        with text_output(out) as file:
            file.write(_text(made, form))
    except OSError as error:
        raise RequestError(
            f"the file cannot be written: {error.strerror}", where=str(out), mend="check its folder"
        ) from error
    if out is not None:
        note(f"written to {out}")


def _form_of(out: Path | None) -> ReportFormat:
    ending = "" if out is None else out.suffix.lower().removeprefix(".")
    return {"html": ReportFormat.HTML, "htm": ReportFormat.HTML, "csv": ReportFormat.CSV}.get(ending, ReportFormat.JSON)


def _text(made: Report, form: ReportFormat) -> str:
    from hashpact_node.services.report_csv import report_csv
    from hashpact_node.services.report_html import report_html

    if form is ReportFormat.JSON:
        return json.dumps(plain(made), indent=2, ensure_ascii=False) + "\n"
    return report_csv(made) if form is ReportFormat.CSV else report_html(made)
