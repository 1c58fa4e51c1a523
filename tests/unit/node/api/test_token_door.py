from __future__ import annotations

import threading

import httpx
import pytest

from hashpact_node.api import token_door
from hashpact_node.api.scopes import SCOPES
from hashpact_node.services import token_checks
from hashpact_node.services.actors import Actor, ActorKind
from hashpact_node.services.token_checks import FRESH_SECONDS, TokenChecks
from hashpact_node.services.tokens import TokenScope, split_token
from hashpact_node.store.connection import Connection
from hashpact_node.store.tokens import TokenRow, live_tokens
from hashpact_protocol.errors import StoreError
from nodes import wait_until
from serving import Served, bearer, make_token

WRONG = f"hp_0123456789_{'a' * 43}"
SIGNAL = {"type": "sha256", "value": "0" * 64}


def match(client: httpx.Client, token: str, count: int = 1) -> httpx.Response:
    return client.post("/v1/match", json={"signals": [SIGNAL] * count}, headers=bearer(token))


def test_whatever_is_wrong_is_told_in_the_same_words(sqlite_served: Served, bare: httpx.Client) -> None:
    good = make_token(sqlite_served.node, "match")
    asked: list[list[tuple[str, str]]] = [
        [],
        [("Authorization", "")],
        [("Authorization", good)],
        [("Authorization", f"Basic {good}")],
        [("Authorization", f"Bearer  {good}")],
        [("Authorization", f"Bearer {good[:-1]}")],
        [("Authorization", f"Bearer {WRONG}")],
        [("Authorization", f"Bearer {good}"), ("Authorization", f"Bearer {good}")],
        [("Authorization", f"Bearer {good}"), ("Authorization", f"Bearer {WRONG}")],
    ]
    answers = [bare.get("/v1/nothing", headers=headers) for headers in asked]
    assert [one.status_code for one in answers] == [401] * len(asked)
    assert len({one.content for one in answers}) == 1
    assert {one.headers["cache-control"] for one in answers} == {"no-store"}
    challenges = [one.headers["www-authenticate"] for one in answers]
    assert challenges == ['Bearer realm="hashpact"'] + ['Bearer realm="hashpact", error="invalid_token"'] * 8
    assert answers[0].json()["code"] == "unauthorized"
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert bare.get("/v1/nothing", headers={"Authorization": f"{scheme} {good}"}).status_code == 404


def test_the_wrong_scope_is_named(sqlite_served: Served, bare: httpx.Client) -> None:
    answer = bare.get("/v1/blocklist", headers=bearer(make_token(sqlite_served.node, "match", "publish")))
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert answer.headers["www-authenticate"] == ('Bearer realm="hashpact", error="insufficient_scope", scope="read"')


def test_whoever_guesses_is_slowed_down_and_nobody_else(sqlite_served: Served, bare: httpx.Client) -> None:
    early, late = make_token(sqlite_served.node, "match"), make_token(sqlite_served.node, "match")
    assert match(bare, early).status_code == 200
    statuses = [match(bare, WRONG) for _ in range(200)]
    slowed = [one for one in statuses if one.status_code == 429]
    assert {one.status_code for one in statuses} == {401, 429}
    assert statuses[0].status_code == 401
    assert all(int(one.headers["retry-after"]) >= 1 for one in slowed)
    assert 429 in {bare.get("/v1/nothing").status_code for _ in range(50)}
    # From the same address: one that was sent before, and one that was not.
    assert [match(bare, token).status_code for token in (early, late)] == [200, 200]


def test_wrong_tokens_never_reach_the_database(
    sqlite_served: Served, bare: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []

    def counted(connection: Connection, at: int) -> list[TokenRow]:
        reads.append(at)
        return live_tokens(connection, at)

    monkeypatch.setattr(token_checks, "live_tokens", counted)
    monkeypatch.setattr(sqlite_served.node.token_checks, "_monotonic", lambda: 0.0)
    monkeypatch.setattr(sqlite_served.node.token_checks, "_read_at", None)
    for number in range(50):
        match(bare, f"hp_{number:010x}_{'a' * 43}")
        match(bare, "")
    assert len(reads) == 1


def test_a_token_asks_no_more_often_than_it_may(sqlite_served: Served, bare: httpx.Client) -> None:
    slow, other = make_token(sqlite_served.node, "match", per_minute=1), make_token(sqlite_served.node, "match")
    statuses = [match(bare, slow).status_code for _ in range(5)]
    assert (statuses[0], statuses[-1]) == (200, 429)
    answer = match(bare, slow)
    assert "1 times a minute" in answer.json()["detail"]
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert match(bare, other).status_code == 200


def test_a_token_that_only_matches_gets_nothing_in_bulk(sqlite_served: Served, bare: httpx.Client) -> None:
    narrow, wide = make_token(sqlite_served.node, "match"), make_token(sqlite_served.node, "match", "read")
    more = make_token(sqlite_served.node, "match", "audit", "publish")
    assert match(bare, narrow, token_door.BATCH_MAX).status_code == 200
    answer = match(bare, narrow, token_door.BATCH_MAX + 1)
    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert match(bare, more, token_door.BATCH_MAX + 1).status_code == 403
    assert match(bare, wide, 1_000).status_code == 200
    bulk = [operation for operation, need in SCOPES.items() if need is TokenScope.MATCH]
    assert bulk == ["match", "match_file", "add_outcomes"], "what else a narrow token opens must be bounded, too"
    for path in ("/v1/blocklist", "/v1/blocklist/changes", "/v1/blocklist/digest"):
        assert bare.get(path, headers=bearer(narrow)).status_code == 403


def test_a_revoked_token_is_refused_by_a_running_node(
    sqlite_served: Served, bare: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = [0.0]
    monkeypatch.setattr(sqlite_served.node.token_checks, "_monotonic", lambda: passed[0])
    monkeypatch.setattr(sqlite_served.node.token_checks, "_read_at", None)
    token = make_token(sqlite_served.node, "match")
    assert match(bare, token).status_code == 200
    sqlite_served.node.tokens.revoke(split_token(token)[0])
    passed[0] += FRESH_SECONDS
    assert match(bare, token).status_code == 401


def test_nobody_is_let_in_while_tokens_cannot_be_read(
    sqlite_served: Served, bare: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = make_token(sqlite_served.node)

    def lost(_self: TokenChecks) -> None:
        raise StoreError("the database cannot be reached", where="postgresql://db.internal/acme")

    with monkeypatch.context() as broken:
        broken.setattr(TokenChecks, "is_fresh", False)
        broken.setattr(TokenChecks, "refresh", lost)
        answer = match(bare, token)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "db.internal" not in answer.text
    assert match(bare, token).status_code == 200


def test_routes_are_told_who_asks(sqlite_served: Served, bare: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Actor] = []
    monkeypatch.setattr("hashpact_node.api.match.refuse_bulk", lambda request, _count: seen.append(request.state.actor))
    token = make_token(sqlite_served.node, "match")
    assert match(bare, token).status_code == 200
    assert seen == [Actor(ActorKind.TOKEN, split_token(token)[0], "127.0.0.1")]


def test_the_audit_log_tells_by_whose_token(sqlite_served: Served, bare: httpx.Client) -> None:
    token = make_token(sqlite_served.node, "operate")
    bare.post("/v1/peers/nobody/pause", headers=bearer(token))
    bare.get("/v1/blocklist", headers=bearer(token))
    bare.get("/v1/blocklist", headers=bearer(WRONG))
    entries = [one for one in sqlite_served.node.audit.newest(limit=100) if one["actor"]["kind"] == "token"]
    assert [(one["action"], one["result"], one["actor"]["name"]) for one in entries] == [
        ("pause_peer", "not-found", split_token(token)[0]),
        ("enter", "forbidden", split_token(token)[0]),
        ("enter", "unauthorized", "nobody"),
    ]
    assert split_token(WRONG)[1] not in str(entries)
    assert split_token(token)[1] not in str(entries)


def test_outsiders_are_told_whether_the_node_is_ready_and_no_more(sqlite_served: Served, bare: httpx.Client) -> None:
    assert sqlite_served.get("/readyz").status_code == 503
    early = bare.get("/readyz")
    assert (early.status_code, early.json()["detail"]) == (503, "this node is not ready")
    assert "acme" not in early.text
    assert "acme.example" in sqlite_served.get("/readyz").json()["detail"]
    sqlite_served.node.upkeep.renew_cosignatures()
    assert bare.get("/readyz").json() == {"status": "ok", "signing": None}
    assert sqlite_served.get("/readyz").json() == {"status": "ok", "signing": "signs"}
    # No place to try tokens out at.
    assert {bare.get("/readyz", headers=bearer(WRONG)).status_code for _ in range(60)} == {401, 429}


def test_the_last_use_is_shown_and_refusals_are_counted(
    sqlite_served: Served, bare: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_checks, "WRITTEN_EVERY_SECONDS", 0.0)
    token = make_token(sqlite_served.node, "match")
    match(bare, "")
    bare.get("/v1/status", headers=bearer(token))

    # It is written after an answer, so that nobody waits for it; some later request finds it written.
    def told() -> bool:
        used = {one.id for one in sqlite_served.node.tokens.list() if one.last_used_at is not None}
        refused = sqlite_served.get("/v1/status").json()["refused"]
        return split_token(token)[0] in used and refused == {
            "token": 1,
            "address": 0,
            "scope": 1,
            "rate": 0,
            "signature": 0,
            "member": 0,
        }

    wait_until(told)
    assert 'hashpact_refused_requests{reason="scope"} 1.0' in sqlite_served.get("/metrics").text


def test_a_flood_that_waits_for_the_tokens_reads_them_once(
    sqlite_served: Served, bare: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = make_token(sqlite_served.node, "match", per_minute=1_000_000)
    go, reads = threading.Event(), list[int]()

    def slow(connection: Connection, at: int) -> list[TokenRow]:
        reads.append(at)
        assert go.wait(60)
        return live_tokens(connection, at)

    monkeypatch.setattr(token_checks, "live_tokens", slow)
    monkeypatch.setattr(sqlite_served.node.token_checks, "_monotonic", lambda: 0.0)
    monkeypatch.setattr(sqlite_served.node.token_checks, "_read_at", None)
    threads = [threading.Thread(target=match, args=(bare, token)) for _ in range(20)]
    for thread in threads:
        thread.start()
    # Others are not kept waiting by it.
    assert bare.get("/healthz").status_code == 200
    go.set()
    for thread in threads:
        thread.join()
    assert len(reads) == 1
