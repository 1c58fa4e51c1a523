from __future__ import annotations

import hashlib

import httpx
import pytest

from hashpact_protocol.limits import LIMITS
from serving import Served

FRAMES = b"%064x,98,1.250\n" % 7
NAME = hashlib.sha256(FRAMES).hexdigest()
PATH = f"/logs/listings-1/blob/{NAME}"
OCTETS = {"Content-Type": "application/octet-stream"}


def bring(served: Served, data: bytes = FRAMES, type_name: str = "vpdq") -> httpx.Response:
    return served.post("/v1/blobs", params={"type": type_name}, content=data, headers=OCTETS)


def test_a_blob_is_brought_listed_and_read(served: Served) -> None:
    answer = bring(served)
    assert (answer.status_code, answer.json()) == (
        201,
        {"type": "vpdq", "sha256": NAME, "length": len(FRAMES), "existing": False},
    )
    assert served.get(PATH).status_code == 404
    signal = {"type": "vpdq", "sha256": NAME, "length": len(FRAMES)}
    listed = served.post("/v1/listings", json={"content": "video", "signals": [signal]})
    assert listed.status_code == 201
    read = served.get(PATH)
    assert (read.status_code, read.content) == (200, FRAMES)
    assert read.headers["content-type"] == "application/octet-stream"
    assert read.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert served.client.head(PATH).headers["content-length"] == str(len(FRAMES))
    assert bring(served).status_code == 200
    served.post(f"/v1/listings/{listed.json()['id']}/withdraw", json={"reason": "error"}).raise_for_status()
    assert served.get(PATH).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/logs/listings-1/blob/",
        f"/logs/listings-1/blob/{NAME.upper()}",
        f"/logs/listings-1/blob/{NAME}/",
        f"/logs/listings-1//blob/{NAME}",
        f"/logs/listings-1/blob/%{ord(NAME[0]):x}{NAME[1:]}",
        f"/logs/listings-2/blob/{NAME}",
    ],
)
def test_every_other_path_is_none(sqlite_served: Served, path: str) -> None:
    bring(sqlite_served)
    signal = {"type": "vpdq", "sha256": NAME, "length": len(FRAMES)}
    sqlite_served.post("/v1/listings", json={"content": "video", "signals": [signal]}).raise_for_status()
    status, answer = sqlite_served.raw_get(path)
    assert status == 404
    assert b"application/problem+json" in answer


def test_what_cannot_be_brought(sqlite_served: Served) -> None:
    told = bring(sqlite_served, FRAMES[:-1])
    assert (told.status_code, told.json()["code"], told.json()["where"]) == (422, "signal-malformed", "line 1")
    assert bring(sqlite_served, type_name="pdq").status_code == 422
    assert bring(sqlite_served, b"", type_name="tmk").status_code == 422
    # Only the head: whoever sends on while it is refused may lose the answer with the connection.
    head = (
        "POST /v1/blobs?type=tmk HTTP/1.1",
        "Host: 127.0.0.1",
        f"Content-Type: {OCTETS['Content-Type']}",
        f"Content-Length: {LIMITS.blob_max_bytes + 1}",
        *sqlite_served.header_lines("/v1/blobs"),
        "\r\n",
    )
    assert sqlite_served.raw("\r\n".join(head).encode()).startswith(b"HTTP/1.1 413 ")
    wrong = sqlite_served.post("/v1/blobs", params={"type": "vpdq"}, content=FRAMES, headers={"Content-Type": "a/b"})
    assert wrong.status_code == 415
    assert sqlite_served.post("/v1/blobs", content=FRAMES, headers=OCTETS).status_code == 422
    refused = sqlite_served.post(
        "/v1/listings", json={"content": "video", "signals": [{"type": "vpdq", "sha256": NAME, "length": 5}]}
    )
    assert (refused.status_code, refused.json()["code"]) == (422, "request-invalid")
