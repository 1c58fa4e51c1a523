"""Lookups by HTTP: what an upload pipeline asks for every file, so its bodies go through msgspec alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from hashpact_node.api.problems import PROBLEM_RESPONSES, ManyErrors
from hashpact_node.api.schemas import request_body
from hashpact_node.api.token_door import is_brief, refuse_bulk
from hashpact_node.assembly import Node
from hashpact_node.services.hashing import hash_stream
from hashpact_node.services.matching import QUERIES_MAX, MatchResult
from hashpact_protocol.errors import HashpactError, RequestError, SignalError
from hashpact_protocol.recommendations import check_surface
from hashpact_protocol.signals import signal_key

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
    brief = is_brief(request)
    batch.detail = batch.detail and not brief
    results = await run_in_threadpool(_match, get_node(request), batch)
    return encoded({"results": _unnamed(results) if brief else results})


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
    brief = is_brief(request)
    found = await run_in_threadpool(partial(node.matcher.match_file, hashed, surface=surface, detail=not brief))
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
            "results": _unnamed(found.results) if brief else found.results,
            "recommendation": found.recommendation,
        }
    )


def _unnamed(results: Sequence[MatchResult]) -> Sequence[MatchResult]:
    """Leave out who lists what, for whoever is told what to do and no more."""
    for result in results:
        for hit in result.hits:
            hit.publishers = ()
    return results


def _match(node: Node, batch: _Batch) -> list[MatchResult]:
    queries = [(query.type, query.value) for query in batch.signals]
    try:
        results = node.matcher.match(queries, detail=batch.detail, surface=batch.surface)
    except SignalError:
        wrong = list(_malformed(batch.signals))
        raise (ManyErrors(wrong, count=len(wrong)) if len(wrong) > 1 else wrong[0]) from None
    node.match_tally.add(results, batch.surface)
    return results


def _malformed(signals: list[_Query]) -> Iterator[HashpactError]:
    """Find all that is wrong, which the matcher does not: it stops at the first."""
    for at, query in enumerate(signals):
        try:
            signal_key(query.type, query.value)
        except SignalError as error:
            where = f"signals[{at}].{error.where}" if error.where else f"signals[{at}]"
            yield SignalError(error.what, where=where, mend=error.mend)
