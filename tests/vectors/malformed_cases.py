"""The cases of entries that are malformed, and so quarantined, on every node alike."""

from __future__ import annotations

from vectors.statement_material import (
    ENTRY_MALFORMED,
    ENTRY_MAX_BYTES,
    INCIDENT,
    LISTING,
    LISTING_ID,
    LOG_OF,
    OPINION,
    SHA256_SIGNAL,
    WITHDRAWAL,
    Area,
    Object,
    canonical,
    digest,
    readable,
)

SENTENCES = {"listing": LISTING, "withdrawal": WITHDRAWAL, "opinion": OPINION, "incident": INCIDENT}
LOGS = ("listings", "crisis", "opinions")


def add_malformed(made: Area) -> None:
    """Add every malformed case."""
    _bytes(made)
    _kinds_and_logs(made)
    _fields(made)
    _identifiers(made)
    _times(made)
    _lists(made)


def _add(made: Area, case: str, why: str, entry: bytes, log: str = "listings") -> None:
    inputs = readable({"log_kind": log})
    made.add(f"{case}_fail", why, {"code": ENTRY_MALFORMED}, input_json=inputs, entry_bin=entry)


def _changed(made: Area, case: str, why: str, statement: Object, **fields: object) -> None:
    _add(made, case, why, canonical(statement | fields), LOG_OF[str(statement["kind"])])


def _bytes(made: Area) -> None:
    """What sinks an entry before anybody asks what it says; the area `canonical` has the rest of these."""
    listing = canonical(LISTING)

    def instead(old: bytes, new: bytes) -> bytes:
        if listing.count(old) != 1:
            raise ValueError(old)
        return listing.replace(old, new)

    field = b'"content":"image"'
    padding = ENTRY_MAX_BYTES - len(canonical(LISTING | {"zeta": ""}))
    _add(made, "empty", "An entry of no bytes.", b"")
    _add(made, "16385-bytes", "One byte too long.", canonical(LISTING | {"zeta": "z" * (padding + 1)}))
    _add(made, "17-kib", "Too long.", canonical(LISTING | {"zeta": "z" * 17_000}))
    _add(made, "65535-bytes", "The longest that a bundle holds.", b"z" * 65_535)
    _add(made, "unknown-kind-16385-bytes", "The limit holds for all.", canonical({"kind": "k" * 16_374}))
    _add(made, "not-json", "Not JSON.", b"listing")
    _add(made, "html", "A login page.", b"<!DOCTYPE html><title>Sign in</title>")
    _add(made, "array", "An entry is an object.", b"[" + listing + b"]")
    for case, text in (("string", b'"listing"'), ("null", b"null"), ("number", b"7"), ("true", b"true")):
        _add(made, f"bare-{case}", "An entry is an object.", text)
    _add(made, "two-entries", "One object an entry.", listing + listing)
    _add(made, "two-entries-newline", "One object an entry.", listing + b"\n" + listing)
    _add(made, "bom", "A byte order mark.", b"\xef\xbb\xbf" + listing)
    _add(made, "trailing-lf", "No line terminator.", listing + b"\n")
    _add(made, "trailing-crlf", "No line terminator.", listing + b"\r\n")
    _add(made, "trailing-nul", "NUL after the object.", listing + b"\0")
    _add(made, "leading-space", "White space.", b" " + listing)
    _add(made, "inner-space", "White space.", instead(field, b'"content": "image"'))
    _add(made, "inner-newline", "A newline between two fields.", instead(b'"image",', b'"image",\n'))
    _add(made, "doubled-name", "The same name twice.", instead(field, field + b"," + field))
    _add(made, "doubled-kind", "The same name twice.", instead(b'"kind":', b'"kind":"poll","kind":'))
    _add(
        made,
        "unsorted",
        "kind stands first, as people write it.",
        b'{"kind":"listing",' + instead(b'"kind":"listing",', b"")[1:],
    )
    _add(made, "escaped-letter", "\\u0069 instead of i.", instead(b'"image"', b'"\\u0069mage"'))
    _add(made, "escaped-kind", "\\u006c instead of l.", instead(b'"listing"', b'"\\u006cisting"'))
    _add(made, "raw-nul", "A raw NUL in a string.", instead(b'"image"', b'"image\0"'))
    _add(made, "invalid-utf8", "No UTF-8 in a known field.", instead(b'"image"', b'"\xff"'))
    _add(made, "raw-surrogate", "A surrogate as three bytes.", instead(b'"image"', b'"\xed\xa0\x80"'))
    _add(made, "lone-surrogate", "A lone surrogate.", instead(b'"image"', b'"\\ud800"'))
    for case, number in (
        ("float", b"1.0"),
        ("exponent", b"1e2"),
        ("minus-zero", b"-0"),
        ("2-to-53", b"9007199254740992"),
        ("minus-2-to-53", b"-9007199254740992"),
        ("nan", b"NaN"),
        ("10000-digits", b"1" * 10_000),
        ("invalid-utf8", b'"\xff"'),
        ("lone-surrogate", b'"\\udc00"'),
        ("doubled", b'{"a":1,"a":1}'),
        ("depth-9", b'[[[[[[[{"a":1}]]]]]]]'),
        ("depth-8000", b"[" * 8_000 + b"]" * 8_000),
    ):
        _add(made, f"unknown-field-{case}", "Unknown fields are canonical too.", listing[:-1] + b',"zeta":%b}' % number)
    signal = canonical(SHA256_SIGNAL)
    for case, number in (("float", b"5.0"), ("2-to-53", b"9007199254740992")):
        rated = signal.replace(b'{"type"', b'{"quality":%b,"type"' % number)
        _add(
            made,
            f"signal-quality-{case}",
            "What is not canonical sinks the entry, not one signal.",
            instead(signal, rated),
        )


def _kinds_and_logs(made: Area) -> None:
    for case, kind in (("empty", ""), ("null", None), ("number", 5), ("array", ["listing"])):
        _add(made, f"kind-{case}", "kind is a string that is not empty.", canonical(LISTING | {"kind": kind}))
    _add(made, "kind-missing", "kind is required.", b"{}")
    homes = {"listing": LOGS[:2], "withdrawal": LOGS[:2], "opinion": LOGS[2:], "incident": LOGS[1:2]}
    for kind, statement in SENTENCES.items():
        for log in set(LOGS) - set(homes[kind]):
            _add(made, f"{kind}-in-{log}", f"It has no place in a log of kind {log}.", canonical(statement), log)


def _fields(made: Area) -> None:
    for kind, statement in SENTENCES.items():
        for name in statement.keys() - {"kind"}:
            rest = {other: value for other, value in statement.items() if other != name}
            _add(made, f"{kind}-{name}-missing", f"{name} is required.", canonical(rest), LOG_OF[kind])
            _changed(made, f"{kind}-{name}-null", "null is no form of any field.", statement, **{name: None})
            _changed(made, f"{kind}-{name}-number", "A field has its form.", statement, **{name: 5})
    optional = {
        "listing": (
            "labels",
            "confirmed",
            "handling",
            "origin",
            "incident",
            "expires",
            "review_by",
            "note",
            "preserve",
        ),
        "withdrawal": ("note",),
        "opinion": ("reason", "note"),
        "incident": ("title", "type", "note"),
    }
    for kind, names in optional.items():
        for name in names:
            why = "What does not apply is left out, never null."
            _changed(made, f"{kind}-{name}-null", why, SENTENCES[kind], **{name: None})
            _changed(
                made, f"{kind}-{name}-number", "A field that is present has its form.", SENTENCES[kind], **{name: 5}
            )
    for kind, statement in SENTENCES.items():
        _changed(made, f"{kind}-note-4097-bytes", "At most 4 096 bytes.", statement, note="n" * 4_097)
    _changed(made, "listing-note-4098-bytes-euro", "Bytes count, not characters.", LISTING, note="\u20ac" * 1_366)
    _changed(made, "listing-content-4097-bytes", "At most 4 096 bytes.", LISTING, content="c" * 4_097)
    closed = (("handling", LISTING), ("verdict", OPINION), ("status", INCIDENT))
    for name, statement in closed:
        for case, word in (("other", "other"), ("empty", ""), ("upper", "ACTIVE")):
            _changed(made, f"{name}-{case}", "A closed set of words.", statement, **{name: word})
    _changed(made, "preserve-text", "true or false.", LISTING, preserve="true")
    _changed(made, "preserve-1", "true or false.", LISTING, preserve=1)
    leaf = digest("leaf")
    for case, text in (("upper", leaf.upper()), ("short", leaf[:-1]), ("long", leaf + "0"), ("not-hex", "g" * 64)):
        _changed(made, f"leaf-{case}", "64 lower-case hex digits.", OPINION, leaf=text)


def _identifiers(made: Area) -> None:
    why = "A UUID of version 4, lower case with hyphens."
    for case, text in (
        ("upper", LISTING_ID.upper()),
        ("without-hyphens", LISTING_ID.replace("-", "")),
        ("version-1", LISTING_ID.replace("-4b7a-", "-1b7a-")),
        ("variant", LISTING_ID.replace("-9d0e-", "-cd0e-")),
        ("nil", "00000000-0000-0000-0000-000000000000"),
        ("braces", f"{{{LISTING_ID}}}"),
        ("urn", f"urn:uuid:{LISTING_ID}"),
        ("newline", f"{LISTING_ID}\n"),
        ("short", LISTING_ID[:-1]),
        ("empty", ""),
    ):
        _changed(made, f"id-{case}", why, LISTING, id=text)
    upper = LISTING_ID.upper()
    for name, statement in (
        ("listing", WITHDRAWAL),
        ("listing", OPINION),
        ("incident", INCIDENT),
        ("incident", LISTING),
    ):
        _changed(made, f"{statement['kind']}-{name}-no-uuid", why, statement, **{name: upper})


def _times(made: Area) -> None:
    why = "A real time of the calendar, YYYY-MM-DDThh:mm:ssZ."
    for case, text in (
        ("second-60", "2026-12-31T23:59:60Z"),
        ("hour-24", "2026-11-24T24:00:00Z"),
        ("minute-60", "2026-11-24T04:60:00Z"),
        ("no-leap-day", "2027-02-29T00:00:00Z"),
        ("no-leap-day-1900", "1900-02-29T00:00:00Z"),
        ("april-31", "2026-04-31T00:00:00Z"),
        ("month-13", "2026-13-01T00:00:00Z"),
        ("month-0", "2026-00-01T00:00:00Z"),
        ("day-0", "2026-11-00T00:00:00Z"),
        ("year-0", "0000-01-01T00:00:00Z"),
        ("year-10000", "10000-01-01T00:00:00Z"),
        ("fraction", "2026-11-24T04:00:00.0Z"),
        ("offset", "2026-11-24T04:00:00+00:00"),
        ("without-zone", "2026-11-24T04:00:00"),
        ("lower-case-z", "2026-11-24T04:00:00z"),
        ("lower-case-t", "2026-11-24t04:00:00Z"),
        ("space", "2026-11-24 04:00:00Z"),
        ("compact", "20261124T040000Z"),
        ("week-date", "2026-W48-2T04:00:00Z"),
        ("date-only", "2026-11-24"),
        ("newline", "2026-11-24T04:00:00Z\n"),
        ("full-width-digit", "\uff12026-11-24T04:00:00Z"),
        ("empty", ""),
    ):
        _changed(made, f"time-{case}", why, LISTING, time=text)
    for name in ("expires", "review_by"):
        _changed(made, f"{name}-no-leap-day", why, LISTING, **{name: "2027-02-29T00:00:00Z"})
    for statement in (WITHDRAWAL, OPINION, INCIDENT):
        _changed(made, f"{statement['kind']}-time-hour-24", why, statement, time="2026-11-24T24:00:00Z")


def _lists(made: Area) -> None:
    many = [{"type": "wave", "value": str(number)} for number in range(129)]
    _changed(made, "signals-empty", "1 to 128 signals.", LISTING, signals=[])
    _changed(made, "signals-129", "1 to 128 signals.", LISTING, signals=many)
    _changed(made, "signals-129-same", "Counted before the same ones are.", LISTING, signals=[SHA256_SIGNAL] * 129)
    _changed(made, "signals-129-malformed", "Counted before malformed ones are dropped.", LISTING, signals=[0] * 129)
    _changed(made, "signals-5000", "1 to 128 signals.", LISTING, signals=[{}] * 5_000)
    _changed(made, "signals-10000", "1 to 128 signals, and a long entry.", LISTING, signals=[{}] * 10_000)
    _changed(made, "signals-object", "An array.", LISTING, signals=SHA256_SIGNAL)
    _changed(made, "labels-65", "At most 64 labels.", LISTING, labels=["l"] * 65)
    _changed(made, "label-129-bytes", "At most 128 bytes.", LISTING, labels=["l" * 129])
    _changed(made, "label-130-bytes-e-acute", "Bytes count, not characters.", LISTING, labels=["\xe9" * 65])
    _changed(made, "label-number", "A label is a string.", LISTING, labels=["a", 5])
    _changed(made, "labels-text", "An array.", LISTING, labels="a")
