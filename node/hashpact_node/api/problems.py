"""Every error as one shape, a problem of RFC 9457, and one table that says which status an error class has."""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hashpact_node.masking import without_passwords
from hashpact_protocol import errors

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 1
RETRY_STATUSES: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS.value, HTTPStatus.SERVICE_UNAVAILABLE.value})
"""What is answered so always says when to come again."""

DETAILS_MAX: Final = 100
"""How many single errors one problem lists; ``detail`` says how many there are."""

STATUSES: Final[Mapping[type[errors.HashpactError], tuple[int, str]]] = {
    errors.HashpactError: (500, "The node could not do it"),
    # What is malformed here was sent by the client, but for what only a peer's own files can be.
    errors.MalformedError: (422, "Something does not have its form"),
    errors.StatementError: (422, "A statement does not have its form"),
    errors.SignalError: (422, "A signal does not have its form"),
    errors.NoteError: (502, "A signed note does not have its form"),
    errors.TileError: (502, "A tile does not have its form"),
    errors.ProofError: (422, "A proof does not have its form"),
    errors.EvidenceError: (422, "A file of evidence does not have its form"),
    errors.MemberNameError: (422, "A member's name or URL does not have its form"),
    errors.CardError: (502, "A member card is refused"),
    errors.DirectoryError: (502, "A directory is refused"),
    errors.VerificationError: (502, "What a peer said is not true"),
    errors.SignatureError: (502, "A signature is wrong"),
    errors.InclusionError: (502, "An entry is not in the log"),
    errors.ConsistencyError: (502, "A log has not only grown"),
    errors.EntriesError: (502, "Entries do not hash to their root"),
    errors.ForkError: (502, "A log told two stories"),
    errors.TrustError: (502, "A trust repository is not believed"),
    errors.FetchError: (502, "A peer could not be read"),
    errors.FetchTimeoutError: (504, "A peer did not answer in time"),
    errors.FetchTooLargeError: (502, "A peer answered too much"),
    errors.FetchStatusError: (502, "A peer answered with another status"),
    errors.FetchRefusedError: (422, "This node does not connect to that address"),
    errors.KeyUnavailableError: (503, "A key cannot be had"),
    errors.RequestError: (422, "The request is not right"),
    errors.NotFoundError: (404, "There is no such thing here"),
    errors.GoneError: (410, "It was here, and is no more"),
    errors.ConflictError: (409, "It cannot be done as things stand"),
    errors.ConfigurationError: (500, "The node is not configured right"),
    errors.StoreError: (500, "The database could not do it"),
    errors.StoreFullError: (507, "The disk is full"),
    errors.StoreNewerError: (503, "The database is newer than this node"),
    errors.StoreBusyError: (503, "The database or what is asked for is busy"),
    errors.StoreMovedError: (503, "Somebody else was faster"),
}
"""Status and title of each error class; the wire codes are those of the classes."""

log = structlog.get_logger(__name__)


class ProblemItem(BaseModel):
    """One of several things that are wrong with one request."""

    where: str | None = Field(None, description="The field or line.", examples=["line 3: signals[0].value"])
    detail: str = Field(description="What is wrong there.", examples=["a value of pdq is 64 lower-case hex digits"])
    mend: str | None = Field(None, description="How to mend it.")


class Problem(BaseModel):
    """What went wrong (RFC 9457): what, where, and how to mend it."""

    type: str = Field(
        description="`urn:hashpact:problem:` and the code, or `about:blank` where the status says it all.",
        examples=["urn:hashpact:problem:signal-malformed"],
    )
    title: str = Field(description="The same words for every problem of this type.")
    status: int = Field(description="The HTTP status.", examples=[422])
    code: str = Field(
        description="A word for programs; docs/protocol.md lists those that nodes exchange.",
        examples=["signal-malformed"],
    )
    detail: str = Field(description="What happened.", examples=["a value of pdq is 64 lower-case hex digits"])
    where: str | None = Field(
        None, description="Where it happened: a field, a line, a URL, a file.", examples=["signals[0].value"]
    )
    mend: str | None = Field(None, description="How to mend it.", examples=["write hashes in full, in lower case"])
    errors: list[ProblemItem] | None = Field(
        None, description=f"All that is wrong where it is more than one thing; at most {DETAILS_MAX}."
    )
    id: str | None = Field(
        None, description="Of an unforeseen error: look for it in the node's output.", examples=["e3b0c44298fc1c14"]
    )


class ManyErrors(errors.RequestError):
    """Several things are wrong with one request; ``errors`` are some of them, ``code`` is that of the first."""

    def __init__(self, found: Iterable[errors.HashpactError], *, count: int) -> None:
        self.errors = tuple(found)[:DETAILS_MAX]
        first = self.errors[0]
        what = first.what if count == 1 else f"{first.what} (and {count - 1} more)"
        super().__init__(what, where=first.where, mend=first.mend)


class HttpProblem(HTTPException):
    """What a status of HTTP says best, such as 413 and 415, with words about it and its mending."""

    def __init__(
        self, status: int, detail: str, *, mend: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, detail, headers)
        self.mend = mend


def status_of(kind: type[errors.HashpactError]) -> tuple[int, str]:
    """Give status and title of an error class: its own, or those of its nearest ancestor."""
    return next(STATUSES[base] for base in kind.__mro__ if base in STATUSES)


def problem_of(error: errors.HashpactError) -> dict[str, Any]:
    """Give the problem that an error is told as."""
    status, title = status_of(type(error))
    code = error.code
    if isinstance(error, ManyErrors):
        code, title = error.errors[0].code, status_of(type(error.errors[0]))[1]
    problem = {
        "type": f"urn:hashpact:problem:{code}",
        "title": title,
        "status": status,
        "code": code,
        "detail": without_passwords(_sentence(error.what, error.where)),
        "where": without_passwords(error.where),
        "mend": error.mend,
    }
    if isinstance(error, ManyErrors):
        problem["errors"] = [_item(_sentence(one.what, one.where), one.where, one.mend) for one in error.errors]
    return {key: value for key, value in problem.items() if value is not None}


def respond(error: errors.HashpactError) -> Response:
    """Make the answer that tells an error."""
    return _response(problem_of(error), None)


def plain_problem(
    status: int, detail: str, *, mend: str | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """Make an answer whose status says it all."""
    title = HTTPStatus(status).phrase
    code = title.lower().replace(" ", "-").replace("'", "")
    problem = {"type": "about:blank", "title": title, "status": status, "code": code, "detail": detail}
    return _response(problem if mend is None else problem | {"mend": mend}, headers)


def too_often(detail: str, seconds: float) -> Response:
    """Make the answer to whoever is to come again after so many seconds."""
    return plain_problem(
        HTTPStatus.TOO_MANY_REQUESTS,
        detail,
        mend="wait as Retry-After says",
        headers={"Retry-After": str(max(RETRY_AFTER_SECONDS, math.ceil(seconds)))},
    )


def add_handlers(app: FastAPI) -> None:
    """Let every error of a route leave as a problem."""
    app.exception_handler(errors.HashpactError)(_on_error)
    app.exception_handler(RequestValidationError)(_on_invalid)
    app.exception_handler(HTTPException)(_on_http)


class Shield:
    """The outermost layer: an error that nobody foresaw is logged whole under an id, and answered with that id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except ClientDisconnect:
            return  # nobody is there to be answered, and nothing is wrong here
        except Exception as error:
            if isinstance(error, errors.HashpactError):
                response = respond(_for_strangers(error))
            else:
                response = _unforeseen(error, scope)
            if started:
                raise
            await response(scope, receive, send)


def _unforeseen(error: Exception, scope: Scope) -> Response:
    identifier = secrets.token_hex(8)
    # The query is left out: what a client asks for is its own affair.
    log.error("a request broke", id=identifier, method=scope["method"], path=scope["path"], exc_info=error)
    problem = {
        "type": "about:blank",
        "title": HTTPStatus.INTERNAL_SERVER_ERROR.phrase,
        "status": 500,
        "code": "internal-server-error",
        "detail": "something went wrong that nobody foresaw",
        "mend": f"look for the id {identifier} in the node's output, and report what stands there",
        "id": identifier,
    }
    return _response(problem, None)


async def _on_error(request: Request, error: errors.HashpactError) -> Response:
    return respond(error if getattr(request.state, "token", None) else _for_strangers(error))


def _for_strangers(error: errors.HashpactError) -> errors.HashpactError:
    """Leave out where the database is and what it said, for whoever has no token; the operator finds it in the log."""
    if not isinstance(error, errors.StoreError):
        return error
    log.warning("the database could not do what a request needed", error=str(error))
    return type(error)("the node's database could not do it", mend="try again later; the node's output says why")


async def _on_http(_request: Request, error: HTTPException) -> Response:
    if isinstance(error, HttpProblem):
        return plain_problem(error.status_code, error.detail, mend=error.mend, headers=error.headers)
    return plain_problem(error.status_code, DETAILS.get(error.status_code, str(error.detail)), headers=error.headers)


async def _on_invalid(_request: Request, error: RequestValidationError) -> Response:
    """Tell what pydantic found: places and reasons, never the values, which may be long."""
    found = [errors.RequestError(one["msg"], where=_place(one["loc"])) for one in error.errors()]
    return respond(ManyErrors(found, count=len(found)) if len(found) > 1 else found[0])


def _place(location: tuple[int | str, ...]) -> str | None:
    """Write pydantic's place as ``signals[0].value``; that it is in the body, path or query is seen by itself."""
    text = ""
    for part in location[1:] if location and location[0] in {"body", "path", "query", "header"} else location:
        text += f"[{part}]" if isinstance(part, int) and text else f".{part}" if text else str(part)
    return text or "body"


def _sentence(what: str, where: str | None) -> str:
    """Give what is wrong its subject: "is no string" becomes "signals[0].value is no string"."""
    return f"{where.rpartition(': ')[2]} {what}" if where and what.startswith("is ") else what


def _item(what: str, where: str | None, mend: str | None) -> dict[str, str]:
    found = {"where": where, "detail": what, "mend": mend}
    return {key: value for key, value in found.items() if value is not None}


def _response(problem: Mapping[str, Any], headers: Mapping[str, str] | None) -> Response:
    body = json.dumps(problem, ensure_ascii=False).encode("utf-8", errors="replace")
    extra = {"Cache-Control": "no-store", **(headers or {})}
    if problem["status"] in RETRY_STATUSES:
        extra.setdefault("Retry-After", str(RETRY_AFTER_SECONDS))
    return Response(body, problem["status"], headers=extra, media_type=MEDIA_TYPE)


DETAILS: Final = {
    HTTPStatus.NOT_FOUND.value: "there is nothing at this path",
    HTTPStatus.METHOD_NOT_ALLOWED.value: "this path does not know that method; the Allow header says what it knows",
}

PROBLEM_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    "default": {
        "description": "What went wrong.",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}
"""For OpenAPI: every route may answer with a problem."""
