"""Judgement by HTTP: decisions of this company, opinions of this member, disputes of its listings."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from hashpact_node.api.audited import about, actor_of
from hashpact_node.api.deps import NodeOf
from hashpact_node.api.lanes import lanes_of, run_in
from hashpact_node.api.models_judging import (
    LISTING_TEXT,
    Decision,
    Decisions,
    Dispute,
    Disputes,
    KeepDisputed,
    MadeDecision,
    NewDecision,
    NewOpinion,
    Opinions,
    PublishedOpinions,
)
from hashpact_node.api.problems import PROBLEM_RESPONSES
from hashpact_node.api.token_door import require_scope
from hashpact_node.assembly import Node
from hashpact_node.services.actors import Actor
from hashpact_node.services.corrections import DisputeView
from hashpact_node.services.deciding import Choice, DecisionView, read_scope
from hashpact_node.services.opining import Thought, Told, thought_of
from hashpact_node.services.tokens import TokenScope
from hashpact_protocol.errors import RequestError, StatementError
from hashpact_protocol.facts import Verdict
from hashpact_protocol.statement_fields import check_time, parse_time

router = APIRouter(prefix="/v1", tags=["judgement"], responses=PROBLEM_RESPONSES)

Number = Annotated[int, Path(description="The number of a decision.", ge=1, le=2**31 - 1, examples=[7])]
Wait = Annotated[bool, Query(description="Wait until what is published is released.")]
Before = Annotated[int | None, Query(description="Those with numbers below this one.", ge=1, le=2**53, examples=[None])]
Limit = Annotated[int, Query(description="At most so many.", ge=1, le=1_000)]


@router.get("/decisions", operation_id="list_decisions", summary="List decisions")
def list_decisions(
    *,
    node: NodeOf,
    ended: Annotated[bool, Query(description="Those that ended, too.")] = False,
    before: Before = None,
    limit: Limit = 1_000,
) -> Decisions:
    """List what this company decided, the newest first."""
    found = node.deciding.list(ended=ended, before=before, limit=limit)
    return Decisions.model_validate({"decisions": [_decision(one) for one in found]})


@router.post("/decisions", operation_id="decide", summary="Decide", status_code=HTTPStatus.CREATED)
async def decide(
    *, request: Request, node: NodeOf, body: NewDecision, response: Response, wait: Wait = True
) -> MadeDecision:
    """Confirm, reject, allow or disable a signal or a listing here; it beats every peer, at once.

    One that stands about exactly the same, for the same members, ends. Where an opinion is to be published and cannot
    be, the decision stands all the same, and the answer is a problem.
    """
    if body.publish:  # what is published is this member's word, which not everybody who decides may give
        require_scope(request, TokenScope.PUBLISH)
    choice = Choice(Verdict(body.verdict), body.about, body.why, _until(body.until), body.near, read_scope(body.peers))
    if not body.publish and (body.reason or body.note):
        raise RequestError("nothing is published", where="reason, note", mend="set publish, too")
    thought = thought_of(choice.verdict, body.reason, body.note) if body.publish else None
    lane = lanes_of(request).publishing
    made, told = await run_in(lane, _decide, node, choice, thought, actor_of(request), wait=wait)
    about(request, str(made.number))
    response.headers["Location"] = f"/v1/decisions/{made.number}"
    return MadeDecision.model_validate({"decision": _decision(made), "opinions": [asdict(one) for one in told]})


@router.get("/decisions/{decision}", operation_id="show_decision", summary="Show a decision")
def show_decision(node: NodeOf, decision: Number) -> Decision:
    """Show one decision: who, why, until when, and what it covers."""
    return Decision.model_validate(_decision(node.deciding.show(decision)))


@router.delete(
    "/decisions/{decision}",
    operation_id="undo_decision",
    summary="Undo a decision",
    responses={409: {"description": "It has ended already."}},
)
async def undo_decision(
    *,
    request: Request,
    node: NodeOf,
    decision: Number,
    why: Annotated[str | None, Query(description="Why, for people here.", examples=["looked at again"])] = None,
) -> Decision:
    """Undo a decision: it counts no more, and stays as history."""
    undone = await run_in(lanes_of(request).publishing, node.deciding.undo, decision, actor_of(request), why)
    return Decision.model_validate(_decision(undone))


@router.post(
    "/opinions",
    operation_id="opine",
    summary="Publish an opinion",
    status_code=HTTPStatus.CREATED,
    responses={202: {"model": PublishedOpinions, "description": "Stored; it waits to be released, and will be."}},
)
async def opine(
    *, request: Request, node: NodeOf, body: NewOpinion, response: Response, wait: Wait = True
) -> PublishedOpinions:
    """Tell all members what this member thinks of a listing of another, of the revision that wins now."""
    about(request, body.about)
    thought = Thought(body.verdict, body.reason, body.note)
    told = await run_in(lanes_of(request).publishing, node.opining.opine, body.about, thought, wait=wait)
    if any(one.index is None and not one.existing for one in told):
        response.status_code = HTTPStatus.ACCEPTED
    return PublishedOpinions.model_validate({"opinions": [asdict(one) for one in told]})


@router.get("/opinions", operation_id="list_opinions", summary="Show opinions")
def list_opinions(
    node: NodeOf,
    listing: Annotated[str, Query(description="A listing: its id, or `MEMBER/LOG/ID`.", examples=[LISTING_TEXT])],
) -> Opinions:
    """Show what members think of one listing, those opinions that do not count included."""
    return Opinions.model_validate({"opinions": [asdict(one) for one in node.opining.opinions(listing)]})


@router.get("/disputes", operation_id="list_disputes", summary="List disputes")
def list_disputes(
    *,
    node: NodeOf,
    answered: Annotated[bool, Query(description="Those that were answered, too, and then the newest first.")] = False,
    before: Before = None,
    limit: Limit = 1_000,
) -> Disputes:
    """List disagreements of members with listings of this one, the oldest first: a queue of work.

    Withdrawing or restating a listing answers its disputes.
    """
    found = node.corrections.disputes(answered=answered, before=before, limit=limit)
    return Disputes.model_validate({"disputes": [_dispute(one) for one in found]})


@router.post(
    "/disputes/{dispute}/keep",
    operation_id="keep_disputed",
    summary="Keep a disputed listing",
    responses={409: {"description": "It is answered already."}},
)
async def keep_disputed(
    request: Request,
    node: NodeOf,
    dispute: Annotated[int, Path(description="The number of a dispute.", ge=1, le=2**53, examples=[3])],
    body: KeepDisputed,
) -> Dispute:
    """Answer a dispute by keeping the listing as it is, and say why; nothing is published."""
    kept = await run_in(lanes_of(request).publishing, node.corrections.keep, dispute, body.note, actor_of(request))
    return Dispute.model_validate(_dispute(kept))


def _decide(
    node: Node, choice: Choice, thought: Thought | None, by: Actor, *, wait: bool
) -> tuple[DecisionView, list[Told]]:
    made = node.deciding.decide(choice, by)
    return made, [] if thought is None else node.opining.opine(choice.about, thought, wait=wait)


def _decision(view: DecisionView) -> dict[str, object]:
    return asdict(view)


def _dispute(view: DisputeView) -> dict[str, object]:
    return asdict(view)


def _until(text: str | None) -> datetime | None:
    try:
        return None if text is None else parse_time(check_time(text))
    except StatementError as error:
        raise RequestError(f"this is no time: {error.what}", where="until") from None
