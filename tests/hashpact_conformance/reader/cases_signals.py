"""Rows 37 to 39: signals that are malformed, or that the reader need not understand."""

from __future__ import annotations

from typing import Any

import pytest

from hashpact_conformance.cases import Layer, case
from hashpact_conformance.simulator.statements import (
    listing,
    signal,
    value_of,
)
from hashpact_conformance.simulator.world import World

SIGNALS: dict[str, dict[str, Any]] = {
    "sha256-63-digits": {"type": "sha256", "value": "a" * 63},
    "sha256-65-digits": {"type": "sha256", "value": "a" * 65},
    "sha256-upper-case": {"type": "sha256", "value": "A" * 64},
    "sha256-no-hex": {"type": "sha256", "value": "g" * 64},
    "sha256-arabic-digits": {"type": "sha256", "value": "\u0661" * 64},
    "sha256-space": {"type": "sha256", "value": " " + "a" * 63},
    "sha256-empty": {"type": "sha256", "value": ""},
    "sha256-number": {"type": "sha256", "value": 7},
    "sha256-null": {"type": "sha256", "value": None},
    "md5-31-digits": {"type": "md5", "value": "a" * 31},
    "sha1-41-digits": {"type": "sha1", "value": "a" * 41},
    "sha512-127-digits": {"type": "sha512", "value": "a" * 127},
    "pdq-62-digits": {"quality": 90, "type": "pdq", "value": "a" * 62},
    "pdq-66-digits": {"quality": 90, "type": "pdq", "value": "a" * 66},
    "pdq-without-quality": {"type": "pdq", "value": "a" * 64},
    "pdq-quality-101": {"quality": 101, "type": "pdq", "value": "a" * 64},
    "pdq-quality-negative": {"quality": -1, "type": "pdq", "value": "a" * 64},
    "pdq-quality-text": {"quality": "90", "type": "pdq", "value": "a" * 64},
    "pdq-quality-true": {"quality": True, "type": "pdq", "value": "a" * 64},
    "pdq-as-a-blob": {"length": 9, "sha256": "a" * 64, "type": "pdq"},
    "tlsh-lower-case": {"type": "tlsh", "value": "T1" + "a" * 70},
    "tlsh-without-t1": {"type": "tlsh", "value": "A" * 72},
    "vpdq-as-a-value": {"type": "vpdq", "value": "a" * 64},
    "blob-of-length-0": {"length": 0, "sha256": "a" * 64, "type": "vpdq"},
    "blob-of-17-mib": {"length": 17 * 2**20, "sha256": "a" * 64, "type": "vpdq"},
    "blob-without-length": {"sha256": "a" * 64, "type": "vpdq"},
    "blob-hash-upper-case": {"length": 9, "sha256": "A" * 64, "type": "vpdq"},
    "both-value-and-blob": {"length": 9, "sha256": "a" * 64, "type": "own_type", "value": "x"},
    "neither-value-nor-blob": {"type": "own_type"},
    "type-upper-case": {"type": "SHA256", "value": "a" * 64},
    "type-empty": {"type": "", "value": "a" * 64},
    "type-33-characters": {"type": "a" * 33, "value": "a"},
    "type-missing": {"value": "a" * 64},
    "type-number": {"type": 1, "value": "a"},
    "unknown-with-a-space": {"type": "own_type", "value": "a b"},
    "unknown-not-ascii": {"type": "own_type", "value": "\u00e9"},
    "unknown-4097-bytes": {"type": "own_type", "value": "x" * 4_097},
}


SIGNALS_ALONE = (
    *("sha256-63-digits", "sha256-upper-case", "sha256-no-hex", "pdq-62-digits", "pdq-without-quality"),
    *("pdq-quality-101", "pdq-quality-true", "pdq-as-a-blob", "tlsh-lower-case", "blob-of-17-mib"),
    *("both-value-and-blob", "neither-value-nor-blob", "type-upper-case", "unknown-with-a-space"),
)


@case(
    Layer.STATEMENTS, "every malformed signal in one listing is dropped, and the right one stands", "Signals; attack 37"
)
def test_all_malformed_signals(world: World) -> None:
    before = world.export().signals("beta")
    world.subject.log.append(listing(501, *SIGNALS.values(), signal(501)))
    world.accepted(501)
    assert world.export().signals("beta") - before == {("sha256", value_of(501))}


@case(Layer.STATEMENTS, "a malformed signal is dropped and shown, and its listing stands: {name}", "Signals; attack 37")
@pytest.mark.parametrize("name", SIGNALS_ALONE)
def test_malformed_signal(world: World, name: str) -> None:
    log = world.subject.log
    before = world.export().signals("beta")
    log.append(listing(501, SIGNALS[name], signal(501)))
    world.accepted(501)
    after = world.export()
    assert after.signals("beta") - before == {("sha256", value_of(501))}, "the malformed signal is claimed"
    if after.malformed is not None:
        assert ("beta", log.origin, log.size - 1) in after.malformed, "people are not told of it"


@case(Layer.STATEMENTS, "a listing all of whose signals are malformed stands without claims", "Signals; attack 38")
def test_all_signals_malformed(world: World) -> None:
    before = world.export().signals("beta")
    world.subject.log.append(listing(501, SIGNALS["sha256-63-digits"], SIGNALS["pdq-quality-101"]), listing(502))
    world.accepted(502)
    assert world.export().signals("beta") - before == {("sha256", value_of(502))}


UNKNOWN_SIGNALS: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
    "value": ({"type": "own_type", "value": "x:y/z"}, ("own_type", "x:y/z")),
    "4096-bytes": ({"type": "own_type", "value": "x" * 4_096}, ("own_type", "x" * 4_096)),
    "blob": ({"length": 9, "sha256": "b" * 64, "type": "own_type"}, ("own_type", "b" * 64)),
    "quality-elsewhere": ({"quality": "x", "type": "md5", "value": "c" * 32}, ("md5", "c" * 32)),
    "unknown-fields": ({"type": "md5", "value": "d" * 32, "z": {"y": 1}}, ("md5", "d" * 32)),
    "low-quality": ({"quality": 0, "type": "pdq", "value": "e" * 64}, ("pdq", "e" * 64)),
    "photodna": ({"type": "photodna", "value": "f" * 288}, ("photodna", "f" * 288)),
    "tlsh": ({"type": "tlsh", "value": "T1" + "A" * 70}, ("tlsh", "T1" + "A" * 70)),
}


@case(
    Layer.STATEMENTS, "a signal that the reader need not understand is kept and claimed: {name}", "Signals; attack 39"
)
@pytest.mark.parametrize("name", UNKNOWN_SIGNALS)
def test_unknown_signal(world: World, name: str) -> None:
    written, claim = UNKNOWN_SIGNALS[name]
    world.subject.log.append(listing(501, written, signal(501)))
    world.subject.may_ask += (f"{world.subject.log.path}/blob/",)
    world.accepted(501)
    assert claim in world.export().signals("beta")
