from __future__ import annotations

from hashpact_node.services.drafts import new_id
from hashpact_node.services.entries import EntryReader
from hashpact_node.store.logs import find_log
from hashpact_protocol.card_logs import LogKind
from hashpact_protocol.merkle import leaf_hash
from hashpact_protocol.statements import Opinion
from members import TIME, add_log, add_member, listing, sha256, terms, uuid_of
from own_member import ORIGIN
from serving import Served, bearer, make_token

DECISIONS = "/v1/decisions"
SIGNAL = f"sha256:{sha256(1).value}"


def test_a_decision_is_made_shown_and_undone(sqlite_served: Served) -> None:
    body = {"verdict": "reject", "about": SIGNAL, "why": "a news report", "peers": ["beta"]}
    made = sqlite_served.post(DECISIONS, json=body)
    assert made.status_code == 201
    decision, opinions = made.json()["decision"], made.json()["opinions"]
    assert opinions == []
    where = made.headers["location"]
    assert where == f"{DECISIONS}/{decision['number']}"
    assert (decision["verdict"], decision["about"], decision["scope"]) == ("reject", SIGNAL, ["beta"])
    assert (decision["state"], decision["until"], decision["signals"]) == ("stands", None, [SIGNAL])
    assert sqlite_served.get(where).json() == decision
    assert sqlite_served.get(DECISIONS).json() == {"decisions": [decision]}
    undone = sqlite_served.client.delete(f"{where}?why=looked+again")
    assert (undone.status_code, undone.json()["ended_why"]) == (200, "looked again")
    assert sqlite_served.get(DECISIONS).json() == {"decisions": []}
    assert sqlite_served.get(f"{DECISIONS}?ended=true").json() == {"decisions": [undone.json()]}
    assert sqlite_served.client.delete(where).status_code == 409
    assert sqlite_served.get(f"{DECISIONS}/99").status_code == 404


def test_what_cannot_be_decided_is_a_problem(sqlite_served: Served) -> None:
    sound = {"verdict": "allow", "about": SIGNAL, "why": "ours"}
    for wrong in (
        {"verdict": "burn"},
        {"why": ""},
        {"about": "sha256:zz"},
        {"until": "tomorrow"},
        {"until": "2026-11-20T00:00:00Z"},
        {"near": 3},
        {"verdict": "disable"},
        {"peers": ["No!"]},
        {"reason": "satire"},
        {"publish": True},
        {"who": "me"},
    ):
        assert sqlite_served.post(DECISIONS, json=sound | wrong).status_code == 422, wrong
    assert sqlite_served.post(DECISIONS, json=sound | {"about": uuid_of(1)}).status_code == 404
    assert sqlite_served.get(DECISIONS).json() == {"decisions": []}


def test_opinions_are_published_by_themselves_and_from_a_decision(sqlite_served: Served) -> None:
    body = {"about": uuid_of(1), "verdict": "disagree", "reason": "satire", "note": "a cartoon"}
    assert sqlite_served.post("/v1/opinions", json=body).status_code == 404  # there is no log of opinions
    sqlite_served.node.stating.open(LogKind.OPINIONS)  # while there is no peer that would have to be heard first
    beta = add_log(sqlite_served.node.database, "beta")
    beta.append(listing(1, sha256(1)), listing(2, sha256(2)))
    told = sqlite_served.post("/v1/opinions", json=body)
    assert told.status_code == 201
    (one,) = told.json()["opinions"]
    assert (one["about"], one["index"], one["existing"]) == (f"beta/listings/{uuid_of(1)}", 0, False)
    (again,) = sqlite_served.post("/v1/opinions", json=body).json()["opinions"]
    assert again["existing"] is True
    (shown,) = sqlite_served.get(f"/v1/opinions?listing={uuid_of(1)}").json()["opinions"]
    assert (shown["member"], shown["verdict"], shown["reason"], shown["counts"]) == ("acme", "disagree", "satire", True)
    assert shown["note"] == "a cartoon"
    choice = {"verdict": "reject", "about": uuid_of(2), "why": "appeal upheld", "publish": True, "reason": "journalism"}
    made = sqlite_served.post(DECISIONS, json=choice).json()
    assert [one["reason"] for one in made["opinions"]] == ["journalism"]
    assert made["decision"]["about"] == f"beta/listings/{uuid_of(2)}"
    assert sqlite_served.post("/v1/opinions", json=body | {"reason": "dislike"}).status_code == 422


def test_disputes_are_listed_and_answered(sqlite_served: Served) -> None:
    database = sqlite_served.node.database
    draft = {"content": "image", "signals": [{"type": "sha256", "value": sha256(1).value}]}
    own = sqlite_served.post("/v1/listings", json=draft).json()["id"]
    _, (opinions,) = add_member(database, "beta", terms("beta", "opinions-1", kind="opinions"))
    with database.read() as connection:
        log = find_log(connection, ORIGIN)
        assert log is not None
        leaf = leaf_hash(EntryReader(connection).entry(log.number, 0)).hex()
    opinions.append(Opinion(new_id(), TIME, "acme", "listings", own, leaf, "disagree", "satire", "a cartoon"))
    (dispute,) = sqlite_served.get("/v1/disputes").json()["disputes"]
    assert (dispute["state"], dispute["member"], dispute["listing"]) == ("open", "beta", f"acme/listings/{own}")
    assert (dispute["reason"], dispute["note"], dispute["answered_at"]) == ("satire", "a cartoon", None)
    assert sqlite_served.get("/v1/status").json()["disputes"] == 1
    assert "hashpact_disputes 1.0" in sqlite_served.get("/metrics").text
    where = f"/v1/disputes/{dispute['number']}/keep"
    kept = sqlite_served.post(where, json={"note": "it is real"})
    assert (kept.status_code, kept.json()["state"], kept.json()["answer_note"]) == (200, "kept", "it is real")
    assert sqlite_served.post(where, json={"note": "again"}).status_code == 409
    assert sqlite_served.get("/v1/disputes").json() == {"disputes": []}
    assert [one["state"] for one in sqlite_served.get("/v1/disputes?answered=true").json()["disputes"]] == ["kept"]


def test_who_may_publish_may_not_decide(sqlite_served: Served) -> None:
    publish, review = (bearer(make_token(sqlite_served.node, scope)) for scope in ("publish", "review"))
    body = {"verdict": "allow", "about": SIGNAL, "why": "ours"}
    assert sqlite_served.post(DECISIONS, json=body, headers=publish).status_code == 403
    assert sqlite_served.get("/v1/disputes", headers=publish).status_code == 403
    assert sqlite_served.post(DECISIONS, json=body, headers=review).status_code == 201
    told = body | {"verdict": "reject", "publish": True, "reason": "satire"}
    assert sqlite_served.post(DECISIONS, json=told, headers=review).status_code == 403, "it is this member's word"
    assert len(sqlite_served.get(DECISIONS).json()["decisions"]) == 1
    assert (
        sqlite_served.post("/v1/opinions", json={"about": "x", "verdict": "agree"}, headers=review).status_code == 403
    )
