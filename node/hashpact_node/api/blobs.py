"""Blobs by HTTP: taken in before a listing names them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from hashpact_node.api.audited import about
from hashpact_node.api.deps import NodeOf, check_media_type, read_body
from hashpact_node.api.lanes import lanes_of, run_in
from hashpact_node.api.logs import BYTES, OCTETS
from hashpact_node.api.models_node import Blob
from hashpact_node.api.problems import PROBLEM_RESPONSES
from hashpact_protocol.limits import LIMITS

router = APIRouter(prefix="/v1/blobs", tags=["listings"], responses=PROBLEM_RESPONSES)


@router.post(
    "",
    operation_id="put_blob",
    summary="Bring a blob",
    status_code=HTTPStatus.CREATED,
    responses={200: {"model": Blob, "description": "It was here already."}},
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "The bytes, at most 16 MiB.",
            "content": {OCTETS: {"schema": BYTES}},
        }
    },
)
async def put(
    request: Request,
    node: NodeOf,
    response: Response,
    type: Annotated[str, Query(description="The signal type.", examples=["vpdq"])],  # noqa: A002 - as clients write it
) -> Blob:
    """Bring the bytes of a signal that is too long for an entry, and then, within a day, the listing that names it."""
    check_media_type(request, OCTETS)
    body = await read_body(request, max_bytes=LIMITS.blob_max_bytes)
    stored = await run_in(lanes_of(request).blobs, node.blobs.put, type, body)
    about(request, f"{stored.type}:{stored.sha256}")
    if stored.existing:
        response.status_code = HTTPStatus.OK
    return Blob.model_validate(stored)
