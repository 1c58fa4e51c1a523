"""Member cards for the vectors, and the cases in which one is accepted."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from vectors.cases import Family
from vectors.signers import Signer, base64

MEMBER, URL, PREFIX = "acme", "https://acme.example", "acme.example"
FROM, UNTIL = "2026-11-24T00:00:00Z", "2027-11-24T00:00:00Z"
EMPTY = base64(sha256().digest())
Json = Any


def vkey(name: str, seed: str, key_type: int = 1) -> str:
    """The text of a key below the member."""
    return Signer(f"{PREFIX}/{name}", key_type, seed).vkey


def log(kind: str, number: int, seed: str, **fields: Json) -> dict[str, Json]:
    """An open log of a kind, unless fields say otherwise."""
    origin = f"{PREFIX}/logs/{kind}-{number}"
    value = {"keys": [vkey(f"logs/{kind}-{number}", seed)], "kind": kind, "name": kind, "origin": origin}
    return value | {"state": "open", "url": f"https://{origin}"} | fields


def closed(kind: str, number: int, seed: str, size: int = 1234, **fields: Json) -> dict[str, Json]:
    """A closed log, with a root that is made up."""
    root = base64(sha256(f"{kind} {number} {size}".encode()).digest()) if size else EMPTY
    return log(kind, number, seed, state="closed", final={"root": root, "size": size}) | fields


def card(*logs: dict[str, Json], **fields: Json) -> dict[str, Json]:
    """A complete card, as JSON value."""
    value = {
        "contacts": ["mailto:trust@acme.example"],
        "logs": list(logs) or whole_logs(),
        "member": MEMBER,
        "name": "Acme Video Inc.",
        "request_keys": [request_key("acme-request-1", "request")],
        "url": URL,
        "witness_keys": [witness_key(1, "witness")],
    }
    return value | fields


def whole_logs() -> list[dict[str, Json]]:
    """One log of each name, and a closed one before the first."""
    return [
        closed("listings", 1, "release"),
        log("listings", 2, "release", fresh=900),
        log("crisis", 1, "crisis"),
        log("opinions", 1, "release"),
    ]


def witness_key(number: int, seed: str, **fields: Json) -> dict[str, Json]:
    """A witness key that is valid for a year."""
    return {"from": FROM, "key": vkey(f"witness-{number}", seed, 4), "until": UNTIL} | fields


def request_key(key_id: str, seed: str, **fields: Json) -> dict[str, Json]:
    """A request key that is valid for a year."""
    return {"from": FROM, "id": key_id, "key": base64(Signer("x", seed=seed).material[1:]), "until": UNTIL} | fields


def encode(value: Json) -> bytes:
    """Write JSON as short as it goes, the names sorted."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def expectation(**counting: list[str]) -> dict[str, Json]:
    """What an accepted case says: with which logs a new reader of each name starts."""
    origins = {name: [f"{PREFIX}/logs/{log}" for log in logs] for name, logs in counting.items()}
    return {"read": "card", "member": MEMBER, "url": URL, "counting": origins}


def accepted(cards: Family) -> None:
    def add(case: str, why: str, value: Json, **counting: list[str]) -> None:
        data = value if isinstance(value, bytes) else encode(value)
        cards.add(case, why, expectation(**counting), **{"card.json": data})

    usual = {"listings": ["listings-2"], "crisis": ["crisis-1"], "opinions": ["opinions-1"]}
    add("whole", "A card with everything.", card(), **usual)
    pretty = json.dumps(card(), indent=2).encode() + b"\n"
    add("spaces", "A card need not be in canonical form.", pretty, **usual)
    add("unknown-fields", "Unknown fields are ignored, null too.", card(more=None, color={"x": 1.5}), **usual)
    add("empty-lists", "Every list but that of keys may be empty.", card() | {"contacts": [], "logs": []} | no_keys())
    audience = log("listings", 3, "release", name="listings-eu-1")
    add("audience", "A name may have a suffix.", card(audience), **{"listings-eu-1": ["listings-3"]})
    first, second = closed("listings", 1, "release"), closed("listings", 2, "release")
    third = log("listings", 3, "release")
    add("no-open-log", "A name may have no open log.", card(first, second), listings=["listings-1", "listings-2"])
    names = ["listings-1", "listings-2", "listings-3"]
    add("no-fresh", "Without a fresh log, all count.", card(first, second, third), listings=names)
    add("open-first", "The open log is the last, wherever it stands.", card(third, first, second), listings=names)
    fresh = [closed("listings", 1, "release", fresh=1), closed("listings", 2, "release", fresh=7), third]
    add("fresh-twice", "A reader starts with the last fresh log.", card(*fresh), listings=names[1:])
    whole = [first, closed("listings", 2, "release", fresh=1234)]
    add("fresh-to-the-end", "Fresh may be as large as final.", card(*whole), listings=["listings-2"])
    erased = [first | {"erased": True}, second, third | {"fresh": 5}]
    add("erased", "A log is erased when a later one is fresh.", card(*erased), listings=["listings-3"])
    add("not-erased", "False is what the absent field means.", card(first | {"erased": False}), listings=names[:1])
    add(
        "closed-empty",
        "A log may be closed before its first entry.",
        card(closed("crisis", 1, "crisis", 0)),
        crisis=["crisis-1"],
    )
    for case, why, reason in (
        ("reason", "What a member says of why a log was closed.", "the release key was stolen"),
        ("reason-too-long", "A reason of 257 bytes is as good as none.", "x" * 257),
        ("reason-odd", "So is one that is no text, for there are readers that know none.", 7),
    ):
        add(case, why, card(first | {"reason": reason}, second), listings=names[:2])
    long = closed("listings", 1, "release", 2**32)
    add("closed-at-2-32", "The largest log.", card(long), listings=["listings-1"])
    rotation = log("crisis", 1, "crisis", keys=[vkey("logs/crisis-1", "crisis"), vkey("logs/crisis-1", "crisis-2")])
    add("rotation", "Two keys of one log while one replaces the other.", card(rotation), crisis=["crisis-1"])
    elsewhere = log("crisis", 1, "crisis", origin=f"{PREFIX}/a/b", url=f"{URL}/a/b", keys=[vkey("a/b", "crisis")])
    facts = {"read": "card", "member": MEMBER, "url": URL, "counting": {"crisis": [f"{PREFIX}/a/b"]}}
    cards.add("other-path", "A log may lie anywhere below its member.", facts, **{"card.json": encode(card(elsewhere))})
    many = card(request_keys=[request_key(f"request-{n}", f"request-{n}") for n in range(16)])
    add("keys-16", "16 keys of a row are the most.", many, **usual)
    leap = card(
        request_keys=[request_key("a", "request", **{"from": "0001-01-01T00:00:00Z"}, until="2028-02-29T23:59:59Z")]
    )
    add("times", "The first second of the calendar, and a leap day.", leap, **usual)


def no_keys() -> dict[str, Json]:
    return {"witness_keys": [], "request_keys": []}
