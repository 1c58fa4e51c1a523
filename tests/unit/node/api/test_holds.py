from __future__ import annotations

from hashpact_node.store.holds import NewHold, Notice, add_hold
from members import NOW, sha256
from serving import Served

HOLDS = "/v1/holds"


def test_a_hold_is_listed_shown_and_released(sqlite_served: Served) -> None:
    assert sqlite_served.get(HOLDS).json() == {"holds": []}
    with sqlite_served.node.database.write() as connection:
        number = add_hold(connection, NewHold(1_200, 3, Notice.NONE, key=sha256(1).key), now=NOW)
    (hold,) = sqlite_served.get(HOLDS).json()["holds"]
    assert (hold["number"], hold["kind"], hold["came"], hold["usual"]) == (number, "matches", 1_200, 3)
    assert (hold["signal"], hold["state"]) == (f"sha256:{sha256(1).value}", "held")
    assert sqlite_served.get(f"{HOLDS}/{number}").json() == hold
    released = sqlite_served.post(f"{HOLDS}/{number}/release", json={"why": "they told us"})
    assert (released.status_code, released.json()["released_why"]) == (200, "they told us")
    assert sqlite_served.get(HOLDS).json() == {"holds": []}
    assert sqlite_served.get(f"{HOLDS}?released=true").json() == {"holds": [released.json()]}
    assert sqlite_served.post(f"{HOLDS}/{number}/release", json={}).status_code == 409
    assert sqlite_served.post(f"{HOLDS}/99/release", json={}).status_code == 404
    assert sqlite_served.post(f"{HOLDS}/{number}/release", json={"who": "me"}).status_code == 422
