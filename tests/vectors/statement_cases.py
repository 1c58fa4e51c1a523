"""The cases of statements that are well formed: what each of them says."""

from __future__ import annotations

from vectors.statement_material import (
    ENTRY_MAX_BYTES,
    INCIDENT,
    INCIDENT_ID,
    LISTING,
    LISTING_DEFAULTS,
    LOG_OF,
    OPINION,
    PDQ_SIGNAL,
    SHA256_SIGNAL,
    WITHDRAWAL,
    Area,
    Object,
    canonical,
    digest,
    readable,
)

ABOUT = """# Statements

`entry.json` is an entry of a log whose kind `input.json` tells. `expected.json` says what it states: for a known kind
every field, those that are left out with their defaults (no default: left out here too); `signals` are the claims, in
no order that would mean anything, `dropped` the places of those items of `signals` that are malformed. For an unknown
kind it is `kind` and whether it is `critical`. In folders whose names end in `_fail`, `entry.bin` is a malformed entry.
"""


def add_sound(made: Area) -> None:
    """Add every well-formed case."""
    _listings(made)
    _unusual_listings(made)
    _signals_of_listings(made)
    _other_kinds(made)
    _unknown_kinds(made)


def _add(made: Area, case: str, why: str, statement: Object, expected: Object | None = None, *, log: str = "") -> None:
    """Add a case; ``expected`` is what it says beyond the statement's own fields and the defaults."""
    kind = str(statement["kind"])
    defaults = LISTING_DEFAULTS if kind == "listing" else {}
    inputs = readable({"log_kind": log or LOG_OF[kind]})
    says = defaults | statement | (expected or {})
    made.add(case, why, says, input_json=inputs, entry_json=canonical(statement))


def _listings(made: Area) -> None:
    _add(made, "listing", "Only what is required.", LISTING)
    _add(made, "listing-in-crisis", "Listings stand in crisis logs too.", LISTING, log="crisis")
    full = LISTING | {
        "labels": ["behaviour:glorification", "producer:attack-perpetrator"],
        "confirmed": "human",
        "handling": "no-reshare",
        "origin": "tatra",
        "incident": INCIDENT_ID,
        "expires": "2027-11-24T04:00:00Z",
        "review_by": "2027-05-24T04:00:00Z",
        "note": "Synthetic.",
        "preserve": True,
        "signals": [PDQ_SIGNAL, SHA256_SIGNAL],
    }
    _add(made, "listing-full", "Every optional field.", full)
    defaults = {"handling": "members", "origin": "own", "preserve": False, "labels": []}
    _add(made, "listing-defaults-told", "Defaults may be told, too.", LISTING | defaults)
    _add(made, "listing-this-log", "The third word of handling.", LISTING | {"handling": "this-log"})
    open_words = {"content": "hologram", "confirmed": "panel", "origin": "gamma", "labels": ["new:label"]}
    _add(made, "listing-open-words", "Open sets keep words that nobody knows.", LISTING | open_words)
    empty = {"content": "", "confirmed": "", "origin": "", "note": "", "labels": [""]}
    _add(made, "listing-empty-strings", "Only kind must not be empty; an empty origin is not `own`.", LISTING | empty)
    _add(made, "listing-label-twice", "Labels are kept as they are.", LISTING | {"labels": ["a", "a"]})
    for case, moment in (
        ("leap-day", "2028-02-29T00:00:00Z"),
        ("leap-day-2000", "2000-02-29T23:59:59Z"),
        ("year-1", "0001-01-01T00:00:00Z"),
        ("year-9999", "9999-12-31T23:59:59Z"),
    ):
        _add(made, f"listing-time-{case}", "A real time of the calendar.", LISTING | {"time": moment})
    longest = {"note": "n" * 4_096}
    _add(made, "listing-note-4096-bytes", "The longest string.", LISTING | longest)
    _add(made, "listing-note-4096-bytes-euro", "Counted in bytes.", LISTING | {"note": "\u20ac" * 1_365 + "a"})
    _add(made, "listing-content-4096-bytes", "The longest string.", LISTING | {"content": "c" * 4_096} | longest)
    _add(made, "listing-64-labels", "As many labels as may be, and as long.", LISTING | {"labels": ["l" * 128] * 64})
    _add(made, "listing-label-128-bytes", "Counted in bytes.", LISTING | {"labels": ["\xe9" * 64, "\U0001f600" * 32]})


def _unusual_listings(made: Area) -> None:
    def odd(case: str, why: str, fields: Object, *, says: Object | None = None) -> None:
        entry = canonical(LISTING | fields)
        inputs = readable({"log_kind": "listings"})
        made.add(case, why, LISTING_DEFAULTS | LISTING | (says or {}), input_json=inputs, entry_json=entry)

    odd("listing-unknown-field", "Kept and ignored.", {"severity": "high"})
    odd("listing-unknown-field-null", "Unknown fields are free.", {"zeta": None})
    odd("listing-unknown-fields-of-other-kinds", "Fields of other kinds are unknown here.", {"verdict": 5, "leaf": "x"})
    odd("listing-unknown-field-long", "No limit but the entry's.", {"zeta": "z" * 5_000})
    odd("listing-unknown-integers", "The largest integers.", {"zeta": [2**53 - 1, 1 - 2**53, 0]})
    odd("listing-depth-8", "Eight levels, the entry counted.", {"zeta": [{"a": [{"b": [{"c": []}]}]}]})
    odd("listing-critical", "On a known kind critical means nothing.", {"critical": True})
    padding = ENTRY_MAX_BYTES - len(canonical(LISTING | {"zeta": ""}))
    odd("listing-16384-bytes", "The longest entry.", {"zeta": "z" * padding})
    told = {"dropped": ["x"], "key": "x"}
    odd("listing-unknown-dropped", "No field can pretend to be what a reader works out.", told)
    noted = {"note": '\x7f \ufdd0 \uffff \u2028 \U0001f600 "\\/ \b\t\n\f\r \x00\x1f e\u0301'}
    odd("listing-note-characters", "Every character that is Unicode.", noted, says=noted)
    entry = b"%b,%b}" % (canonical(LISTING)[:-1], '"z\U0001f600":1,"z\ufb33":2'.encode())
    inputs = readable({"log_kind": "listings"})
    says = LISTING_DEFAULTS | LISTING
    made.add("listing-utf16-order", "Names go by UTF-16 code units.", says, input_json=inputs, entry_json=entry)


def _signals_of_listings(made: Area) -> None:
    def listed(case: str, why: str, signals: list[object], claims: list[object], *dropped: int) -> None:
        expected = {"signals": claims, "dropped": list(dropped)}
        _add(made, case, why, LISTING | {"signals": signals}, expected)

    worse, better = PDQ_SIGNAL | {"quality": 20}, PDQ_SIGNAL | {"quality": 98}
    blob = {"type": "vpdq", "sha256": digest("blob"), "length": 81_920}
    claim = {"type": "vpdq", "value": digest("blob"), "blob_length": 81_920}
    unknown = {"type": "wave", "value": "abc"}
    upper = {"type": "sha256", "value": "AB" * 32}
    many: list[object] = [{"type": "wave", "value": str(n)} for n in range(128)]
    hashes: list[object] = [{"type": "sha256", "value": digest(str(n))} for n in range(128)]
    listed("signals-128", "As many as may be.", many, many)
    listed("signals-128-sha256", "As many as may be, in a long entry.", hashes, hashes)
    listed("signals-same-twice", "The same one twice counts once.", [SHA256_SIGNAL] * 2, [SHA256_SIGNAL])
    listed("signals-pdq-worse-first", "The highest quality counts.", [worse, better], [better])
    listed("signals-pdq-better-first", "The highest quality counts.", [better, worse], [better])
    listed(
        "signals-pdq-quality-0", "Quality 0 is a quality.", [PDQ_SIGNAL | {"quality": 0}], [PDQ_SIGNAL | {"quality": 0}]
    )
    two = [SHA256_SIGNAL, {"type": "url_sha256", "value": digest("1")}]
    listed("signals-one-value-two-types", "A claim is type and value.", [*two], [*two])
    listed("signals-blob", "A blob's claim has its SHA-256 as value.", [blob, SHA256_SIGNAL], [claim, SHA256_SIGNAL])
    listed("signals-blob-twice", "Once.", [blob, blob], [claim])
    listed("signals-unknown-type", "Kept.", [unknown, SHA256_SIGNAL], [unknown, SHA256_SIGNAL])
    field = SHA256_SIGNAL | {"source": "tool"}
    listed("signals-unknown-field", "Unknown fields are ignored.", [field], [SHA256_SIGNAL])
    pretended = SHA256_SIGNAL | {"key": "", "blob_length": 1}
    listed("signals-unknown-key", "No field can pretend to be what a reader works out.", [pretended], [SHA256_SIGNAL])
    rated = SHA256_SIGNAL | {"quality": 3}
    listed("signals-sha256-quality", "Not a field of this type.", [rated], [SHA256_SIGNAL])
    listed("signals-one-dropped", "The others and the listing stand.", [SHA256_SIGNAL, upper], [SHA256_SIGNAL], 1)
    listed("signals-all-dropped", "The listing stands without claims.", [upper, {}], [], 0, 1)
    mixed: list[object] = ["sha256", SHA256_SIGNAL, None, PDQ_SIGNAL | {"quality": 101}, 7, []]
    listed("signals-mixed", "Whatever stands there is dropped by itself.", mixed, [SHA256_SIGNAL], 0, 2, 3, 4, 5)


def _other_kinds(made: Area) -> None:
    _add(made, "withdrawal", "Only what is required.", WITHDRAWAL)
    _add(made, "withdrawal-in-crisis", "With a note, in a crisis log.", WITHDRAWAL | {"note": "n"}, log="crisis")
    _add(made, "withdrawal-open-reason", "Reasons are an open set.", WITHDRAWAL | {"reason": "second thoughts"})
    for verdict in ("agree", "disagree", "seen", "none"):
        _add(made, f"opinion-{verdict}", "A verdict.", OPINION | {"verdict": verdict})
    _add(made, "opinion-full", "With reason and note.", OPINION | {"reason": "journalism", "note": "n"})
    free = OPINION | {"member": "Nobody", "log": ""}
    _add(made, "opinion-member-and-log-free", "member and log are strings, no more; it has no effect.", free)
    for status in ("proposed", "active", "concluded"):
        _add(made, f"incident-{status}", "A status.", INCIDENT | {"status": status})
    full = INCIDENT | {"title": "A drill", "type": "perpetrator-content", "note": "n"}
    _add(made, "incident-full", "Every optional field.", full)


def _unknown_kinds(made: Area) -> None:
    def unknown(case: str, why: str, entry: Object, *, critical: bool = False, log: str = "listings") -> None:
        expected = {"kind": entry["kind"], "critical": critical}
        made.add(case, why, expected, input_json=readable({"log_kind": log}), entry_json=canonical(entry))

    unknown("unknown-kind", "Counted and shown; needs no other field.", {"kind": "poll"})
    unknown("unknown-kind-critical", "Stops the log.", {"kind": "poll", "critical": True}, critical=True)
    for case, word in (("false", False), ("text", "true"), ("number", 1), ("null", None), ("array", [True])):
        unknown(f"unknown-kind-critical-{case}", "critical is true or nothing.", {"kind": "poll", "critical": word})
    unknown("unknown-kind-in-opinions", "In any log.", {"kind": "poll"}, log="opinions")
    unknown("unknown-kind-in-crisis", "In any log.", {"kind": "poll"}, log="crisis")
    unknown("unknown-kind-upper-case", "Kinds are compared exactly.", LISTING | {"kind": "Listing"})
    unknown("unknown-kind-fields-free", "Only canonical form is checked.", {"kind": "poll", "id": 5, "time": "soon"})
    unknown("unknown-kind-like-a-withdrawal", "Only canonical form is checked.", WITHDRAWAL | {"kind": "withdraw"})
    unknown("unknown-kind-5000-bytes", "No limit but the entry's.", {"kind": "k" * 5_000})
