"""The blocklist by HTTP: by page, by change, and its digest."""

from __future__ import annotations

import base64
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from hashpact_node.api.deps import NodeOf
from hashpact_node.api.lanes import lanes_of, run_in
from hashpact_node.api.models import ActionWord, BlocklistPage, Changes, Digest, DigestedLog
from hashpact_node.api.plain import encoded
from hashpact_node.api.problems import PROBLEM_RESPONSES
from hashpact_node.services import blocklist, change_feed
from hashpact_node.services.digests import Digester
from hashpact_protocol.policy import ACTION_OF_WORD

SINCE_MAX: Final = 2**63 - 1

router = APIRouter(prefix="/v1/blocklist", tags=["blocklist"], responses=PROBLEM_RESPONSES)

OneAction = Annotated[ActionWord | None, Query(description="Only signals of this action.")]


@router.get(
    "",
    operation_id="list_blocklist",
    summary="The blocklist by page",
    response_class=Response,
    responses={200: {"model": BlocklistPage, "description": "A page."}},
)
async def page(
    request: Request,
    node: NodeOf,
    *,
    cursor: Annotated[str | None, Query(description="Of the page before; without, the first page.")] = None,
    action: OneAction = None,
    type: Annotated[str | None, Query(description="Only signals of this type.", examples=["pdq"])] = None,  # noqa: A002 - as clients write it
    limit: Annotated[int, Query(description="How many signals at most.", ge=1, le=blocklist.PAGE_MAX)] = 1_000,
) -> Response:
    """List claimed signals in order of type (docs/api.md, Blocklist) and value.

    To follow what changes, use the change feed.
    """
    wanted = None if action is None else ACTION_OF_WORD[action]

    def read() -> Response:
        return encoded(node.blocklist.page(cursor, action=wanted, type_name=type, limit=limit))

    return await run_in(lanes_of(request).pages, read)


@router.get(
    "/changes",
    operation_id="list_changes",
    summary="The change feed",
    response_class=Response,
    responses={200: {"model": Changes, "description": "A page."}},
)
async def changes(
    request: Request,
    node: NodeOf,
    since: Annotated[
        int, Query(description="The cursor of the last page that was read; 0 at first.", ge=0, le=SINCE_MAX)
    ] = 0,
    action: OneAction = None,
    limit: Annotated[int, Query(description="How many changes at most.", ge=1, le=change_feed.PAGE_MAX)] = 1_000,
) -> Response:
    """Follow the blocklist: one entry a signal, at its last change, in the order in which this node committed them.

    With `action`, only signals that ever had it come, and one that leaves it comes as `remove`. Every page is a point
    to go on from; no removed signal is ever forgotten, so nobody has to start again.
    """
    wanted = None if action is None else ACTION_OF_WORD[action]

    def read() -> Response:
        return encoded(node.change_feed.changes(since, action=wanted, limit=limit))

    return await run_in(lanes_of(request).pages, read)


@router.get("/digest", operation_id="digest", summary="The digest of what was merged")
async def digest(
    request: Request,
    node: NodeOf,
    members: Annotated[
        str | None, Query(description="Only these members, separated by commas.", examples=["acme,beta"])
    ] = None,
) -> Digest:
    """Compute the digest by which members prove to each other that they merged alike. It reads all entries."""
    wanted = None if members is None else [one.strip() for one in members.split(",") if one.strip()]
    found = await run_in(lanes_of(request).reading, Digester(node.database).digest, wanted)
    return Digest(
        digest=found.hex,
        logs=[
            DigestedLog(
                member=log.member, origin=log.origin, size=log.size, root=base64.b64encode(log.root).decode("ascii")
            )
            for log in found.logs
        ],
        listings=found.listings,
        claims=found.claims,
    )
