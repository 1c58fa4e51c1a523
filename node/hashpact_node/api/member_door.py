"""The door for other members: what is not public is answered to requests that a member has signed, and to no others."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import Final

from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hashpact_node.api.problems import plain_problem
from hashpact_node.net.rates import Budgets
from hashpact_node.services.actors import Actor, ActorKind
from hashpact_node.services.doorkeeping import Doorkeeper
from hashpact_protocol.errors import SignatureError
from hashpact_protocol.requests import SIGNATURE_FIELDS
from hashpact_protocol.witness import ADD_CHECKPOINT_MAX_BYTES

MEMBERS_ONLY: Final = ("/logs", "/witness", "/mirror")
"""Below these paths nobody is answered who did not sign (docs/protocol.md, Requests)."""

MEMBER_PER_SECOND: Final = 1_500.0
MEMBER_BURST: Final = 3_000.0
"""How often one member is answered, by each process: more than a node asks of one peer."""

_ASKED_FOR: Final = 'hashpact=("@method" "@authority" "@path" "@query");created;expires;keyid;tag="hashpact"'
_HEADERS: Final = {"WWW-Authenticate": "Signature", "Accept-Signature": _ASKED_FOR}
_SAFE: Final = frozenset({"GET", "HEAD"})
_FIELDS: Final = frozenset(name.encode() for name in SIGNATURE_FIELDS)


class MemberDoor:
    """Lets members in by their signatures, and tells the route who it is; others get 401, whatever they ask for."""

    def __init__(self, app: ASGIApp, doorkeeper: Doorkeeper, budgets: Budgets | None = None) -> None:
        self._app = app
        self._doorkeeper = doorkeeper
        self._budgets = budgets or Budgets(per_second=MEMBER_PER_SECOND, burst=MEMBER_BURST)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or not is_members_only(scope["path"]):
            await self._app(scope, receive, send)
            return
        fields = [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"] if name in _FIELDS]
        if not fields:  # most of what strangers send ends here, and costs next to nothing
            await _UNSIGNED(scope, receive, send)
            return
        method = scope["method"]
        body = b"" if method in _SAFE else await _read(receive)
        if body is None:
            await _TOO_LONG(scope, receive, send)
            return
        try:
            member = await run_in_threadpool(self._doorkeeper.admit, method, _target(scope), fields, body)
        except SignatureError as error:
            await _refusal(error.what, error.mend)(scope, receive, send)
            return
        wait = self._budgets.spend(member)
        if wait:
            await _too_often(wait)(scope, receive, send)
            return
        actor = Actor(ActorKind.MEMBER, member, (scope.get("client") or (None,))[0])
        scope = {**scope, "state": {**scope.get("state", {}), "actor": actor}}
        await self._app(scope, receive if method in _SAFE else _again(body, receive), send)


def _refusal(what: str, mend: str | None) -> Response:
    return plain_problem(HTTPStatus.UNAUTHORIZED, what, mend=mend, headers=_HEADERS)


def _too_often(seconds: float) -> Response:
    return plain_problem(
        HTTPStatus.TOO_MANY_REQUESTS,
        f"a member is answered {MEMBER_PER_SECOND:,.0f} times a second at most",
        mend="wait as Retry-After says",
        headers={"Retry-After": str(math.ceil(seconds))},
    )


_UNSIGNED: Final = _refusal("the request is not signed", "sign it with a request key of your member card")
_TOO_LONG: Final = plain_problem(
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    f"the body is longer than {ADD_CHECKPOINT_MAX_BYTES:,} bytes",
    headers={"Connection": "close"},
)


def is_members_only(path: str) -> bool:
    """Say whether a path below the member's URL is for members alone."""
    return path.startswith(tuple(f"{prefix}/" for prefix in MEMBERS_ONLY)) or path in MEMBERS_ONLY


def _target(scope: Scope) -> str:
    """Give path and query as they were sent; what is no ASCII fits no signature."""
    query: bytes = scope["query_string"]
    raw: bytes = scope["raw_path"]
    return (raw + b"?" * bool(query) + query).decode("latin-1")


async def _read(receive: Receive) -> bytes | None:
    """Read the body whole, since what was signed is its digest; None where it is longer than any route takes."""
    chunks: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > ADD_CHECKPOINT_MAX_BYTES:
            return None
        more = message.get("more_body", False)
    return b"".join(chunks)


def _again(body: bytes, receive: Receive) -> Receive:
    """Give the body once more to whoever is behind the door."""
    given = False

    async def give() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return give
