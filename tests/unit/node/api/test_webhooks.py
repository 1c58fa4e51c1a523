from __future__ import annotations

import random

from material import drafts
from receiver import receiving
from serving import Served, bearer, make_token

HOOKS = "/v1/webhooks"


def test_a_webhook_is_added_tried_told_and_removed(sqlite_served: Served) -> None:
    with receiving() as receiver:
        added = sqlite_served.post(HOOKS, json={"url": receiver.url, "name": "cache", "action": "block"})
        assert added.status_code == 201
        webhook, key = added.json()["webhook"], added.json()["key"]
        where = added.headers["location"]
        assert where == f"{HOOKS}/{webhook['id']}"
        assert key.startswith("whsec_")
        assert (webhook["state"], webhook["action"], webhook["cursor"]) == ("active", "block", 0)
        assert sqlite_served.get(HOOKS).json() == {"webhooks": [webhook]}
        assert sqlite_served.get(where).json() == {"webhook": webhook, "letters": []}
        assert sqlite_served.post(f"{where}/test").json() == {"ok": True, "status": 204, "error": None}
        receiver.status = 500
        tried = sqlite_served.post(f"{where}/test").json()
        assert (tried["ok"], tried["status"]) == (False, 500)
        assert sqlite_served.post("/v1/listings", json=drafts(1)[0]).status_code == 201
        assert sqlite_served.post(f"{where}/replay", json={"since": 1}).json()["webhook"]["cursor"] == 1
        assert sqlite_served.post(f"{where}/replay").json()["webhook"]["cursor"] == 1
        assert sqlite_served.post(f"{where}/replay", json={"skip": True}).status_code == 409
        assert sqlite_served.post(f"{where}/replay", json={"since": 99}).status_code == 422
        told = "".join(sqlite_served.get(path).text for path in (HOOKS, where, "/v1/audit", "/v1/status"))
        assert key.removeprefix("whsec_") not in told
        assert webhook["id"] in sqlite_served.get("/v1/audit").text
        assert sqlite_served.client.delete(where).json()["id"] == webhook["id"]
        assert sqlite_served.get(where).status_code == 404


def test_what_cannot_be_is_a_problem(sqlite_served: Served) -> None:
    url = "http://127.0.0.1:9/hook"
    bad = [
        {},
        {"url": "ftp://a.example/"},
        {"url": "https://10.1.2.3/hook"},
        {"url": url, "action": "burn"},
        {"url": url, "scheme": "v2"},
        {"url": url, "since": 7},
        {"url": url, "since": 0, "from_now": True},
        {"url": url, "batch": 0},
        {"url": url, "secret": "whsec_MfKQ"},
    ]
    for body in bad:
        answer = sqlite_served.post(HOOKS, json=body)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), body
    assert sqlite_served.get(HOOKS).json() == {"webhooks": []}
    asked = {"url": url, "from_now": True, "scheme": "v1a", "batch": random.Random(1).randint(1, 9)}
    added = sqlite_served.post(HOOKS, json=asked).json()
    assert added["key"] == added["webhook"]["public_key"]


def test_only_who_may_do_everything_sends_the_list_elsewhere(sqlite_served: Served) -> None:
    body = {"url": "http://127.0.0.1:9/hook"}
    headers = {scope: bearer(make_token(sqlite_served.node, scope)) for scope in ("operate", "audit", "read")}
    assert {scope: sqlite_served.post(HOOKS, json=body, headers=one).status_code for scope, one in headers.items()} == {
        "operate": 403,
        "audit": 403,
        "read": 403,
    }
    assert sqlite_served.post(HOOKS, json=body).status_code == 201
    assert sqlite_served.get(HOOKS, headers=headers["audit"]).status_code == 200
    assert sqlite_served.get(HOOKS, headers=headers["read"]).status_code == 403
