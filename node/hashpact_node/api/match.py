"""Lookups by HTTP: what an upload pipeline asks for every file, so its bodies go through msgspec alone."""

from __future__ import annotations

from functools import partial
from io import BytesIO
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from hashpact_node.api.deps import get_node, read_body, read_json
from hashpact_node.api.lanes import lanes_of, run_in
from hashpact_node.api.models import FileMatch, MatchAnswer
from hashpact_node.api.models_requests import MatchRequest
from hashpact_node.api.plain import PlainRoute, encoded
from hashpact_node.api.problems import PROBLEM_RESPONSES
from hashpact_node.api.schemas import request_body
from hashpact_node.api.token_door import refuse_bulk
from hashpact_node.assembly import Node
from hashpact_node.services.hashing import hash_stream
from hashpact_node.services.matching import QUERIES_MAX, MatchResult
from hashpact_protocol.errors import RequestError, SignalError
from hashpact_protocol.recommendations import check_surface

FILE_MAX_BYTES: Final = 64 * 1024 * 1024
MATCH_MAX_BYTES: Final = 8 * 1024 * 1024

router = APIRouter(prefix="/v1/match", tags=["match"], responses=PROBLEM_RESPONSES)
plain = APIRouter(prefix="/v1/match", tags=["match"], responses=PROBLEM_RESPONSES, route_class=PlainRoute)


class _Query(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    type: str
    value: str


class _Batch(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    signals: list[_Query]
    detail: bool = True
    surface: str | None = None


@plain.post(
    "",
    operation_id="match",
    summary="Look signals up",
    response_class=Response,
    responses={200: {"model": MatchAnswer, "description": "What each met."}},
    openapi_extra=request_body("Up to 1 000 signals.", application__json=MatchRequest),
)
async def match(request: Request) -> Response:
    """Match signals against the blocklist: equal values, and PDQ within its distance."""
    batch = await read_json(request, _Batch, max_bytes=MATCH_MAX_BYTES)
    if not 1 <= len(batch.signals) <= QUERIES_MAX:
        raise RequestError(f"a batch holds 1 to {QUERIES_MAX:,} signals, not {len(batch.signals):,}", where="signals")
    check_surface(batch.surface)
    refuse_bulk(request, len(batch.signals))
    return encoded({"results": await run_in_threadpool(_match, get_node(request), batch)})


@router.post(
    "/file",
    operation_id="match_file",
    summary="Hash a file and look it up",
    response_class=Response,
    responses={200: {"model": FileMatch, "description": "What it met."}},
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "The file itself, at most 64 MiB. It is hashed in memory, and nothing of it is stored.",
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def match_file(
    request: Request,
    name: Annotated[
        str, Query(description="Its name, which tells what it is where its bytes do not.", max_length=255)
    ] = "the file",
    surface: Annotated[
        str | None, Query(description="Where it was met: `upload`, `livestream` or `link`.", examples=["upload"])
    ] = None,
) -> Response:
    """Hash a file as `hashpact publish` does, and match its hashes; but nothing by a PDQ of low quality."""
    node = get_node(request)
    check_surface(surface)
    body = await read_body(request, max_bytes=FILE_MAX_BYTES)
    hashed = await run_in(lanes_of(request).hashing, hash_stream, BytesIO(body), name=name)
    found = await run_in_threadpool(partial(node.matcher.match_file, hashed, surface=surface))
    node.match_tally.add(found.results, surface)
    return encoded(
        {
            "action": found.action,
            "content": hashed.content,
            "length": hashed.length,
            "signals": [
                {"type": signal.type, "value": signal.value, "quality": signal.quality} for signal in hashed.signals
            ],
            "notices": hashed.notices,
            "results": found.results,
            "recommendation": found.recommendation,
        }
    )


def _match(node: Node, batch: _Batch) -> list[MatchResult]:
    queries = [(query.type, query.value) for query in batch.signals]
    try:
        results = node.matcher.match(queries, detail=batch.detail, surface=batch.surface)
    except SignalError as error:
        # The matcher numbers its queries; in a request they are called signals.
        where = (error.where or "").replace("queries[", "signals[", 1) or None
        raise SignalError(error.what, where=where, mend=error.mend) from None
    node.match_tally.add(results, batch.surface)
    return results
