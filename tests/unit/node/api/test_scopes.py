"""Every route of the application, with tokens that do not open it and one that does."""

from __future__ import annotations

import re
from datetime import timedelta
from http import HTTPStatus

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from hashpact_node import app as application
from hashpact_node.api import token_door
from hashpact_node.api.scopes import SCOPES, Entry, Gate, Gates, gates_of
from hashpact_node.app import create_app
from hashpact_node.assembly import Node
from hashpact_node.services.tokens import TokenScope, split_token
from hashpact_protocol.errors import ConfigurationError
from own_member import NOW
from serving import Served, bearer, make_token

NOTHING = "6f1c2a9e-0000-4000-8000-000000000000"
UNKNOWN = {
    "{member}": "nobody",
    "{number}": "1",
    **dict.fromkeys(("{listing}", "{draft}", "{incident}"), NOTHING),
    **dict.fromkeys(("{decision}", "{dispute}", "{hold}", "{webhook}"), "999999"),
}
"""What stands for parts of paths, so that nothing is changed by whoever may."""


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this file ask without a token as often as it does."""
    monkeypatch.setattr(token_door, "FAILURES_BURST", 10_000.0)


def ask(client: httpx.Client, entry: Entry, method: str, token: str) -> httpx.Response:
    path = entry.path
    for name, value in UNKNOWN.items():
        path = path.replace(name, value)
    assert "{" not in path, f"say what stands for the part of {entry.path}"
    return client.request(method, path, headers=bearer(token))


def tokens(node: Node) -> tuple[dict[TokenScope, str], dict[str, str]]:
    """Make a token of each scope alone, and some that open nothing."""
    by_scope = {scope: make_token(node, scope, per_minute=100_000) for scope in TokenScope}
    expired = make_token(node, "admin", life=timedelta(seconds=1))
    revoked = make_token(node, "admin")
    node.tokens.revoke(split_token(revoked)[0])
    return by_scope, {"none": "", "expired": expired, "revoked": revoked, "unknown": f"hp_0123456789_{'a' * 43}"}


def others_than(need: object) -> list[TokenScope]:
    """Give the scopes that do not open a route."""
    return [scope for scope in TokenScope if scope not in (need, TokenScope.ADMIN)]


def test_every_route_wants_a_token_of_its_scope(
    sqlite_served: Served, bare: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_scope, bad = tokens(sqlite_served.node)
    later = NOW + timedelta(seconds=2)
    monkeypatch.setattr(sqlite_served.node.token_checks, "_now", lambda: later)
    wanting = [one for one in gates_of(sqlite_served.app).entries if isinstance(one.need, TokenScope)]
    assert len(wanting) > 20
    found: dict[str, list[int]] = {}
    for entry in wanting:
        assert isinstance(entry.need, TokenScope)
        for method in entry.methods:
            refused = [ask(bare, entry, method, token).status_code for token in bad.values()]
            wrong = [ask(bare, entry, method, by_scope[scope]).status_code for scope in others_than(entry.need)]
            right = [ask(bare, entry, method, by_scope[scope]).status_code for scope in (entry.need, TokenScope.ADMIN)]
            passed = [status not in (401, 403, 429) and status < 500 for status in right]
            if refused != [401] * len(bad) or set(wrong) != {403} or not all(passed):
                found[f"{method} {entry.path}"] = [*refused, *wrong, *right]
    assert found == {}


def test_what_is_for_members_is_opened_by_no_token(sqlite_served: Served, bare: httpx.Client) -> None:
    by_scope, _ = tokens(sqlite_served.node)
    entries = [one for one in gates_of(sqlite_served.app).entries if one.need is Gate.MEMBER]
    assert {one.path.split("/")[1] for one in entries} == {"logs", "witness", "mirror"}
    answers = {
        (answer.status_code, answer.content)
        for one in entries
        for method in one.methods
        for token in ("", by_scope[TokenScope.ADMIN])
        for answer in [bare.request(method, re.sub(r"{[^}]*}", "x", one.path), headers=bearer(token))]
    }
    assert [status for status, _ in answers] == [401], "and all are told the same"


def test_what_is_public_wants_none(sqlite_served: Served, bare: httpx.Client) -> None:
    public = [one for one in gates_of(sqlite_served.app).entries if one.need in (Gate.PUBLIC, Gate.READY)]
    assert {one.operation for one in public} == {"healthz", "readyz", "trust_metadata", "trust_target"}
    for path in ("/healthz", "/trust/metadata/1.root.json", "/trust/metadata/timestamp.json"):
        for token in ("", "hp_0123456789_no-token-at-all"):
            assert bare.get(path, headers=bearer(token)).status_code == 200, path
    assert bare.get("/healthz").json() == {"status": "ok"}


def test_whoever_has_any_token_reads_the_description(sqlite_served: Served, bare: httpx.Client) -> None:
    token = make_token(sqlite_served.node, "match")
    assert [bare.get("/openapi.json", headers=bearer(one)).status_code for one in ("", token)] == [401, 200]


@pytest.mark.parametrize(
    "path",
    ["/", "/docs", "/v1", "/v1/", "/v1/nothing", "/v1//match", "//v1/match", "/metrics/", "/V1/match", "/v1/%6datch/x"],
)
def test_what_leads_nowhere_wants_a_token_too(sqlite_served: Served, path: str) -> None:
    assert sqlite_served.raw_get(path)[0] == HTTPStatus.NOT_FOUND
    sqlite_served.token = ""
    assert sqlite_served.raw_get(path)[0] == HTTPStatus.UNAUTHORIZED


def test_another_method_is_told_to_whoever_has_a_token(sqlite_served: Served, bare: httpx.Client) -> None:
    answer = sqlite_served.client.put("/v1/match")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["code"] == "method-not-allowed"
    assert sqlite_served.client.request("OPTIONS", "/v1/peers/nobody").headers["allow"] == "DELETE, GET"
    assert bare.put("/v1/match").status_code == 401
    assert bare.head("/v1/status").status_code == 401
    assert sqlite_served.client.head("/v1/status").status_code == 200


def test_a_route_that_was_added_behind_the_gates_is_closed(sqlite_served: Served, bare: httpx.Client) -> None:
    @sqlite_served.app.get("/v1/behind")
    async def behind() -> str:
        return "secret"

    assert [one.get("/v1/behind").status_code for one in (sqlite_served.client, bare)] == [404, 401]


def test_a_route_of_which_nobody_says_who_may_use_it_fails_the_application(monkeypatch: pytest.MonkeyPatch) -> None:
    router = APIRouter(prefix="/v1/new")

    @router.get("", operation_id="brand_new")
    async def brand_new() -> str:
        return "new"

    monkeypatch.setattr(application, "ROUTERS", (*application.ROUTERS, router))
    with pytest.raises(ConfigurationError, match="/v1/new") as caught:
        create_app()
    assert caught.value.where == "brand_new"


def test_what_no_scope_can_be_said_for_fails_too() -> None:
    app = FastAPI(openapi_url=None)
    app.mount("/v1/files", FastAPI(), name="status")
    with pytest.raises(ConfigurationError, match="no route that a scope"):
        gates_of(app)
    app = FastAPI(openapi_url=None)
    app.get("/{anything}", operation_id="status")(lambda: "x")
    with pytest.raises(ConfigurationError, match="no route that a scope"):
        gates_of(app)


def test_a_route_for_members_stands_behind_their_door() -> None:
    app = FastAPI(openapi_url=None)
    app.get("/logbook", operation_id="log_tile")(lambda: "x")
    with pytest.raises(ConfigurationError, match="door for members"):
        gates_of(app)


def test_every_entry_is_of_a_route() -> None:
    assert {one.operation for one in gates_of(create_app()).entries} == set(SCOPES)


def test_a_part_of_paths_with_one_closed_route_is_closed() -> None:
    app = FastAPI(openapi_url=None)
    app.get("/logs/a", operation_id="log_tile")(lambda: "a")
    app.get("/logs/b", operation_id="status")(lambda: "b")
    app.get("/trust/a", operation_id="trust_target")(lambda: "a")
    gates: Gates = gates_of(app)
    asked = {path: gates.need("GET", path) for path in ("/logs/a", "/logs/b", "/logs/c", "/trust/a", "/trust/c", "/x")}
    assert asked == {
        "/logs/a": Gate.MEMBER,
        "/logs/b": TokenScope.AUDIT,
        "/logs/c": None,
        "/trust/a": Gate.PUBLIC,
        "/trust/c": Gate.PUBLIC,
        "/x": None,
    }
