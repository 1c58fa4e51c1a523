from __future__ import annotations

import hashlib
import io
from typing import Any

import pytest
from PIL import Image, ImageDraw

from hashpact_node.api import match
from hashpact_node.api.models import FileMatch, MatchAnswer
from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.hashing import hash_stream
from hashpact_protocol.signals import Signal, make_signal
from members import pdq, sha256
from serving import Served, bearer, make_token

PATH = "/v1/match"


def ask(served: Served, *signals: Signal, **more: Any) -> Any:
    asked = [{"type": one.type, "value": one.value} for one in signals]
    answer = served.post(PATH, json={"signals": asked, **more})
    assert answer.status_code == 200, answer.text
    MatchAnswer.model_validate(answer.json(), strict=True)
    return answer.json()["results"]


def picture(side: int = 256, shift: int = 0) -> bytes:
    """Draw a picture with enough in it for a good PDQ."""
    image = Image.new("RGB", (side, side), "white")
    pen = ImageDraw.Draw(image)
    for n in range(24):
        x, y = (n * 53 + shift) % 200 * side // 256, (n * 97) % 210 * side // 256
        pen.rectangle((x, y, x + side // 6, y + side // 9), fill=(n * 10, 255 - n * 9, (n * 37) % 256))
    target = io.BytesIO()
    image.save(target, "PNG")
    return target.getvalue()


def test_a_batch_is_answered_in_order(served: Served) -> None:
    served.node.publisher.publish([ListingDraft("image", (pdq(1), sha256(1)), labels=("behaviour:glorification",))])
    near, equal, far, never = ask(served, pdq(3), sha256(1), sha256(2), Signal("photodna", "0" * 288, None, None, b""))
    assert [hit["distance"] for hit in near["hits"]] == [1]
    assert (near["compared"], near["action"]) == ("pdq", "block")
    (hit,) = equal["hits"]
    assert (hit["rule"], hit["publishers"], hit["labels"]) == ("own-listing", ["acme"], ["behaviour:glorification"])
    assert [claim["index"] for claim in hit["claims"]] == [0]
    assert (far["action"], far["hits"]) == ("none", [])
    assert (never["compared"], never["hits"]) == ("none", [])


def test_without_detail_the_reasons_are_brief(sqlite_served: Served) -> None:
    sqlite_served.node.publisher.publish([ListingDraft("image", (sha256(1),), labels=("x:y",))])
    ((hit,),) = [result["hits"] for result in ask(sqlite_served, sha256(1), detail=False)]
    assert (hit["action"], hit["labels"], hit["claims"]) == ("block", [], [])


def test_who_may_not_read_is_told_what_to_do_and_no_more(sqlite_served: Served) -> None:
    data = picture()
    hashed = hash_stream(io.BytesIO(data), name="a.png")
    sqlite_served.node.publisher.publish([ListingDraft("image", hashed.signals, labels=("x:y",))])
    sqlite_served.client.headers.update(bearer(make_token(sqlite_served.node, "match", "audit")))
    (one, *_) = ask(sqlite_served, *hashed.signals, detail=True)
    octets = {"Content-Type": "application/octet-stream"}
    of_file = sqlite_served.post("/v1/match/file", content=data, headers=octets).json()
    for result in (one, *of_file["results"]):
        (hit,) = result["hits"]
        assert (hit["action"], hit["rule"]) == ("block", "own-listing")
        assert (hit["publishers"], hit["labels"], hit["claims"], hit["claims_total"]) == ([], [], [], 0)


@pytest.mark.parametrize(
    ("body", "where", "said"),
    [
        ({"signals": []}, "signals", "1 to 1,000"),
        ({"signals": [{"type": "md5", "value": "0" * 32}] * 1_001}, "signals", "not 1,001"),
        ({}, "body", "signals"),
        ({"signals": [{"type": "md5"}]}, "signals[0]", "value"),
        ({"signals": [{"type": "md5", "value": 1}]}, "signals[0].value", "str"),
        ({"signals": [{"type": "md5", "value": "0" * 32, "quality": 1}]}, "signals[0]", "quality"),
        ({"signals": [{"type": "md5", "value": "0" * 32}], "details": True}, "body", "details"),
        ([], "body", "array"),
    ],
)
def test_a_malformed_batch_is_refused(sqlite_served: Served, body: object, where: str, said: str) -> None:
    answer = sqlite_served.post(PATH, json=body)
    assert answer.status_code == 422
    problem = answer.json()
    assert (problem["code"], problem["where"].replace("[...]", "[0]")) == ("request-invalid", where)
    assert said in problem["detail"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"signals":\xff}',
        b'{"signals":' + b"[" * 5_000,
        b"\xff\xfe",
        b'{"signals":[{"type":"md5","value":"\xff"}]}',
    ],
)
def test_what_is_no_json_is_refused(sqlite_served: Served, body: bytes) -> None:
    answer = sqlite_served.post(PATH, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid")


def test_a_malformed_hash_is_named(sqlite_served: Served) -> None:
    asked = [{"type": "md5", "value": "0" * 32}, {"type": "sha256", "value": "A" * 64}]
    answer = sqlite_served.post(PATH, json={"signals": asked})
    assert answer.status_code == 422
    problem = answer.json()
    assert (problem["code"], problem["where"]) == ("signal-malformed", "signals[1].value")
    assert "errors" not in problem


def test_all_malformed_hashes_are_named(sqlite_served: Served) -> None:
    asked = [{"type": "sha256", "value": "A" * 64}, {"type": "md5", "value": "0" * 32}, {"type": "!", "value": "1"}]
    problem = sqlite_served.post(PATH, json={"signals": asked}).json()
    assert (problem["status"], problem["code"], problem["where"]) == (422, "signal-malformed", "signals[0].value")
    assert "(and 1 more)" in problem["detail"]
    assert [one["where"] for one in problem["errors"]] == ["signals[0].value", "signals[2].type"]


def test_a_batch_is_json(sqlite_served: Served) -> None:
    answer = sqlite_served.post(PATH, content=b"{}", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415


def test_a_file_is_hashed_and_matched(sqlite_served: Served) -> None:
    node, data = sqlite_served.node, picture()
    hashed = hash_stream(io.BytesIO(data), name="x")
    node.publisher.publish([ListingDraft("image", hashed.signals)])
    same = sqlite_served.post(f"{PATH}/file", content=data)
    assert same.status_code == 200
    told = FileMatch.model_validate(same.json(), strict=True)
    assert (told.action, told.content, told.length, told.notices) == ("block", "image", len(data), [])
    assert [signal.type for signal in told.signals] == ["pdq", "sha256"]
    assert told.signals[1].value == hashlib.sha256(data).hexdigest()
    assert [len(result.hits) for result in told.results] == [1, 1]
    smaller = FileMatch.model_validate(sqlite_served.post(f"{PATH}/file", content=picture(200)).json())
    assert [len(result.hits) for result in smaller.results] == [1, 0]
    assert smaller.action == "block"


def test_a_picture_that_says_little_is_not_matched_by_its_pdq(sqlite_served: Served) -> None:
    flat = io.BytesIO()
    Image.new("RGB", (300, 200), (128, 128, 128)).save(flat, "PNG")
    poor, _ = hash_stream(io.BytesIO(flat.getvalue()), name="x").signals
    sqlite_served.node.publisher.publish([ListingDraft("image", (make_signal("pdq", poor.value, 99),))])
    assert ask(sqlite_served, poor)[0]["action"] == "block"
    answer = sqlite_served.post(f"{PATH}/file", content=flat.getvalue())
    told = FileMatch.model_validate(answer.json(), strict=True)
    assert [(one.type, one.compared, one.hits) for one in told.results] == [
        ("pdq", "none", []),
        ("sha256", "exact", []),
    ]
    assert told.action == "none"
    assert "nothing is matched by it" in told.notices[0]


def test_a_file_may_have_a_name(sqlite_served: Served) -> None:
    answer = sqlite_served.post(f"{PATH}/file?name=clip.mp4", content=b"no real video")
    assert (answer.json()["content"], answer.json()["action"]) == ("video", "none")


def test_an_empty_file_is_refused(sqlite_served: Served) -> None:
    answer = sqlite_served.post(f"{PATH}/file?name=clip.mp4", content=b"")
    assert (answer.status_code, answer.json()["where"]) == (422, "clip.mp4")


def test_files_are_capped(sqlite_served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match, "FILE_MAX_BYTES", 100)
    for body in (b" " * 101, iter([b" " * 60, b" " * 60])):
        answer = sqlite_served.client.post(f"{PATH}/file", content=body)
        assert (answer.status_code, answer.json()["mend"]) == (413, "send less at once")
