"""The mirror of all logs that this node holds, in the layout of C2SP tlog-mirror: members read back what they lost."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from hashpact_node.api.deps import get_node
from hashpact_node.api.files import check_raw_path
from hashpact_node.api.logs import OCTETS, TilePath, answer_note, answer_tile, parse_tile, tile_encoding
from hashpact_node.api.plain import PlainRoute
from hashpact_node.api.problems import PROBLEM_RESPONSES
from hashpact_node.api.readers import asker_of
from hashpact_node.services.log_files import IDENTITY

router = APIRouter(prefix="/mirror", tags=["mirror"], responses=PROBLEM_RESPONSES, route_class=PlainRoute)

OriginHash = Annotated[
    str, Path(description="The SHA-256 of the log's origin, in lower-case hex.", examples=["0" * 64])
]


@router.get(
    "/{origin_hash}/checkpoint",
    operation_id="mirror_checkpoint",
    summary="The newest checkpoint of a log that is held whole",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {}}, "description": "A signed note: origin, size, root, signatures."},
        304: {"description": "The client has it."},
    },
)
async def mirror_checkpoint(request: Request, origin_hash: OriginHash) -> Response:
    """Give a checkpoint as its publisher signed it, all of whose entries can be had here."""
    check_raw_path(request)
    served = await run_in_threadpool(get_node(request).mirror.checkpoint, origin_hash, asker=asker_of(request))
    return answer_note(request, served, {})


@router.get(
    "/{origin_hash}/tile/{tile:path}",
    operation_id="mirror_tile",
    summary="A tile, or a bundle of entries, of any log that is held",
    response_class=Response,
    responses={
        200: {"content": {OCTETS: {}}, "description": "Its bytes; a bundle in zstd or gzip where that is accepted."}
    },
)
async def mirror_tile(request: Request, origin_hash: OriginHash, tile: TilePath) -> Response:
    """Give hashes or entries exactly as the log's publisher serves them."""
    check_raw_path(request)
    found = parse_tile(f"tile/{tile}")
    encoding = tile_encoding(request, found)
    accepts = () if encoding == IDENTITY else (encoding,)
    mirror = get_node(request).mirror
    served = await run_in_threadpool(mirror.tile, origin_hash, found, accepts=accepts, asker=asker_of(request))
    return answer_tile(found, served)
