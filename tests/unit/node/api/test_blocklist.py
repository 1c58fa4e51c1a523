from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from hashpact_node.api.models import BlocklistPage, Changes, Digest
from hashpact_node.services.blocklist import Blocklist
from hashpact_node.services.change_feed import ChangeFeed
from hashpact_node.services.drafts import ListingDraft
from members import pdq, sha256
from nodes import wait_until
from publisher import Publisher
from serving import Served

PATH = "/v1/blocklist"


@pytest.fixture
def filled(served: Served) -> Served:
    """Three listings: two signals each."""
    served.node.publisher.publish(
        [ListingDraft("image", (pdq(n), sha256(n)), labels=("behaviour:glorification",)) for n in range(3)]
    )
    return served


def page(served: Served, **query: Any) -> dict[str, Any]:
    answer = served.get(PATH, params=query)
    assert answer.status_code == 200, answer.text
    BlocklistPage.model_validate(answer.json(), strict=True)
    return dict(answer.json())


def changes(served: Served, **query: Any) -> dict[str, Any]:
    answer = served.get(f"{PATH}/changes", params=query)
    assert answer.status_code == 200, answer.text
    Changes.model_validate(answer.json(), strict=True)
    return dict(answer.json())


def test_the_blocklist_comes_by_page(filled: Served) -> None:
    first = page(filled, limit=4)
    rest = page(filled, limit=4, cursor=first["cursor"])
    signals = first["signals"] + rest["signals"]
    assert (len(first["signals"]), len(rest["signals"]), rest["cursor"]) == (4, 2, None)
    assert len({(one["type"], one["value"]) for one in signals}) == 6
    assert {one["action"] for one in signals} == {"block"}
    assert signals[0]["claims"][0]["member"] == "acme"


def test_filters_choose_by_action_and_type(filled: Served) -> None:
    assert [one["type"] for one in page(filled, type="pdq")["signals"]] == ["pdq"] * 3
    assert page(filled, action="review")["signals"] == []
    assert len(page(filled, action="block", type="sha256")["signals"]) == 3


def test_changes_come_in_order_and_every_page_is_a_point_to_go_on_from(filled: Served) -> None:
    first = changes(filled, limit=4)
    assert (len(first["changes"]), first["more"]) == (4, True)
    rest = changes(filled, since=first["cursor"])
    assert (len(rest["changes"]), rest["more"]) == (2, False)
    numbers = [one["n"] for one in first["changes"] + rest["changes"]]
    assert numbers == sorted(numbers)
    one = first["changes"][0]
    assert set(one) == {"n", "key", "op", "action", "publishers", "labels", "rule", "reason", "time"}
    assert (one["op"], one["publishers"], one["labels"]) == ("set", ["acme"], ["behaviour:glorification"])
    assert one["key"].partition(":")[0] in {"pdq", "sha256"}
    assert changes(filled, since=rest["cursor"])["changes"] == []


def test_what_leaves_an_action_is_removed_from_its_feed(filled: Served) -> None:
    cursor = changes(filled, action="block")["cursor"]
    listing = page(filled, limit=1)["signals"][0]["claims"][0]["listing"]
    filled.node.publisher.withdraw(listing, "error")
    left = changes(filled, action="block", since=cursor)["changes"]
    assert [(one["op"], one["action"], one["publishers"]) for one in left] == [("remove", "none", [])] * 2
    assert changes(filled, action="review", since=cursor)["changes"] == []


def test_before_anything_the_feed_is_empty(sqlite_served: Served) -> None:
    assert changes(sqlite_served) == {"changes": [], "cursor": 0, "more": False, "time": None}


@pytest.mark.parametrize(
    ("path", "where"),
    [
        (f"{PATH}?limit=0", "limit"),
        (f"{PATH}?limit=10001", "limit"),
        (f"{PATH}?limit=many", "limit"),
        (f"{PATH}?action=allow", "action"),
        (f"{PATH}?type=UPPER", "type"),
        (f"{PATH}?cursor=nonsense!", "cursor"),
        (f"{PATH}/changes?since=-1", "since"),
        (f"{PATH}/changes?since=1", "since"),
        (f"{PATH}/changes?since={2**70}", "since"),
        (f"{PATH}/changes?limit=0", "limit"),
        (f"{PATH}/changes?action=none", "action"),
    ],
)
def test_wrong_queries_are_named(sqlite_served: Served, path: str, where: str) -> None:
    answer = sqlite_served.get(path)
    assert answer.status_code == 422
    assert (answer.json()["code"], answer.json()["where"]) == ("request-invalid", where)


def test_the_digest_is_over_all_or_some_members(filled: Served, beta: Publisher) -> None:
    filled.node.peering.add("beta", beta.url, fingerprint=beta.fingerprint)
    told = {}
    for query in ("", "?members=acme", "?members=acme,beta", "?members=beta"):
        answer = filled.get(f"{PATH}/digest{query}")
        assert answer.status_code == 200
        told[query] = Digest.model_validate(answer.json(), strict=True)
    assert told[""] == told["?members=acme,beta"]
    assert len({digest.digest for digest in told.values()}) == 3
    own = told["?members=acme"]
    assert (own.listings, own.claims, own.logs[0].size) == (3, 6, 3)
    assert (told["?members=beta"].listings, told["?members=beta"].logs[0].member) == (0, "beta")


def test_the_digest_of_a_stranger_is_not_there(sqlite_served: Served) -> None:
    answer = sqlite_served.get(f"{PATH}/digest?members=acme,delta")
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


@pytest.mark.parametrize("path", ["/v1/blocklist", "/v1/blocklist/changes"])
def test_pages_leave_lookups_their_threads(sqlite_served: Served, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()

    def waits(*_arguments: object, **_options: object) -> dict[str, str]:
        assert go.wait(600)
        return {}

    monkeypatch.setattr(Blocklist, "page", waits)
    monkeypatch.setattr(ChangeFeed, "changes", waits)
    asked = {"signals": [{"type": "md5", "value": "0" * 32}]}
    lane = sqlite_served.app.state.lanes.pages
    with ThreadPoolExecutor(50) as readers:
        url, headers = f"{sqlite_served.client.base_url}{path}", sqlite_served.authorization
        pages = [readers.submit(httpx.get, url, headers=headers, timeout=600) for _ in range(50)]
        try:
            wait_until(lambda: lane.statistics().borrowed_tokens + lane.statistics().tasks_waiting == 50)
            assert sqlite_served.post("/v1/match", json=asked).status_code == 200
        finally:
            go.set()
        assert [page.result().status_code for page in pages] == [200] * 50
