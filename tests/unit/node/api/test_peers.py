from __future__ import annotations

from typing import Any

import pytest

from hashpact_node.store.peers import add_peer
from members import listing, sha256
from own_member import NOW
from publisher import Publisher, flipped
from serving import Served

PATH = "/v1/peers"


def add(served: Served, beta: Publisher, **pin: str) -> Any:
    answer = served.post(PATH, json={"member": "beta", "url": beta.url, **(pin or {"fingerprint": beta.fingerprint})})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_peer_is_added_pulled_and_removed(served: Served, beta: Publisher) -> None:
    beta.log.append(listing(1, sha256(1)), listing(2, sha256(2)))
    added = add(served, beta)
    assert (added["member"], added["state"], added["fingerprint"]) == ("beta", "active", beta.fingerprint)
    assert [(log["size"], log["own"]) for log in added["logs"]] == [(0, False)]
    pulled = served.post(f"{PATH}/beta/pull").json()
    assert (pulled["member"], pulled["ok"], pulled["errors"]) == ("beta", True, [])
    assert [(log["before"], log["after"], log["verdict"]) for log in pulled["logs"]] == [(0, 2, "grown")]
    assert (pulled["requests"] > 0, pulled["bytes"] > 0) == (True, True)
    assert served.post("/v1/match", json={"signals": [{"type": "sha256", "value": f"{1:064x}"}]}).json()["results"][0][
        "action"
    ] == ("review")
    shown = served.get(f"{PATH}/beta").json()
    assert (shown["logs"][0]["live"], shown["failures"], shown["last_error"]) == (2, 0, None)
    assert served.get(PATH).json() == {"peers": [shown]}
    gone = served.client.delete(f"{PATH}/beta")
    assert (gone.status_code, gone.json()["state"]) == (200, "removed")
    assert served.get(PATH).json() == {"peers": []}
    assert served.get("/v1/blocklist").json()["signals"] == []


def test_a_peer_is_shown_before_it_is_trusted(sqlite_served: Served, beta: Publisher) -> None:
    asked = {"member": "beta", "url": beta.url, "fingerprint": beta.fingerprint}
    shown = sqlite_served.post(f"{PATH}/preview", json=asked)
    assert (shown.status_code, shown.json()["member"], shown.json()["name"]) == (200, "beta", "Beta")
    assert shown.json()["pinned"] == beta.fingerprint
    assert sqlite_served.get(PATH).json() == {"peers": []}
    refused = sqlite_served.post(f"{PATH}/preview", json=asked | {"fingerprint": f"1:sha256:{'0' * 64}"})
    assert (refused.status_code, refused.json()["code"]) == (502, "trust-refused")


def test_a_peer_s_fault_is_told_in_the_answer(sqlite_served: Served, beta: Publisher) -> None:
    beta.log.append(listing(1, sha256(1)))
    add(sqlite_served, beta)
    beta.alter("tile/entries/000.p/1", flipped)
    answer = sqlite_served.post(f"{PATH}/beta/pull")
    assert answer.status_code == 200
    pulled = answer.json()
    assert (pulled["ok"], [error["code"] for error in pulled["errors"]]) == (False, ["entries-mismatch"])
    shown = sqlite_served.get(f"{PATH}/beta").json()
    assert (shown["failures"], shown["last_error"]["code"]) == (1, "entries-mismatch")
    assert [alarm["origin"] for alarm in shown["alarms"]] == [beta.log.origin]


def test_a_root_pins_too(sqlite_served: Served, beta: Publisher) -> None:
    assert add(sqlite_served, beta, root=beta.root_file.decode())["fingerprint"] == beta.fingerprint


def test_a_paused_peer_is_left_alone_until_it_is_resumed(sqlite_served: Served, beta: Publisher) -> None:
    add(sqlite_served, beta)
    assert sqlite_served.post(f"{PATH}/beta/pause").json()["state"] == "paused"
    refused = sqlite_served.post(f"{PATH}/beta/pull")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert sqlite_served.post(f"{PATH}/beta/resume").json()["state"] == "active"
    assert sqlite_served.post(f"{PATH}/beta/pull").status_code == 200


def test_a_suspended_peer_is_out_until_it_is_resumed(sqlite_served: Served, beta: Publisher) -> None:
    beta.log.append(listing(1, sha256(1)))
    add(sqlite_served, beta)
    sqlite_served.post(f"{PATH}/beta/pull")
    suspended = sqlite_served.post(f"{PATH}/beta/suspend", json={"reason": "theft"}).json()
    assert (suspended["state"], suspended["decision"]["by"], suspended["decision"]["reason"]) == (
        "suspended",
        "local",
        "theft",
    )
    assert sqlite_served.get("/v1/blocklist").json()["signals"] == []
    assert sqlite_served.post(f"{PATH}/beta/pull").status_code == 409
    assert sqlite_served.post(f"{PATH}/beta/suspend", json={"reason": "x" * 257}).status_code == 422
    assert sqlite_served.post(f"{PATH}/beta/suspend").json()["decision"]["reason"] is None
    assert sqlite_served.post(f"{PATH}/beta/resume").json()["state"] == "active"
    assert len(sqlite_served.get("/v1/blocklist").json()["signals"]) == 1


def test_without_a_pin_nobody_is_added(sqlite_served: Served, beta: Publisher) -> None:
    answer = sqlite_served.post(PATH, json={"member": "beta", "url": beta.url})
    assert answer.status_code == 422
    assert "fingerprint" in answer.json()["mend"]
    assert sqlite_served.get(PATH).json() == {"peers": []}


def test_a_wrong_pin_is_refused(sqlite_served: Served, beta: Publisher) -> None:
    answer = sqlite_served.post(PATH, json={"member": "beta", "url": beta.url, "fingerprint": f"1:sha256:{'0' * 64}"})
    assert (answer.status_code, answer.json()["code"]) == (502, "trust-refused")
    assert sqlite_served.get(PATH).json() == {"peers": []}


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"member": "Beta"}, 422, "name-malformed"),
        ({"url": "https://beta.example/"}, 422, "name-malformed"),
        ({"url": "http://127.0.0.1:1"}, 502, "fetch-failed"),
        ({"url": "https://acme.example"}, 409, "conflict"),
        ({"url": "https://[::ffff:10.0.0.1]"}, 422, None),
        ({"fingerprint": "no fingerprint"}, 422, "request-invalid"),
        ({"member": 1}, 422, "request-invalid"),
        ({"pin": "x"}, 422, "request-invalid"),
    ],
)
def test_wrong_peers_are_refused(
    sqlite_served: Served, beta: Publisher, change: dict[str, object], status: int, code: str | None
) -> None:
    asked = {"member": "beta", "url": beta.url, "fingerprint": beta.fingerprint, **change}
    answer = sqlite_served.post(PATH, json=asked)
    assert answer.status_code == status, answer.text
    assert code is None or answer.json()["code"] == code


def test_strangers_are_not_found(sqlite_served: Served) -> None:
    assert sqlite_served.get(f"{PATH}/delta").status_code == 404
    assert sqlite_served.client.delete(f"{PATH}/delta").status_code == 404
    for action in ("pull", "pause", "suspend", "resume"):
        assert sqlite_served.post(f"{PATH}/delta/{action}").status_code == 404


def test_this_member_is_none_of_its_peers(sqlite_served: Served) -> None:
    assert sqlite_served.client.delete(f"{PATH}/acme").status_code == 409
    for action in ("pull", "pause", "suspend", "resume"):
        assert sqlite_served.post(f"{PATH}/acme/{action}").status_code == 409


def test_a_peer_that_never_answered_is_shown(sqlite_served: Served) -> None:
    with sqlite_served.node.database.write() as connection:
        add_peer(connection, "gamma", "https://gamma.example", now=NOW, pinned_fingerprint="1:sha256:00")
    shown = sqlite_served.get(f"{PATH}/gamma").json()
    assert (shown["card_version"], shown["last_good_at"], shown["logs"]) == (None, None, [])


def test_a_password_in_a_url_is_not_repeated(sqlite_served: Served) -> None:
    body = {"member": "beta", "url": "https://user:hunter2@beta.example", "fingerprint": f"1:sha256:{'0' * 64}"}
    answer = sqlite_served.post(PATH, json=body)
    assert answer.status_code == 422
    assert "hunter2" not in answer.text
    assert "***@beta.example" in answer.text


def test_what_is_malformed_is_listed(served: Served, beta: Publisher) -> None:
    beta.log.append(listing(1, sha256(1)), b"{", b"[]")
    add(served, beta)
    served.post(f"{PATH}/beta/pull")
    found = served.get(f"{PATH}/beta/quarantine").json()["malformed"]
    assert [(one["position"], one["part"]) for one in found] == [(1, 0), (2, 0)]
    assert all(one["origin"] == beta.log.origin and one["code"] and one["reason"] for one in found)
    assert len(served.get(f"{PATH}/beta/quarantine?limit=1").json()["malformed"]) == 1
    assert served.get(f"{PATH}/beta/quarantine?limit=0").status_code == 422
    assert served.get(f"{PATH}/nobody/quarantine").status_code == 404
