from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import structlog
from fastapi import FastAPI, Request

from hashpact_node.api.problems import (
    DETAILS_MAX,
    MEDIA_TYPE,
    STATUSES,
    HttpProblem,
    ManyErrors,
    Problem,
    Shield,
    add_handlers,
    plain_problem,
    problem_of,
    respond,
    status_of,
)
from hashpact_protocol import errors
from hashpact_protocol.errors import FetchStatusError, ForkError, HashpactError


def tree(kind: type[HashpactError] = HashpactError) -> Iterator[type[HashpactError]]:
    """Walk the error tree of the protocol, its root first."""
    yield kind
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from tree(child)


def make(kind: type[HashpactError]) -> HashpactError:
    if kind is FetchStatusError:
        return FetchStatusError("it broke", status=500, where="here", mend="mend it")
    if kind is ForkError:
        return ForkError("it broke", evidence=(b"note",), where="here", mend="mend it")
    return kind("it broke", where="here", mend="mend it")


def test_the_table_knows_every_class_and_no_other() -> None:
    assert set(STATUSES) == set(tree())


def test_every_title_is_there_once() -> None:
    titles = [title for _status, title in STATUSES.values()]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("kind", list(tree()), ids=lambda kind: kind.__name__)
def test_every_class_becomes_a_problem_that_says_what_where_and_how(kind: type[HashpactError]) -> None:
    problem = Problem.model_validate(problem_of(make(kind)), strict=True)
    status, title = STATUSES[kind]
    assert problem.model_dump(exclude_none=True) == {
        "type": f"urn:hashpact:problem:{kind.code}",
        "title": title,
        "status": status,
        "code": kind.code,
        "detail": "it broke",
        "where": "here",
        "mend": "mend it",
    }
    assert 400 <= status <= 599


def test_an_error_of_one_s_own_has_the_status_of_its_nearest_ancestor() -> None:
    class Special(errors.StoreFullError):
        code = "special"

    assert status_of(Special) == STATUSES[errors.StoreFullError]
    assert problem_of(Special("no room"))["code"] == "special"


def test_what_is_not_said_is_left_out() -> None:
    assert set(problem_of(errors.NotFoundError("gone"))) == {"type", "title", "status", "code", "detail"}


@pytest.mark.parametrize(
    ("where", "what", "detail"),
    [
        ("content", "is missing", "content is missing"),
        ("line 3: signals[0].value", "is no string", "signals[0].value is no string"),
        (None, "is no string", "is no string"),
        ("body", "this is no JSON", "this is no JSON"),
    ],
)
def test_what_is_wrong_has_a_subject(where: str | None, what: str, detail: str) -> None:
    problem = problem_of(ManyErrors([errors.RequestError(what, where=where)] * 2, count=1))
    assert (problem["detail"], problem["errors"][0]["detail"]) == (detail, detail)


def test_many_errors_are_listed_up_to_a_cap() -> None:
    found = [errors.SignalError(f"wrong {n}", where=f"line {n}", mend="mend" if n else None) for n in range(150)]
    problem = problem_of(ManyErrors(found, count=150))
    assert problem["code"] == "signal-malformed"
    assert problem["status"] == 422
    assert problem["detail"] == "wrong 0 (and 149 more)"
    assert len(problem["errors"]) == DETAILS_MAX
    assert problem["errors"][:2] == [
        {"where": "line 0", "detail": "wrong 0"},
        {"where": "line 1", "detail": "wrong 1", "mend": "mend"},
    ]


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI(openapi_url=None, redirect_slashes=False)
    add_handlers(app)
    app.add_middleware(Shield)

    @app.get("/number/{number}")
    async def number(number: int, wanted: int = 0) -> int:
        return number + wanted

    @app.get("/known")
    async def known(request: Request) -> None:
        request.state.token = "token" in request.query_params  # as the door for tokens says who asks
        raise errors.StoreBusyError("the database is busy", where="sqlite:///x", mend="try again")

    @app.get("/http")
    async def http() -> None:
        raise HttpProblem(413, "too long", mend="send less", headers={"Connection": "close"})

    @app.get("/unforeseen")
    async def unforeseen() -> None:
        raise ZeroDivisionError("a secret of the database")

    return app


def ask(app: FastAPI, method: str, path: str, **options: Any) -> httpx.Response:
    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, path, **options)

    return asyncio.run(run())


def test_nothing_at_a_path(app: FastAPI) -> None:
    answer = ask(app, "GET", "/nowhere")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "code": "not-found",
        "detail": "there is nothing at this path",
    }


def test_another_method_says_which_are_known(app: FastAPI) -> None:
    answer = ask(app, "PATCH", "/known")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    assert answer.json()["code"] == "method-not-allowed"


def test_a_parameter_of_the_wrong_type_is_named(app: FastAPI) -> None:
    answer = ask(app, "GET", "/number/many")
    assert answer.status_code == 422
    assert (answer.json()["code"], answer.json()["where"]) == ("request-invalid", "number")
    assert "many" not in answer.text


def test_several_wrong_parameters_are_all_named(app: FastAPI) -> None:
    problem = ask(app, "GET", "/number/many?wanted=few").json()
    assert [item["where"] for item in problem["errors"]] == ["number", "wanted"]
    assert "(and 1 more)" in problem["detail"]


def test_a_busy_store_says_when_to_come_again(app: FastAPI) -> None:
    answer = ask(app, "GET", "/known")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["code"] == "store-busy"


def test_strangers_are_not_told_where_the_database_is(app: FastAPI, capsys: pytest.CaptureFixture[str]) -> None:
    assert "sqlite:///x" not in ask(app, "GET", "/known").text
    assert "sqlite:///x: the database is busy" in capsys.readouterr().out
    problem = ask(app, "GET", "/known?token=1").json()
    assert (problem["where"], problem["mend"]) == ("sqlite:///x", "try again")


def test_a_status_of_http_keeps_its_headers(app: FastAPI) -> None:
    answer = ask(app, "GET", "/http")
    assert (answer.status_code, answer.headers["connection"]) == (413, "close")
    assert answer.json()["mend"] == "send less"


def test_the_unforeseen_is_logged_under_the_id_that_is_answered(app: FastAPI) -> None:
    with structlog.testing.capture_logs() as logged:
        answer = ask(app, "GET", "/unforeseen?secret=in-the-query")
    assert answer.status_code == 500
    problem = answer.json()
    assert "secret" not in answer.text
    assert "ZeroDivisionError" not in answer.text
    assert [(line["id"], line["path"], line["log_level"]) for line in logged] == [
        (problem["id"], "/unforeseen", "error")
    ]
    assert "in-the-query" not in json.dumps(logged, default=repr)


def test_an_error_that_comes_after_the_answer_began_is_raised() -> None:
    async def broken(_scope: object, _receive: object, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ZeroDivisionError

    async def send(_message: object) -> None:
        pass

    with pytest.raises(ZeroDivisionError), structlog.testing.capture_logs():
        asyncio.run(Shield(broken)({"type": "http", "method": "GET", "path": "/"}, None, send))  # type: ignore[arg-type]  # nothing is received


def test_the_shield_stands_before_http_alone() -> None:
    async def broken(_scope: object, _receive: object, _send: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(Shield(broken)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]  # nothing is exchanged


@pytest.mark.parametrize("status", [429, 503])
def test_whoever_is_to_come_again_is_told_when(status: int) -> None:
    assert plain_problem(status, "not now").headers["retry-after"] == "1"
    assert plain_problem(status, "not now", headers={"Retry-After": "7"}).headers["retry-after"] == "7"
    assert respond(errors.StoreBusyError("busy")).headers["retry-after"] == "1"
    assert respond(errors.KeyUnavailableError("the token is gone")).headers["retry-after"] == "1"
    assert "retry-after" not in plain_problem(404, "nothing here").headers
