"""Rows 36 to 42, 44 and 53: entries that are malformed, strange or contradictory."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hashpact_conformance.cases import Layer, case
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
