"""Whatever changes something through the API is recorded, by what it is, and so is who was not let in."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from hashpact_node.api.audited import CHANGING, NOT_DOORS, ONLY_ASK, about
from hashpact_node.api.problems import HttpProblem, plain_problem
from hashpact_node.app import create_app
from hashpact_node.assembly import Node
from hashpact_node.services.actors import Actor, ActorKind
from hashpact_node.services.tokens import split_token
from hashpact_protocol.errors import ConflictError
from members import listing, sha256
from publisher import Publisher
from serving import Served, bearer, make_token, without_doors


def told(node: Node, *, jobs: bool = False) -> list[dict[str, Any]]:
    """Give what is recorded, but for the token that the client got."""
    others = {"command"} if jobs else {"command", "job"}
    return [one for one in node.audit.newest(limit=100) if one["actor"]["kind"] not in others]


def brief(node: Node) -> list[tuple[Any, ...]]:
    return [(one["action"], one["subject"], one["result"], one["detail"].get("status")) for one in told(node)]


def test_what_a_peer_goes_through_is_recorded(served: Served, beta: Publisher) -> None:
    beta.log.append(listing(1, sha256(1)))
    body = {"member": "beta", "url": beta.url, "fingerprint": beta.fingerprint}
    assert served.post("/v1/peers", json=body).status_code == 201
    assert served.post("/v1/peers", json=body).status_code == 409
    served.post("/v1/peers/beta/pull")
    served.post("/v1/peers/beta/pause")
    served.post("/v1/peers/gamma/pause")
    served.client.delete("/v1/peers/beta")
    assert brief(served.node) == [
        ("add_peer", "beta", "ok", 201),
        ("add_peer", "beta", "conflict", 409),
        ("pull_peer", "beta", "ok", 200),
        ("pause_peer", "beta", "ok", 200),
        ("pause_peer", "gamma", "not-found", 404),
        ("remove_peer", "beta", "ok", 200),
    ]
    first = told(served.node)[0]
    assert first["actor"] == {"kind": "token", "name": split_token(served.token)[0], "address": "127.0.0.1"}
    assert first["detail"] == {"method": "POST", "status": 201, "url": beta.url}
    assert [one["subject"] for one in told(served.node, jobs=True) if one["action"] == "take card"] == ["acme", "beta"]
    assert served.node.audit.verify().sound


def test_publishing_is_recorded_by_the_listing_or_how_many_lines(sqlite_served: Served) -> None:
    draft = {"content": "image", "signals": [{"type": "sha256", "value": f"{1:064x}"}]}
    made = sqlite_served.post("/v1/listings", json=draft).json()
    sqlite_served.post("/v1/listings", content=b"{}\n{}\n", headers={"Content-Type": "application/x-ndjson"})
    sqlite_served.post(f"/v1/listings/{made['id']}/withdraw", json={"reason": "error"})
    assert brief(sqlite_served.node) == [
        ("publish_listings", made["id"], "ok", 201),
        ("publish_listings", "listings", "statement-malformed", 422),
        ("withdraw_listing", made["id"], "ok", 200),
    ]
    assert told(sqlite_served.node)[1]["detail"]["lines"] == 2


def test_what_only_asks_is_not_recorded(sqlite_served: Served) -> None:
    assert sqlite_served.post("/v1/match", json={"signals": [{"type": "md5", "value": "0" * 32}]}).status_code == 200
    sqlite_served.post("/v1/match/file", content=b"x", headers={"Content-Type": "application/octet-stream"})
    sqlite_served.get("/v1/status")
    sqlite_served.get("/v1/peers/nobody")
    assert sqlite_served.post("/v1/nothing").status_code == 404
    assert sqlite_served.post("/v1/status").status_code == 405
    assert told(sqlite_served.node) == []


def test_neither_bodies_nor_queries_are_recorded(sqlite_served: Served) -> None:
    sqlite_served.post("/v1/listings?log=hunter2-log&wait=hunter2", json={"note": "hunter2"})
    sqlite_served.post("/v1/peers?token=hunter2", json={"member": "b", "url": "https://x:hunter2@b.example"})
    assert len(told(sqlite_served.node)) == 2
    assert "hunter2" not in str(told(sqlite_served.node)).replace("hunter2-log", "")


def operations() -> Iterator[tuple[str, str, str]]:
    for path, methods in create_app().openapi()["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation["operationId"]


def test_what_is_said_to_change_nothing_exists() -> None:
    by_post = {name for method, path, name in operations() if method in CHANGING and path.startswith("/v1")}
    assert by_post > ONLY_ASK
    assert {path for _, path, _ in operations()} >= NOT_DOORS


# What no route of today does: on an application with some more routes

NEW = APIRouter(prefix="/v1/new")


@NEW.put("/{name}/{part}", operation_id="change_new")
def change(name: str, part: int) -> dict[str, Any]:
    return {"name": name, "part": part}


@NEW.post("/known", operation_id="known")
def known(request: Request) -> Response:
    request.state.actor = Actor(ActorKind.TOKEN, "k1", "192.0.2.7")
    about(request, "something", size=7)
    raise ConflictError("it is not so", where="https://user:hunter2@x.example")


@NEW.post("/broken", operation_id="broken")
def broken() -> Response:
    raise RuntimeError("hunter2")


@NEW.patch("/often", operation_id="often")
def often() -> Response:
    raise HttpProblem(429, "too often")


@NEW.get("/closed", operation_id="closed")
def closed(request: Request, code: int) -> Response:
    request.state.actor = Actor(ActorKind.MEMBER, "beta", "192.0.2.8")
    raise HttpProblem(code, "not for you")


@pytest.fixture
def app(sqlite_node: Node) -> FastAPI:
    made = without_doors(create_app(sqlite_node, schedule=False))
    made.include_router(NEW)
    return made


def ask(app: FastAPI, *requests: tuple[str, str], host: str = "192.0.2.9", **options: Any) -> list[int]:
    async def run() -> list[int]:
        transport = httpx.ASGITransport(app, client=(host, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return [(await client.request(method, path, **options)).status_code for method, path in requests]

    return asyncio.run(run())


def test_a_new_route_is_recorded_by_itself(app: FastAPI, sqlite_node: Node) -> None:
    assert ask(app, ("PUT", "/v1/new/a/1"), ("PUT", "/v1/new/a/b"), ("POST", "/v1/new/known")) == [200, 422, 409]
    assert brief(sqlite_node) == [
        ("change_new", "a/1", "ok", 200),
        ("change_new", "a/b", "request-invalid", 422),
        ("known", "something", "conflict", 409),
    ]
    assert told(sqlite_node)[0]["actor"]["address"] == "192.0.2.9"
    assert told(sqlite_node)[2]["actor"] == {"kind": "token", "name": "k1", "address": "192.0.2.7"}
    assert told(sqlite_node)[2]["detail"] == {"method": "POST", "size": 7, "status": 409}


def test_one_that_breaks_is_recorded_too(app: FastAPI, sqlite_node: Node) -> None:
    assert ask(app, ("POST", "/v1/new/broken")) == [500]
    assert brief(sqlite_node) == [("broken", "", "internal-server-error", 500)]
    assert "hunter2" not in str(told(sqlite_node))


def test_one_that_is_asked_too_often_did_nothing(app: FastAPI, sqlite_node: Node) -> None:
    assert ask(app, ("PATCH", "/v1/new/often")) == [429]
    assert brief(sqlite_node) == []


def test_who_is_not_let_in_is_recorded_once_a_minute(app: FastAPI, sqlite_node: Node) -> None:
    knock = ("GET", "/v1/new/closed?code=401")
    assert ask(app, *[knock] * 20) == [401] * 20
    (one,) = told(sqlite_node)
    assert one["detail"] == {"why": "not for you"}
    assert (one["actor"]["name"], one["action"], one["subject"], one["result"]) == (
        "beta",
        "enter",
        "/v1",
        "unauthorized",
    )
    app.state.failed_entries.flush(everything=True)
    assert told(sqlite_node)[1]["detail"] == {"more": 19}


def test_who_is_refused_at_the_front_is_recorded(app: FastAPI, sqlite_node: Node) -> None:
    assert ask(app, ("POST", "/v1/peers"), headers={"Host": "evil.example"}) == [403]
    (one,) = told(sqlite_node)
    assert (one["actor"], one["action"], one["result"]) == (
        {"kind": "token", "name": "nobody", "address": "192.0.2.9"},
        "enter",
        "forbidden",
    )


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("2001:db8:0:7::1", "2001:db8:0:7::/64"),
        ("2001:db8:0:7:ffff::2", "2001:db8:0:7::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("no address", None),
    ],
)
def test_strangers_are_told_apart_by_where_they_may_be(
    app: FastAPI, sqlite_node: Node, host: str, shown: str | None
) -> None:
    ask(app, ("POST", "/v1/peers"), headers={"Host": "evil.example"}, host=host)
    assert [one["actor"]["address"] for one in told(sqlite_node)] == [shown]


def test_counts_are_written_with_a_later_request_and_at_the_end(app: FastAPI, sqlite_node: Node) -> None:
    times, why = [0.0], {"why": "not for you"}
    app.state.failed_entries.monotonic = lambda: times[0]
    ask(app, *[("GET", "/v1/new/closed?code=403")] * 3)
    times[0] = 61.0
    ask(app, ("GET", "/healthz"))
    assert [one["detail"] for one in told(sqlite_node)] == [why, {"more": 2}]
    ask(app, *[("GET", "/v1/new/closed?code=403")] * 2)

    async def stop() -> None:
        async with app.router.lifespan_context(app):
            pass

    asyncio.run(stop())
    assert [one["detail"] for one in told(sqlite_node)] == [why, {"more": 2}, why, {"more": 1}]


class Door:
    """Lets nobody in at one path, and tells who comes at others, with a scope of its own."""

    def __init__(self, app: ASGIApp, status: int) -> None:
        self._app, self._status = app, status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/witness/add-checkpoint":
            await plain_problem(self._status, "no")(scope, receive, send)
            return
        state = {**scope.get("state", {}), "actor": Actor(ActorKind.TOKEN, "k2", "192.0.2.3")}
        await self._app({**scope, "state": state}, receive, send)


@pytest.mark.parametrize(("status", "entries"), [(401, 1), (403, 0)])
def test_a_checkpoint_that_nobody_signed_is_no_failed_entry(
    app: FastAPI, sqlite_node: Node, status: int, entries: int
) -> None:
    app.user_middleware.insert(-1, Middleware(Door, status=status))
    assert ask(app, ("POST", "/witness/add-checkpoint")) == [status]
    assert [one["subject"] for one in told(sqlite_node)] == ["/witness"] * entries


def test_what_a_door_between_finds_out_is_recorded(app: FastAPI, sqlite_node: Node) -> None:
    app.user_middleware.insert(-1, Middleware(Door, status=401))
    assert ask(app, ("PUT", "/v1/new/a/1")) == [200]
    (one,) = told(sqlite_node)
    assert (one["actor"]["name"], one["action"], one["subject"]) == ("k2", "change_new", "a/1")


# At the door of the API


def test_whoever_guesses_tokens_is_counted_and_a_token_that_may_not_is_named(
    sqlite_served: Served, bare: httpx.Client
) -> None:
    secret = "S" * 43
    weak, strong = make_token(sqlite_served.node, "match"), make_token(sqlite_served.node, "operate")
    for number in range(30):  # beyond so many the door says 429
        bare.get("/v1/status", headers=bearer(f"hp_{number:010x}_{secret}"))
    assert bare.post("/v1/peers/beta/pause", headers=bearer(weak)).status_code == 403
    assert bare.post("/v1/peers/beta/pause", headers=bearer(strong)).status_code == 404
    sqlite_served.app.state.failed_entries.flush(everything=True)
    entries = [
        (one["actor"]["name"], one["action"], one["result"], one["detail"].get("more"))
        for one in told(sqlite_served.node)
        if one["actor"]["kind"] == "token"
    ]
    weak_id, strong_id = weak.split("_")[1], strong.split("_")[1]
    assert entries[:4] == [
        ("nobody", "enter", "unauthorized", None),
        ("nobody", "enter", "too-many-requests", None),
        (weak_id, "enter", "forbidden", None),
        (strong_id, "pause_peer", "not-found", None),
    ]
    counts = {result: more for _, _, result, more in entries[4:]}
    assert sum(more + 1 for more in counts.values()) == 30
    everything = str(told(sqlite_served.node))
    assert secret not in everything
    assert weak not in everything
    assert strong.split("_")[2] not in everything


def test_an_answer_waits_until_it_is_recorded(sqlite_served: Served) -> None:
    for number in range(5):
        sqlite_served.post("/v1/peers/nobody/pause")
        assert len(told(sqlite_served.node)) == number + 1
