"""How this node is doing, by HTTP."""

from __future__ import annotations

from fastapi import APIRouter, Request

from hashpact_node.api.deps import get_node
from hashpact_node.api.models_node import Status
from hashpact_node.api.problems import PROBLEM_RESPONSES
from hashpact_node.services.status import StatusReader

router = APIRouter(prefix="/v1", tags=["status"], responses=PROBLEM_RESPONSES)


@router.get("/status", operation_id="status", summary="How this node is doing")
def status(request: Request) -> Status:
    """Show everything that somebody might have to mend: logs, peers, alarms, jobs, keys."""
    get_node(request)
    reader: StatusReader = request.app.state.status_reader
    return Status.model_validate(reader.status())
