"""What routes are given: the node, and bodies under a cap."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Annotated, Final, TypeVar

import msgspec
from fastapi import Depends, Request

from hashpact_node.api.problems import HttpProblem
from hashpact_node.assembly import Node
from hashpact_protocol.errors import ConfigurationError, RequestError

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
SMALL_BODY_MAX_BYTES: Final = 1024 * 1024

_T = TypeVar("_T")
_PLACE: Final = re.compile(r" - at `\$?\.?(.*)`$")


def get_node(request: Request) -> Node:
    """Give the node that is served; ConfigurationError where the app was made to describe itself only."""
    node = request.app.state.node
    if node is None:
        raise ConfigurationError("no node stands behind this API", mend="start it with `hashpact serve`")
    return node  # type: ignore[no-any-return]  # app.state has no types; create_app puts it there


NodeOf = Annotated[Node, Depends(get_node)]


def check_media_type(request: Request, *allowed: str) -> str:
    """Give the media type of the body; HttpProblem 415 unless it is one of those.

    Browsers send other sites' requests under a few media types without asking first; none of those is ever allowed.
    """
    found = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if found not in allowed:
        raise HttpProblem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"the body comes as {found[:60]!r}" if found else "the body comes without a Content-Type",
            mend=f"send it as {' or '.join(allowed)}",
        )
    return found


async def read_body(request: Request, *, max_bytes: int) -> bytes:
    """Read the body; HttpProblem 413 as soon as it is clear that it has more bytes than that."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise _too_large(max_bytes)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > max_bytes:
            raise _too_large(max_bytes)
        chunks.append(chunk)
    return b"".join(chunks)


async def read_json(request: Request, kind: type[_T], *, max_bytes: int = SMALL_BODY_MAX_BYTES) -> _T:
    """Read a JSON body of that type; RequestError that names the field, HttpProblem for the wrong type or length."""
    check_media_type(request, JSON)
    return decode_json(await read_body(request, max_bytes=max_bytes), kind)


def decode_json(data: bytes, kind: type[_T]) -> _T:
    """Decode JSON into that type, which must not hold Any; RequestError that says what is wrong at which field."""
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        text = str(error)
        place = _PLACE.search(text)
        if place is None:
            raise RequestError(text, where="body") from None
        raise RequestError(text[: place.start()], where=place[1] or "body") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RequestError(f"this is no JSON: {error}", where="body") from None
    except RecursionError:
        raise RequestError("this JSON is nested too deeply", where="body") from None


def _too_large(max_bytes: int) -> HttpProblem:
    return HttpProblem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the body is longer than {max_bytes:,} bytes",
        mend="send less at once",
        headers={"Connection": "close"},
    )
