"""Make the vectors of member cards anew: ``python tests/vectors/generate_cards.py``."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":  # pragma: no cover - as a script, it stands beside its package
    sys.path.insert(0, str(Path(__file__).parent.parent))

from vectors.card_cases import (
    EMPTY,
    FROM,
    MEMBER,
    URL,
    Json,
    accepted,
    card,
    closed,
    encode,
    expectation,
    log,
    no_keys,
    request_key,
    vkey,
    witness_key,
)
from vectors.cases import Family, write
from vectors.curve import canonical, not_reduced, small_order
from vectors.signers import Signer, base64

Change = Callable[[dict[str, Json]], object]


def refused_bytes(cards: Family) -> None:
    data = encode(card())
    for case, why, value in [
        ("empty", "Nothing at all.", b""),
        ("not-json", "No JSON.", b"<html></html>"),
        ("not-utf8", "A card is UTF-8.", data.replace(b"Acme Video", b"Acme \xff")),
        ("byte-order-mark", "No byte order mark.", b"\xef\xbb\xbf" + data),
        ("trailing", "Nothing follows the object.", data + b"{}"),
        ("list", "A card is an object.", b"[]"),
        ("name-twice", "No name stands twice.", data[:-1] + b',"member":"acme"}'),
        ("name-twice-inside", "No name stands twice, anywhere.", data[:-1] + b',"more":[{"x":1,"x":2}]}'),
        ("nan", "NaN is no number of JSON.", data[:-1] + b',"more":NaN}'),
        ("digits", "A number of 10 000 digits.", data[:-1] + b',"more":' + b"1" * 10_000 + b"}"),
        ("nested", "A card that is nested too deeply.", data[:-1] + b',"more":' + b"[" * 30_000 + b"]" * 30_000 + b"}"),
        ("too-large", "One byte more than 64 KiB.", data + b" " * (65_537 - len(data))),
    ]:
        cards.add(f"{case}_fail", why, refusal("card"), **{"card.json": value})
    full = data + b" " * (65_536 - len(data))
    usual = expectation(listings=["listings-2"], crisis=["crisis-1"], opinions=["opinions-1"])
    cards.add("64-kibibytes", "64 KiB are not too much.", usual, **{"card.json": full})


def refusal(where: str, **more: Json) -> dict[str, Json]:
    """What a refused case says: ``where`` is the path of the field that is to blame."""
    return {"read": "card", "member": MEMBER, "url": URL, "error": "card-refused", "where": where} | more


def put(path: str, value: Json) -> Change:
    """A change that puts a value at a path like ``logs.0.final.size``."""

    def change(target: Json) -> None:
        *way, last = (int(step) if step.isdecimal() else step for step in path.split("."))
        for step in way:
            target = target[step]
        target[last] = value

    return change


def without(path: str) -> Change:
    """A change that takes a field away."""

    def change(target: Json) -> None:
        *way, last = (int(step) if step.isdecimal() else step for step in path.split("."))
        for step in way:
            target = target[step]
        del target[last]

    return change


def refuse(cards: Family, case: str, why: str, where: str, change: Change) -> None:
    """Add a case: the whole card with one change."""
    value = copy.deepcopy(card())
    change(value)
    cards.add(f"{case}_fail", why, refusal(where), **{"card.json": encode(value)})


def refused_fields(cards: Family) -> None:
    for field in ("contacts", "logs", "member", "name", "request_keys", "url", "witness_keys"):
        refuse(cards, f"without-{field}", f"The field {field} is required.", field, without(field))
        refuse(cards, f"null-{field}", f"The field {field} is never null.", field, put(field, None))
    for field in ("keys", "kind", "name", "origin", "state", "url"):
        refuse(
            cards, f"log-without-{field}", f"A log has a field {field}.", f"logs[0].{field}", without(f"logs.0.{field}")
        )
    for field in ("final", "fresh", "erased"):
        refuse(
            cards,
            f"log-null-{field}",
            f"The field {field} is left out, not null.",
            f"logs[1].{field}",
            put(f"logs.1.{field}", None),
        )
    for row, field in (("witness_keys", "key"), ("request_keys", "key"), ("request_keys", "id")):
        refuse(
            cards,
            f"{row}-without-{field}",
            f"A key has a field {field}.",
            f"{row}[0].{field}",
            without(f"{row}.0.{field}"),
        )
    refuse(cards, "final-missing", "A closed log has a final.", "logs[0].final", without("logs.0.final"))


def refused_values(cards: Family) -> None:
    rows: list[tuple[str, str, str, str, Json]] = [
        ("member-other", "Another member's id.", "member", "member", "beta"),
        ("url-other", "Another URL than the pinned one.", "url", "url", "https://acme.example/hash"),
        ("name-empty", "A name is not empty.", "name", "name", ""),
        ("name-control", "A name has no control characters.", "name", "name", "Acme\u001b[2J"),
        ("name-too-long", "A name has at most 4 096 bytes.", "name", "name", "\u00e9" * 2049),
        ("contacts-text", "Contacts are a list.", "contacts", "contacts", "mailto:trust@acme.example"),
        ("contact-number", "A contact is a string.", "contacts[0]", "contacts", [1]),
        ("logs-object", "Logs are a list.", "logs", "logs", {}),
        ("log-text", "A log is an object.", "logs[1]", "logs.1", "listings"),
        ("kind-unknown", "Three kinds of logs are known.", "logs[1].kind", "logs.1.kind", "blocklist"),
        ("state-unknown", "A log is open or closed.", "logs[1].state", "logs.1.state", "paused"),
        ("name-of-other-kind", "A log's name begins with its kind.", "logs[1].name", "logs.1.name", "crisis"),
        ("name-suffix-empty", "A suffix is not empty.", "logs[1].name", "logs.1.name", "listings-"),
        ("name-suffix-upper", "A suffix is lower-case.", "logs[1].name", "logs.1.name", "listings-EU"),
        ("name-suffix-bare", "A hyphen stands before the suffix.", "logs[1].name", "logs.1.name", "listingseu"),
        ("final-on-open", "An open log has no final.", "logs[1].final", "logs.1.final", {"root": EMPTY, "size": 0}),
        ("final-size-negative", "No size is below zero.", "logs[0].final.size", "logs.0.final.size", -1),
        ("final-size-true", "True is no integer.", "logs[0].final.size", "logs.0.final.size", True),
        ("final-size-fraction", "1.0 is no integer.", "logs[0].final.size", "logs.0.final.size", 1.0),
        ("final-size-text", "A size is a number.", "logs[0].final.size", "logs.0.final.size", "1"),
        ("final-size-large", "2**32 entries are the most.", "logs[0].final.size", "logs.0.final.size", 2**32 + 1),
        ("final-root-short", "A root has 32 bytes.", "logs[0].final.root", "logs.0.final.root", base64(bytes(31))),
        ("final-root-hex", "A root is base64.", "logs[0].final.root", "logs.0.final.root", "!" * 44),
        ("final-root-spare-bits", "Base64 is canonical.", "logs[0].final.root", "logs.0.final.root", "A" * 42 + "B="),
        ("final-empty-root", "At size 0 there is one root.", "logs[0].final.root", "logs.0.final.size", 0),
        ("fresh-zero", "Fresh is 1 or more.", "logs[1].fresh", "logs.1.fresh", 0),
        ("fresh-beyond-final", "Fresh lies within final.", "logs[0].fresh", "logs.0.fresh", 1235),
        ("erased-text", "Erased is true or false.", "logs[0].erased", "logs.0.erased", "true"),
        ("erased-open", "An open log is not erased.", "logs", "logs.1.erased", True),
        (
            "erased-not-replaced",
            "Only a later fresh log replaces one.",
            "logs",
            "logs.1",
            closed("listings", 2, "release", erased=True, fresh=1),
        ),
        ("open-twice", "One open log a name.", "logs", "logs.0", log("listings", 1, "release")),
        ("origin-twice", "One origin, one log.", "logs", "logs.3", closed("listings", 1, "release")),
        (
            "origin-outside",
            "An origin lies below its member.",
            "logs[1].origin",
            "logs.1.origin",
            "beta.example/logs/listings-2",
        ),
        (
            "origin-neighbour",
            "Whole segments are compared.",
            "logs[1].origin",
            "logs.1.origin",
            "acme.example.org/logs/listings-2",
        ),
        (
            "log-url-scheme",
            "A log has its member's scheme.",
            "logs[1].url",
            "logs.1.url",
            "http://acme.example/logs/listings-2",
        ),
        (
            "log-url-other",
            "A log's URL is its origin.",
            "logs[1].url",
            "logs.1.url",
            "https://acme.example/logs/listings-1",
        ),
        ("keys-none", "A log has a key.", "logs[1].keys", "logs.1.keys", []),
        (
            "keys-17",
            "16 keys of a log are the most.",
            "logs[1].keys",
            "logs.1.keys",
            [vkey("logs/listings-2", f"release {n}") for n in range(17)],
        ),
        ("key-malformed", "A key is a verifier key.", "logs[1].keys[0]", "logs.1.keys", ["acme.example"]),
        (
            "key-of-other-log",
            "A key is named by its log.",
            "logs[1].keys[0]",
            "logs.1.keys",
            [vkey("logs/listings-1", "release")],
        ),
        (
            "key-type-witness",
            "A log does not sign with a witness key.",
            "logs[1].keys[0]",
            "logs.1.keys",
            [vkey("logs/listings-2", "release", 4)],
        ),
        (
            "witness-type-log",
            "A witness does not sign with a log key.",
            "witness_keys[0].key",
            "witness_keys.0.key",
            vkey("witness-1", "witness"),
        ),
        (
            "witness-name",
            "A witness key has a witness's name.",
            "witness_keys[0].key",
            "witness_keys.0.key",
            vkey("logs/witness-1", "witness", 4),
        ),
        (
            "witnesses-17",
            "16 witness keys are the most.",
            "witness_keys",
            "witness_keys",
            [witness_key(n, f"w {n}") for n in range(17)],
        ),
        (
            "requests-17",
            "16 request keys are the most.",
            "request_keys",
            "request_keys",
            [request_key(f"r-{n}", f"r {n}") for n in range(17)],
        ),
        ("request-id-quote", "A key id stands between quotes.", "request_keys[0].id", "request_keys.0.id", 'acme"'),
        (
            "request-id-twice",
            "One id, one request key.",
            "request_keys",
            "request_keys",
            [request_key("a", "r 1"), request_key("a", "r 2")],
        ),
        (
            "request-key-short",
            "A request key has 32 bytes.",
            "request_keys[0].key",
            "request_keys.0.key",
            base64(bytes(31)),
        ),
        ("logs-257", "256 logs are the most.", "logs", "logs", [{} for _ in range(257)]),
    ]
    for case, why, where, path, value in rows:
        refuse(cards, case, why, where, put(path, value))


@dataclass(frozen=True)
class _Anybody(Signer):
    """A key of small order, with which anybody can sign."""

    @property
    def material(self) -> bytes:
        return bytes([self.type]) + canonical(small_order()[1])


def refused_points(cards: Family) -> None:
    """Keys with which anybody can sign, and one that is spelled in a second way."""
    why = "A point of small order: anybody can sign."
    row = "request_keys"
    small, second = canonical(small_order()[1]), not_reduced()[0]
    refuse(cards, "request-key-small-order", why, f"{row}[0].key", put(f"{row}.0.key", base64(small)))
    why_second = "A key has one spelling, whose y is below 2**255 - 19."
    refuse(cards, "request-key-not-reduced", why_second, f"{row}[0].key", put(f"{row}.0.key", base64(second)))
    anybody = _Anybody("acme.example/logs/listings-2").vkey
    refuse(cards, "key-small-order", why, "logs[1].keys[0]", put("logs.1.keys.0", anybody))
    anybody = _Anybody("acme.example/witness-1", 4).vkey
    refuse(cards, "witness-key-small-order", why, "witness_keys[0].key", put("witness_keys.0.key", anybody))


def refused_times(cards: Family) -> None:
    for case, why, value in [
        ("offset", "Times end in Z.", "2026-11-24T00:00:00+00:00"),
        ("space", "A T stands between date and time.", "2026-11-24 00:00:00Z"),
        ("fraction", "Whole seconds.", "2026-11-24T00:00:00.5Z"),
        ("day", "No 30th of February.", "2026-02-30T00:00:00Z"),
        ("second-60", "No 60th second.", "2026-11-24T00:00:60Z"),
        ("hour-24", "No 24th hour.", "2026-11-24T24:00:00Z"),
        ("year-0", "Years begin with 1.", "0000-11-24T00:00:00Z"),
        ("number", "A time is a string.", 1_790_000_000),
    ]:
        refuse(cards, f"time-{case}", why, "witness_keys[0].from", put("witness_keys.0.from", value))
    for row in ("witness_keys", "request_keys"):
        refuse(cards, f"{row}-no-time", "From is before until.", f"{row}[0].until", put(f"{row}.0.until", FROM))


def refused_rows(cards: Family) -> None:
    """One key, one row: compared by public key, whatever name and type stand beside it."""
    for case, path, value in [
        ("release-crisis", "logs.2.keys", [vkey("logs/crisis-1", "release")]),
        ("opinions-crisis", "logs.2.keys", [vkey("logs/crisis-1", "opinions"), vkey("logs/crisis-1", "crisis")]),
        ("release-witness", "witness_keys.0", witness_key(1, "release")),
        ("crisis-request", "request_keys.0", request_key("a", "crisis")),
        ("witness-request", "request_keys.0", request_key("a", "witness")),
    ]:
        whole = card()
        whole["logs"][3] = log("opinions", 1, "opinions")
        put(path, value)(whole)
        why = f"One key serves one row: {case.replace('-', ' and ')}."
        cards.add(f"rows-{case}_fail", why, refusal("card"), **{"card.json": encode(whole)})
    pinned = card(logs=[], **no_keys(), url="https://acme.example/")
    facts = refusal("url", url="https://acme.example/")
    cards.add("url-malformed_fail", "A member URL has one spelling.", facts, **{"card.json": encode(pinned)})


def card_family() -> Family:
    """Make the family ``cards``."""
    cards = Family("cards")
    for part in (accepted, refused_bytes, refused_fields, refused_values, refused_points, refused_times, refused_rows):
        part(cards)
    return cards


if __name__ == "__main__":  # pragma: no cover - the test calls card_family
    write([card_family()])
