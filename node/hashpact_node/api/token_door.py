"""The door of the API: who has no valid token of the right scope gets nothing but a refusal (RFC 6750).

It stands before all routes, and is closed by default: what is not said to be public in :mod:`hashpact_node.api.scopes`
wants a token, paths that lead nowhere, too. Whoever guesses is told the same in all cases, and after a few wrong tokens
429; a valid token is served whatever else comes from its address, which may be that of a proxy.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import anyio
import structlog
from anyio.to_thread import run_sync
from fastapi import Request
from fastapi.responses import Response
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from hashpact_node.api.connections import tell_known
from hashpact_node.api.lanes import Lanes
from hashpact_node.api.problems import DETAILS, HttpProblem, plain_problem, too_often
from hashpact_node.api.scopes import TOKENLESS, Gate, Gates, Need
from hashpact_node.api.witness import client_of
from hashpact_node.net.rates import Budgets
from hashpact_node.services.actors import Actor, ActorKind
from hashpact_node.services.token_checks import Holder, TokenChecks, TokenRefusedError
from hashpact_node.services.tokens import TokenScope
from hashpact_protocol.errors import StoreError

FAILURES_PER_SECOND: Final = 1.0
FAILURES_BURST: Final = 20.0
"""How many requests without a valid token an address is told 401; then it is told 429."""

BATCH_MAX: Final = 10
"""How many signals a token that may only match asks about at once."""

_REALM: Final = 'Bearer realm="hashpact"'

log = structlog.get_logger(__name__)


class TokenDoor:
    """Lets through what is public, and whoever has a token of the scope that a route wants."""

    def __init__(self, app: ASGIApp, gates: Gates, checks: TokenChecks, lanes: Lanes) -> None:
        self._app = app
        self._gates = gates
        self._checks = checks
        self._lanes = lanes
        self._failures = Budgets(per_second=FAILURES_PER_SECOND, burst=FAILURES_BURST)
        self._one_reads = anyio.Lock()

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        need = self._gates.need(scope["method"], scope["path"]) if scope["type"] == "http" else Gate.PUBLIC
        request = Request(scope) if scope["type"] == "http" else None
        if request is None or need in TOKENLESS or (need is Gate.READY and "authorization" not in request.headers):
            await self._app(scope, receive, send)
            return
        answer = await self._enter(request, need) or self._app
        await answer(scope, receive, send)
        if self._checks.has_news:  # what was asked for is answered by now
            await run_sync(self._checks.write_news, limiter=self._lanes.tokens)

    async def _enter(self, request: Request, need: Need | None) -> Response | None:
        """Give what a request is refused with; None for one that may pass, which then says who asks."""
        try:
            holder = await self._holder(request)
        except TokenRefusedError:
            return self._refuse(request)
        except StoreError as error:
            log.warning("tokens could not be read, so nobody is let in", error=str(error))
            return _busy()
        tell_known(request.scope)
        # Whoever may not do what they ask for is known all the same, to the audit log.
        request.state.actor = Actor(ActorKind.TOKEN, holder.id, request.client.host if request.client else None)
        wait = self._checks.spend(holder)
        if wait:
            self._checks.note_refusal("rate")
            return too_often(f"this token may ask {holder.per_minute:,} times a minute", wait)
        if isinstance(need, TokenScope) and not holder.may(need):
            self._checks.note_refusal("scope")
            return _insufficient(need)
        if need is None:
            return self._nowhere(request)
        request.state.token = holder
        return None

    async def _holder(self, request: Request) -> Holder:
        """Give who asks; TokenRefusedError, StoreError."""
        sent = request.headers.getlist("authorization")
        scheme, _, text = sent[0].partition(" ") if len(sent) == 1 else ("", "", "")
        if scheme.lower() != "bearer":
            raise TokenRefusedError("there is no token")
        if not self._checks.is_fresh:
            async with self._one_reads:  # the others wait here, and hold no thread
                if not self._checks.is_fresh:
                    await run_sync(self._checks.refresh, limiter=self._lanes.tokens)
        return self._checks.check(text)

    def _refuse(self, request: Request) -> Response:
        wait = self._failures.spend(client_of(request))
        self._checks.note_refusal("address" if wait else "token")
        if wait:
            return too_often("too many requests without a valid token came from this address", wait)
        challenge = f'{_REALM}, error="invalid_token"' if "authorization" in request.headers else _REALM
        return plain_problem(
            HTTPStatus.UNAUTHORIZED,
            "this node answers whoever has a valid token, and nobody else",
            mend="send `Authorization: Bearer hp_…`; `hashpact token create` makes a token",
            headers={"WWW-Authenticate": challenge},
        )

    def _nowhere(self, request: Request) -> Response:
        """Answer for the application, which might know a route that was added behind the back of the gates."""
        methods = self._gates.methods(request.scope["path"])
        status = HTTPStatus.METHOD_NOT_ALLOWED if methods else HTTPStatus.NOT_FOUND
        return plain_problem(status, DETAILS[status], headers={"Allow": ", ".join(methods)} if methods else None)


def holder_of(request: Request) -> Holder | None:
    """Give whose token came with a request; None where none is asked for, or none came."""
    return getattr(request.state, "token", None)


def refuse_bulk(request: Request, count: int) -> None:
    """Raise HttpProblem 403 for a batch that is larger than a token may ask about that only matches."""
    if is_brief(request) and count > BATCH_MAX:
        raise HttpProblem(
            HTTPStatus.FORBIDDEN,
            f"this token may ask about {BATCH_MAX} signals at once, not {count:,}",
            mend=f"ask about fewer, or with a token that has the scope {TokenScope.READ}, too",
            headers={"WWW-Authenticate": _insufficient_scope(TokenScope.READ)},
        )


def require_scope(request: Request, need: TokenScope) -> None:
    """Raise HttpProblem 403 where a token lacks a scope that a part of a request wants beyond its route."""
    holder = holder_of(request)
    if holder is None or not holder.may(need):
        raise HttpProblem(
            HTTPStatus.FORBIDDEN,
            f"this token may not do that: it wants the scope {need}",
            mend="use a token that has it, too; `hashpact token create` makes one",
            headers={"WWW-Authenticate": _insufficient_scope(need)},
        )


def is_brief(request: Request) -> bool:
    """Say whether a token is told what to do and no more: it matches, and does not read."""
    holder = holder_of(request)
    return holder is not None and holder.only_matches


def _insufficient(need: TokenScope) -> Response:
    return plain_problem(
        HTTPStatus.FORBIDDEN,
        f"this token may not do that: it wants the scope {need}",
        mend="use a token that has it; `hashpact token create` makes one",
        headers={"WWW-Authenticate": _insufficient_scope(need)},
    )


def _insufficient_scope(need: TokenScope) -> str:
    return f'{_REALM}, error="insufficient_scope", scope="{need}"'


def _busy() -> Response:
    return plain_problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "this node cannot look at tokens just now",
        mend="try again; its output says why",
        headers={"Retry-After": "1"},
    )
