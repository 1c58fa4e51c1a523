"""What is held for review by HTTP: floods of listings, and signals that match far too often."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from hashpact_node.api.audited import actor_of
from hashpact_node.api.deps import NodeOf
from hashpact_node.api.lanes import lanes_of, run_in
from hashpact_node.api.models_holds import Hold, Holds, ReleaseHold
from hashpact_node.api.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1", tags=["judgement"], responses=PROBLEM_RESPONSES)

Number = Annotated[int, Path(description="The number of a hold.", ge=1, le=2**31 - 1, examples=[3])]


@router.get("/holds", operation_id="list_holds", summary="List holds")
def list_holds(
    *,
    node: NodeOf,
    released: Annotated[bool, Query(description="Those that were released, too.")] = False,
    before: Annotated[
        int | None, Query(description="Those with numbers below this one.", ge=1, le=2**53, examples=[None])
    ] = None,
    limit: Annotated[int, Query(description="At most so many.", ge=1, le=1_000)] = 1_000,
) -> Holds:
    """List what is held for review since there is far too much of it, the newest first."""
    found = node.holds.list(released=released, before=before, limit=limit)
    return Holds.model_validate({"holds": [asdict(one) for one in found]})


@router.get("/holds/{hold}", operation_id="show_hold", summary="Show a hold")
def show_hold(node: NodeOf, hold: Number) -> Hold:
    """Show one hold: what it holds, why, and whether its publisher was told."""
    return Hold.model_validate(asdict(node.holds.show(hold)))


@router.post("/holds/{hold}/notify", operation_id="notify_hold", summary="Tell the publisher of what is held")
async def notify_hold(request: Request, node: NodeOf, hold: Number) -> Hold:
    """Publish an opinion `seen`, whose note gives the figures; all members may read it."""
    await run_in(lanes_of(request).publishing, node.hold_notices.send, hold)
    return Hold.model_validate(asdict(node.holds.show(hold)))


@router.post(
    "/holds/{hold}/release",
    operation_id="release_hold",
    summary="Release a hold",
    responses={409: {"description": "It was released already."}},
)
async def release_hold(request: Request, node: NodeOf, hold: Number, body: ReleaseHold) -> Hold:
    """Let through what a hold holds: it is judged as if it had never been held, within seconds."""
    released = await run_in(lanes_of(request).publishing, node.holds.release, hold, actor_of(request), body.why)
    return Hold.model_validate(asdict(released))
