"""The member's logs (C2SP tlog-tiles): checkpoints, tiles and bundles, as they lie in the database."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from hashpact_node.api.deps import get_node
from hashpact_node.api.files import IMMUTABLE, check_raw_path, choose_encoding, is_unchanged, unchanged
from hashpact_node.api.lanes import lanes_of, run_in
from hashpact_node.api.plain import PlainRoute
from hashpact_node.api.problems import PROBLEM_RESPONSES, HttpProblem, respond
from hashpact_node.api.read_ahead import ReadAhead
from hashpact_node.api.readers import check_reader
from hashpact_node.services.log_files import GZIP, IDENTITY, ZSTD, Served
from hashpact_protocol.errors import GoneError, NotFoundError, TileError
from hashpact_protocol.tiles import FULL_WIDTH, TileId, parse_path

CARD_HEADER: Final = "Hashpact-Card"
OCTETS: Final = "application/octet-stream"
BYTES: Final = {"type": "string", "format": "binary"}

_FOREVER: Final = f"private, {IMMUTABLE}"
_READ_AHEAD_HEADERS: Final = {"Cache-Control": _FOREVER, "Content-Encoding": ZSTD, "Vary": "Accept-Encoding"}


router = APIRouter(prefix="/logs", tags=["logs"], responses=PROBLEM_RESPONSES, route_class=PlainRoute)

LogName = Annotated[str, Path(description="The log, as its origin ends.", examples=["listings-1"])]
BlobName = Annotated[str, Path(description="The SHA-256 of the blob, in lower-case hex.", examples=["ef" * 32])]
TilePath = Annotated[
    str, Path(description="`LEVEL/NUMBER[.p/WIDTH]`, or `entries/NUMBER[.p/WIDTH]`.", examples=["entries/x001/234"])
]


@router.get(
    "/{log}/checkpoint",
    operation_id="log_checkpoint",
    summary="The newest checkpoint",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {}}, "description": "A signed note: origin, size, root, signatures."},
        304: {"description": "The client has it."},
    },
)
async def checkpoint(request: Request, log: LogName) -> Response:
    """Give the checkpoint that is shown; `Hashpact-Card` says the version of the member card in force."""
    check_raw_path(request)
    await check_reader(request, log)
    files = get_node(request).log_files
    try:
        served = await run_in_threadpool(files.checkpoint, log)
    except GoneError as closed:
        response = respond(closed)
        response.headers[CARD_HEADER] = str(await run_in_threadpool(files.card_version))
        return response
    return answer_note(request, served, {CARD_HEADER: str(served.card_version)})


@router.get(
    "/{log}/tile/{tile:path}",
    operation_id="log_tile",
    summary="A tile, or a bundle of entries",
    response_class=Response,
    responses={
        200: {"content": {OCTETS: {}}, "description": "Its bytes; a bundle in zstd or gzip where that is accepted."}
    },
)
async def tile(request: Request, log: LogName, tile: TilePath) -> Response:
    """Give hashes, or entries each behind its length (uint16, big-endian); full ones never change."""
    check_raw_path(request)
    await check_reader(request, log)
    node = get_node(request)
    found = parse_tile(f"tile/{tile}")
    encoding = tile_encoding(request, found)
    if encoding == ZSTD and found.width == FULL_WIDTH:
        ahead: ReadAhead = request.app.state.read_ahead
        body = await ahead.bundle(log, found.number)
        if body is not None:
            return Response(body, headers=_READ_AHEAD_HEADERS, media_type=OCTETS)
    accepts = () if encoding == IDENTITY else (encoding,)
    return answer_tile(found, await run_in_threadpool(node.log_files.tile, log, found, accepts=accepts))


@router.get(
    "/{log}/blob/{sha256}",
    operation_id="log_blob",
    summary="A blob that a listing names",
    response_class=Response,
    responses={200: {"content": {OCTETS: {"schema": BYTES}}, "description": "Its bytes."}},
)
async def blob(request: Request, log: LogName, sha256: BlobName) -> Response:
    """Give the bytes of a signal that is too long for an entry, while a live listing of that log names it."""
    check_raw_path(request)
    await check_reader(request, log)
    body = await run_in(lanes_of(request).blobs, get_node(request).blobs.served, log, sha256)
    return Response(body, headers={"Cache-Control": _FOREVER}, media_type=OCTETS)


def answer_note(request: Request, served: Served, headers: Mapping[str, str]) -> Response:
    """Answer with a checkpoint, or that the client has it; no cache may give it unasked."""
    told = {"ETag": served.etag, "Cache-Control": "private, no-cache", **headers}
    if is_unchanged(request.headers.get("if-none-match"), served.etag):
        return unchanged(told)
    return Response(served.body, headers=told, media_type=served.media_type)


def answer_tile(tile: TileId, served: Served) -> Response:
    """Answer with a tile or a bundle; whoever may read it may keep a full one for good."""
    headers = {"Cache-Control": _FOREVER if served.immutable else "private"}
    if tile.level is None:
        headers["Vary"] = "Accept-Encoding"
    if served.encoding != IDENTITY:
        headers["Content-Encoding"] = served.encoding
    return Response(served.body, headers=headers, media_type=served.media_type)


def parse_tile(path: str) -> TileId:
    """Read the path of a tile below its log; NotFoundError for what is none."""
    try:
        return parse_path(path)
    except TileError as error:
        raise NotFoundError(error.what, where=error.where, mend="write it as C2SP tlog-tiles does") from None


def tile_encoding(request: Request, tile: TileId) -> str:
    """Choose how a body is encoded; tiles are hashes, which do not shrink."""
    offered = (ZSTD, GZIP) if tile.level is None else ()
    encoding = choose_encoding(request.headers.get("accept-encoding"), offered)
    if encoding is None:
        raise HttpProblem(
            HTTPStatus.NOT_ACCEPTABLE, "there is none of the content codings that are accepted", mend="accept identity"
        )
    return encoding
