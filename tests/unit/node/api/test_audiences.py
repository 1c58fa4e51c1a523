from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from desk import open_desk
from hashpact_keys.keystore import KeyStore
from hashpact_node.assembly import Node
from hashpact_node.store.database import Database
from members import uuid_of
from serving import Served, serving

SIGNALS = [{"type": "sha256", "value": f"{1:064x}"}]


@pytest.fixture
def node(sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    monkeypatch.setitem(KeyStore.__init__.__kwdefaults__, "kdf_rounds", 1)  # type: ignore[arg-type]  # it has some
    with open_desk(sqlite_database, tmp_path / "home", sqlite_database.where) as node:
        node.audiences.create("eu-desk", ["beta"])
        yield node


@pytest.fixture
def served(node: Node) -> Iterator[Served]:
    with serving(node) as one:
        yield one


def test_a_listing_is_published_for_audiences_and_moved(served: Served) -> None:
    draft = {"content": "image", "signals": SIGNALS, "audiences": ["eu-desk"]}
    made = served.post("/v1/listings", json=draft)
    assert made.status_code == 201
    path = made.headers["location"]
    shown = served.get(path).json()
    assert (shown["audiences"], shown["origin"]) == (["eu-desk"], made.json()["origin"])
    assert shown["name"] != "listings"
    moved = served.client.put(f"{path}/audiences", json={"audiences": ["everybody", "eu-desk"]})
    assert (moved.status_code, moved.json()["audiences"]) == (200, ["everybody", "eu-desk"])
    moved = served.client.put(f"{path}/audiences?wait=false", json={"audiences": ["everybody"], "reason": "appeal"})
    assert (moved.status_code, moved.json()["audiences"], moved.json()["notice"]) == (202, ["everybody"], None)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"audiences": []}, 422),
        ({"audiences": ["us-desk"]}, 404),
        ({"audiences": "eu-desk"}, 422),
        ({}, 422),
        ({"audiences": ["eu-desk"], "reasons": "x"}, 422),
    ],
)
def test_what_says_nobody_is_refused(served: Served, body: dict[str, object], status: int) -> None:
    made = served.post("/v1/listings", json={"content": "image", "signals": SIGNALS})
    answer = served.client.put(f"{made.headers['location']}/audiences", json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert served.client.put(f"/v1/listings/{uuid_of(9)}/audiences", json={"audiences": ["eu-desk"]}).status_code == 404


def test_audiences_are_listed_with_their_readers(served: Served, node: Node) -> None:
    (one,) = served.get("/v1/audiences").json()["audiences"]
    assert (one["name"], one["readers"], one["closed_at"]) == ("eu-desk", ["beta"], None)
    assert one["origin"] == f"acme.example/logs/{one['log']}-1"
    node.audiences.close("eu-desk")
    assert served.get("/v1/audiences").json()["audiences"] == []
    (ended,) = served.get("/v1/audiences?closed=true").json()["audiences"]
    assert (ended["origin"], ended["closed_at"]) == (None, "2026-11-24T04:00:00Z")
