"""Trust repositories on a hostile or broken wire: caps, deadlines, redirects, status codes."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from tuf.api.metadata import Timestamp  # type: ignore[attr-defined]  # it has no __all__; documented names

from hashpact_keys.rows import TrustRole
from hashpact_keys.trust import describe
from hashpact_keys.trust_files import TIMESTAMP_FILE, versioned
from hashpact_node.net.fetcher import Fetcher
from hashpact_node.net.trust_fetcher import TrustFetcher
from hashpact_protocol.errors import (
    FetchError,
    FetchRefusedError,
    FetchStatusError,
    FetchTimeoutError,
    FetchTooLargeError,
    StoreError,
    TrustError,
)
from unit.keys.trust_simulator import put_card
from unit.node.net.trust_reader import Reader
from unit.node.net.trust_server import says

HOUR = timedelta(hours=1)


@pytest.mark.parametrize("status", [401, 403, 410, 429, 500, 503])
def test_only_404_ends_the_walk_over_roots(reader: Reader, status: int) -> None:
    reader.server.scripts["metadata/2.root.json"] = says(b"no", status=status)
    update = reader.refused(FetchStatusError, f"status {status}")
    assert isinstance(update.problems[0], FetchStatusError)
    assert update.problems[0].status == status


def test_roots_before_an_error_are_kept(reader: Reader) -> None:
    reader.member.rotate()
    reader.publish()
    reader.server.scripts["metadata/3.root.json"] = says(b"no", status=403)
    assert [name for name, _ in reader.refused(FetchStatusError, "403").new_roots] == ["2.root.json"]


@pytest.mark.parametrize("path", ["metadata/2.root.json", "metadata/timestamp.json"])
def test_a_login_page_is_an_error(reader: Reader, path: str) -> None:
    reader.server.scripts[path] = says(b"<!doctype html><title>Log in</title>", Content_Type="text/html")
    reader.refused(TrustError, "no JSON")


@pytest.mark.parametrize("name", ["timestamp", "snapshot", "targets", "member"])
def test_a_missing_file_is_an_error(reader: Reader, name: str) -> None:
    put_card(reader.member, reader.member.card(name="Acme"))
    kept = reader.member.files.items()
    reader.server.files = {
        file: data for file, data in kept if not file[1].endswith(f"{name}.json") or data in reader.stored.values()
    }
    if name == "timestamp":
        reader.server.files.pop(TIMESTAMP_FILE, None)
    reader.refused(FetchStatusError, "404")


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest", "file:///etc/passwd", "/elsewhere"])
def test_redirects_are_refused(reader: Reader, target: str) -> None:
    reader.server.scripts["metadata/timestamp.json"] = says(b"", status=302, Location=target)
    reader.refused(FetchRefusedError, "redirect")


def endless(*, announced: bool) -> Callable[[BaseHTTPRequestHandler], None]:
    def script(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        if announced:
            handler.send_header("Content-Length", str(2**40))
        handler.end_headers()
        with suppress(OSError):
            for _ in range(1_000):
                handler.wfile.write(b"x" * 65_536)

    return script


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("path", ["metadata/2.root.json", "metadata/timestamp.json"])
def test_endless_data_stops_at_our_cap(reader: Reader, path: str, announced: bool) -> None:  # noqa: FBT001
    reader.server.scripts[path] = endless(announced=announced)
    reader.refused(FetchTooLargeError, "524288")


def test_a_huge_signed_length_does_not_lift_the_cap(reader: Reader) -> None:
    member = reader.member
    member.now += HOUR
    member.renew()

    def lie(timestamp: Timestamp) -> None:
        timestamp.snapshot_meta.length = 2**50

    member.edit(TrustRole.TIMESTAMP, lie, signers=[member.online])
    reader.publish()
    version = describe(member.files).roles[2].version
    reader.server.scripts[f"metadata/{version}.snapshot.json"] = endless(announced=False)
    reader.refused(FetchTooLargeError, "524288")


def test_a_file_longer_than_was_signed_is_refused(reader: Reader) -> None:
    member = reader.member
    member.now += HOUR
    member.renew()
    file = versioned(TrustRole.SNAPSHOT, describe(member.files).roles[2].version)
    member.files[file] += b" " * 100
    reader.publish()
    reader.refused(TrustError, "longer than was signed")


def test_a_drip_stops_at_the_total_deadline(reader: Reader) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        with suppress(OSError):
            while not reader.server.stopping.wait(0.02):
                handler.wfile.write(b" ")

    reader.server.scripts["metadata/2.root.json"] = drip
    reader.refused(FetchTimeoutError, "", deadline_seconds=0.4)


def test_the_deadline_is_for_all_files_together(reader: Reader) -> None:
    class Slow:
        """Ten seconds for each file."""

        def __init__(self) -> None:
            self.now = 0.0

        def get(self, url: str, *, max_bytes: int, deadline_seconds: float) -> Any:
            assert deadline_seconds <= 25.0 - self.now
            self.now += 10.0
            with Fetcher() as source:
                return source.get(url, max_bytes=max_bytes, deadline_seconds=5.0)

    slow = Slow()
    fetcher = TrustFetcher(slow, deadline_seconds=25.0, monotonic=lambda: slow.now)
    for _ in range(3):
        fetcher.read(f"{reader.server.url}/trust/metadata/1.root.json")
    with pytest.raises(FetchTimeoutError, match="longer than 25 seconds"):
        fetcher.read(f"{reader.server.url}/trust/metadata/1.root.json")


def test_a_connection_that_is_cut_is_an_error(reader: Reader) -> None:
    def cut(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"{")
        handler.close_connection = True

    reader.server.scripts["metadata/timestamp.json"] = cut
    reader.refused(FetchError, "")
    del reader.server.scripts["metadata/timestamp.json"]
    reader.accepted()


def test_a_compressed_bomb_stops_at_our_cap(reader: Reader) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    reader.server.scripts["metadata/timestamp.json"] = says(bomb, Content_Encoding="gzip")
    reader.refused(FetchTooLargeError, "524288")


def test_a_proxy_that_compresses_is_understood(reader: Reader) -> None:
    reader.member.now += HOUR
    reader.member.renew()
    body = gzip.compress(reader.member.files[TIMESTAMP_FILE])
    reader.server.scripts["metadata/timestamp.json"] = says(body, Content_Encoding="gzip")
    reader.accepted()
    assert reader.stored[TIMESTAMP_FILE] == reader.member.files[TIMESTAMP_FILE]


def test_a_scratch_folder_that_cannot_be_written_is_said(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent/folder")
    with pytest.raises(StoreError, match=r"scratch folder.*TMPDIR"):
        reader.refresh()
