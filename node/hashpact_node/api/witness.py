"""This node as a witness (C2SP tlog-witness): add-checkpoint, and the checkpoints that it has cosigned.

Work is bounded: by member before anything is looked up, by a lane of its own, and by member and log before anything is
signed or written. The address counts only where nobody is known: a proxy's is that of all members.
"""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from hashpact_node.api.clients import client_key
from hashpact_node.api.deps import get_node, read_body
from hashpact_node.api.files import check_raw_path
from hashpact_node.api.lanes import lanes_of, run_in
from hashpact_node.api.plain import PlainRoute
from hashpact_node.api.problems import PROBLEM_RESPONSES, HttpProblem
from hashpact_node.api.readers import asker_of
from hashpact_node.net.peer_logs import CARD_HEADER, parse_card_version
from hashpact_node.net.rates import Budgets
from hashpact_node.services.witnessing import Busy, Stands
from hashpact_protocol.errors import (
    ConfigurationError,
    ConflictError,
    HashpactError,
    NoteError,
    NotFoundError,
    ProofError,
    RequestError,
    SignatureError,
    VerificationError,
)
from hashpact_protocol.witness import ADD_CHECKPOINT_MAX_BYTES, SIZE_MEDIA_TYPE, format_signatures, format_size

CLIENT_PER_SECOND: Final = 100.0
CLIENT_BURST: Final = 400.0
"""How much one member is answered, by each process."""

_PRIVATE: Final = {"Cache-Control": "private, no-store"}
_TEXT: Final = "text/plain; charset=utf-8"

router = APIRouter(prefix="/witness", tags=["witness"], responses=PROBLEM_RESPONSES, route_class=PlainRoute)

OriginHash = Annotated[
    str, Path(description="The lower-case hex SHA-256 of the log's origin.", pattern="^[0-9a-f]{64}$")
]
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/plain": {}}, "description": "Signature lines: the cosignatures of this witness."},
    409: {
        "content": {SIZE_MEDIA_TYPE: {}},
        "description": "The old size is not what this witness cosigned last; its size, in decimal, and a newline.",
    },
}


def client_budgets() -> Budgets:
    """Make the budgets of those who ask: by member, or by address where none is known."""
    return Budgets(per_second=CLIENT_PER_SECOND, burst=CLIENT_BURST)


@router.post(
    "/add-checkpoint",
    operation_id="witness_add_checkpoint",
    summary="Ask for a cosignature",
    response_class=Response,
    responses=_ANSWERS,
)
async def add_checkpoint(request: Request) -> Response:
    """Cosign a checkpoint that continues the last one cosigned (tlog-witness, add-checkpoint).

    400 malformed, 403 not signed by a key of the log, 404 a log that is not followed, 409 another old size, 422 not
    continued, 429 too often, 503 not signing yet.
    """
    check_raw_path(request)
    _spend(request)
    body = await read_body(request, max_bytes=ADD_CHECKPOINT_MAX_BYTES)
    card = parse_card_version(request.headers.get(CARD_HEADER, ""))
    try:
        outcome = await run_in(
            lanes_of(request).witness, get_node(request).witness.add_checkpoint, body, card, asker=asker_of(request)
        )
    except ConfigurationError:
        raise
    except ConflictError as error:
        raise HttpProblem(HTTPStatus.SERVICE_UNAVAILABLE, error.what, mend=error.mend) from None
    except (ProofError, NoteError, VerificationError, RequestError) as error:
        what = f"{error.where}: {error.what}" if error.where else error.what
        raise HttpProblem(_status(error), what, mend=error.mend) from None
    if isinstance(outcome, Busy):
        raise _too_often(outcome.seconds)
    if isinstance(outcome, Stands):
        # A media_type of text would be given a charset, and tlog-witness has none.
        return Response(format_size(outcome.size), 409, {**_PRIVATE, "Content-Type": SIZE_MEDIA_TYPE})
    return Response(format_signatures(outcome.lines), 200, _PRIVATE, media_type=_TEXT)


@router.get(
    "/{origin}/checkpoint",
    operation_id="witness_checkpoint",
    summary="The newest checkpoint cosigned of a log",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "The log's signatures and this witness's own."}},
)
async def checkpoint(request: Request, origin: OriginHash) -> Response:
    """Give the newest checkpoint that this node has cosigned of a log (tlog-witness, Monitor Retrieval)."""
    check_raw_path(request)
    _spend(request)
    if len(origin) != 64 or origin.strip("0123456789abcdef"):  # noqa: PLR2004  # hex digits of a SHA-256
        raise NotFoundError("a log is named by the lower-case hex SHA-256 of its origin", where=origin[:100])
    witness = get_node(request).witness
    note = await run_in(lanes_of(request).witness, witness.checkpoint, origin, asker=asker_of(request))
    return Response(note, 200, {"Cache-Control": "private, no-cache"}, media_type=_TEXT)


def client_of(request: Request) -> str:
    """Give whose budget a request is on."""
    return client_key(request.client.host if request.client else "")


def _spend(request: Request) -> None:
    budgets: Budgets = request.app.state.witness_clients
    asker = asker_of(request)
    wait = budgets.spend(("address", client_of(request)) if asker is None else ("member", asker))
    if wait:
        raise _too_often(wait)


def _too_often(seconds: float) -> HttpProblem:
    return HttpProblem(
        HTTPStatus.TOO_MANY_REQUESTS,
        "too many requests to this witness",
        mend="wait as Retry-After says, and send the newest checkpoint alone",
        headers={"Retry-After": str(max(1, math.ceil(seconds)))},
    )


def _status(error: HashpactError) -> HTTPStatus:
    """Give the status that tlog-witness names."""
    if isinstance(error, NotFoundError):
        return HTTPStatus.NOT_FOUND
    if isinstance(error, SignatureError):
        return HTTPStatus.FORBIDDEN
    if isinstance(error, VerificationError):
        return HTTPStatus.UNPROCESSABLE_ENTITY
    return HTTPStatus.BAD_REQUEST
