"""What every request passes before its route: who may ask by a browser, how much may be sent, below which path."""

from __future__ import annotations

from http import HTTPStatus
from ipaddress import ip_address
from typing import Final

from fastapi.responses import Response
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hashpact_node.api.deps import SMALL_BODY_MAX_BYTES
from hashpact_node.api.problems import HttpProblem, plain_problem

BODY_MAX_BYTES: Final = 64 * 1024 * 1024
"""No route takes more; some take less."""

LARGE_BODIES: Final = frozenset({"/v1/blobs", "/v1/listings", "/v1/match", "/v1/match/file"})
"""The paths that take more than a megabyte; each reads its body under a cap of its own."""


class BelowPath:
    """Serves everything below the path of the member's URL, too, for proxies that pass paths on as they are."""

    def __init__(self, app: ASGIApp, path: str) -> None:
        self._app = app
        self._path = path
        self._raw = path.encode() + b"/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if self._path and scope["type"] == "http" and scope.get("raw_path", b"").startswith(self._raw):
            cut = len(self._path)
            scope = {**scope, "path": scope["path"][cut:], "raw_path": scope["raw_path"][cut:]}
        await self._app(scope, receive, send)


class Guard:
    """Keeps other sites' pages, in a browser on this machine, from using the API of a node that trusts loopback.

    Browsers say where a request comes from (Fetch Metadata), and a site that lets its own name lead to loopback is
    told by that name in Host. Nothing of it concerns other clients, or what is public.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app = app
        self._hosts = {"localhost", host}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http" and scope["path"].startswith(("/v1", "/metrics")):
            refused = self._refuse(Headers(scope=scope))
            if refused is not None:
                await refused(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refuse(self, headers: Headers) -> Response | None:
        if headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
            return plain_problem(HTTPStatus.FORBIDDEN, "pages of other sites may not use this API")
        host = host_of(headers.get("host", ""))
        if host in self._hosts or _is_address(host):
            return None
        return plain_problem(
            HTTPStatus.FORBIDDEN,
            f"this API is not served under the name {host[:100]!r}",
            mend="ask at 127.0.0.1, localhost or the host of the member's URL",
        )


class HeadAsGet:
    """Answers HEAD as GET, without the body (RFC 9110, section 9.3.2); routes know GET alone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self._app({**scope, "method": "GET"}, receive, without_body)


class BodyCap:
    """Refuses bodies that no route would take, whoever reads them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD"}:
            await self._app(scope, receive, send)
            return
        most = BODY_MAX_BYTES if scope["path"] in LARGE_BODIES else SMALL_BODY_MAX_BYTES
        size = 0

        async def count() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > most:
                raise HttpProblem(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                    f"the body is longer than {most:,} bytes",
                    mend="send less at once",
                    headers={"Connection": "close"},
                )
            return message

        await self._app(scope, count, send)


def host_of(authority: str) -> str:
    """Give the host of a Host header, without its port, in lower case."""
    if authority.startswith("["):
        return authority[1:].partition("]")[0].lower()
    return authority.partition(":")[0].lower()


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
