"""Openness reports by HTTP."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from hashpact_node.api.deps import JSON, NodeOf
from hashpact_node.api.lanes import lanes_of, run_in
from hashpact_node.api.models_report import Report
from hashpact_node.api.problems import PROBLEM_RESPONSES
from hashpact_node.services.report_csv import report_csv
from hashpact_node.services.report_html import report_html
from hashpact_node.services.reports import read_day

router = APIRouter(prefix="/v1", tags=["status"], responses=PROBLEM_RESPONSES)

_TEXT = {"text/csv": {"schema": {"type": "string"}}, "text/html": {"schema": {"type": "string"}}}


@router.get(
    "/report",
    operation_id="report",
    summary="Report on a period, for the public",
    response_class=Response,
    responses={200: {"model": Report, "content": _TEXT, "description": "The report."}},
)
async def report(
    *,
    request: Request,
    node: NodeOf,
    first: Annotated[str, Query(alias="from", description="The first day, in UTC.", examples=["2026-01-01"])],
    last: Annotated[str, Query(alias="to", description="The last day, in UTC, included.", examples=["2026-12-31"])],
    form: Annotated[
        Literal["json", "csv", "html"],
        Query(alias="format", description="JSON, CSV, or one HTML file to be saved and published."),
    ] = "json",
) -> Response:
    """Report on a period in numbers that reveal neither a hash nor a person. It reads all logs: ask seldom."""
    days = read_day(first, "from"), read_day(last, "to")
    made = await run_in(lanes_of(request).reading, partial(node.reporter.report, *days))
    if form == "json":
        return Response(msgspec.json.encode(made), media_type=JSON)
    text = report_csv(made) if form == "csv" else report_html(made)
    name = f"hashpact-report-{made.member}-{made.first}-{made.last}.{form}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text, media_type=f"text/{form}", headers=headers)
