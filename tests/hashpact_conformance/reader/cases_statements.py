"""Rows 36 to 42, 44 and 53: entries that are malformed, strange or contradictory."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hashpact_conformance.cases import Layer, case
from hashpact_conformance.simulator.replies import Alter, body, flipped, gone, html, says, status
from hashpact_conformance.simulator.statements import (
    TIME,
    listing,
    listing_value,
    signal,
    uuid_of,
    value_of,
    withdrawal,
)
from hashpact_conformance.simulator.world import World
from hashpact_protocol.canonical import canonical_bytes

BAD = 700
"""The number of the listing that is wrong."""

FINE = listing(BAD)


def _raw(old: str, new: str | bytes) -> bytes:
    """Change the bytes of a well-formed listing."""
    assert old.encode() in FINE
    return FINE.replace(old.encode(), new.encode() if isinstance(new, str) else new, 1)


def _with(**fields: Any) -> bytes:
    return json.dumps(listing_value(BAD) | fields, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()


def _without(name: str) -> bytes:
    return json.dumps({k: v for k, v in listing_value(BAD).items() if k != name}, separators=(",", ":")).encode()


def _nested(depth: int) -> bytes:
    """Write a listing with an unknown field so deep; the entry itself is the first level."""
    return _raw('"kind"', '"j":' + "[" * (depth - 1) + "]" * (depth - 1) + ',"kind"')


def _extra(text: str) -> bytes:
    """Put one more field in the place where it belongs."""
    return _raw('"kind"', f'"j":{text},"kind"')


MALFORMED: dict[str, bytes] = {
    # attack 36
    "not-json": b"hello",
    "empty-object": b"{}",
    "array": b"[]",
    "text": b'"listing"',
    "null": b"null",
    "nan": _extra("NaN"),
    "infinity": _extra("-Infinity"),
    "cut": FINE[:-1],
    "two-objects": FINE + FINE,
    "byte-order-mark": b"\xef\xbb\xbf" + FINE,
    "final-newline": FINE + b"\n",
    "crlf": FINE + b"\r\n",
    "trailing-nul": FINE + b"\x00",
    "trailing-space": FINE + b" ",
    "leading-space": b" " + FINE,
    "inner-space": _raw('"kind":', '"kind": '),
    "raw-nul-in-a-string": _extra('"a\x00b"'),
    "raw-tab-in-a-string": _extra('"a\tb"'),
    "lone-surrogate-escaped": _extra('"\\ud800"'),
    "surrogate-pair-escaped": _extra('"\\ud83d\\ude00"'),
    "surrogate-in-utf-8": _raw('"kind"', b'"j":"\xed\xa0\x80","kind"'),
    "overlong-utf-8": _raw('"kind"', b'"j":"\xc0\xaf","kind"'),
    "latin-1": _raw('"kind"', b'"j":"\xe9","kind"'),
    "doubled-name": _raw('"kind":"listing"', '"kind":"listing","kind":"listing"'),
    "doubled-name-within": _raw('"type":"sha256"', '"type":"sha256","type":"sha256"'),
    "nested-10000": _nested(10_000),
    "digits-10000": _extra("9" * 10_000),
    "17-KiB": _extra('"' + "x" * 17_000 + '"'),
    "16385-bytes": _extra('"' + "x" * (16_385 - len(_extra('""'))) + '"'),
    "html": b"<!DOCTYPE html><html></html>",
    "single-quotes": FINE.replace(b'"', b"'"),
    "comment": FINE[:-1] + b"/**/}",
    "trailing-comma": FINE[:-1] + b",}",
    "utf-16": FINE.decode().encode("utf-16"),
    # attack 53
    "float-one": _extra("1.0"),
    "exponent": _extra("1e2"),
    "minus-zero": _extra("-0"),
    "beyond-2-53": _extra(str(2**53)),
    "beyond-minus-2-53": _extra(str(-(2**53))),
    "fraction": _extra("0.5"),
    "leading-zero": _extra("01"),
    "plus": _extra("+1"),
    "escaped-letter": _raw('"listing"', '"\\u006cisting"'),
    "escaped-name": _raw('"kind"', '"\\u006bind"'),
    "escaped-slash": _extra('"a\\/b"'),
    "upper-case-escape": _extra('"\\u001F"'),
    "escaped-delete": _extra('"\\u007f"'),
    "unsorted": json.dumps(dict(reversed(listing_value(BAD).items())), separators=(",", ":")).encode(),
    "unsorted-within": _raw(
        '"type":"sha256","value":"' + value_of(BAD) + '"', f'"value":"{value_of(BAD)}","type":"sha256"'
    ),
    "sorted-by-code-point": _raw('"kind"', '"\uffff":1,"\U0001f600":2,"kind"'),
    "depth-9": _nested(9),
    # fields
    "no-kind": _without("kind"),
    "kind-empty": _with(kind=""),
    "kind-number": _with(kind=7),
    "no-id": _without("id"),
    "id-upper-case": _with(id=uuid_of(0xABCDEF).upper()),
    "id-version-1": _with(id="00000000-0000-1000-8000-000000000001"),
    "id-without-hyphens": _with(id=uuid_of(BAD).replace("-", "")),
    "id-in-braces": _with(id="{" + uuid_of(BAD) + "}"),
    "no-time": _without("time"),
    "time-offset": _with(time="2026-11-24T04:00:00+00:00"),
    "time-fraction": _with(time="2026-11-24T04:00:00.5Z"),
    "time-second-60": _with(time="2026-11-24T04:00:60Z"),
    "time-hour-24": _with(time="2026-11-24T24:00:00Z"),
    "time-february-30": _with(time="2026-02-30T04:00:00Z"),
    "time-year-0": _with(time="0000-11-24T04:00:00Z"),
    "time-space": _with(time="2026-11-24 04:00:00Z"),
    "time-lower-case": _with(time="2026-11-24t04:00:00z"),
    "no-content": _without("content"),
    "content-number": _with(content=1),
    "content-null": _with(content=None),
    "no-signals": _without("signals"),
    "signals-empty": _with(signals=[]),
    "signals-no-list": _with(signals={}),
    "signals-129": _with(signals=[{"type": "md5", "value": f"{n:032x}"} for n in range(129)]),
    "labels-no-list": _with(labels="x"),
    "labels-65": _with(labels=[str(n) for n in range(65)]),
    "label-129-bytes": _with(labels=["x" * 129]),
    "label-number": _with(labels=[1]),
    "handling-unknown": _with(handling="everybody"),
    "preserve-text": _with(preserve="true"),
    "expires-no-time": _with(expires="never"),
    "note-too-long": _with(note="x" * 4_097),
    "note-null": _with(note=None),
    "incident-no-uuid": _with(incident="x"),
    "opinion-in-listings": canonical_bytes(
        {
            "id": uuid_of(BAD),
            "kind": "opinion",
            "leaf": "0" * 64,
            "listing": uuid_of(1),
            "log": "listings",
            "member": "beta",
            "time": TIME,
            "verdict": "agree",
        }
    ),
    "incident-in-listings": canonical_bytes(
        {"id": uuid_of(BAD), "incident": uuid_of(9), "kind": "incident", "status": "proposed", "time": TIME}
    ),
    "withdrawal-without-reason": canonical_bytes(
        {"id": uuid_of(BAD), "kind": "withdrawal", "listing": uuid_of(1), "time": TIME}
    ),
    "withdrawal-of-no-uuid": withdrawal(BAD, 1).replace(uuid_of(1).encode(), b"1"),
    "empty": b"",
    "60-KiB": b"x" * 60_000,
}


ALONE = (
    *("not-json", "null", "nan", "byte-order-mark", "final-newline", "crlf", "trailing-nul", "inner-space"),
    *("lone-surrogate-escaped", "surrogate-in-utf-8", "doubled-name", "doubled-name-within", "nested-10000"),
    *("digits-10000", "16385-bytes", "float-one", "exponent", "minus-zero", "beyond-2-53", "escaped-letter"),
    *("unsorted", "sorted-by-code-point", "depth-9", "no-kind", "id-upper-case", "id-version-1", "time-second-60"),
    *("signals-empty", "signals-129", "handling-unknown", "note-null", "opinion-in-listings", "empty", "60-KiB"),
)
"""Those that have a case of their own; all of them stand together in one more."""


def _rows(entry: bytes) -> list[bytes]:
    return [listing(501), entry, listing(502)]


def _among_neighbours(world: World, entry: bytes) -> None:
    """See an entry quarantined, counted and shown, while its neighbours are taken."""
    log = world.subject.log
    place = log.size + 1
    log.append(*_rows(entry))
    world.pull()
    assert world.claims(501, 502, 1) == {501, 502, 1}, "a malformed entry sank its neighbours"
    held = world.export()
    assert not world.claims(BAD), "a malformed entry was taken"
    assert held.logs[log.origin].held_size == log.size
    if held.malformed is not None:
        shown = {(origin, index) for _member, origin, index in held.malformed}
        assert (log.origin, place) in shown, "people are not told of it"


@case(Layer.STATEMENTS, "a malformed entry is quarantined, and its neighbours stand: {name}", "Entries; attacks 36, 53")
@pytest.mark.parametrize("name", ALONE)
def test_malformed(world: World, name: str) -> None:
    _among_neighbours(world, MALFORMED[name])


@case(
    Layer.STATEMENTS,
    "every malformed entry at once: they are quarantined, and every other stands",
    "Entries; attacks 36, 53",
)
def test_all_malformed(world: World) -> None:
    log = world.subject.log
    first = log.size
    rows = [*MALFORMED.values()]
    log.append(*(entry for number, bad in enumerate(rows) for entry in (listing(1_000 + number), bad)))
    world.pull()
    numbers = {1_000 + number for number in range(len(rows))}
    assert world.claims(*numbers) == numbers
    assert not world.claims(BAD)
    held = world.export()
    if held.malformed is not None:
        wanted = {first + 2 * number + 1 for number in range(len(rows))}
        assert {index for _member, _origin, index in held.malformed} == wanted


GOOD: dict[str, bytes] = {
    "depth-8": _nested(8),
    "16384-bytes": _extra('"' + "x" * (16_384 - len(_extra('""'))) + '"'),
    "largest-integer": _extra(str(2**53 - 1)),
    "smallest-integer": _extra(str(-(2**53 - 1))),
    "noncharacter": _extra('"\uffff"'),
    "delete-character": _extra('"\x7f"'),
    "line-separators": _extra('"\u2028\u2029"'),
    "emoji": _extra('"\U0001f600"'),
    "utf-16-order": listing(BAD, **{"\U0001f600": 2, "\uffff": 1}),
    "unknown-field": _extra('{"a":[1,2,null,true]}'),
    "critical-on-a-known-kind": listing(BAD, critical=True),
    "time-long-ago": listing(BAD, time="0001-01-01T00:00:00Z"),
    "time-far-ahead": listing(BAD, time="9999-12-31T23:59:59Z"),
    "all-fields": listing(
        BAD,
        confirmed="human",
        expires="2100-01-01T00:00:00Z",
        handling="members",
        labels=["behaviour:glorification"],
        note="",
        origin="own",
        preserve=True,
        review_by="2100-01-01T00:00:00Z",
    ),
    "unknown-content": listing(BAD, content="hologram"),
    "128-signals": listing(BAD, signal(BAD), *({"type": "md5", "value": f"{n:032x}"} for n in range(127))),
    "one-signal-twice": listing(BAD, signal(BAD), signal(BAD)),
}


@case(Layer.STATEMENTS, "an entry that is unusual and well-formed is taken: {name}", "Entries; attack 53")
@pytest.mark.parametrize("name", GOOD)
def test_well_formed(world: World, name: str) -> None:
    world.subject.log.append(GOOD[name])
    world.accepted(BAD, 1)
    held = world.export()
    assert not held.malformed, "it is shown as malformed"


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


# Row 40.


def _poem(**fields: Any) -> bytes:
    return canonical_bytes({"kind": "poem", **fields})


@case(Layer.STATEMENTS, "an entry of an unknown kind is passed over: {name}", "Statements, Unknown kinds; attack 40")
@pytest.mark.parametrize("name", ["plain", "not-critical", "critical-text", "critical-1", "without-id"])
def test_unknown_kind(world: World, name: str) -> None:
    fields: dict[str, dict[str, Any]] = {
        "not-critical": {"critical": False},
        "critical-text": {"critical": "true"},
        "critical-1": {"critical": 1},
    }
    world.subject.log.append(listing(501), _poem(**fields.get(name, {})), listing(502))
    world.accepted(501, 502)


@case(
    Layer.STATEMENTS,
    "a critical entry of an unknown kind stops that log there, with an alarm",
    "Statements, Unknown kinds; attack 40",
)
def test_critical(world: World) -> None:
    member = world.subject
    other = member.add_log("crisis-1", name="crisis", kind="crisis")
    other.append(listing(601))
    member.publish()
    member.log.append(listing(501), _poem(critical=True), listing(502))
    world.pull()
    assert world.claims(1, 501, 502, 601) == {1, 501, 601}
    assert world.export().alarmed("beta"), "nobody is told that a log has stopped"
    member.log.append(listing(503))
    other.append(listing(602))
    world.pull()
    assert world.claims(501, 502, 503, 602) == {501, 602}


# Rows 41 and 42.

STORIES: dict[str, tuple[list[bytes], set[int]]] = {
    "restated": ([listing(700, signal(701)), listing(700, signal(702))], {702}),
    "restated-empty": ([listing(700, signal(701)), listing(700, {"type": "md5", "value": "x"})], set()),
    "withdrawn": ([listing(700), withdrawal(701, 700)], set()),
    "withdrawn-and-listed-again": ([listing(700), withdrawal(701, 700), listing(700, signal(702))], {702}),
    "withdrawn-twice": ([listing(700), withdrawal(701, 700), withdrawal(702, 700), listing(703)], {703}),
    "withdrawn-before-it-is-there": ([withdrawal(701, 700), listing(700)], {700}),
    "withdrawal-of-nothing": ([withdrawal(701, 9_999), listing(700)], {700}),
    "withdrawal-repeats-its-id": ([listing(700), listing(702), withdrawal(701, 700), withdrawal(701, 702)], set()),
    "listing-under-a-withdrawals-id": ([listing(700), withdrawal(701, 700), listing(701)], set()),
    "withdrawal-under-a-listings-id": ([listing(700), withdrawal(700, 700)], {700}),
    "withdrawal-of-a-withdrawal": ([listing(700), withdrawal(701, 700), withdrawal(702, 701)], set()),
    "malformed-owns-nothing": ([_with(time="x"), withdrawal(700, 1), listing(703)], {703}),
    "two-listings-of-one-signal": ([listing(700), listing(701, signal(700)), withdrawal(702, 701)], {700}),
}
TOLD = range(700, 710)


@case(Layer.STATEMENTS, "place decides what of a story counts: {name}", "Merge; attacks 41, 42")
@pytest.mark.parametrize("name", STORIES)
@pytest.mark.parametrize("how", ["at-once", "one-by-one"])
def test_story(world: World, name: str, how: str) -> None:
    entries, wanted = STORIES[name]
    for entry in entries if how == "one-by-one" else []:
        world.subject.log.append(entry)
        world.pull()
    if how == "at-once":
        world.subject.log.append(*entries)
        world.pull()
    assert world.claims(*TOLD) == wanted


@case(Layer.STATEMENTS, "a withdrawal of another member's listing has no effect", "Merge, 3; attack 42")
def test_withdrawal_of_anothers(world: World) -> None:
    world.subject.log.append(withdrawal(701, 60_001), listing(700))
    world.accepted(700)
    assert world.claims(60_001, member="gamma") == {60_001}


@case(Layer.STATEMENTS, "one id in two members' logs is two listings", "Merge; attack 41")
def test_one_id_of_two_members(world: World) -> None:
    world.subject.log.append(listing(60_001, signal(700)), withdrawal(701, 60_001))
    world.pull()
    assert world.claims(60_001, member="gamma") == {60_001}
    assert not world.claims(700)


@case(Layer.STATEMENTS, "one id in two logs of one member is two listings", "Merge; attack 41")
def test_one_id_in_two_logs(world: World) -> None:
    member = world.subject
    other = member.add_log("crisis-1", name="crisis", kind="crisis")
    other.append(listing(1, signal(701)), withdrawal(702, 2))
    member.publish()
    world.pull()
    assert world.claims(1, 2, 701) == {1, 2, 701}


# Row 44.

BLOB = b"".join(f"{number:064x},100,{number}.000\n".encode() for number in range(20))
BLOBS: dict[str, Alter] = {
    "missing": gone,
    "500": status(500),
    "another-hash": body(flipped),
    "longer": body(lambda data: data + b"x"),
    "shorter": body(lambda data: data[:-1]),
    "empty": says(b""),
    "html": html,
}


@case(
    Layer.STATEMENTS,
    "a blob that is not what was said: its listing stands, with the claim: {name}",
    "Signals; attack 44",
)
@pytest.mark.parametrize("name", ["right", *BLOBS])
def test_blob(world: World, name: str) -> None:
    log = world.subject.log
    digest = log.add_blob(BLOB)
    log.append(listing(501, {"length": len(BLOB), "sha256": digest, "type": "vpdq"}, signal(501)), listing(502))
    if name != "right":
        world.subject.alter(f"blob/{digest}", BLOBS[name])
    world.pull()
    assert world.claims(501, 502) == {501, 502}
    assert ("vpdq", digest) in world.export().signals("beta"), "the claim fell with its bytes"
