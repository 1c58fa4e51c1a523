"""Transfer: how things are served, and what becomes of requests that no reader would send."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable

import pytest
import zstandard

from hashpact_conformance.cases import Layer, case, not_supported
from hashpact_conformance.publisher.reading import LogReading, all_tiles, bundles
from hashpact_conformance.publisher.shown import Shown
from hashpact_conformance.publisher.site import Answer, Site, status_of
from hashpact_conformance.publisher.trust_chain import Chain
from hashpact_protocol.card_logs import CardLog
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.tiles import TileId

RULE = "docs/protocol.md, Transfer"
TILES = "docs/protocol.md, Logs: tiles and bundles"
OCTETS = "application/octet-stream"
WINDOW_MAX_BYTES = 8 * 1024 * 1024
HUGE = 200_000


def alive(site: Site, one: Shown) -> None:
    """The node still answers, whatever was done to it."""
    assert site.get(f"{one.log.url}/checkpoint").status == 200, "the node does not answer any more"


@case(Layer.FETCH, "Checkpoints are text/plain in UTF-8", TILES)
def test_checkpoint_type(shown: list[Shown]) -> None:
    for one in shown:
        found = one.answer.headers.get("content-type", "").replace(" ", "").lower()
        assert found == "text/plain;charset=utf-8", f"{one.answer.url} is of the type {found!r}"


@case(Layer.FETCH, "Checkpoints are private and asked for anew each time", RULE)
def test_checkpoint_caching(shown: list[Shown]) -> None:
    for one in shown:
        assert one.answer.cache() == {"private", "no-cache"}, f"{one.answer.url} has Cache-Control {one.answer.cache()}"


@case(Layer.FETCH, "Checkpoints carry a strong ETag", RULE)
def test_etag(shown: list[Shown]) -> None:
    for one in shown:
        tag = one.answer.headers.get("etag", "")
        assert len(tag) > 2 and tag.startswith('"') and tag.endswith('"'), f"{one.answer.url} has the ETag {tag!r}"  # noqa: PT018


@case(Layer.FETCH, "The ETag is another one once the checkpoint is", RULE)
def test_etag_over_body(shown: list[Shown]) -> None:
    tags = {one.answer.headers.get("etag"): one.answer.body for one in shown}
    assert len(tags) == len({one.answer.body for one in shown}), "two checkpoints have one ETag"


def again(site: Site, one: Shown, header: str) -> tuple[Answer, Answer]:
    """Ask for a checkpoint with its ETag in a header; once more where it changed between the two."""
    for _ in range(3):
        first = site.get(f"{one.log.url}/checkpoint").ok()
        second = site.get(f"{one.log.url}/checkpoint", if_none_match=header.format(tag=first.headers.get("etag", "")))
        if second.status == 304 or site.get(f"{one.log.url}/checkpoint").body == first.body:
            break
    return first, second


@case(Layer.FETCH, "Asked with `If-None-Match: {header}`, a checkpoint that did not change is answered with 304", RULE)
@pytest.mark.parametrize("header", ["{tag}", '"other", {tag}', "W/{tag}", "*"], ids=["same", "list", "weak", "any"])
def test_not_modified(site: Site, shown: list[Shown], header: str) -> None:
    for one in shown:
        first, second = again(site, one, header)
        assert second.status == 304, f"{second.url} answers {second.status}"
        assert second.body == b"", f"{second.url} answers 304 with a body"
        assert second.headers.get("etag") == first.headers.get("etag"), "the 304 tells another ETag"


@case(Layer.FETCH, "Asked with another ETag, a checkpoint comes whole", RULE)
def test_modified(site: Site, shown: list[Shown]) -> None:
    for one in shown:
        answer = site.get(f"{one.log.url}/checkpoint", if_none_match='"another"')
        assert answer.status == 200, f"{answer.url} answers {answer.status}"
        assert answer.body, f"{answer.url} came without a body"


@case(Layer.FETCH, "Hashpact-Card tells the version of the card, with a {status} too", RULE)
@pytest.mark.parametrize("status", [200, 304])
def test_card_version(site: Site, shown: list[Shown], chain: Chain, status: int) -> None:
    for one in shown:
        answers = dict(zip((200, 304), again(site, one, "{tag}"), strict=True))
        told = answers[status].headers.get("hashpact-card")
        assert answers[status].status == status, f"{one.log.url}/checkpoint answers {answers[status].status}"
        assert told == str(chain.targets.version), f"{one.log.url}/checkpoint tells the card {told}"


@case(Layer.FETCH, "A closed log tells the version of the card with its 410", RULE)
def test_closed_card_version(site: Site, closed_logs: list[CardLog], chain: Chain) -> None:
    for log in closed_logs:
        answer = site.get(f"{log.url}/checkpoint")
        told = answer.headers.get("hashpact-card")
        assert told == str(chain.targets.version), f"{answer.url} tells the card {told}"


def some_tiles(filled: list[LogReading], *, full: bool) -> list[str]:
    """Full or partial tiles and bundles, at most a few of each log."""
    found = []
    for one in filled:
        tiles = [*list(bundles(one.head.size))[-2:], *list(all_tiles(one.head.size, 0))[-2:]]
        found += [f"{one.log.url}/{tile}" for tile in tiles if (tile.width == LIMITS.bundle_width) is full]
    return found or not_supported(f"no log has a {'full' if full else 'partial'} tile")


@case(Layer.FETCH, "Full tiles and bundles are private and kept for ever", RULE)
def test_full_caching(site: Site, filled: list[LogReading]) -> None:
    for url in some_tiles(filled, full=True):
        found = site.get(url).ok().cache()
        assert found == {"private", "max-age=31536000", "immutable"}, f"{url} has Cache-Control {found}"


@case(Layer.FETCH, "Partial tiles and bundles are private, and nobody may keep them for ever", RULE)
def test_partial_caching(site: Site, filled: list[LogReading]) -> None:
    for url in some_tiles(filled, full=False):
        found = site.get(url).ok().cache()
        assert found == {"private"}, f"{url} has Cache-Control {found}"


@case(Layer.FETCH, "Tiles and bundles are application/octet-stream", TILES)
def test_tile_type(site: Site, filled: list[LogReading]) -> None:
    one = filled[0]
    for tile in (next(bundles(one.head.size)), next(all_tiles(one.head.size, 0))):
        answer = site.get(f"{one.log.url}/{tile}").ok()
        assert answer.headers.get("content-type") == OCTETS, f"{answer.url}: {answer.headers.get('content-type')}"


@case(Layer.FETCH, "A bundle asked for with {coding} holds the same, as one whole frame and nothing after it", RULE)
@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_codings(site: Site, filled: list[LogReading], coding: str) -> None:
    encoded = 0
    decoders: dict[str, Callable[[bytes], bytes]] = {"gzip": gunzip, "zstd": unzstd, "identity": bytes}
    for one in filled:
        url = f"{one.log.url}/{next(bundles(one.head.size))}"
        plain, coded = site.get(url).ok(), site.get(url, accept_encoding=coding).ok()
        told = coded.headers.get("content-encoding", "identity")
        assert told in {coding, "identity"}, f"{url} came as {told}, and {coding} was asked for"
        assert decoders[told](coded.body) == plain.body, f"{url} holds other bytes in {told}"
        encoded += told == coding
    if not encoded:
        not_supported(f"the node does not send bundles in {coding}, and need not")


def gunzip(data: bytes) -> bytes:
    decoder = zlib.decompressobj(wbits=31)
    try:
        plain = decoder.decompress(data) + decoder.flush()
    except zlib.error as error:
        raise AssertionError(f"the gzip is broken: {error}") from error
    assert decoder.eof, "the gzip member does not end"
    assert not decoder.unused_data, "something follows the gzip member"
    return plain


def unzstd(data: bytes) -> bytes:
    frame = zstandard.get_frame_parameters(data)
    assert frame.window_size <= WINDOW_MAX_BYTES, f"the zstd window is {frame.window_size} bytes"
    decoder = zstandard.ZstdDecompressor().decompressobj()
    plain = decoder.decompress(data)
    assert decoder.eof, "the zstd frame does not end"
    assert not decoder.unused_data, "something follows the zstd frame"
    return plain


@case(Layer.FETCH, "Bundles say that they vary by Accept-Encoding, if they do", RULE)
def test_vary(site: Site, filled: list[LogReading]) -> None:
    for one in filled:
        url = f"{one.log.url}/{next(bundles(one.head.size))}"
        answers = [site.get(url, accept_encoding=coding).ok() for coding in ("zstd", "gzip", "identity")]
        if len({answer.headers.get("content-encoding", "identity") for answer in answers}) > 1:
            told = [answer.headers.get("vary", "") for answer in answers]
            assert all("accept-encoding" in one_of.lower() for one_of in told), f"{url} has Vary {told}"


@case(Layer.FETCH, "Asked for identity alone, a bundle comes as it is", RULE)
def test_identity(site: Site, filled: list[LogReading]) -> None:
    one = filled[0]
    answer = site.get(f"{one.log.url}/{next(bundles(one.head.size))}", accept_encoding="identity").ok()
    assert answer.headers.get("content-encoding", "identity") == "identity"


@case(Layer.FETCH, "HEAD on {what} tells what GET would, without a body", RULE)
@pytest.mark.parametrize("what", ["checkpoint", "tile", "timestamp"])
def test_head(site: Site, shown: list[Shown], what: str) -> None:
    one = next((one for one in shown if one.head.size), shown[0])
    tile = next(iter(all_tiles(one.head.size, 0)), None)
    if what == "tile" and tile is None:
        not_supported("no open log holds an entry")
    url = {
        "checkpoint": f"{one.log.url}/checkpoint",
        "tile": f"{one.log.url}/{tile}",
        "timestamp": f"{site.url}/trust/metadata/timestamp.json",
    }[what]
    head, get = site.get(url, method="HEAD"), site.get(url)
    assert head.status == get.status, f"HEAD {url} answers {head.status}, GET {get.status}"
    assert head.body == b"", f"HEAD {url} has a body"
    for name in ("content-type", "cache-control"):
        assert head.headers.get(name) == get.headers.get(name), f"HEAD {url} tells another {name}"


@case(Layer.FETCH, "{method} changes nothing, and is refused", RULE)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_methods(site: Site, shown: list[Shown], method: str) -> None:
    for url in (f"{shown[0].log.url}/checkpoint", f"{site.url}/trust/metadata/timestamp.json"):
        answer = site.get(url, method=method, body=b"{}")
        assert 400 <= answer.status < 500 or answer.status == 501, f"{method} {url} answers {answer.status}"
    alive(site, shown[0])


@case(Layer.FETCH, "Nothing below the member URL is a redirect", RULE)
def test_no_redirects(site: Site, shown: list[Shown]) -> None:
    one = shown[0]
    for url in (f"{one.log.url}/checkpoint/", f"{one.log.url}", f"{one.log.url}/", f"{site.url}/trust/metadata"):
        answer = site.get(url)
        assert not 300 <= answer.status < 400, f"{url} answers {answer.status} to {answer.headers.get('location')}"


@case(Layer.FETCH, "A log that does not exist is a 404, or a 401 as one that is for others", RULE)
def test_unknown_log(site: Site, shown: list[Shown]) -> None:
    one = shown[0]
    answer = site.get(f"{one.log.url}-of-nobody/checkpoint")
    assert answer.status in {401, 404}, f"{answer.url} answers {answer.status}"
    assert "immutable" not in answer.cache(), "the answer may be kept for ever"


@case(Layer.FETCH, "What is not there yet may not be cached as missing for ever", RULE)
def test_missing_is_not_kept(site: Site, shown: list[Shown]) -> None:
    one = shown[0]
    answer = site.get(f"{one.log.url}/{TileId(None, one.head.size // LIMITS.bundle_width + 5)}")
    assert answer.status == 404, f"{answer.url} answers {answer.status}"
    assert not answer.cache() & {"immutable", "max-age=31536000"}, f"{answer.url} has Cache-Control {answer.cache()}"


@case(Layer.FETCH, "A request with {what} is refused, and the node goes on", "RFC 9110, RFC 9112")
@pytest.mark.parametrize("what", ["a huge header", "a huge path", "very many headers"], ids=["header", "path", "many"])
def test_huge_head(site: Site, shown: list[Shown], what: str) -> None:
    head = {
        "a huge header": f"GET /x HTTP/1.1\r\nHost: x\r\nX: {'a' * HUGE}\r\n\r\n",
        "a huge path": f"GET /{'a' * HUGE} HTTP/1.1\r\nHost: x\r\n\r\n",
        "very many headers": "GET /x HTTP/1.1\r\nHost: x\r\n" + "".join(f"X{n}: 1\r\n" for n in range(20_000)) + "\r\n",
    }[what]
    status = status_of(site.raw(head.encode(), wait_seconds=10))
    assert status == 0 or 400 <= status < 500, f"it answers {status}"
    alive(site, shown[0])


@case(Layer.FETCH, "{what} is no HTTP; the node says so or hangs up, and goes on", "RFC 9112")
@pytest.mark.parametrize(
    ("what", "data"),
    [
        ("Garbage", b"\x00\x01\x02\x03 garbage\r\n\r\n"),
        ("A request line of one word", b"GET\r\n\r\n"),
        ("A negative length", b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n"),
        ("A TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64),
    ],
    ids=["garbage", "one-word", "negative-length", "tls"],
)
def test_garbage(site: Site, shown: list[Shown], what: str, data: bytes) -> None:
    del what  # it stands in the title
    status = status_of(site.raw(data, wait_seconds=5))
    assert status == 0 or 400 <= status < 600, f"it answers {status}"
    alive(site, shown[0])


@case(Layer.FETCH, "Thirty connections that never finish their request stop nobody else", RULE)
def test_idle_connections(site: Site, shown: list[Shown]) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(30):
            stack.enter_context(site.connected()).sendall(b"GET /checkpoint HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        alive(site, shown[0])


@case(Layer.FETCH, "Content-Length tells how long each answer is", "RFC 9110, section 8.6")
def test_content_length(site: Site, filled: list[LogReading]) -> None:
    one = filled[0]
    for url in (f"{one.log.url}/checkpoint", f"{one.log.url}/{next(bundles(one.head.size))}"):
        answer = site.get(url).ok()
        told = answer.headers.get("content-length")
        assert told is None or int(told) == len(answer.body), f"{url} tells {told} bytes, and sends {len(answer.body)}"


@case(Layer.FETCH, "A range of a bundle is answered whole, or by exactly that range", "RFC 9110, section 14.2")
def test_range(site: Site, filled: list[LogReading]) -> None:
    url = f"{filled[0].log.url}/{next(bundles(filled[0].head.size))}"
    whole, part = site.get(url).ok(), site.get(url, range="bytes=1-2")
    expected = {200: whole.body, 206: whole.body[1:3]}
    assert part.status in expected, f"{url} answers a range with {part.status}"
    assert part.body == expected[part.status], f"{url} answers a range with other bytes"
