"""Publishing by HTTP: listings one by one or in bulk, and taking them back."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from io import BytesIO
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.responses import Response

from hashpact_node.api.audited import about, actor_of
from hashpact_node.api.deps import JSON, NDJSON, NodeOf, check_media_type, read_body
from hashpact_node.api.lanes import lanes_of, run_in
from hashpact_node.api.models_drafts import Draft, Undone
from hashpact_node.api.models_node import LISTING, Listing, Published, PublishedMany
from hashpact_node.api.models_requests import NewAudiences, NewListing, Withdraw
from hashpact_node.api.problems import DETAILS_MAX, PROBLEM_RESPONSES, ManyErrors
from hashpact_node.api.schemas import request_body
from hashpact_node.assembly import Node
from hashpact_node.services.actors import Actor
from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.idempotent import Answer, Idempotent, Work
from hashpact_node.services.import_rows import LINE_MAX_BYTES, PlainRow, read_rows
from hashpact_node.services.placing import Wanted
from hashpact_node.services.planned import PlannedPublisher, named, plan
from hashpact_node.services.publishing import LISTINGS, ListingView
from hashpact_node.services.publishing import Published as Stored
from hashpact_protocol.errors import HashpactError, RequestError

LINES_MAX: Final = 10_000
BULK_MAX_BYTES: Final = 64 * 1024 * 1024
REPLAYED: Final = "Idempotency-Replayed"

_LINE_ONE: Final = "line 1: "

router = APIRouter(prefix="/v1/listings", tags=["listings"], responses=PROBLEM_RESPONSES)

ListingId = Annotated[str, Path(description="The id of an own listing.", examples=[LISTING])]


@dataclass(frozen=True, slots=True)
class _Options:
    """How a body is to be published; ``many`` says that it is NDJSON."""

    many: bool
    log_name: str
    allow_foreign_origin: bool
    wait: bool


@dataclass(frozen=True, slots=True)
class _Asked:
    """A body to be published, who sent it, and by what it is known when it is sent again."""

    body: bytes
    options: _Options
    actor: Actor
    key: str | None
    request_hash: bytes


@router.post(
    "",
    operation_id="publish_listings",
    summary="Publish listings",
    status_code=HTTPStatus.CREATED,
    response_class=Response,
    responses={
        201: {"model": Published | PublishedMany, "description": "Published and released."},
        202: {
            "model": Published | PublishedMany | Draft,
            "description": "Published; it waits to be released, and will be. With `four_eyes`: a draft, which somebody "
            "else has to approve.",
        },
        409: {"description": "The first request with this Idempotency-Key is in flight."},
    },
    openapi_extra=request_body(
        "One listing, or one on each line: then all are published, or none.",
        application__json=NewListing,
        application__x_ndjson=NewListing,
    ),
)
async def publish(
    *,
    request: Request,
    node: NodeOf,
    idempotency_key: Annotated[
        str | None,
        Header(
            description="A word of the client's choice. For a day the same key with the same request is answered as it "
            "was at first, and nothing is published again; with another request it is refused.",
            examples=["0d1f7a0c-6c0a-4c9e-8a7e-2f9f0a1b2c3d"],
        ),
    ] = None,
    log: Annotated[str, Query(description="The name of the log to publish in.")] = LISTINGS,
    allow_foreign_origin: Annotated[
        bool, Query(description="Publish material of others, too, under this member's name.")
    ] = False,
    wait: Annotated[bool, Query(description="Wait until it is released.")] = True,
) -> Response:
    """Publish one listing, or up to 10 000 by NDJSON, all or none; every line that is wrong is told."""
    media_type = check_media_type(request, JSON, NDJSON)
    options = _Options(media_type == NDJSON, log, allow_foreign_origin, wait)
    body = await read_body(request, max_bytes=BULK_MAX_BYTES if options.many else LINE_MAX_BYTES)
    about(request, log, lines=len(body.splitlines()) if options.many else None)
    asked = b"\n".join((request.url.path.encode(), request.url.query.encode(), media_type.encode(), body))
    answer = await run_in(
        lanes_of(request).publishing,
        _propose if node.settings.four_eyes else _publish,
        node,
        _Asked(body, options, actor_of(request), idempotency_key, hashlib.sha256(asked).digest()),
    )
    headers = {REPLAYED: "true"} if answer.repeated else {}
    if not options.many or node.settings.four_eyes:
        told = msgspec.json.decode(answer.body, type=_Identified)
        if told.id is not None:
            headers["Location"] = f"/v1/{'listings' if told.proposed_at is None else 'drafts'}/{told.id}"
    return Response(answer.body, answer.status, headers=headers, media_type=JSON)


@router.get("/{listing}", operation_id="show_listing", summary="Show an own listing")
def show(node: NodeOf, listing: ListingId) -> Listing:
    """Show a listing of this member, released or not, withdrawn or not."""
    return _told(node.publisher.listing(listing))


@router.post(
    "/{listing}/withdraw",
    operation_id="withdraw_listing",
    summary="Take an own listing back",
    responses={
        202: {
            "model": Published | Draft,
            "description": "Withdrawn; that waits to be released, and will be. With `four_eyes`: a draft, which "
            "somebody else has to approve.",
        }
    },
)
async def withdraw(
    *,
    request: Request,
    node: NodeOf,
    response: Response,
    listing: ListingId,
    body: Withdraw,
    wait: Annotated[bool, Query(description="Wait until it is released.")] = True,
) -> Published | Draft:
    """Withdraw a listing: it leaves every node at its next pull. A second time that is a conflict."""
    if node.settings.four_eyes:
        response.status_code = HTTPStatus.ACCEPTED
        approving, actor = node.approving, actor_of(request)
        proposed = await run_in(
            lanes_of(request).publishing, approving.propose_withdrawal, listing, body.reason, actor, note=body.note
        )
        response.headers["Location"] = f"/v1/drafts/{proposed.id}"
        return Draft.model_validate(proposed)
    stored = await run_in(
        lanes_of(request).publishing, node.publisher.withdraw, listing, body.reason, note=body.note, wait=wait
    )
    response.status_code = _status([stored], HTTPStatus.OK)
    return Published.model_validate(stored)


@router.put(
    "/{listing}/audiences",
    operation_id="move_listing",
    summary="Say whom an own listing is for",
    responses={202: {"model": Listing, "description": "Stored; some of it waits to be released, and will be."}},
)
async def move(
    *,
    request: Request,
    node: NodeOf,
    response: Response,
    listing: ListingId,
    body: NewAudiences,
    wait: Annotated[bool, Query(description="Wait until it is released.")] = True,
) -> Listing:
    """Publish a listing for those for whom it is new, and withdraw it from all others, both or neither."""
    about(request, listing, audiences=body.audiences, reason=body.reason)
    view = await run_in(
        lanes_of(request).publishing,
        node.mover.move,
        listing,
        Wanted(body.audiences, body.reason, body.note),
        wait=wait,
    )
    response.status_code = HTTPStatus.OK if wait and view.notice is None else HTTPStatus.ACCEPTED
    return _told(view)


@router.delete(
    "/{listing}",
    operation_id="undo_listing",
    summary="Take back what has no place yet",
    responses={409: {"description": "It has its place, and may be signed already: withdraw it."}},
)
def undo(node: NodeOf, listing: ListingId) -> Undone:
    """Take back the newest statement about a listing that has no place yet: the listing itself, or its withdrawal."""
    return Undone.model_validate(node.undoing.undo(listing))


class _Identified(msgspec.Struct):
    id: str | None = None
    proposed_at: str | None = None


def _propose(node: Node, asked: _Asked) -> Answer:
    options = asked.options
    drafts = read_drafts(asked.body, many=options.many)

    def work(planned: bytes, _again: bool) -> Answer:  # noqa: FBT001 - as Work has it
        identifier, *ids = planned.decode().split(",")
        proposed = node.approving.propose(
            [named(draft, one) for draft, one in zip(drafts, ids, strict=True)],
            asked.actor,
            log_name=options.log_name,
            allow_foreign_origin=options.allow_foreign_origin,
            identifier=identifier,
        )
        return Answer(HTTPStatus.ACCEPTED, msgspec.json.encode(proposed))

    return _once(node, asked, plan(1 + len(drafts)), work)


def _publish(node: Node, asked: _Asked) -> Answer:
    options = asked.options
    drafts = read_drafts(asked.body, many=options.many)
    publisher = PlannedPublisher(node.database, node.publisher)

    def work(planned: bytes, again: bool) -> Answer:  # noqa: FBT001 - as Work has it
        stored = publisher.publish(
            drafts,
            planned,
            again=again,
            log_name=options.log_name,
            allow_foreign_origin=options.allow_foreign_origin,
            wait=options.wait,
        )
        told = {"count": len(stored), "listings": stored} if options.many else stored[0]
        return Answer(_status(stored, HTTPStatus.CREATED), msgspec.json.encode(told))

    return _once(node, asked, plan(len(drafts)), work)


def _once(node: Node, asked: _Asked, planned: bytes, work: Work) -> Answer:
    if asked.key is None:
        return work(planned, False)  # noqa: FBT003 - as Work has it
    return Idempotent(node.database, node.upkeep.now).run(asked.key, asked.request_hash, planned, work)


def read_drafts(body: bytes, *, many: bool) -> list[ListingDraft]:
    """Read one listing, or one a line. Raises ManyErrors that names the lines, RequestError for none or too many."""
    # Within JSON a line break is nothing but white space, so that an object on many lines is one on a single line.
    lines = body if many else body.replace(b"\r", b" ").replace(b"\n", b" ")
    drafts: list[ListingDraft] = []
    wrong: list[HashpactError] = []
    for number, (_line, row) in enumerate(read_rows(BytesIO(lines), "ndjson"), 1):
        if number > LINES_MAX:
            raise RequestError(
                f"the body has more than {LINES_MAX:,} listings", where="body", mend="send it in several requests"
            )
        exact = row.exact() if isinstance(row, PlainRow) else row
        if isinstance(exact, HashpactError):
            wrong.append(exact)
        else:
            drafts.append(exact if many else replace(exact, where=None))
    if wrong:
        told = wrong[:DETAILS_MAX] if many else [_without_line(wrong[0])]
        raise ManyErrors(told, count=len(wrong)) if many else told[0]
    if not drafts:
        raise RequestError("the body holds no listing", where="body", mend="send a JSON object")
    return drafts


def _without_line(error: HashpactError) -> HashpactError:
    """Give an error about a body that is one listing: it has fields, and no lines worth naming."""
    where = (error.where or "").removeprefix(_LINE_ONE)
    return type(error)(error.what, where="body" if where in {"", "line 1"} else where, mend=error.mend)


def _status(stored: Sequence[Stored], done: HTTPStatus) -> int:
    return done if all(one.index is not None for one in stored) else HTTPStatus.ACCEPTED


def _told(view: ListingView) -> Listing:
    listing = view.listing
    return Listing.model_validate(
        {
            "id": listing.id,
            "state": view.state,
            "live": view.live,
            "name": view.name,
            "origin": view.origin,
            "index": view.index,
            "time": listing.time,
            "content": listing.content,
            "signals": listing.signals,
            "labels": listing.labels,
            "confirmed": listing.confirmed,
            "handling": listing.handling,
            "material": listing.origin,
            "incident": listing.incident,
            "expires": listing.expires,
            "review_by": listing.review_by,
            "note": listing.note,
            "preserve": listing.preserve,
            "audiences": list(view.audiences),
            "notice": view.notice,
        }
    )
