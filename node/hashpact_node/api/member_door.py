"""The door for other members: what is not public is answered to requests that a member has signed, and to no others.

Signatures are checked in a lane of their own, and what must not come twice is written in another: neither a flood of
forgeries nor a long writer keeps readers of lists from a thread. What fails counts against its address, which decides
in what words it is refused and nothing else: behind a proxy it is the address of all.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import structlog
from fastapi.responses import Response
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hashpact_node.api.clients import client_key
from hashpact_node.api.connections import tell_known
from hashpact_node.api.lanes import Lanes, run_in
from hashpact_node.api.problems import plain_problem, too_often
from hashpact_node.net.rates import Budgets
from hashpact_node.services.actors import Actor, ActorKind
from hashpact_node.services.doorkeeping import Doorkeeper
from hashpact_node.services.token_checks import TokenChecks
from hashpact_protocol.errors import SignatureError, StoreError
from hashpact_protocol.requests import SIGNATURE_FIELDS
from hashpact_protocol.witness import ADD_CHECKPOINT_MAX_BYTES

MEMBERS_ONLY: Final = ("/logs", "/witness", "/mirror")
"""Below these paths nobody is answered who did not sign (docs/protocol.md, Requests)."""

MEMBER_PER_SECOND: Final = 1_500.0
MEMBER_BURST: Final = 3_000.0
"""How often one member is answered, by each process: more than a node asks of one peer."""

FAILURES_PER_SECOND: Final = 10.0
FAILURES_BURST: Final = 100.0
"""How many signatures that are none an address is told 401; then it is told 429."""

_ASKED_FOR: Final = 'hashpact=("@method" "@authority" "@path" "@query");created;expires;keyid;tag="hashpact"'
_HEADERS: Final = {"WWW-Authenticate": "Signature", "Accept-Signature": _ASKED_FOR}
_SAFE: Final = frozenset({"GET", "HEAD"})
_FIELDS: Final = frozenset(name.encode() for name in SIGNATURE_FIELDS)

log = structlog.get_logger(__name__)


class MemberDoor:
    """Lets members in by their signatures, and tells the route who it is; others get 401, whatever they ask for."""

    def __init__(
        self, app: ASGIApp, doorkeeper: Doorkeeper, checks: TokenChecks, lanes: Lanes, budgets: Budgets | None = None
    ) -> None:
        self._app = app
        self._doorkeeper = doorkeeper
        self._checks = checks
        self._lanes = lanes
        self._budgets = budgets or Budgets(per_second=MEMBER_PER_SECOND, burst=MEMBER_BURST)
        self._failures = Budgets(per_second=FAILURES_PER_SECOND, burst=FAILURES_BURST)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or not is_members_only(scope["path"]):
            await self._app(scope, receive, send)
            return
        fields = [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"] if name in _FIELDS]
        if not fields:  # most of what strangers send ends here, and costs next to nothing
            self._checks.note_refusal("signature")
            await _UNSIGNED(scope, receive, send)
            await self._write_news()
            return
        method = scope["method"]
        body = b"" if method in _SAFE else await _read(receive)
        if body is None:
            await _TOO_LONG(scope, receive, send)
            return
        refused = await self._enter(scope, fields, body)
        if refused is not None:
            await refused(scope, receive, send)
            await self._write_news()
            return
        tell_known(scope)
        await self._app(scope, receive if method in _SAFE else _again(body, receive), send)

    async def _enter(self, scope: Scope, fields: list[tuple[str, str]], body: bytes) -> Response | None:
        """Tell the route and the audit log which member asks, or give what a request is refused with.

        Whoever asks too often has nothing written.
        """
        keeper = self._doorkeeper
        try:
            found = await run_in(self._lanes.admission, keeper.check, scope["method"], _target(scope), fields, body)
            host = (scope.get("client") or (None,))[0]
            Request(scope).state.actor = Actor(ActorKind.MEMBER, found.member, host)
            wait = self._budgets.spend(found.member)
            if wait:
                self._checks.note_refusal("member")
                return too_often(f"a member is answered {MEMBER_PER_SECOND:,.0f} times a second at most", wait)
            if found.nonce is not None:
                await run_in(self._lanes.nonces, keeper.remember, found)
        except SignatureError as error:
            return self._refuse(scope, error)
        return None

    def _refuse(self, scope: Scope, error: SignatureError) -> Response:
        wait = self._failures.spend(client_key((scope.get("client") or ("",))[0]))
        self._checks.note_refusal("address" if wait else "signature")
        if wait:
            return too_often("too many requests that no member signed came from this address", wait)
        return _refusal(error.what, error.mend)

    async def _write_news(self) -> None:
        """Write what was noted on the way; whoever is refused has their answer by now."""
        if self._doorkeeper.has_hints:
            try:
                await run_in(self._lanes.nonces, self._doorkeeper.give_hints)
            except StoreError as error:
                log.warning("that a card may be newer could not be written", error=str(error))
        if self._checks.has_news:
            await run_in(self._lanes.tokens, self._checks.write_news)


def _refusal(what: str, mend: str | None) -> Response:
    return plain_problem(HTTPStatus.UNAUTHORIZED, what, mend=mend, headers=_HEADERS)


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
