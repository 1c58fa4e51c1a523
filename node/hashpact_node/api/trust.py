"""The member's trust repository (docs/protocol.md, Trust): public, and out of the database on every replica."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from hashpact_node.api.deps import NodeOf
from hashpact_node.api.files import IMMUTABLE, check_raw_path, is_unchanged, unchanged
from hashpact_node.api.problems import PROBLEM_RESPONSES
from hashpact_node.assembly import Node

CHANGING: Final = "public, no-cache"
NEVER_CHANGING: Final = f"public, {IMMUTABLE}"

_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"application/json": {}}, "description": "The file as it was signed."}
}

router = APIRouter(prefix="/trust", tags=["trust"], responses=PROBLEM_RESPONSES)


@router.get(
    "/metadata/{file}",
    operation_id="trust_metadata",
    summary="TUF metadata",
    response_class=Response,
    responses={**_FILE, 304: {"description": "Unchanged."}},
)
def metadata(
    request: Request,
    node: NodeOf,
    file: Annotated[str, Path(description="`timestamp.json`, or `N.ROLE.json`.", examples=["1.root.json"])],
) -> Response:
    """Give a file of TUF metadata; all but `timestamp.json` never change under their names."""
    return _serve(request, node, "metadata", file)


@router.get(
    "/targets/{file}",
    operation_id="trust_target",
    summary="The member card",
    response_class=Response,
    responses={**_FILE, 304: {"description": "Unchanged."}},
)
def target(
    request: Request,
    node: NodeOf,
    file: Annotated[str, Path(description="`SHA256.member.json`, as the targets metadata say.")],
) -> Response:
    """Give a member card, the one in force or an earlier one that is still kept."""
    return _serve(request, node, "targets", file)


def _serve(request: Request, node: Node, place: str, name: str) -> Response:
    check_raw_path(request)
    served = node.log_files.trust_file(place, name)
    headers = {"ETag": served.etag, "Cache-Control": NEVER_CHANGING if served.immutable else CHANGING}
    if is_unchanged(request.headers.get("if-none-match"), served.etag):
        return unchanged(headers)
    return Response(served.body, headers=headers, media_type=served.media_type)
