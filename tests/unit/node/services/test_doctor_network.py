"""What a node looks like from outside, by a real server behind the member's URL."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from hashpact_node import clock
from hashpact_node.assembly import Node, open_node, open_settings
from hashpact_node.net.fetcher import Fetcher
from hashpact_node.services import doctor_network
from hashpact_node.services.doctor_kinds import Diagnosis
from hashpact_node.services.doctor_network import (
    check_clock,
    check_outsiders,
    check_peers,
    check_url,
    judge_log,
    judge_private,
    judge_timestamp,
    status_of,
)
from hashpact_node.services.doctor_visit import Visit
from hashpact_node.store.key_watch import Reading, put_readings
from hashpact_node.store.peers import PAUSED, add_peer, record_failure, set_state
from nodes import PASSPHRASE, TestNode, free_port, make_node
from serving import Served, serving

URL = "https://acme.example/logs/listings-1/checkpoint"


class Doorway:
    """What lets everybody in, as a proxy that answers by itself."""

    def __init__(self, app: ASGIApp, **_doors: object) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> TestNode:
    """Acme's home, with a URL on loopback."""
    return make_node(tmp_path_factory.mktemp("doctor"), "acme")


@contextmanager
def opened(made: TestNode, **settings: object) -> Iterator[Node]:
    told = replace(open_settings(made.home, {}), **settings)  # type: ignore[arg-type]  # as tests give them
    node = open_node(told, PASSPHRASE.encode)
    try:
        yield node
    finally:
        node.close()


@pytest.fixture
def node(made: TestNode) -> Iterator[Node]:
    with opened(made) as one:
        yield one


@contextmanager
def up(node: Node) -> Iterator[Served]:
    with serving(node, port=port_of(node)) as one:
        yield one


def port_of(node: Node) -> int:
    return int((node.settings.url or "").rpartition(":")[2])


def visit(node: Node, **settings: object) -> Visit:
    told = replace(node.settings, **settings)  # type: ignore[arg-type]  # as tests give them
    return Visit(told, clock.now, node.database, None)


def told(found: Iterable[Diagnosis]) -> list[tuple[str, str]]:
    return [(one.level.value, one.code) for one in found]


def test_the_url_serves_our_repository(node: Node) -> None:
    assert told(check_url(visit(node))) == [("error", "url-unreachable")]
    with up(node):
        assert told(check_url(visit(node))) == [("ok", "ok")]
        there = visit(node, url=f"{node.settings.url}/elsewhere")
        (found,) = check_url(there)
        assert (found.code, found.what) == ("url-unreachable", "the member's URL answers with status 401")


def test_the_url_serves_another_repository(node: Node, tmp_path: Path) -> None:
    other = make_node(tmp_path, "beta")
    with opened(other) as beta, up(beta):
        assert told(check_url(visit(node, url=other.url))) == [("error", "url-serves-another")]


def timestamp(version: int, *signers: str) -> bytes:
    return json.dumps({"signatures": [{"keyid": one} for one in signers], "signed": {"version": version}}).encode()


@pytest.mark.parametrize(
    ("served", "code"),
    [
        (timestamp(4, "a"), "url-serves-older"),
        (timestamp(6, "a", "b"), "url-serves-newer"),
        (timestamp(5, "a"), "url-serves-newer"),  # the same version, and not the same bytes
        (timestamp(6, "b"), "url-serves-another"),
        (timestamp(4), "url-serves-another"),
        (b"<html>", "url-serves-another"),
        (b'{"signatures":[1],"signed":{"version":5}}', "url-serves-another"),
        (b"[" * 100_000, "url-serves-another"),
    ],
)
def test_what_is_not_the_same(served: bytes, code: str) -> None:
    assert judge_timestamp(served, timestamp(5, "a"), URL).code == code


@pytest.mark.parametrize(
    ("url", "expected"),
    [("https://192.168.1.5", ["url-not-public", "url-unreachable"]), ("https://a.invalid", ["url-unreachable"])],
)
def test_where_the_url_leads(node: Node, url: str, expected: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_network, "LOOK_SECONDS", 0.5)
    assert [one.code for one in check_url(visit(node, url=url))] == expected


def test_strangers_are_answered_or_not(made: TestNode) -> None:
    with opened(made) as node:
        assert told(check_outsiders(visit(node))) == [("note", "outsiders-unknown")] * 3
        node.awakening.alone = True
        node.upkeep.release_waiting()
        with up(node):
            answers = list(check_outsiders(visit(node)))
        assert told(answers) == [("ok", "ok")] * 3
        assert (answers[0].where or "").endswith("/logs/listings-1/checkpoint")


def test_what_lets_strangers_in_is_found(made: TestNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hashpact_node.app.MemberDoor", Doorway)
    monkeypatch.setattr("hashpact_node.app.TokenDoor", Doorway)
    with opened(made) as node, up(node):
        assert told(check_outsiders(visit(node))) == [("error", "outsiders-read")] * 3


@pytest.mark.parametrize(
    ("status", "log", "private"),
    [
        (401, "ok", "ok"),
        (403, "members-refused", "ok"),
        (404, "members-refused", "ok"),
        (200, "outsiders-read", "outsiders-read"),
        (304, "outsiders-read", "outsiders-read"),
        (502, "outsiders-unknown", "outsiders-unknown"),
        (None, "outsiders-unknown", "outsiders-unknown"),
    ],
)
def test_statuses(status: int | None, log: str, private: str) -> None:
    assert judge_log(status, URL).code == log
    assert judge_private(status, URL).code == private


def test_a_page_to_log_in_refuses() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(302, headers={"location": f"{request.url}/login"})

    assert status_of(Fetcher(transport=httpx.MockTransport(answer)), URL) == 403


def test_peers_are_asked_whether_they_answer_and_what_time_it_is(tmp_path: Path) -> None:
    with opened(make_node(tmp_path, "acme")) as node, opened(make_node(tmp_path, "beta")) as beta:
        assert told(check_peers(visit(node))) == [("note", "no-peers")]
        assert told(check_clock(visit(node))) == [("note", "clock-unknown")]
        with node.database.write() as connection:
            there = add_peer(connection, "beta", beta.settings.url or "", now=clock.now())
            gone = add_peer(connection, "gamma", f"http://127.0.0.1:{free_port()}", now=clock.now())
        with up(beta):
            found = list(check_peers(visit(node)))
            assert told(iter(found)) == [("ok", "ok"), ("warning", "peer-unreachable")]
            assert found[1].where == gone.url
            assert told(check_clock(visit(node))) == [("ok", "ok")]
            with node.database.write() as connection:
                set_state(connection, gone.number, PAUSED)
                record_failure(connection, there.number, now=clock.now(), error={}, next_try_at=None)
            assert told(check_peers(visit(node))) == [("warning", "peer-failing")]


def test_the_clock_is_judged_by_older_readings_where_nobody_answers(tmp_path: Path) -> None:
    with opened(make_node(tmp_path, "acme")) as node:
        with node.database.write() as connection:
            add_peer(connection, "beta", f"http://127.0.0.1:{free_port()}", now=clock.now())
            put_readings(connection, [Reading("beta", 90_000, int(clock.now().timestamp()))])
        assert told(check_clock(visit(node))) == [("warning", "clock-skew")]
        with node.database.write() as connection:
            put_readings(connection, [Reading("beta", -900_000, int(clock.now().timestamp()))])
        assert told(check_clock(visit(node))) == [("error", "clock-skew")]
