from __future__ import annotations

from material import drafts
from serving import Served

EXPLAIN = "/v1/explain"


def test_a_signal_and_a_listing_are_explained(sqlite_served: Served) -> None:
    (draft,) = drafts(1)
    published = sqlite_served.post("/v1/listings", json=draft).json()["id"]
    value = draft["signals"][1]["value"]
    found = sqlite_served.get(EXPLAIN, params={"signal": f"sha256:{value}"}).json()
    assert (found["kind"], found["action"], found["known"]) == ("signal", "block", True)
    (signal,) = found["signals"]
    assert signal["said"][0]["listing"] == published
    assert [event["what"] for event in signal["history"]] == ["listed"]
    listing = sqlite_served.get(EXPLAIN, params={"listing": published, "history": "false"}).json()
    assert len(listing["signals"]) == 2
    assert listing["history"] == []
    made = sqlite_served.get(EXPLAIN, params={"listing": published, "format": "dsa"}).json()
    assert made["statement"]["content_type"] == ["CONTENT_TYPE_IMAGE"]
    unknown = sqlite_served.get(EXPLAIN, params={"signal": f"sha256:{'0' * 64}"}).json()
    assert (unknown["known"], unknown["signals"]) == (False, [])


def test_what_cannot_be_is_a_problem(sqlite_served: Served) -> None:
    missing = "6f1c2f0e-6f5c-4b0e-9d0a-0f6d2a1b3c4d"
    for query, status in (
        ({}, 422),
        ({"signal": "sha256:0", "listing": missing}, 422),
        ({"signal": "sha256"}, 422),
        ({"signal": "sha256:short"}, 422),
        ({"listing": "short"}, 422),
        ({"listing": missing}, 404),
        ({"listing": missing, "format": "poem"}, 422),
    ):
        answer = sqlite_served.get(EXPLAIN, params=query)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), query
