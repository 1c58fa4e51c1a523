from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hashpact_node.api.models_outcomes import Outcomes, OutcomesTaken
from hashpact_node.services.drafts import ListingDraft
from hashpact_node.store.database import Database
from hashpact_node.store.outcomes import list_matches
from members import sha256
from serving import Served, bearer, make_token, open_member, serving

PATH = "/v1/outcomes"
KEY = f"sha256:{1:064x}"


@pytest.fixture
def listed(sqlite_served: Served) -> Served:
    sqlite_served.node.publisher.publish([ListingDraft("image", (sha256(1),), preserve=True)])
    return sqlite_served


def send(served: Served, *outcomes: dict[str, Any], key: str | None = None) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return served.post(PATH, json={"outcomes": list(outcomes)}, headers=headers)


def test_counts_are_taken_and_told(listed: Served) -> None:
    outcome = {"key": KEY, "matched": 3, "removed": 2, "appealed": 1}
    answer, again = send(listed, outcome, key="k"), send(listed, outcome, key="k")
    assert (answer.status_code, again.status_code) == (200, 200)
    OutcomesTaken.model_validate(answer.json(), strict=True)
    assert [one.headers.get("idempotency-replayed") for one in (answer, again)] == [None, "true"]
    told = listed.get(PATH, params={"key": KEY}).json()
    Outcomes.model_validate(told, strict=True)
    assert told == {
        "key": KEY,
        "matched": 3,
        "removed": 2,
        "appealed": 1,
        "reinstated": 0,
        "last_day": "2026-11-24",
    }


@pytest.mark.parametrize(
    ("outcome", "where"),
    [
        ({"key": KEY, "user": "u1"}, "outcomes[0]"),
        ({"key": KEY, "matched": 1.5}, "outcomes[0].matched"),
        ({"key": KEY, "matched": -1}, "outcomes[0].matched"),
        ({"key": f"sha256:{2:064x}", "matched": 1}, "outcomes[0].key"),
        ({"matched": 1}, "outcomes[0]"),
    ],
)
def test_nothing_but_numbers_of_listed_signals_is_taken(listed: Served, outcome: dict[str, Any], where: str) -> None:
    answer = send(listed, outcome)
    assert (answer.status_code, answer.json()["where"].replace("[...]", "[0]")) == (422, where)


def test_matches_are_counted_by_surface_and_an_unknown_one_is_refused(listed: Served) -> None:
    ask = {"signals": [{"type": "sha256", "value": sha256(1).value}], "surface": "livestream"}
    answer = listed.post("/v1/match", json=ask)
    (result,) = answer.json()["results"]
    assert (result["recommendation"], result["hits"][0]["preserve"]) == (None, True)
    refused = listed.post("/v1/match", json={**ask, "surface": "phone"})
    assert (refused.status_code, refused.json()["where"]) == (422, "surface")
    file = {"content": b"a file", "headers": {"Content-Type": "application/octet-stream"}}
    assert listed.post("/v1/match/file?surface=phone", **file).status_code == 422
    found = listed.post("/v1/match/file?surface=link", **file)
    assert (found.status_code, found.json()["recommendation"]) == (200, None)
    listed.node.match_tally.flush()
    with listed.node.database.read() as connection:
        counted = {tuple(key)[1:]: count for key, count in list_matches(connection, 0, 10**6).items()}
    assert counted == {("block", "sha256", "livestream"): 1, ("none", "sha256", "link"): 1}


def test_a_process_that_ends_writes_down_what_it_counted(sqlite_database: Database, tmp_path: Path) -> None:
    node = open_member(sqlite_database, tmp_path / "home", sqlite_database.where)
    with serving(node) as served:
        served.post("/v1/match", json={"signals": [{"type": "sha256", "value": sha256(1).value}]})
    with sqlite_database.read() as connection:
        assert sum(list_matches(connection, 0, 10**6).values()) == 1
    node.close()


def test_a_token_that_only_matches_gives_outcomes_for_itself_a_few_at_a_time(
    sqlite_database: Database, tmp_path: Path
) -> None:
    node = open_member(sqlite_database, tmp_path / "home", sqlite_database.where)
    node.publisher.publish([ListingDraft("image", (sha256(n),)) for n in range(11)])
    ask = [{"key": f"sha256:{n:064x}", "matched": 1} for n in range(11)]
    with serving(node) as served:
        mine = bearer(make_token(node, "match"))
        refused = served.post(PATH, json={"outcomes": ask}, headers=mine)
        taken = served.post(PATH, json={"outcomes": ask[:10]}, headers=mine)
        told = served.get(PATH, params={"key": ask[0]["key"]}, headers=mine)
        assert (refused.status_code, taken.status_code, told.status_code) == (403, 200, 403)
        assert served.get(PATH, params={"key": ask[0]["key"]}).json()["matched"] == 1
    node.close()
