"""Reading a peer's log, tried against a real server on loopback."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import zstandard

from hashpact_node.net.fetcher import Fetcher
from hashpact_node.net.peer_logs import BundleAnswer, CheckpointAnswer, PeerLogs
from hashpact_node.net.rates import RateLimit
from hashpact_protocol.errors import FetchError, FetchStatusError, FetchTooLargeError, TileError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.tiles import TileId, decode_bundle, decode_tile, encode_bundle

NOTE = b"acme.example/logs/listings-1\n0\nroot\n\n\xe2\x80\x94 acme.example/logs/listings-1 c2ln\n"
BUNDLE = encode_bundle([b"one", b"two"])
FULL_BUNDLE = encode_bundle([b"%d" % number for number in range(256)])


class LogServer:
    """Serves what ``answers`` says by path, as (status, headers, body); any other path is a 404, and is counted."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, list[tuple[str, bytes]], bytes]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                outer.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                status, headers, body = outer.answers.get(self.path, (404, [], b"nothing here"))
                lines = [b"HTTP/1.1 %d Said" % status, b"Content-Length: %d" % len(body)]
                lines += [name.encode() + b": " + value for name, value in headers]
                self.wfile.write(b"\r\n".join([*lines, b"", body]))

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/logs/listings-1"
        self.thread = threading.Thread(target=lambda: self.server.serve_forever(poll_interval=0.01), daemon=True)
        self.thread.start()

    def say(self, path: str, body: bytes, *, status: int = 200, **headers: bytes) -> None:
        named = [(name.replace("_", "-"), value) for name, value in headers.items()]
        self.answers[f"/logs/listings-1/{path}"] = (status, named, body)

    @property
    def asked(self) -> list[str]:
        return [path.removeprefix("/logs/listings-1/") for path, _ in self.requests]

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def server() -> Iterator[LogServer]:
    one = LogServer()
    yield one
    one.close()


@pytest.fixture
def logs() -> Iterator[PeerLogs]:
    with Fetcher() as fetcher:
        yield PeerLogs(fetcher)


def test_a_checkpoint(server: LogServer, logs: PeerLogs) -> None:
    server.say("checkpoint", NOTE, ETag=b'"abc"', Hashpact_Card=b"17")
    assert logs.checkpoint(server.url, None) == CheckpointAnswer(NOTE, '"abc"', 17)
    ((path, headers),) = server.requests
    assert path == "/logs/listings-1/checkpoint"
    assert "if-none-match" not in headers


def test_an_unchanged_checkpoint_is_not_sent_again(server: LogServer, logs: PeerLogs) -> None:
    server.say("checkpoint", b"", status=304, Hashpact_Card=b"18")
    assert logs.checkpoint(server.url, '"abc"') == CheckpointAnswer(None, '"abc"', 18)
    assert server.requests[0][1]["if-none-match"] == '"abc"'


def test_a_changed_checkpoint_has_another_etag(server: LogServer, logs: PeerLogs) -> None:
    server.say("checkpoint", NOTE, ETag=b'W/"new"')
    assert logs.checkpoint(server.url, '"old"') == CheckpointAnswer(NOTE, 'W/"new"', None)


def test_304_answers_a_conditional_request_only(server: LogServer, logs: PeerLogs) -> None:
    server.say("checkpoint", b"", status=304)
    for etag in (None, ""):
        with pytest.raises(FetchStatusError) as caught:
            logs.checkpoint(server.url, etag)
        assert caught.value.status == 304


@pytest.mark.parametrize("status", [201, 204, 400, 404, 410, 429, 500, 503])
def test_any_other_status_is_told(server: LogServer, logs: PeerLogs, status: int) -> None:
    server.say("checkpoint", b"", status=status)
    with pytest.raises(FetchStatusError, match=f"status {status}") as caught:
        logs.checkpoint(server.url, '"abc"')
    assert caught.value.status == status
    assert caught.value.where == f"{server.url}/checkpoint"
    assert caught.value.mend


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (b"1", 1),
        (b"9999999999999999", 9_999_999_999_999_999),
        (b"10000000000000000", None),
        (b"0", None),
        (b"01", None),
        (b"-1", None),
        (b"+1", None),
        (b"1.0", None),
        (b"1, 2", None),
        (b"one", None),
        (b"\xd9\xa1", None),
        (b"", None),
    ],
)
def test_the_version_of_the_card_is_a_decimal_or_nothing(
    server: LogServer, logs: PeerLogs, text: bytes, version: int | None
) -> None:
    server.say("checkpoint", NOTE, Hashpact_Card=text)
    assert logs.checkpoint(server.url, None).card_version == version


@pytest.mark.parametrize(
    "text", [b'"\xc3\xa9"', b'"\xe9"', b"abc", b'"a"b"', b'"a", "b"', b'w/"a"', b'"' + b"a" * 129 + b'"', b""]
)
def test_an_etag_that_could_not_be_sent_back_is_left_out(server: LogServer, logs: PeerLogs, text: bytes) -> None:
    server.say("checkpoint", NOTE, ETag=text)
    answer = logs.checkpoint(server.url, None)
    assert answer == CheckpointAnswer(NOTE, None, None)
    assert logs.checkpoint(server.url, answer.etag) == answer


def test_a_checkpoint_has_a_cap_on_the_wire_and_behind_it(server: LogServer, logs: PeerLogs) -> None:
    long = b"x" * (LIMITS.note_max_bytes + 1)
    server.say("checkpoint", long)
    with pytest.raises(FetchTooLargeError):
        logs.checkpoint(server.url, None)
    server.say("checkpoint", gzip.compress(long), Content_Encoding=b"gzip")
    with pytest.raises(FetchTooLargeError, match="once decoded"):
        logs.checkpoint(server.url, None)
    server.say("checkpoint", gzip.compress(NOTE), Content_Encoding=b"gzip")
    assert logs.checkpoint(server.url, None).note == NOTE


def test_a_tile(server: LogServer, logs: PeerLogs) -> None:
    server.say("tile/1/x001/234.p/2", bytes(64))
    assert logs.tile(server.url, TileId(1, 1_234, 2)) == bytes(64)
    assert server.requests[0][1]["accept-encoding"] == "identity"


@pytest.mark.parametrize("status", [404, 410])
def test_the_full_tile_stands_in_for_a_partial_one_that_is_gone(server: LogServer, logs: PeerLogs, status: int) -> None:
    server.say("tile/0/000.p/2", b"gone", status=status)
    server.say("tile/0/000", bytes(8_192))
    assert logs.tile(server.url, TileId(0, 0, 2)) == bytes(8_192)
    assert server.asked == ["tile/0/000.p/2", "tile/0/000"]


@pytest.mark.parametrize("status", [404, 410])
def test_a_tile_that_is_gone_altogether(server: LogServer, logs: PeerLogs, status: int) -> None:
    server.say("tile/0/000.p/2", b"", status=404)
    server.say("tile/0/000", b"", status=status)
    with pytest.raises(FetchStatusError) as caught:
        logs.tile(server.url, TileId(0, 0, 2))
    assert (caught.value.status, caught.value.where) == (status, f"{server.url}/tile/0/000")


@pytest.mark.parametrize(("width", "status"), [(256, 404), (256, 410), (2, 500), (2, 403)])
def test_there_is_one_request_where_nothing_stands_in(
    server: LogServer, logs: PeerLogs, width: int, status: int
) -> None:
    tile = TileId(0, 0, width)
    server.say(str(tile), b"", status=status)
    with pytest.raises(FetchStatusError) as caught:
        logs.tile(server.url, tile)
    assert caught.value.status == status
    assert len(server.requests) == 1


@pytest.mark.parametrize("length", [0, 31, 32, 96, 8_192])
def test_a_tile_of_another_width_is_for_the_caller_to_refuse(server: LogServer, logs: PeerLogs, length: int) -> None:
    server.say("tile/0/000.p/2", bytes(length))
    data = logs.tile(server.url, TileId(0, 0, 2))
    assert data == bytes(length)
    with pytest.raises(TileError):
        decode_tile(data, 2)


def test_a_tile_has_a_cap(server: LogServer, logs: PeerLogs) -> None:
    server.say("tile/0/000.p/2", bytes(LIMITS.tile_max_bytes + 1))
    with pytest.raises(FetchTooLargeError):
        logs.tile(server.url, TileId(0, 0, 2))


def test_a_tile_may_be_encoded_all_the_same(server: LogServer, logs: PeerLogs) -> None:
    server.say("tile/0/000.p/2", zstandard.compress(bytes(64)), Content_Encoding=b"zstd")
    assert logs.tile(server.url, TileId(0, 0, 2)) == bytes(64)
    server.say("tile/0/000.p/2", zstandard.compress(bytes(64)), Content_Encoding=b"br")
    with pytest.raises(FetchError, match="br") as caught:
        logs.tile(server.url, TileId(0, 0, 2))
    assert caught.value.where == f"{server.url}/tile/0/000.p/2"


@pytest.mark.parametrize("encoding", [b"zstd", b"gzip", None])
def test_a_bundle_is_left_in_its_encoding(server: LogServer, logs: PeerLogs, encoding: bytes | None) -> None:
    if encoding is None:
        server.say("tile/entries/000.p/2", b"as it came")
    else:
        server.say("tile/entries/000.p/2", b"as it came", Content_Encoding=encoding)
    answer = logs.bundle(server.url, 0, 2)
    assert answer == BundleAnswer(b"as it came", "identity" if encoding is None else encoding.decode(), 2)
    assert server.requests[0][1]["accept-encoding"] == "zstd, gzip, identity"


def test_the_full_bundle_stands_in_for_a_partial_one(server: LogServer, logs: PeerLogs) -> None:
    server.say("tile/entries/x001/007", FULL_BUNDLE)
    answer = logs.bundle(server.url, 1_007, 2)
    assert answer == BundleAnswer(FULL_BUNDLE, "identity", 256)
    assert server.asked == ["tile/entries/x001/007.p/2", "tile/entries/x001/007"]
    assert decode_bundle(answer.data, answer.width)[0] == b"0"


def test_a_full_bundle_is_asked_for_once(server: LogServer, logs: PeerLogs) -> None:
    server.say("tile/entries/000", FULL_BUNDLE)
    assert logs.bundle(server.url, 0, 256) == BundleAnswer(FULL_BUNDLE, "identity", 256)
    assert server.asked == ["tile/entries/000"]


@pytest.mark.parametrize("width", [1, 3])
def test_a_bundle_of_another_width_is_for_the_caller_to_refuse(server: LogServer, logs: PeerLogs, width: int) -> None:
    server.say(f"tile/entries/000.p/{width}", BUNDLE)
    answer = logs.bundle(server.url, 0, width)
    assert answer.width == width
    with pytest.raises(TileError):
        decode_bundle(answer.data, answer.width)


def test_a_bundle_that_is_erased(server: LogServer, logs: PeerLogs) -> None:
    server.say("tile/entries/000", b"erased", status=410)
    with pytest.raises(FetchStatusError) as caught:
        logs.bundle(server.url, 0, 256)
    assert caught.value.status == 410


def test_a_bundle_has_a_cap(server: LogServer, logs: PeerLogs) -> None:
    server.say("tile/entries/000", bytes(LIMITS.bundle_max_bytes + 1))
    with pytest.raises(FetchTooLargeError):
        logs.bundle(server.url, 0, 256)


def test_requests_and_bytes_are_counted(server: LogServer, logs: PeerLogs) -> None:
    server.say("checkpoint", NOTE)
    server.say("tile/0/000", bytes(8_192))
    logs.checkpoint(server.url, None)
    logs.tile(server.url, TileId(0, 0, 2))
    assert logs.requests == len(server.requests) == 3
    assert logs.bytes == len(NOTE) + len(b"nothing here") + 8_192


def test_whoever_asks_too_often_waits_before_each_request(server: LogServer) -> None:
    server.say("tile/0/000", bytes(8_192))
    waits: list[tuple[float, int]] = []

    def sleep(seconds: float) -> None:
        waits.append((round(seconds, 6), len(server.requests)))

    rate = RateLimit(per_second=10, burst=1, monotonic=lambda: 0.0)
    with Fetcher() as fetcher:
        logs = PeerLogs(fetcher, rate=rate, sleep=sleep)
        logs.tile(server.url, TileId(0, 0, 2))  # two requests: the tile that stands in waits too
        logs.tile(server.url, TileId(0, 0, 256))
    assert waits == [(0.1, 1), (0.2, 2)]


def test_nobody_waits_by_default_before_hundreds_of_requests(server: LogServer) -> None:
    waits: list[float] = []
    server.say("checkpoint", NOTE)
    with Fetcher() as fetcher:
        logs = PeerLogs(fetcher, sleep=waits.append)
        for _ in range(3):
            logs.checkpoint(server.url, None)
    assert waits == []


def test_threads_may_share_it(server: LogServer, logs: PeerLogs) -> None:
    server.say("tile/0/000", bytes(8_192))

    def work() -> None:
        for _ in range(20):
            logs.tile(server.url, TileId(0, 0, 256))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (logs.requests, logs.bytes) == (80, 80 * 8_192)


def test_a_peer_that_is_down(server: LogServer, logs: PeerLogs) -> None:
    server.close()
    reads: list[Callable[[], object]] = [
        lambda: logs.checkpoint(server.url, None),
        lambda: logs.tile(server.url, TileId(0, 0)),
        lambda: logs.bundle(server.url, 0, 256),
    ]
    for read in reads:
        with pytest.raises(FetchError):
            read()
    assert logs.requests == 0
