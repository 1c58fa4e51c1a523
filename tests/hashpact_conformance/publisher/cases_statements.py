"""Statements: what the entries of the publisher's own logs say, and the blobs that they name."""

from __future__ import annotations

import hashlib

import pytest

from hashpact_conformance.cases import Layer, case, not_supported
from hashpact_conformance.publisher.reading import LogReading, some
from hashpact_conformance.publisher.site import Site
from hashpact_protocol.card import Card

STATEMENTS = "docs/protocol.md, Statements"
BLOBS = "docs/protocol.md, Signals"
BLOBS_READ_MAX = 20


@case(Layer.STATEMENTS, "No entry is malformed: a publisher must not write what readers quarantine", STATEMENTS)
def test_well_formed(readings: list[LogReading]) -> None:
    malformed = [problem for one in readings for problem in one.malformed]
    assert not malformed, some(malformed)


@case(Layer.STATEMENTS, "No signal is malformed: what readers drop protects nobody", "docs/protocol.md, Signals")
def test_signals(readings: list[LogReading]) -> None:
    dropped = [problem for one in readings for problem in one.dropped]
    assert not dropped, some(dropped)


@case(Layer.STATEMENTS, "No id is used for statements of two kinds", "docs/protocol.md, Merge")
def test_ids(readings: list[LogReading]) -> None:
    reused = [problem for one in readings for problem in one.reused]
    assert not reused, some(reused)


@case(
    Layer.STATEMENTS, "No id of a closed log is used for another kind by the logs after it", "docs/protocol.md, Merge"
)
def test_ids_in_sequences(card: Card, closed_readings: list[LogReading], readings: list[LogReading]) -> None:
    by_origin = {one.log.origin: one for one in [*closed_readings, *readings]}
    for name in card.names:
        kinds: dict[str, str] = {}
        for log in card.sequence(name):
            for identifier, kind in by_origin[log.origin].owners.items() if log.origin in by_origin else ():
                before = kinds.setdefault(identifier, kind)
                assert before == kind, f"{identifier} is a {before}, and in {log.origin} a {kind}"


@pytest.fixture(scope="session")
def blobs(readings: list[LogReading]) -> dict[str, int]:
    """Up to so many of the blobs that live and dead listings name: URL and length."""
    found = {f"{one.log.url}/blob/{name}": length for one in readings for name, length in one.blobs.items()}
    return dict(list(found.items())[:BLOBS_READ_MAX]) or not_supported("no listing names a blob")


@case(Layer.STATEMENTS, "Every blob that is named is served, with the hash and the length that were told", BLOBS)
def test_blobs(site: Site, blobs: dict[str, int]) -> None:
    for url, length in blobs.items():
        answer = site.get(url).ok()
        assert len(answer.body) == length, f"{url} has {len(answer.body)} bytes, not {length}"
        assert hashlib.sha256(answer.body).hexdigest() == url[-64:], f"{url} has another hash than its name"


@case(Layer.STATEMENTS, "Blobs are private and kept for ever", "docs/protocol.md, Transfer")
def test_blob_caching(site: Site, blobs: dict[str, int]) -> None:
    for url in blobs:
        found = site.get(url).ok().cache()
        assert found == {"private", "max-age=31536000", "immutable"}, f"{url} has Cache-Control {found}"


@case(Layer.STATEMENTS, "A blob that nobody named, or another spelling of a name, is not served: {name}", BLOBS)
@pytest.mark.parametrize(
    "name", ["0" * 64, "A" * 64, "0" * 63, "../checkpoint"], ids=["unknown", "upper", "short", "up"]
)
def test_no_blob(site: Site, readings: list[LogReading], name: str) -> None:
    below = readings[0].log.origin.removeprefix(site.url.partition("://")[2] + "/")
    status = site.raw_get(f"{below}/blob/{name}")
    assert 400 <= status < 500, f"GET {readings[0].log.url}/blob/{name} answers {status}"
