"""What became of matches, in numbers: taken from whoever matches, told to whoever reviews a signal."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from hashpact_node.api.deps import JSON, NodeOf, check_media_type, decode_json, read_body
from hashpact_node.api.listings import REPLAYED
from hashpact_node.api.models_outcomes import NewOutcomes, Outcomes, OutcomesTaken
from hashpact_node.api.problems import PROBLEM_RESPONSES
from hashpact_node.api.schemas import request_body
from hashpact_node.api.token_door import holder_of, is_brief, refuse_bulk
from hashpact_node.assembly import Node
from hashpact_node.services.idempotent import Answer
from hashpact_node.services.outcomes import NewOutcome
from hashpact_node.store.outcomes import Counts

OUTCOMES_MAX_BYTES: Final = 1024 * 1024

router = APIRouter(prefix="/v1/outcomes", tags=["match"], responses=PROBLEM_RESPONSES)


class _Outcome(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    key: str
    matched: int = 0
    removed: int = 0
    appealed: int = 0
    reinstated: int = 0


class _Batch(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    outcomes: list[_Outcome]


@router.post(
    "",
    operation_id="add_outcomes",
    summary="Say what became of matches",
    response_class=Response,
    responses={200: {"model": OutcomesTaken, "description": "Counted."}},
    openapi_extra=request_body("Counts of up to 1 000 signals.", application__json=NewOutcomes),
)
async def add(
    *,
    request: Request,
    node: NodeOf,
    idempotency_key: Annotated[
        str | None,
        Header(
            description="A word of the client's choice. For a day the same request under the same key is counted once; "
            "another request under it is refused.",
            examples=["0d1f7a0c-6c0a-4c9e-8a7e-2f9f0a1b2c3d"],
        ),
    ] = None,
) -> Response:
    """Add to the counts of signals: numbers since they were last sent, and nothing about content or users."""
    check_media_type(request, JSON)
    body = await read_body(request, max_bytes=OUTCOMES_MAX_BYTES)
    batch = decode_json(body, _Batch)
    refuse_bulk(request, len(batch.outcomes))
    holder = holder_of(request)
    source = "" if holder is None else holder.id
    # Whoever may only match is told of what matches, not of what was listed once.
    tells = not is_brief(request)
    answer = await run_in_threadpool(partial(_add, node, batch, source, idempotency_key, body, tells=tells))
    headers = {REPLAYED: "true"} if answer.repeated else {}
    return Response(answer.body, answer.status, headers=headers, media_type=JSON)


@router.get("", operation_id="show_outcomes", summary="Show what became of matches of a signal")
def show(
    node: NodeOf, key: Annotated[str, Query(description="Type and value.", examples=["sha256:9f86d081…"])]
) -> Outcomes:
    """Show the sums of all that was sent about one signal, for whoever reviews it."""
    return Outcomes.model_validate(node.outcomes.show(key))


def _add(node: Node, batch: _Batch, source: str, key: str | None, body: bytes, *, tells: bool) -> Answer:
    outcomes = [
        NewOutcome(one.key, Counts(one.matched, one.removed, one.appealed, one.reinstated)) for one in batch.outcomes
    ]
    asked = b"\n".join((b"outcomes", source.encode(), body))
    return node.outcomes.add(outcomes, source, idempotency_key=key, request=asked, tells=tells)
