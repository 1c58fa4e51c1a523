"""What Prometheus scrapes."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from hashpact_node.api.deps import get_node
from hashpact_node.api.lanes import lanes_of, run_in
from hashpact_node.api.problems import PROBLEM_RESPONSES
from hashpact_node.services.metrics import CONTENT_TYPE, exposition
from hashpact_node.services.status import StatusReader

router = APIRouter(tags=["status"], responses=PROBLEM_RESPONSES)


@router.get(
    "/metrics",
    operation_id="metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus's text."}},
)
async def metrics(request: Request) -> Response:
    """Give all figures of the status in the text form of Prometheus; docs/operations.md, Metrics, lists them."""
    get_node(request)
    reader: StatusReader = request.app.state.status_reader
    # One scrape at a time, in a thread of its own: a scrape that takes long keeps no lookup from its thread.
    body = await run_in(lanes_of(request).scraping, lambda: exposition(reader.status()))
    return Response(body, headers={"Cache-Control": "no-store", "Content-Type": CONTENT_TYPE})
