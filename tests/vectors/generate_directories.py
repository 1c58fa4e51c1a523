"""Make the vectors of directories anew: ``python tests/vectors/generate_directories.py``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # pragma: no cover - as a script, it stands beside its package
    sys.path.insert(0, str(Path(__file__).parent.parent))

from vectors.cases import Family, write

REFUSED = "directory-refused"
HEX = "0123456789abcdef" * 4
MOST = 1_024
MOST_BYTES = 524_288


def member(name: str, **changes: Any) -> dict[str, Any]:
    """Give an entry; a field that is changed to None is left out."""
    value = {
        "fingerprint": f"1:sha256:{HEX}",
        "member": name,
        "since": "2026-11-24T04:00:00Z",
        "standing": "admitted",
        "url": f"https://{name}.example",
        **changes,
    }
    return {field: one for field, one in value.items() if one is not None}


def encode(members: Any, **fields: Any) -> bytes:
    """Write a directory as RFC 8785 does: all names here are ASCII, and there are no numbers."""
    value = {"members": members, "name": "A Consortium", **fields}
    value = {field: one for field, one in value.items() if one is not None}
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode("utf-8")


def accepted(directories: Family) -> None:
    """Add what is taken."""
    stolen = {"standing": "suspended", "reason": "its release key was stolen"}
    suspended = member("beta", fingerprint=f"12:sha256:{HEX}", **stolen)
    cases: list[tuple[str, str, bytes, list[list[str | None]]]] = [
        (
            "two",
            "Two members, one suspended with a reason.",
            encode([member("acme"), suspended]),
            [["acme", "admitted", None], ["beta", "suspended", "its release key was stolen"]],
        ),
        ("none", "A consortium without members yet.", encode([]), []),
        (
            "unknown-fields",
            "Unknown fields are ignored.",
            encode([member("acme", seat=None, note="hello")], more={"x": []}),
            [["acme", "admitted", None]],
        ),
        (
            "other-letters",
            "The name is for people, and may hold any letter.",
            encode([member("acme")], name="Konsortium f\u00fcr \u0410"),
            [["acme", "admitted", None]],
        ),
        (
            "one-host",
            "Two members of one host, apart by path.",
            encode([member("acme", url="https://h.example/a"), member("beta", url="https://h.example/ab")]),
            [["acme", "admitted", None], ["beta", "admitted", None]],
        ),
    ]
    for case, why, data, found in cases:
        directories.add(case, why, {"read": "directory", "members": found}, **{"directory.json": data})
    many = encode([member(f"m{number:04}") for number in range(MOST)])
    facts = {"read": "directory", "members": [[f"m{number:04}", "admitted", None] for number in range(MOST)]}
    directories.add("most", "1 024 members are not too many.", facts, **{"directory.json": many})


def refused(directories: Family) -> None:
    """Add what is refused, with the field to blame."""
    acme, beta = member("acme"), member("beta")
    filling = "x" * (MOST_BYTES + 1 - len(encode([], more="")))
    pretty = json.dumps(json.loads(encode([acme])), indent=1).encode()
    cases: list[tuple[str, str, str, bytes]] = [
        ("empty", "Nothing at all.", "directory", b""),
        ("not-json", "No JSON.", "directory", b"<html></html>"),
        ("list", "A directory is an object.", "directory", b"[]"),
        ("white-space", "It is canonical: no white space.", "directory", pretty),
        ("trailing-newline", "It is canonical: nothing follows.", "directory", encode([acme]) + b"\n"),
        ("twice", "No name stands twice.", "directory", encode([acme])[:-1] + b',"name":"A"}'),
        (
            "too-large",
            "One byte more than 512 KiB.",
            "directory",
            encode([], more=filling),
        ),
        ("no-members", "The list is required.", "members", encode(None)),
        ("members-object", "It is a list.", "members", encode({})),
        ("too-many", "1 025 are too many.", "members", encode([member(f"m{n:04}") for n in range(MOST + 1)])),
        ("no-name", "The name is required.", "name", encode([acme], name=None)),
        ("name-empty", "The name says something.", "name", encode([acme], name="")),
        ("entry-text", "An entry is an object.", "members[0]", encode(["acme"])),
        ("out-of-order", "Members stand in order.", "members[1]", encode([beta, acme])),
        ("id-twice", "No member stands twice.", "members[1]", encode([acme, acme | {"url": "https://b.example"}])),
        ("one-url", "Two members of one URL.", "members", encode([acme, beta | {"url": "https://acme.example"}])),
        (
            "url-below",
            "A URL below another member's.",
            "members",
            encode([acme, beta | {"url": "https://acme.example/beta"}]),
        ),
        (
            "url-other-scheme",
            "The scheme keeps no names apart.",
            "members",
            encode([acme | {"url": "http://127.0.0.1"}, beta | {"url": "https://127.0.0.1"}]),
        ),
    ]
    fields: list[tuple[str, str, str, dict[str, Any]]] = [
        ("id-upper-case", "Ids are lower-case.", "member", {"member": "Acme"}),
        ("id-missing", "An id is required.", "member", {"member": None}),
        ("url-http", "http is for loopback.", "url", {"url": "http://acme.example"}),
        ("url-slash", "No slash at the end.", "url", {"url": "https://acme.example/"}),
        ("url-missing", "A URL is required.", "url", {"url": None}),
        ("fingerprint-short", "All 64 digits.", "fingerprint", {"fingerprint": f"1:sha256:{HEX[1:]}"}),
        ("fingerprint-version-0", "Roots begin with 1.", "fingerprint", {"fingerprint": f"0:sha256:{HEX}"}),
        ("fingerprint-upper-case", "Hex is lower-case.", "fingerprint", {"fingerprint": f"1:sha256:{HEX.upper()}"}),
        ("fingerprint-missing", "A fingerprint is required.", "fingerprint", {"fingerprint": None}),
        ("standing-other", "The standings are a closed set.", "standing", {"standing": "expelled"}),
        ("standing-missing", "A standing is required.", "standing", {"standing": None}),
        ("since-no-time", "A time of the calendar.", "since", {"since": "2026-02-30T00:00:00Z"}),
        ("since-missing", "A time is required.", "since", {"since": None}),
        ("reason-long", "A reason has at most 256 bytes.", "reason", {"reason": "\u00e9" * 129}),
        ("reason-control", "A reason can be shown.", "reason", {"reason": "a\u001bb"}),
        ("reason-number", "A reason is a text.", "reason", {"reason": 1}),
    ]
    cases += [(case, why, f"members[0].{field}", encode([member("acme", **one)])) for case, why, field, one in fields]
    null = encode([member("acme")]).replace(b'"since"', b'"reason":null,"since"')
    cases.append(("reason-null", "What does not apply is left out.", "members[0].reason", null))
    for case, why, where, data in cases:
        facts = {"read": "directory", "error": REFUSED, "where": where}
        directories.add(f"{case}_fail", why, facts, **{"directory.json": data})


def directory_family() -> Family:
    """Give all of them."""
    directories = Family("directories")
    accepted(directories)
    refused(directories)
    return directories


if __name__ == "__main__":  # pragma: no cover
    write([directory_family()])
