"""The audiences of this member by HTTP; they begin and end by a card, which an officer signs at the command line."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query

from hashpact_node.api.deps import NodeOf
from hashpact_node.api.models_node import Audience, Audiences
from hashpact_node.api.problems import PROBLEM_RESPONSES
from hashpact_node.services.audiences import AudienceView
from hashpact_protocol.statement_fields import format_time

router = APIRouter(prefix="/v1/audiences", tags=["listings"], responses=PROBLEM_RESPONSES)


@router.get("", operation_id="list_audiences", summary="List audiences")
def list_audiences(
    node: NodeOf,
    *,
    closed: Annotated[bool, Query(description="Those that have ended, too.")] = False,
) -> Audiences:
    """List the audiences of this member, with their readers."""
    return Audiences(audiences=[_told(one) for one in node.audiences.list(closed=closed)])


def _told(view: AudienceView) -> Audience:
    values = asdict(view) | {"readers": list(view.readers)}
    for name in ("created_at", "closed_at"):
        values[name] = None if values[name] is None else format_time(datetime.fromtimestamp(values[name], UTC))
    return Audience.model_validate(values)
