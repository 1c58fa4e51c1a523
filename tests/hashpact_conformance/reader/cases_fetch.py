"""Rows 30 to 35: what a server can do to whoever reads from it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hashpact_conformance.cases import Layer, case
from hashpact_conformance.simulator.member import Member
from hashpact_conformance.simulator.replies import (
    Alter,
    Reply,
    encoded,
    gzip_bomb,
    gzipped,
    html,
    manner,
    says,
    zstd,
    zstd_bomb,
    zstd_wide,
)
from hashpact_conformance.simulator.server import Asked
from hashpact_conformance.simulator.statements import listing
from hashpact_conformance.simulator.world import World
from hashpact_protocol.tiles import bundle_path

TRANSFER = "Transfer"
NEW = 500
BUFFERS = 12 * 1024 * 1024
"""So much may lie in the buffers of both ends when a reader has stopped to read."""

PLACES: dict[str, tuple[Callable[[Member], str], int]] = {
    "checkpoint": (lambda _member: "checkpoint", 16_384),
    "bundle": (lambda _member: bundle_path(0, 6), 256 * 65_537),
    "timestamp": (lambda _member: "/trust/metadata/timestamp.json", 524_288),
    "next-root": (lambda member: f"/trust/metadata/{member.trust.versions['root'] + 1}.root.json", 524_288),
    "card": (lambda _member: "/trust/targets/*", 65_536),
}
"""Where a fault is put, and how much a reader may take there."""


def _put(world: World, place: str, change: Alter) -> Member:
    """List one more, publish a new card with one more log, and let one place go wrong."""
    member = world.subject
    member.log.append(listing(NEW))
    if place in ("timestamp", "next-root", "card"):
        member.log.shown = 5
        member.publish(lambda card: card.update(name="Beta, renamed"))
    member.alter(PLACES[place][0](member), change)
    return member


def _recovers(world: World) -> None:
    world.subject.log.shown = None
    world.recovers(NEW)


ENDLESS: dict[str, Alter] = {
    "without-a-length": lambda _honest: Reply(200, b"x" * 65_536, manner="endless", length=None),
    "with-a-huge-length": lambda _honest: Reply(200, b"x" * 65_536, manner="endless", length=2**40),
    "newlines": lambda _honest: Reply(200, b"\n" * 65_536, manner="endless", length=None),
}


@case(Layer.FETCH, "endless data in place of the {place} is stopped at a cap: {name}", f"{TRANSFER}; attack 30")
@pytest.mark.parametrize("name", ENDLESS)
@pytest.mark.parametrize("place", PLACES)
def test_endless(world: World, place: str, name: str) -> None:
    _put(world, place, ENDLESS[name])
    world.refused()
    sent = sum(one.bytes for one in world.asked())
    assert sent <= 4 * PLACES[place][1] + BUFFERS, f"{sent} bytes were taken"
    _recovers(world)


@case(Layer.FETCH, "a {place} longer than its limit is refused", f"{TRANSFER}; attack 30")
@pytest.mark.parametrize("place", ["checkpoint", "bundle", "timestamp"])
def test_too_long(world: World, place: str) -> None:
    size = PLACES[place][1] + 1
    _put(world, place, lambda honest: Reply(200, honest.body + b"\n" * (size - len(honest.body)), honest.headers))
    world.refused()
    _recovers(world)


SLOW: dict[str, Alter] = {
    "drip": lambda honest: Reply(200, honest.body + b"\n" * 4_000, manner="drip"),
    "stall": manner("stall"),
    "silent": manner("silent"),
}


@case(Layer.FETCH, "a {place} whose server is slow is given up at a deadline: {name}", f"{TRANSFER}; attack 31")
@pytest.mark.parametrize("name", SLOW)
@pytest.mark.parametrize("place", PLACES)
def test_slow(world: World, place: str, name: str) -> None:
    _put(world, place, SLOW[name])
    world.deadline = 1.0
    world.refused()
    _recovers(world)


@case(Layer.FETCH, "a {place} whose connection is cut is refused, and read again later", f"{TRANSFER}; attack 31")
@pytest.mark.parametrize("place", PLACES)
def test_cut(world: World, place: str) -> None:
    if place == "next-root":
        world.subject.trust.write_root()
        world.subject.trust.forget_root()
    _put(world, place, manner("cut") if place != "next-root" else says(b"{"))
    world.refused()
    _recovers(world)


ENCODINGS: dict[str, Alter] = {
    "gzip-bomb": encoded("gzip", lambda _data: gzip_bomb(200_000_000)),
    "zstd-bomb": encoded("zstd", lambda _data: zstd_bomb(200_000_000)),
    "gzip-in-gzip": encoded("gzip, gzip", lambda data: gzipped(gzipped(data))),
    "zstd-in-gzip": encoded("zstd, gzip", lambda data: gzipped(zstd(data))),
    "gzip-cut": encoded("gzip", lambda data: gzipped(data)[:-4]),
    "zstd-cut": encoded("zstd", lambda data: zstd(data)[:-4]),
    "gzip-trailing": encoded("gzip", lambda data: gzipped(data) + b"x"),
    "zstd-trailing": encoded("zstd", lambda data: zstd(data) + b"x"),
    "gzip-two-members": encoded("gzip", lambda data: gzipped(data[:9]) + gzipped(data[9:])),
    "zstd-two-frames": encoded("zstd", lambda data: zstd(data[:9]) + zstd(data[9:])),
    "zstd-huge-window": encoded("zstd", lambda data: zstd_wide(data, 30)),
    "zstd-empty": encoded("zstd", lambda _data: b""),
    "gzip-empty": encoded("gzip", lambda _data: b""),
    "says-gzip-and-is-not": encoded("gzip", lambda data: data),
    "says-zstd-and-is-not": encoded("zstd", lambda data: data),
    "brotli": encoded("br", lambda data: data),
    "unknown-encoding": encoded("x-own", lambda data: data),
}


@case(Layer.FETCH, "a bundle in an encoding that is wrong or dangerous is refused: {name}", f"{TRANSFER}; attack 32")
@pytest.mark.parametrize("name", ENCODINGS)
def test_encoding(world: World, name: str) -> None:
    _put(world, "bundle", ENCODINGS[name])
    world.refused()
    _recovers(world)


@case(Layer.FETCH, "a bomb in place of a checkpoint is refused: {name}", f"{TRANSFER}; attack 32")
@pytest.mark.parametrize("name", ["gzip-bomb", "zstd-bomb", "gzip-in-gzip"])
def test_checkpoint_encoding(world: World, name: str) -> None:
    _put(world, "checkpoint", ENCODINGS[name])
    world.refused()
    _recovers(world)


@case(Layer.FETCH, "a bomb in place of a trust file is refused: {name}", f"{TRANSFER}; attack 32")
@pytest.mark.parametrize("name", ["gzip-bomb", "zstd-bomb"])
def test_trust_encoding(world: World, name: str) -> None:
    _put(world, "timestamp", ENCODINGS[name])
    world.refused()
    _recovers(world)


GOOD_ENCODINGS: dict[str, tuple[str, Alter]] = {
    "gzip": ("gzip", encoded("gzip", gzipped)),
    "zstd": ("zstd", encoded("zstd", zstd)),
    "zstd-small-window": ("zstd", encoded("zstd", lambda data: zstd_wide(data, 20))),
}


@case(Layer.FETCH, "a bundle in one encoding that the reader asked for is taken: {name}", f"{TRANSFER}; attack 32")
@pytest.mark.parametrize("name", GOOD_ENCODINGS)
def test_good_encoding(world: World, name: str) -> None:
    word, change = GOOD_ENCODINGS[name]
    path = bundle_path(0, 6)
    member = _put(world, "bundle", lambda honest: honest)
    world.subject.alterations.clear()
    plain = member.answer

    def answer(asked: Asked) -> Reply:
        reply = plain(asked)
        wanted = word in asked.headers.get("accept-encoding", "")
        return change(reply) if wanted and asked.path.endswith(path) else reply

    world.stage.servers["beta"].answer = answer
    world.accepted(NEW)


REDIRECTS = {
    "another-host": "http://127.0.0.1:{port}/stolen",
    "the-same-host": "/elsewhere",
    "a-file": "file:///etc/passwd",
    "metadata-service": "http://169.254.169.254/latest/meta-data/",
    "protocol-relative": "//127.0.0.1:{port}/stolen",
    "itself": "{self}",
}


@case(Layer.FETCH, "a redirect in place of a checkpoint is refused: to {name}", f"{TRANSFER}; attack 33")
@pytest.mark.parametrize("name", REDIRECTS)
def test_redirect(world: World, name: str) -> None:
    _redirects(world, "checkpoint", name, 302)


@case(Layer.FETCH, "a redirect in place of the {place} is refused: to {name}", f"{TRANSFER}; attack 33")
@pytest.mark.parametrize("name", ["another-host", "a-file"])
@pytest.mark.parametrize("place", ["bundle", "timestamp", "card", "next-root"])
def test_redirect_elsewhere(world: World, place: str, name: str) -> None:
    _redirects(world, place, name, 303)


def _redirects(world: World, place: str, name: str, code: int) -> None:
    port = world.other.url.rpartition(":")[2]
    path = PLACES[place][0](world.subject)
    here = path.replace("*", "x") if path.startswith("/") else f"/{world.subject.log.path}/{path}"
    where = REDIRECTS[name].format(port=port, self=here)
    _put(world, place, lambda _honest: Reply(code, b"", {"Location": where}))
    world.refused()
    assert not [one for one in world.asked(world.other) if one.path == "/stolen"], "the redirect was followed"
    assert not [one for one in world.asked() if one.path == "/elsewhere"], "the redirect was followed"
    at = [one for one in world.asked() if one.path == here]
    assert len(at) <= 3, f"it was asked for {len(at)} times"
    _recovers(world)


@case(Layer.FETCH, "a login page for every address is a clean error", f"{TRANSFER}; attack 35")
@pytest.mark.parametrize("place", ["", "trust", "logs"])
def test_login_page(world: World, place: str) -> None:
    member = world.subject
    member.log.append(listing(NEW))
    member.alter(f"/{place}*", html)
    if place == "trust":
        # Where the trust repository cannot be had, logs go on under the card that is held.
        world.pull()
        assert world.claims(NEW) == {NEW}
    else:
        world.refused()
    world.recovers(NEW)


@case(Layer.FETCH, "status {code} for every address is a clean error", f"{TRANSFER}; attack 35")
@pytest.mark.parametrize("code", [204, 206, 304, 401, 403, 429, 500, 503])
def test_status(world: World, code: int) -> None:
    member = world.subject
    member.log.append(listing(NEW))
    member.alter("/*", lambda _honest: Reply(code, b""))
    world.refused()
    world.recovers(NEW)


URLS = {
    "decimal-address": "http://2130706433:{port}",
    "hexadecimal-address": "http://0x7f000001:{port}",
    "octal-address": "http://0177.0.0.1:{port}",
    "short-address": "http://127.1:{port}",
    "mapped-ipv6": "http://[::ffff:127.0.0.1]:{port}",
    "mapped-ipv6-in-hex": "http://[::ffff:7f00:1]:{port}",
    "userinfo": "http://user@127.0.0.1:{port}",
    "userinfo-as-host": "http://127.0.0.1:{port}@169.254.169.254",
    "zone-id": "http://[::1%25lo]:{port}",
    "upper-case": "HTTP://127.0.0.1:{port}",
    "trailing-slash": "http://127.0.0.1:{port}/",
    "dots": "http://127.0.0.1:{port}/a/../b",
    "query": "http://127.0.0.1:{port}?x=1",
    "fragment": "http://127.0.0.1:{port}#x",
    "escape": "http://127.0.0.1:{port}/%61",
    "port-leading-zero": "http://127.0.0.1:0{port}",
    "http-elsewhere": "http://beta.example",
    "file": "file:///etc/passwd",
    "ftp": "ftp://127.0.0.1:{port}",
    "no-scheme": "127.0.0.1:{port}",
    "link-local": "https://169.254.169.254",
    "private-network": "https://10.255.255.1",
    "any-address": "https://0.0.0.0:{port}",
    "backslash": "http://127.0.0.1:{port}\\x",
    "space": "http://127.0.0.1:{port}/a b",
}


@case(
    Layer.FETCH,
    "a peer at an address that is not allowed or not spelled right is not followed: {name}",
    "Names; attack 34",
)
@pytest.mark.parametrize("name", URLS)
def test_url(newcomer: World, name: str) -> None:
    member = newcomer.subject
    url = URLS[name].format(port=member.url.rpartition(":")[2])
    answer = newcomer.stage.reader.follow(newcomer.home, member.id, url, member.trust.root)
    assert answer.refused, f"{url} was followed"
    assert not newcomer.asked(), "it was even asked"
    assert not newcomer.follow(member).refused
