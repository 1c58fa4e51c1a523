"""Four eyes by HTTP."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import Request

from hashpact_node.assembly import open_node
from hashpact_node.services.actors import Actor, ActorKind
from hashpact_node.store.database import Database
from material import draft, drafts
from own_member import NOW, found_member
from serving import Served, serving

LISTINGS = "/v1/listings"
KEY = {"Idempotency-Key": "0d1f7a0c-6c0a-4c9e-8a7e-2f9f0a1b2c3d"}
BOB = {"X-Test-Actor": "bob"}


def by_header(request: Request) -> Actor:
    """Stand for a door: believe a header."""
    return Actor(ActorKind.TOKEN, request.headers.get("x-test-actor", "ann"), "127.0.0.1")


@pytest.fixture
def eyed(sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A node under four eyes."""
    for module in ("drafts", "listings"):
        monkeypatch.setattr(f"hashpact_node.api.{module}.actor_of", by_header)
    own = found_member(sqlite_database, tmp_path / "home", sqlite_database.where)
    settings = replace(own.settings, four_eyes=True)
    node = open_node(settings, lambda: b"passphrase of a test", now=lambda: NOW)
    try:
        with serving(node) as one:
            yield one
    finally:
        node.close()


def test_a_listing_waits_for_another_token(eyed: Served) -> None:
    asked = draft(random.Random(1))
    answer = eyed.post(LISTINGS, json=asked, headers=KEY)
    assert answer.status_code == 202
    told = answer.json()
    assert answer.headers["location"] == f"/v1/drafts/{told['id']}"
    assert (told["state"], told["proposed_by"]) == ("waiting", {"kind": "token", "name": "ann"})
    again = eyed.post(LISTINGS, json=asked, headers=KEY)
    assert (again.status_code, again.json(), again.headers["idempotency-replayed"]) == (202, told, "true")
    assert [one["id"] for one in eyed.get("/v1/drafts").json()["drafts"]] == [told["id"]]
    (statement,) = eyed.get(answer.headers["location"]).json()["statements"]
    assert eyed.post(f"/v1/drafts/{told['id']}/approve").status_code == 409
    assert eyed.get(f"{LISTINGS}/{statement['id']}").status_code == 404
    approved = eyed.post(f"/v1/drafts/{told['id']}/approve", headers=BOB)
    assert (approved.status_code, approved.json()["state"]) == (200, "released")
    assert eyed.get(f"{LISTINGS}/{statement['id']}").json()["state"] == "released"
    assert eyed.client.delete(f"{LISTINGS}/{statement['id']}").status_code == 409
    assert eyed.get("/v1/drafts").json() == {"drafts": []}
    assert len(eyed.get("/v1/drafts?decided=true").json()["drafts"]) == 1


def test_a_body_of_many_is_one_draft_and_so_is_a_withdrawal(eyed: Served) -> None:
    body = "".join(json.dumps(one) + "\n" for one in drafts(3, seed=2))
    told = eyed.post(LISTINGS, content=body, headers={"Content-Type": "application/x-ndjson"}).json()
    assert (told["listings"], told["withdrawals"]) == (3, 0)
    listing = eyed.get(f"/v1/drafts/{told['id']}").json()["statements"][0]["id"]
    eyed.post(f"/v1/drafts/{told['id']}/approve", headers=BOB)
    withdrawn = eyed.post(f"{LISTINGS}/{listing}/withdraw", json={"reason": "error"})
    assert withdrawn.status_code == 202
    assert (withdrawn.json()["kind"], withdrawn.json()["withdrawals"]) == ("withdrawal", 1)
    path = withdrawn.headers["location"]
    assert eyed.post(f"{path}/reject", json={}, headers=BOB).status_code == 422
    rejected = eyed.post(f"{path}/reject", json={"reason": "it is right"}, headers=BOB).json()
    assert (rejected["state"], rejected["reason"]) == ("rejected", "it is right")
    assert eyed.post(f"{path}/approve", headers=BOB).status_code == 409
    assert eyed.get(f"{LISTINGS}/{listing}").json()["live"]
    assert eyed.get("/v1/drafts/7").status_code == 404


def test_what_waits_is_taken_back(sqlite_served: Served) -> None:
    listing = sqlite_served.post(f"{LISTINGS}?wait=false", json=draft(random.Random(3))).json()["id"]
    undone = sqlite_served.client.delete(f"{LISTINGS}/{listing}")
    assert (undone.status_code, undone.json()["what"]) == (200, "listing")
    assert sqlite_served.client.delete(f"{LISTINGS}/{listing}").status_code == 404
