from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request

from hashpact_node.api import front
from hashpact_node.api.front import BelowPath, BodyCap, Guard, HeadAsGet, host_of
from hashpact_node.api.problems import Shield, add_handlers
from hashpact_node.app import create_app


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI(openapi_url=None, redirect_slashes=False)
    add_handlers(app)

    @app.post("/v1/listings")
    @app.post("/v1/listings/echo")
    @app.api_route("/v1/echo", methods=["GET", "POST"])
    async def echo(request: Request) -> int:
        return len(await request.body())

    @app.get("/logs/echo")
    async def public(request: Request) -> str:
        return str(request.scope["raw_path"])

    app.add_middleware(BodyCap)
    app.add_middleware(HeadAsGet)
    app.add_middleware(Guard, host="acme.example")
    app.add_middleware(BelowPath, path="/share/hashpact")
    app.add_middleware(Shield)
    return app


def ask(app: FastAPI, method: str, path: str, host: str = "127.0.0.1:8470", **options: Any) -> httpx.Response:
    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
            return await client.request(method, path, **options)

    return asyncio.run(run())


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8470", "[::1]:8470", "localhost:1", "acme.example", "ACME.example:443"]
)
def test_the_api_is_served_under_addresses_and_its_own_name(app: FastAPI, host: str) -> None:
    assert ask(app, "GET", "/v1/echo", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8470", "acme.example.evil.example", "127.0.0.1.evil.example", ""]
)
def test_the_api_is_not_served_under_other_names(app: FastAPI, host: str) -> None:
    answer = ask(app, "GET", "/v1/echo", headers={"Host": host})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert ask(app, "GET", "/logs/echo", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("site", "status"), [("none", 200), ("same-origin", 200), ("same-site", 403), ("cross-site", 403)]
)
def test_other_sites_pages_may_not_use_the_api(app: FastAPI, site: str, status: int) -> None:
    assert ask(app, "POST", "/v1/echo", headers={"Sec-Fetch-Site": site}).status_code == status
    assert ask(app, "GET", "/logs/echo", headers={"Sec-Fetch-Site": site}).status_code == 200


def test_everything_is_served_below_the_member_s_path_too(app: FastAPI) -> None:
    assert ask(app, "GET", "/share/hashpact/logs/echo").json() == "b'/logs/echo'"
    assert ask(app, "GET", "/logs/echo").json() == "b'/logs/echo'"
    for path in ("/share/hashpactlogs/echo", "/share/hashpact", "/share/logs/echo", "/share%2Fhashpact/logs/echo"):
        assert ask(app, "GET", path).status_code == 404
    evil = ask(app, "GET", "/share/hashpact/v1/echo", headers={"Host": "evil.example"})
    assert evil.status_code == 403


@pytest.mark.parametrize(("path", "most"), [("/v1/echo", 100), ("/v1/listings", 1_000), ("/v1/listings/echo", 100)])
def test_bodies_are_capped_whoever_reads_them(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch, path: str, most: int
) -> None:
    monkeypatch.setattr(front, "SMALL_BODY_MAX_BYTES", 100)
    monkeypatch.setattr(front, "BODY_MAX_BYTES", 1_000)
    assert ask(app, "POST", path, content=b" " * most).json() == most
    answer = ask(app, "POST", path, content=b" " * (most + 1))
    assert (answer.status_code, answer.headers["connection"]) == (413, "close")


def test_paths_that_take_long_bodies_exist() -> None:
    posts = {path for path, methods in create_app(None).openapi()["paths"].items() if "post" in methods}
    assert posts >= front.LARGE_BODIES


def test_head_is_get_without_the_body(app: FastAPI) -> None:
    for path, status in (("/logs/echo", 200), ("/share/hashpact/logs/echo", 200), ("/logs/none", 404)):
        asked, told = ask(app, "GET", path), ask(app, "HEAD", path)
        assert (told.status_code, told.content) == (status, b"")
        assert told.headers == asked.headers
    assert ask(app, "POST", "/logs/echo").status_code == 405


@pytest.mark.parametrize(
    ("authority", "host"),
    [("a.example:1", "a.example"), ("A.example", "a.example"), ("[::1]:80", "::1"), ("[::1]", "::1"), ("", "")],
)
def test_a_host_is_read_out_of_its_header(authority: str, host: str) -> None:
    assert host_of(authority) == host


def test_what_is_no_http_passes() -> None:
    seen: list[str] = []

    async def app(scope: Any, _receive: object, _send: object) -> None:
        seen.append(scope["type"])

    wrapped = BelowPath(Guard(HeadAsGet(BodyCap(app)), host="acme.example"), path="/x")
    asyncio.run(wrapped({"type": "lifespan"}, None, None))  # type: ignore[arg-type]  # nothing is exchanged
    assert seen == ["lifespan"]
