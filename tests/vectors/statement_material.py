"""What the generators of entries share: sound statements to start from, and the writing of a case.

Nothing here uses the code under test; the canonical form of what has ASCII names is ``json.dumps`` with sorted keys.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

ENTRY_MALFORMED = "statement-malformed"
SIGNAL_MALFORMED = "signal-malformed"
ENTRY_MAX_BYTES = 16_384

LISTING_ID = "5b2f0b6e-6c2e-4b7a-9d0e-0d6a2b1c3f48"
OTHER_ID = "c0a8e5d1-93f7-4d26-8b14-7e5f6a9b0c2d"
INCIDENT_ID = "1f9d3c77-20ab-4e58-a6c1-94d2e8b7f035"
TIME = "2026-11-24T04:00:00Z"

Object = dict[str, Any]


def digest(text: str) -> str:
    """Synthetic hash value number ``text``, 64 hex digits."""
    return sha256(f"hashpact vector {text}".encode()).hexdigest()


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def readable(value: Any) -> bytes:
    return (json.dumps(value, sort_keys=True, indent=1, ensure_ascii=True) + "\n").encode()


SHA256_SIGNAL: Object = {"type": "sha256", "value": digest("1")}
PDQ_SIGNAL: Object = {"type": "pdq", "value": digest("2"), "quality": 98}

LISTING: Object = {"kind": "listing", "id": LISTING_ID, "time": TIME, "content": "image", "signals": [SHA256_SIGNAL]}
WITHDRAWAL: Object = {"kind": "withdrawal", "id": OTHER_ID, "time": TIME, "listing": LISTING_ID, "reason": "error"}
OPINION: Object = {
    "kind": "opinion",
    "id": OTHER_ID,
    "time": TIME,
    "member": "beta",
    "log": "listings",
    "listing": LISTING_ID,
    "leaf": digest("leaf"),
    "verdict": "disagree",
}
INCIDENT: Object = {"kind": "incident", "id": OTHER_ID, "time": TIME, "incident": INCIDENT_ID, "status": "proposed"}

LISTING_DEFAULTS: Object = {"labels": [], "handling": "members", "origin": "own", "preserve": False, "dropped": []}
LOG_OF = {"listing": "listings", "withdrawal": "listings", "opinion": "opinions", "incident": "crisis"}


class Area:
    """The files of one area of vectors, by path below the vectors' folder."""

    def __init__(self, name: str, about: str) -> None:
        self.name = name
        self.files: dict[str, bytes] = {f"{name}/README.md": about.encode()}

    def add(self, case: str, why: str, expected: Object, **inputs: bytes) -> None:
        """Add a case; an input named ``entry_json`` becomes the file ``entry.json``. No name may be used twice."""
        folder = f"{self.name}/{case}"
        if f"{folder}/README.md" in self.files:
            raise ValueError(f"{folder} is there twice")
        if case.endswith("_fail") is not ("code" in expected):
            raise ValueError(f"{folder} does not say in its name what it expects")
        self.files[f"{folder}/README.md"] = f"{why}\n".encode()
        self.files[f"{folder}/expected.json"] = readable(expected)
        for name, data in inputs.items():
            self.files[f"{folder}/{name.replace('_', '.')}"] = data
