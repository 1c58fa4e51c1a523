from __future__ import annotations

import json
import random
import threading
from datetime import timedelta
from typing import Any

import httpx
import pytest

from hashpact_node.api import listings
from hashpact_node.api.listings import LINES_MAX
from hashpact_node.services import planned
from hashpact_node.services.planned import PlannedPublisher
from hashpact_node.services.publishing import Publisher
from hashpact_node.store.idempotency import find
from hashpact_node.store.logs import find_log
from hashpact_protocol.errors import StoreError
from material import draft, drafts
from own_member import ORIGIN
from serving import Served

PATH = "/v1/listings"
NDJSON = {"Content-Type": "application/x-ndjson"}
KEY = {"Idempotency-Key": "0d1f7a0c-6c0a-4c9e-8a7e-2f9f0a1b2c3d"}


def lines(*items: object) -> bytes:
    return "".join(json.dumps(item) + "\n" for item in items).encode()


def shown(served: Served) -> int:
    with served.node.database.read() as connection:
        log = find_log(connection, ORIGIN)
    assert log is not None
    return log.accepted_size


def test_one_listing_is_published_and_shown(served: Served) -> None:
    asked = draft(random.Random(1), note="synthetic", confirmed="human")
    answer = served.post(PATH, json=asked)
    assert answer.status_code == 201
    published = answer.json()
    assert published == {
        "id": published["id"],
        "origin": ORIGIN,
        "index": 0,
        "size": 1,
        "existing": False,
        "notice": None,
        "rests_until": None,
    }
    assert answer.headers["location"] == f"/v1/listings/{published['id']}"
    listing = served.get(answer.headers["location"]).json()
    assert (listing["state"], listing["live"], listing["index"]) == ("released", True, 0)
    assert {name: listing[name] for name in ("content", "labels", "note", "confirmed")} == {
        name: asked[name] for name in ("content", "labels", "note", "confirmed")
    }
    assert [(one["type"], one["value"], one["quality"]) for one in listing["signals"]] == [
        (one["type"], one["value"], one.get("quality")) for one in asked["signals"]
    ]
    assert (listing["material"], listing["handling"]) == ("own", "members")


def test_a_listing_may_be_written_on_many_lines(sqlite_served: Served) -> None:
    body = json.dumps(draft(random.Random(1)), indent=2).replace("\n", "\r\n")
    answer = sqlite_served.post(PATH, content=body, headers={"Content-Type": "application/json; charset=utf-8"})
    assert answer.status_code == 201


def test_many_are_published_at_once(served: Served) -> None:
    answer = served.post(PATH, content=lines(*drafts(300)), headers=NDJSON)
    assert answer.status_code == 201
    assert "location" not in answer.headers
    told = answer.json()
    assert told["count"] == 300
    assert [one["index"] for one in told["listings"]] == list(range(300))
    assert shown(served) == 300


def test_all_or_none_and_every_wrong_line_is_told(sqlite_served: Served) -> None:
    good = draft(random.Random(1))
    upper = {**good, "signals": [{"type": "sha256", "value": "A" * 64}]}
    answer = sqlite_served.post(PATH, content=lines(good, upper, good, {"content": "image"}), headers=NDJSON)
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["code"] == "signal-malformed"
    assert problem["where"] == "line 2: signals[0].value"
    assert "lower-case" in problem["detail"]
    assert "(and 1 more)" in problem["detail"]
    assert [item["where"].partition(":")[0] for item in problem["errors"]] == ["line 2", "line 4"]
    assert shown(sqlite_served) == 0


@pytest.mark.parametrize(
    ("body", "where", "said"),
    [
        (b"", "body", "no listing"),
        (b"\n \n", "body", "no listing"),
        (b"{", "body", "no JSON"),
        (b"[]", "body", "JSON object"),
        (b"null", "body", "JSON object"),
        (b'{"content":"image","content":"video","signals":[]}', "body", "twice"),
        (b'{"content":"image","signals":[]}', "signals", "1 to 128"),
        (b'{"content":1,"signals":[{"type":"md5","value":"' + b"0" * 32 + b'"}]}', "content", "content is no string"),
        (b'{"signals":[{"type":"pdq","value":"' + b"0" * 64 + b'"}]}', "signals[0].quality", "quality is no integer"),
        (b'{"content":"image","signal":[]}', "body", "no field 'signal'"),
        (b'{"content":"image","id":"x","signals":[]}', "body", "no field 'id'"),
        (b'{"content":"\xff"}', "body", "UTF-8"),
        (b"[" * 5_000, "body", "no JSON"),
    ],
)
def test_what_is_wrong_with_one_is_told_without_a_line(
    sqlite_served: Served, body: bytes, where: str, said: str
) -> None:
    answer = sqlite_served.post(PATH, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["where"] == where
    assert said in answer.json()["detail"]


def test_other_media_types_are_refused(sqlite_served: Served) -> None:
    for headers in ({"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}, {}):
        answer = sqlite_served.client.request("POST", PATH, content=b"{}", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-media-type")


def test_bodies_are_capped(sqlite_served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listings, "BULK_MAX_BYTES", 100)
    for body in (b" " * 101, iter([b" " * 60, b" " * 60])):
        answer = sqlite_served.client.post(PATH, content=body, headers=NDJSON)
        assert (answer.status_code, answer.json()["status"]) == (413, 413)


def test_lines_are_capped(sqlite_served: Served) -> None:
    answer = sqlite_served.post(PATH, content=b"{}\n" * (LINES_MAX + 1), headers=NDJSON)
    assert answer.status_code == 422
    assert "10,000" in answer.json()["detail"]


def test_material_of_others_takes_an_explicit_yes(sqlite_served: Served) -> None:
    asked = draft(random.Random(1), origin="beta")
    answer = sqlite_served.post(PATH, json=asked)
    assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid")
    assert "?allow_foreign_origin=true" in answer.json()["mend"]
    assert "where" not in answer.json()  # one listing has no lines
    assert sqlite_served.post(f"{PATH}?allow_foreign_origin=true", json=asked).status_code == 201


def test_another_log_is_not_there(sqlite_served: Served) -> None:
    assert sqlite_served.post(f"{PATH}?log=crisis", json=draft(random.Random(1))).status_code == 404


def test_without_waiting_it_is_queued(sqlite_served: Served) -> None:
    answer = sqlite_served.post(f"{PATH}?wait=false", json=draft(random.Random(1)))
    assert (answer.status_code, answer.json()["index"]) == (202, None)
    assert sqlite_served.get(answer.headers["location"]).json()["state"] == "queued"


def test_a_listing_is_withdrawn_once(served: Served) -> None:
    identifier = served.post(PATH, json=draft(random.Random(1))).json()["id"]
    answer = served.post(f"{PATH}/{identifier}/withdraw", json={"reason": "error", "note": "satire"})
    assert (answer.status_code, answer.json()["id"], answer.json()["size"]) == (200, identifier, 2)
    assert served.get(f"{PATH}/{identifier}").json()["state"] == "withdrawn"
    again = served.post(f"{PATH}/{identifier}/withdraw", json={"reason": "error"})
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


def test_a_withdrawal_may_wait(sqlite_served: Served) -> None:
    identifier = sqlite_served.post(PATH, json=draft(random.Random(1))).json()["id"]
    answer = sqlite_served.post(f"{PATH}/{identifier}/withdraw?wait=false", json={"reason": "error"})
    assert (answer.status_code, answer.json()["index"]) == (202, None)


@pytest.mark.parametrize("body", [{}, {"reason": 1}, {"reason": "error", "why": "x"}])
def test_a_withdrawal_has_a_reason(sqlite_served: Served, body: dict[str, Any]) -> None:
    identifier = sqlite_served.post(PATH, json=draft(random.Random(1))).json()["id"]
    answer = sqlite_served.post(f"{PATH}/{identifier}/withdraw", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid")


def test_unknown_listings_are_not_found(sqlite_served: Served) -> None:
    for identifier in ("6f1c2f0e-6f5c-4b0e-9d0a-0f6d2a1b3c4d", "nonsense"):
        assert sqlite_served.get(f"{PATH}/{identifier}").status_code == 404
        assert sqlite_served.post(f"{PATH}/{identifier}/withdraw", json={"reason": "error"}).status_code == 404


def test_the_same_key_and_body_gives_the_first_answer(served: Served) -> None:
    for body, headers in (
        (lines(*drafts(3)), NDJSON),
        (lines(draft(random.Random(9))), {"Content-Type": "application/json"}),
    ):
        key = {"Idempotency-Key": f"key-{headers['Content-Type']}"}
        size = shown(served)
        first = served.post(PATH, content=body, headers=headers | key)
        again = served.post(PATH, content=body, headers=headers | key)
        assert first.status_code == again.status_code == 201
        assert first.content == again.content
        assert first.headers.get("location") == again.headers.get("location")
        assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (False, "true")
        assert shown(served) == size + body.count(b"\n")


def test_the_same_key_with_another_request_is_refused(sqlite_served: Served) -> None:
    one, two = drafts(2)
    assert sqlite_served.post(PATH, json=one, headers=KEY).status_code == 201
    for path, body in ((PATH, two), (f"{PATH}?wait=false", one)):
        answer = sqlite_served.post(path, json=body, headers=KEY)
        assert (answer.status_code, answer.json()["where"]) == (422, "Idempotency-Key")
    assert shown(sqlite_served) == 1


def test_a_request_in_flight_is_a_conflict(sqlite_served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    entered, go_on = threading.Event(), threading.Event()
    publish = PlannedPublisher.publish

    def slow(self: PlannedPublisher, *arguments: Any, **options: Any) -> Any:
        entered.set()
        assert go_on.wait(300)
        return publish(self, *arguments, **options)

    monkeypatch.setattr(PlannedPublisher, "publish", slow)
    answers: list[httpx.Response] = []
    body = draft(random.Random(1))
    first = threading.Thread(target=lambda: answers.append(sqlite_served.post(PATH, json=body, headers=KEY)))
    first.start()
    assert entered.wait(300)
    second = sqlite_served.post(PATH, json=body, headers=KEY)
    go_on.set()
    first.join()
    assert (second.status_code, second.json()["code"]) == (409, "conflict")
    assert answers[0].status_code == 201


def test_a_refused_request_forgets_its_key(sqlite_served: Served) -> None:
    foreign = draft(random.Random(1), origin="beta")
    assert sqlite_served.post(PATH, json=foreign, headers=KEY).status_code == 422
    assert sqlite_served.post(PATH, json=draft(random.Random(2)), headers=KEY).status_code == 201


def test_what_was_stored_before_it_failed_is_published_once(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    publish = Publisher.publish

    def stores_and_fails(self: Publisher, *arguments: Any, **options: Any) -> Any:
        publish(self, *arguments, **options)
        raise StoreError("the connection to the database was lost")

    monkeypatch.setattr(Publisher, "publish", stores_and_fails)
    answer = served.post(PATH, content=lines(*drafts(3)), headers=NDJSON | KEY)
    assert answer.status_code == 201
    assert [one["index"] for one in answer.json()["listings"]] == [0, 1, 2]
    assert shown(served) == 3


@pytest.mark.parametrize("stored", [False, True])
def test_a_request_whose_process_died_is_taken_over_and_done_once(
    served: Served,
    monkeypatch: pytest.MonkeyPatch,
    stored: bool,  # noqa: FBT001 - parametrized
) -> None:
    publish = PlannedPublisher.publish

    def dies(self: PlannedPublisher, *arguments: Any, **options: Any) -> Any:
        if stored:
            publish(self, *arguments, **options)
        raise ZeroDivisionError

    body = lines(*drafts(3))
    with monkeypatch.context() as patch:
        patch.setattr(PlannedPublisher, "publish", dies)
        assert served.post(PATH, content=body, headers=NDJSON | KEY).status_code == 500
    assert served.post(PATH, content=body, headers=NDJSON | KEY).status_code == 409
    with served.node.database.read() as connection:
        row = find(connection, KEY["Idempotency-Key"])
    assert row is not None
    ids = (row.answer or b"").decode().split(",")
    now = served.node.upkeep.now() + timedelta(minutes=6)
    monkeypatch.setattr(served.node.upkeep, "now", lambda: now)
    answer = served.post(PATH, content=body, headers=NDJSON | KEY)
    assert answer.status_code == 201
    assert [one["id"] for one in answer.json()["listings"]] == ids
    assert [one["index"] for one in answer.json()["listings"]] == [0, 1, 2]
    assert shown(served) == 3


def test_after_a_day_a_key_is_new(sqlite_served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = drafts(2)
    assert sqlite_served.post(PATH, json=one, headers=KEY).status_code == 201
    now = sqlite_served.node.upkeep.now() + timedelta(days=1)
    monkeypatch.setattr(sqlite_served.node.upkeep, "now", lambda: now)
    assert sqlite_served.post(PATH, json=two, headers=KEY).status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "two words"])
def test_a_key_has_a_form(sqlite_served: Served, key: str) -> None:
    answer = sqlite_served.post(PATH, json=draft(random.Random(1)), headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["where"]) == (422, "Idempotency-Key")


def test_planned_ids_are_random_uuids() -> None:
    ids = planned.plan(3).decode().split(",")
    assert len(set(ids)) == 3
    assert all(one[14] == "4" and one[19] in "89ab" for one in ids)
