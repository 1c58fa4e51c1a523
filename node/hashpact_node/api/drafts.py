"""Four eyes by HTTP: look at what others propose to publish, approve it or reject it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from hashpact_node.api.audited import actor_of
from hashpact_node.api.deps import NodeOf
from hashpact_node.api.lanes import lanes_of, run_in
from hashpact_node.api.models_drafts import DRAFT, Draft, DraftDetail, Drafts
from hashpact_node.api.models_requests import RejectDraft
from hashpact_node.api.problems import PROBLEM_RESPONSES
from hashpact_node.services.approving import UNDECIDED

router = APIRouter(prefix="/v1/drafts", tags=["drafts"], responses=PROBLEM_RESPONSES)

DraftId = Annotated[str, Path(description="The id of a draft.", examples=[DRAFT])]


@router.get("", operation_id="list_drafts", summary="List drafts")
def list_drafts(
    *,
    node: NodeOf,
    decided: Annotated[bool, Query(description="Those that are approved or rejected, too.")] = False,
) -> Drafts:
    """List what waits to be approved, the newest first."""
    return Drafts.model_validate({"drafts": node.approving.drafts(None if decided else UNDECIDED)})


@router.get("/{draft}", operation_id="show_draft", summary="Show a draft")
def show(node: NodeOf, draft: DraftId) -> DraftDetail:
    """Show a draft with its statements."""
    return DraftDetail.model_validate(node.approving.show(draft))


@router.post(
    "/{draft}/approve",
    operation_id="approve_draft",
    summary="Approve a draft",
    responses={409: {"description": "It is one's own, it is decided, or it cannot be published as things stand now."}},
)
async def approve(
    *,
    request: Request,
    node: NodeOf,
    draft: DraftId,
    wait: Annotated[bool, Query(description="Wait until it is released.")] = True,
) -> Draft:
    """Approve what somebody else proposed: it is published. A second time by the same one changes nothing."""
    approve_it = node.approving.approve
    approved = await run_in(lanes_of(request).publishing, approve_it, draft, actor_of(request), wait=wait)
    return Draft.model_validate(approved)


@router.post(
    "/{draft}/reject",
    operation_id="reject_draft",
    summary="Reject a draft",
    responses={409: {"description": "It is decided already."}},
)
async def reject(request: Request, node: NodeOf, draft: DraftId, body: RejectDraft) -> Draft:
    """Reject a draft, or take one's own back: nothing of it is published."""
    rejected = await run_in(lanes_of(request).publishing, node.approving.reject, draft, actor_of(request), body.reason)
    return Draft.model_validate(rejected)
