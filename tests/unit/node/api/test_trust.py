from __future__ import annotations

import json

from hashpact_node.services.views import own_number
from hashpact_node.store.trust import load_files
from serving import Served

NO_PATHS = (
    "/trust/metadata/2.root.json",
    "/trust/metadata/01.root.json",
    "/trust/metadata/root.json",
    "/trust/metadata/timestamp.json/",
    "/trust/metadata/Timestamp.json",
    "/trust/metadata/timestamp%2ejson",
    "/trust/metadata/%2e%2e/targets",
    "/trust/metadata/../metadata/timestamp.json",
    "/trust/metadata//timestamp.json",
    "/trust/metadata/",
    "/trust/targets/member.json",
    "/trust/targets/timestamp.json",
    "/trust/metadata/../../node.toml",
    "/trust/keys/root.key",
    "/trust/",
)
FOREVER = "public, max-age=31536000, immutable"


def test_every_file_of_the_repository_is_served(served: Served) -> None:
    with served.node.database.read() as connection:
        files = load_files(connection, own_number(connection))
    assert len(files) == 5
    for (place, name), data in files.items():
        answer = served.get(f"/trust/{place}/{name}")
        assert (answer.status_code, answer.content) == (200, data)
        assert answer.headers["content-type"] == "application/json"
        changes = name == "timestamp.json"
        assert answer.headers["cache-control"] == ("public, no-cache" if changes else FOREVER)


def test_a_timestamp_is_sent_once(sqlite_served: Served) -> None:
    first = sqlite_served.get("/trust/metadata/timestamp.json")
    again = sqlite_served.get("/trust/metadata/timestamp.json", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == "public, no-cache"


def test_every_other_path_is_none(sqlite_served: Served) -> None:
    for path in NO_PATHS:
        status, answer = sqlite_served.raw_get(path)
        assert status == 404, path
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == 404
