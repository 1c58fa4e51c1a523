"""Who changed something through the API, and who was not let in, go to the audit log, whatever the route.

A route that changes state is recorded because of its method, so a new one is, too; those that only ask are listed here.
Nothing of bodies or queries is recorded: what a request was about is in its path, or its route says so.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hashpact_node.api.problems import MEDIA_TYPE
from hashpact_node.services.actors import Actor, ActorKind
from hashpact_node.services.audit import AuditLog
from hashpact_node.services.failed_entries import FailedEntries
from hashpact_node.store.audit_form import OK, Value

CHANGING: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
ONLY_ASK: Final = frozenset({"match", "match_file", "preview_peer"})
"""Operations that are asked by POST and change nothing."""

NOT_LET_IN: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
NOT_DOORS: Final = frozenset({"/witness/add-checkpoint"})
"""Paths whose 403 says something else than that somebody may not enter."""

NOBODY: Final = "nobody"
_IPV6_SITE: Final = 64
_ANSWER: Final = "hashpact.audited"
_PROBLEM_MAX_BYTES: Final = 64 * 1024


def about(request: Request, subject: str, **detail: Value) -> None:
    """Say what a request is about, where its path does not; no secret, and nothing of a user."""
    request.state.audited = (subject, detail)


def actor_of(request: Request) -> Actor:
    """Give who asks, as a door found out, or nobody at an address."""
    found = getattr(request.state, "actor", None)
    return found if isinstance(found, Actor) else Actor(ActorKind.TOKEN, NOBODY, _host(request.scope))


class Audited:
    """Holds an answer back until what was done, or refused, is recorded."""

    def __init__(self, app: ASGIApp, audit: AuditLog, failed: FailedEntries) -> None:
        self._app = app
        self._audit = audit
        self._failed = failed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._failed.is_due():
            await run_in_threadpool(self._failed.flush)
        scope = {**scope}
        answer = scope[_ANSWER] = _Answer(scope)

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.take_start(message)
                if self._concerns(answer):
                    answer.held = message
                    return
            elif answer.held is not None:
                start, answer.held, answer.body = answer.held, None, message.get("body", b"")
                await self._record(answer)
                await send(start)
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception as error:
            if _changes(answer.scope) and not answer.recorded:
                answer.status = HTTPStatus.INTERNAL_SERVER_ERROR
                answer.result = "interrupted" if isinstance(error, ClientDisconnect) else "internal-server-error"
                await self._record(answer)
            raise

    def _concerns(self, answer: _Answer) -> bool:
        return _is_failed_entry(answer) or (
            _changes(answer.scope) and answer.status != HTTPStatus.TOO_MANY_REQUESTS and answer.status not in NOT_LET_IN
        )

    async def _record(self, answer: _Answer) -> None:
        answer.recorded = True
        result = answer.result or answer.code()
        if _is_failed_entry(answer):  # what a flood is made of: it must cost next to nothing
            known = answer.scope.get("state", {}).get("actor")
            actor = known if isinstance(known, Actor) else _stranger(_host(answer.scope) or "")
            if not self._failed.count(actor, result):
                await run_in_threadpool(self._failed.note, actor, _area(answer.scope), result, answer.told("detail"))
            return
        request = Request(answer.scope)
        actor = actor_of(request)
        subject, detail = getattr(request.state, "audited", ("", {}))
        told = {**detail, "method": answer.scope["method"], "status": answer.status}
        subject = _subject(answer.scope) or answer.location() or subject
        await run_in_threadpool(self._audit.try_record, actor, _operation(answer.scope), subject, result, told)


class Reached:
    """The innermost layer: tells ``Audited`` what doors between them made of the request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        answer = scope.get(_ANSWER)
        if isinstance(answer, _Answer):
            answer.scope = scope
        await self._app(scope, receive, send)


@dataclass(slots=True)
class _Answer:
    """What is answered to which request, as far as it is known; ``held`` is its start until it is recorded."""

    scope: Scope
    held: Message | None = None
    recorded: bool = False
    status: int = 0
    result: str = ""
    body: bytes = b""
    headers: Sequence[tuple[bytes, bytes]] = ()

    def take_start(self, message: Message) -> None:
        """Take the status and the headers."""
        self.status, self.headers = message["status"], message.get("headers", ())

    def location(self) -> str:
        """Give the last part of where it says that the new thing is."""
        return self._header(b"location").rstrip("/").rpartition("/")[2]

    def code(self) -> str:
        """Give ``ok``, or the code of the problem."""
        return OK if self.status < HTTPStatus.BAD_REQUEST else self.told("code") or str(self.status)

    def told(self, field: str) -> str:
        """Give what a problem says, or nothing."""
        if len(self.body) > _PROBLEM_MAX_BYTES or not self._header(b"content-type").startswith(MEDIA_TYPE):
            return ""
        return _told(self.body, field)

    def _header(self, name: bytes) -> str:
        return next((value.decode("latin-1") for one, value in self.headers if one.lower() == name), "")


@lru_cache(maxsize=256)
def _told(problem: bytes, field: str) -> str:
    """Give what a problem says; most of a flood is told the same."""
    told: Any = json.loads(problem or b"null")
    found = told.get(field) if isinstance(told, dict) else None
    return found if isinstance(found, str) else ""


def _host(scope: Scope) -> str | None:
    client = scope.get("client")
    return client[0] if client else None


@lru_cache(maxsize=4_096)
def _stranger(host: str) -> Actor:
    """Give somebody at an address; of IPv6 the /64, in which a client can be anyone."""
    try:
        address = ip_address(host)
    except ValueError:
        return Actor(ActorKind.TOKEN, NOBODY)
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    shown = str(address) if isinstance(address, IPv4Address) else str(IPv6Network((address, _IPV6_SITE), strict=False))
    return Actor(ActorKind.TOKEN, NOBODY, shown)


def _is_failed_entry(answer: _Answer) -> bool:
    """Say whether somebody was not let in; at a door, who tried too often is one of them."""
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return not _operation(answer.scope)
    return answer.status in NOT_LET_IN and not (
        answer.status == HTTPStatus.FORBIDDEN and answer.scope["path"] in NOT_DOORS
    )


def _changes(scope: Scope) -> bool:
    """Say whether a request came to a route that changes something."""
    operation = _operation(scope)
    asked = scope["method"] in CHANGING and scope["path"].startswith("/v1")
    return asked and operation != "" and operation not in ONLY_ASK


def _operation(scope: Scope) -> str:
    """Give the name of the route that was found, if any was that knows the method."""
    route = scope.get("route")
    if not isinstance(route, APIRoute) or scope["method"] not in (route.methods or ()):
        return ""
    return route.operation_id or route.name


def _subject(scope: Scope) -> str:
    return "/".join(str(part) for part in scope.get("path_params", {}).values())


def _area(scope: Scope) -> str:
    """Give where somebody knocked, as far as it is one of a few words."""
    first = "/" + scope["path"].lstrip("/").partition("/")[0]
    return first if first in {"/v1", "/logs", "/witness", "/mirror", "/metrics", "/trust"} else "elsewhere"
