from __future__ import annotations

import gzip
import hashlib
import threading

import pytest
import zstandard

from hashpact_node.api import read_ahead
from hashpact_node.api.read_ahead import ReadAhead
from hashpact_node.assembly import Node
from hashpact_node.services.drafts import ListingDraft
from hashpact_node.store.bundles import Bundle, put_bundles
from hashpact_node.store.logs import find_log
from hashpact_protocol.growth import read_range
from hashpact_protocol.notes import parse_checkpoint, parse_note
from hashpact_protocol.tiles import TileReader, decode_bundle, decode_tile, tile_path
from members import sha256
from own_member import ORIGIN
from serving import Served

SIZE = 600
LOG = "/logs/listings-1"
NO_PATHS = (
    "/logs/listings-1/checkpoint/",
    "/logs/listings-1//checkpoint",
    "//logs/listings-1/checkpoint",
    "/logs/listings-1/Checkpoint",
    "/logs/listings-1/%63heckpoint",
    "/logs/listings%2d1/checkpoint",
    "/logs/LISTINGS-1/checkpoint",
    "/logs/listings-2/checkpoint",
    "/logs/./listings-1/checkpoint",
    "/logs/../logs/listings-1/checkpoint",
    "/logs/%2e%2e/logs/listings-1/checkpoint",
    "/logs/listings-1/tile/../checkpoint",
    "/logs/listings-1/tile/entries/%2e%2e/000",
    "/logs/listings-1/tile/entries/../../../../../etc/passwd",
    "/logs/listings-1/tile/entries/000/",
    "/logs/listings-1/tile//entries/000",
    "/logs/listings-1/tile/entries//000",
    "/logs/listings-1/tile/entries/%30%30%30",
    "/logs/listings-1/tile/Entries/000",
    "/logs/listings-1/tile/ENTRIES/000",
    "/logs/listings-1/tile/entries/0",
    "/logs/listings-1/tile/entries/0000",
    "/logs/listings-1/tile/entries/X001/000",
    "/logs/listings-1/tile/entries/x000/000",
    "/logs/listings-1/tile/entries/000.p/256",
    "/logs/listings-1/tile/entries/000.p/0",
    "/logs/listings-1/tile/entries/000.p/01",
    "/logs/listings-1/tile/entries/000.P/1",
    "/logs/listings-1/tile/entries/000%00",
    "/logs/listings-1/tile/entries",
    "/logs/listings-1/tile/",
    "/logs/listings-1/tile",
    "/logs/listings-1/tile/00/000",
    "/logs/listings-1/tile/64/000",
    "/logs/listings-1/tile/-1/000",
    "/logs/listings-1/tile/entries/003",
    "/logs/listings-1/tile/entries/002",
    "/logs/listings-1/tile/entries/002.p/89",
    "/logs/listings-1/tile/0/x999/x999/x999/x999/x999/x999/999",
    "/logs/listings-1/",
    "/logs/listings-1",
    "/logs/",
    "/logs",
)
FOREVER = "private, max-age=31536000, immutable"


def publish(node: Node, first: int, end: int) -> None:
    node.publisher.publish([ListingDraft("image", (sha256(number),)) for number in range(first, end)])


@pytest.fixture
def filled(sqlite_served: Served) -> Served:
    """A served log of two full bundles and a partial one."""
    publish(sqlite_served.node, 0, SIZE)
    return sqlite_served


def test_what_is_served_hashes_to_the_checkpoint(served: Served) -> None:
    publish(served.node, 0, SIZE)
    answer = served.get(f"{LOG}/checkpoint")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    checkpoint = parse_checkpoint(parse_note(answer.content).text)
    assert (checkpoint.origin, checkpoint.size) == (ORIGIN, SIZE)

    def read(level: int, number: int, width: int) -> list[bytes]:
        return decode_tile(served.get(f"{LOG}/{tile_path(level, number, width)}").content, width)

    assert read_range(SIZE, TileReader(SIZE, read).node).root() == checkpoint.root


def test_a_checkpoint_is_sent_once(filled: Served) -> None:
    first = filled.get(f"{LOG}/checkpoint")
    etag = first.headers["etag"]
    assert etag == f'"{hashlib.sha256(first.content).hexdigest()[:32]}"'
    again = filled.get(f"{LOG}/checkpoint", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    for answer in (first, again):
        assert answer.headers["cache-control"] == "private, no-cache"
        assert answer.headers["etag"] == etag
        assert answer.headers["hashpact-card"].isdecimal()
    publish(filled.node, SIZE, SIZE + 1)
    assert filled.get(f"{LOG}/checkpoint", headers={"If-None-Match": etag}).status_code == 200


def test_full_ones_never_change_and_partial_ones_may(filled: Served) -> None:
    for path in ("tile/entries/000", "tile/entries/001", "tile/0/000"):
        assert filled.get(f"{LOG}/{path}").headers["cache-control"] == FOREVER
    for path in ("tile/entries/002.p/88", "tile/entries/000.p/5", "tile/0/002.p/88", "tile/1/000.p/2"):
        answer = filled.get(f"{LOG}/{path}")
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "private")


@pytest.mark.parametrize("path", ["tile/entries/000", "tile/entries/001.p/7", "tile/entries/002.p/88"])
def test_a_bundle_comes_in_the_coding_that_the_client_likes_best(filled: Served, path: str) -> None:
    plain = filled.get(f"{LOG}/{path}", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    width = int(path.rpartition("/")[2]) if ".p/" in path else 256
    assert len(decode_bundle(plain.content, width)) == width
    assert plain.headers["content-type"] == "application/octet-stream"
    for accepted, coding in (("zstd, gzip", "zstd"), ("zstd;q=0.1, gzip", "gzip"), ("gzip", "gzip")):
        with filled.client.stream("GET", f"{LOG}/{path}", headers={"Accept-Encoding": accepted}) as answer:
            raw = b"".join(answer.iter_raw())
        assert answer.headers["content-encoding"] == coding
        assert answer.headers["vary"] == "Accept-Encoding"
        unpacked = zstandard.decompress(raw) if coding == "zstd" else gzip.decompress(raw)
        assert unpacked == plain.content


def test_a_tile_comes_as_it_is(filled: Served) -> None:
    answer = filled.get(f"{LOG}/tile/0/000", headers={"Accept-Encoding": "zstd, gzip"})
    assert "content-encoding" not in answer.headers
    assert len(answer.content) == 256 * 32


def test_a_client_that_takes_nothing_is_told(filled: Served) -> None:
    answer = filled.get(f"{LOG}/tile/entries/000", headers={"Accept-Encoding": "br, *;q=0"})
    assert (answer.status_code, answer.json()["code"]) == (406, "not-acceptable")


def test_every_other_path_is_none(filled: Served) -> None:
    for path in NO_PATHS:
        status, answer = filled.raw_get(path, "Accept-Encoding: zstd")
        assert status == 404, path
        assert b"application/problem+json" in answer


def test_a_query_changes_nothing(filled: Served) -> None:
    assert filled.get(f"{LOG}/checkpoint?x=1").status_code == 200


def test_other_methods_are_refused(filled: Served) -> None:
    answer = filled.post(f"{LOG}/checkpoint")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


def test_before_the_first_release_there_is_no_checkpoint(sqlite_served: Served) -> None:
    assert sqlite_served.get(f"{LOG}/checkpoint").status_code == 404
    assert sqlite_served.get(f"{LOG}/tile/entries/000", headers={"Accept-Encoding": "zstd"}).status_code == 404


def test_a_bundle_is_served_as_soon_as_it_is_full(filled: Served) -> None:
    asked = {"Accept-Encoding": "zstd"}
    assert filled.get(f"{LOG}/tile/entries/001", headers=asked).status_code == 200
    assert filled.get(f"{LOG}/tile/entries/002", headers=asked).status_code == 404
    publish(filled.node, SIZE, 768)
    assert filled.get(f"{LOG}/tile/entries/002", headers=asked).status_code == 200


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The blocks that are read."""
    seen: list[int] = []
    load = ReadAhead._load

    def spy(self: ReadAhead, name: str, at: int) -> read_ahead.Block:
        seen.append(at)
        return load(self, name, at)

    monkeypatch.setattr(ReadAhead, "_load", spy)
    return seen


def test_a_block_is_read_once_for_many_requests(
    filled: Served, reads: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_ahead, "KEPT_SECONDS", 600.0)
    threads = [
        threading.Thread(target=filled.raw_get, args=(f"{LOG}/tile/entries/00{number % 2}", "Accept-Encoding: zstd"))
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert reads == [0]


def test_what_was_read_ahead_is_kept_for_a_moment(
    filled: Served, reads: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_ahead, "KEPT_SECONDS", -1.0)
    for _ in range(2):
        assert filled.get(f"{LOG}/tile/entries/000", headers={"Accept-Encoding": "zstd"}).status_code == 200
    assert reads == [0, 0]


def test_blocks_are_bounded_in_number_and_in_bytes(filled: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_ahead, "BLOCK_BUNDLES", 1)
    monkeypatch.setattr(read_ahead, "BLOCKS", 1)
    kept: ReadAhead = filled.app.state.read_ahead
    for number in range(2):
        assert filled.get(f"{LOG}/tile/entries/00{number}", headers={"Accept-Encoding": "zstd"}).status_code == 200
    assert len(kept._blocks) == 1
    monkeypatch.setattr(read_ahead, "BLOCK_BUNDLES", 32)
    monkeypatch.setattr(read_ahead, "BLOCK_MAX_BYTES", 1)
    assert list(kept._load("listings-1", 0)) == [0]


def test_nothing_is_read_ahead_that_is_not_full(filled: Served) -> None:
    kept: ReadAhead = filled.app.state.read_ahead
    assert list(kept._load("listings-1", 0)) == [0, 1]
    assert kept._load("listings-1", 1) == {}
    assert kept._load("listings-2", 0) == {}
    with filled.node.database.write() as connection:
        log = find_log(connection, ORIGIN)
        assert log is not None
        put_bundles(connection, log.number, [Bundle(2, 256, b"beyond what is shown")])
    assert list(kept._load("listings-1", 0)) == [0, 1]


def test_before_init_there_is_nothing(sqlite_database: object) -> None:
    assert ReadAhead(sqlite_database)._load("listings-1", 0) == {}  # type: ignore[arg-type]  # the fixture's Database


def test_a_closed_log_tells_the_card_with_its_410(served: Served) -> None:
    served.node.succession.close("listings")
    answer = served.get(f"{LOG}/checkpoint")
    assert answer.status_code == 410
    assert answer.headers["hashpact-card"] == str(served.node.log_files.card_version())
    assert int(answer.headers["hashpact-card"]) > 0
