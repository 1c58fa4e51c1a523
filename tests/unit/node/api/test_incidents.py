from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from desk import open_desk
from hashpact_keys.keystore import KeyStore
from hashpact_node.assembly import Node
from hashpact_node.store.database import Database
from hashpact_protocol.card_logs import LogKind
from hashpact_protocol.statements import Incident
from members import TIME, add_member, terms, uuid_of
from serving import Served, serving

SIGNALS = [{"type": "sha256", "value": f"{1:064x}"}]
PATH = "/v1/incidents"


@pytest.fixture
def node(sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    monkeypatch.setitem(KeyStore.__init__.__kwdefaults__, "kdf_rounds", 1)  # type: ignore[arg-type]  # it has some
    with open_desk(sqlite_database, tmp_path / "home", sqlite_database.where) as node:
        yield node


@pytest.fixture
def served(node: Node) -> Iterator[Served]:
    node.stating.open(LogKind.CRISIS)
    with serving(node) as one:
        yield one


def propose(served: Served) -> str:
    answer = served.post(PATH, json={"title": "A drill", "type": "drill"})
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{PATH}/{answer.json()['id']}"
    return str(answer.json()["id"])


def test_an_incident_from_its_proposal_to_its_report(served: Served, node: Node) -> None:
    """A listing that names it goes to the log of crises, and is measured."""
    incident = propose(served)
    path = f"{PATH}/{incident}"
    epsilon = add_member(node.database, "epsilon", terms("epsilon", "crisis-1", kind="crisis"))[1][0]
    epsilon.append(Incident(uuid_of(1), TIME, incident, "active"))
    assert served.post(path, json={"act": "join"}).status_code == 409
    said = served.post(path, json={"act": "activate", "note": "seen here"})
    assert (said.status_code, said.json()["status"], said.json()["index"]) == (200, "active", 1)
    (one,) = served.get(f"{PATH}?status=active").json()["incidents"]
    assert (one["id"], one["active"], one["title"]) == (incident, ["acme", "epsilon"], "A drill")
    made = served.post("/v1/listings", json={"content": "image", "signals": SIGNALS, "incident": incident})
    assert made.json()["origin"].endswith("/logs/crisis-1")
    assert served.post(path, json={"act": "update", "title": "The drill"}).status_code == 200
    assert served.post(path, json={"act": "conclude"}).status_code == 200
    shown = served.get(path).json()
    assert (shown["status"], shown["needed"], shown["members"][0]["listings"]) == ("concluded", 2, 1)
    report = served.get(f"{path}/report").json()
    assert (report["incident"], report["listings"], report["actions"]) == (shown, 1, {"block": 1})
    assert [one["status"] for one in report["steps"] if one["member"] == "acme"] == [
        "proposed",
        "active",
        "active",
        "concluded",
    ]


def test_what_need_not_be_waited_for_is_told_as_waiting(served: Served) -> None:
    answer = served.post(f"{PATH}?wait=false", json={"title": "A drill"})
    assert (answer.status_code, answer.json()["index"]) == (202, None)
    incident = propose(served)
    assert served.post(f"{PATH}/{incident}?wait=false", json={"act": "activate"}).status_code == 202


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (PATH, {}, 422),
        (PATH, {"title": "A drill", "member": "beta"}, 422),  # nobody speaks for another
        (PATH, {"title": "x" * 1_001}, 422),
        (f"{PATH}/{uuid_of(9)}", {"act": "activate"}, 404),
        (f"{PATH}/fire", {"act": "activate"}, 404),
        (f"{PATH}/{uuid_of(9)}", {"act": "conclude"}, 409),
        (f"{PATH}/{uuid_of(9)}", {"act": "propose"}, 422),
    ],
)
def test_bad_requests_say_nothing(served: Served, path: str, body: dict[str, str], status: int) -> None:
    assert served.post(path, json=body).status_code == status
    assert served.get(PATH).json() == {"incidents": []}


def test_of_what_nobody_speaks_nothing_is_shown(served: Served) -> None:
    for path in (f"{PATH}/{uuid_of(9)}", f"{PATH}/fire", f"{PATH}/{uuid_of(9)}/report"):
        assert served.get(path).status_code == 404
    assert served.get(f"{PATH}?status=over").status_code == 422


def test_without_a_log_of_crises_it_is_said_how_to_open_one_and_listings_go_on(node: Node) -> None:
    with serving(node) as served:
        answer = served.post(PATH, json={"title": "A drill"})
        assert (answer.status_code, "hashpact logs open crisis" in answer.json()["mend"]) == (404, True)
        made = served.post("/v1/listings", json={"content": "image", "signals": SIGNALS, "incident": uuid_of(9)})
        assert made.json()["origin"].endswith("/logs/listings-1")
        node.stating.open(LogKind.CRISIS)
        restated = node.publisher.listing(made.json()["id"])
        assert restated.names == ("listings",)
