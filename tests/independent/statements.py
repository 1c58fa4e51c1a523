"""What entries say, and what is live after all of them, by docs/protocol.md (Entries to Merge), apart from the node."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
SIGNAL_FORMS = {
    "md5": "[0-9a-f]{32}",
    "sha1": "[0-9a-f]{40}",
    "sha256": "[0-9a-f]{64}",
    "sha512": "[0-9a-f]{128}",
    "pdq": "[0-9a-f]{64}",
    "tlsh": "T1[0-9A-F]{70}",
    "url_sha256": "[0-9a-f]{64}",
    "photodna": "[0-9a-f]{288}",
}
BLOB_TYPES = {"vpdq", "tmk"}
REQUIRED = {
    "listing": {"id", "time", "content", "signals"},
    "withdrawal": {"id", "time", "listing", "reason"},
    "opinion": {"id", "time", "member", "log", "listing", "leaf", "verdict"},
    "incident": {"id", "time", "incident", "status"},
}
OPTIONAL = {
    "listing": {"labels", "confirmed", "handling", "origin", "incident", "expires", "review_by", "note", "preserve"},
    "withdrawal": {"note"},
    "opinion": {"reason", "note"},
    "incident": {"title", "type", "note"},
}
PLACES = {
    "listing": {"listings", "crisis"},
    "withdrawal": {"listings", "crisis"},
    "opinion": {"opinions"},
    "incident": {"crisis"},
}
WORDS = {
    "handling": {"members", "this-log", "no-reshare"},
    "verdict": {"agree", "disagree", "seen", "none"},
    "status": {"proposed", "active", "concluded"},
}


class MalformedError(Exception):
    """An entry is no well-formed statement, or an item of it no well-formed signal."""


# Statements: docs/protocol.md, Entries, Statements, Signals


def read_json(entry: bytes) -> dict[str, Any]:
    """Read an entry that is canonical JSON (RFC 8785) with integers only."""
    if not 1 <= len(entry) <= 16_384:
        raise MalformedError("length")
    try:
        value = json.loads(entry.decode(), parse_float=_no_number, parse_constant=_no_number)
        again = json.dumps(_sorted(value, 1), ensure_ascii=False, separators=(",", ":")).encode()
    except (ValueError, RecursionError) as error:
        raise MalformedError("no JSON") from error
    if again != entry or not isinstance(value, dict):
        raise MalformedError("not canonical, or no object")
    return value


def _no_number(text: str) -> None:
    raise MalformedError(f"no integer: {text}")


def _sorted(value: Any, depth: int) -> Any:
    """Put names in order of their UTF-16 code units, and look at depth and numbers."""
    if isinstance(value, int) and abs(value) > 2**53 - 1:
        raise MalformedError("a number is too large")
    if isinstance(value, dict | list) and depth > 8:
        raise MalformedError("nested too deep")
    if isinstance(value, list):
        return [_sorted(one, depth + 1) for one in value]
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return {name: _sorted(value[name], depth + 1) for name in names}
    return value


def read_statement(entry: bytes, log_kind: str) -> dict[str, Any]:
    """Read a well-formed statement; the signals of a listing are reduced to claims."""
    statement = read_json(entry)
    kind = statement.get("kind")
    if not isinstance(kind, str) or not kind:
        raise MalformedError("kind")
    if kind not in REQUIRED:
        return statement
    if log_kind not in PLACES[kind] or not REQUIRED[kind] <= statement.keys():
        raise MalformedError("placement, or a field is missing")
    for name in (REQUIRED[kind] | OPTIONAL[kind]) & statement.keys():
        if not well_formed(name, statement[name]):
            raise MalformedError(name)
    if kind == "listing":
        statement["claims"] = sorted({claim for item in statement["signals"] for claim in claims_of(item)})
    return statement


def well_formed(name: str, value: Any) -> bool:
    """Say whether a known field has its form."""
    if name == "preserve":
        return isinstance(value, bool)
    if name == "signals":
        return isinstance(value, list) and 1 <= len(value) <= 128
    if name == "labels":
        short = isinstance(value, list) and len(value) <= 64
        return short and all(isinstance(one, str) and len(one.encode()) <= 128 for one in value)
    if not isinstance(value, str) or len(value.encode()) > 4_096 or value not in WORDS.get(name, {value}):
        return False
    if name in {"id", "listing", "incident"}:
        return UUID4.fullmatch(value) is not None
    if name == "leaf":
        return re.fullmatch("[0-9a-f]{64}", value) is not None
    return name not in {"time", "expires", "review_by"} or is_time(value)


def is_time(text: str) -> bool:
    """Say whether a text is a time."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return re.fullmatch(r"\d{4}-\d\d-\d\dT([01]\d|2[0-3]):\d\d:[0-5]\dZ", text, re.ASCII) is not None


def claims_of(item: Any) -> list[tuple[str, str]]:
    """Give the claim of an item of ``signals``; none when it is malformed."""
    kind = item.get("type") if isinstance(item, dict) else None
    if not isinstance(kind, str) or not re.fullmatch("[a-z0-9_]{1,32}", kind):
        return []
    known = kind in SIGNAL_FORMS or kind in BLOB_TYPES
    blob = "sha256" in item
    if blob == ("value" in item) or (known and blob != (kind in BLOB_TYPES)):
        return []
    value = item["sha256"] if blob else item["value"]
    form = "[0-9a-f]{64}" if blob else SIGNAL_FORMS.get(kind, "[!-~]{1,4096}")
    sound = isinstance(value, str) and re.fullmatch(form, value) is not None
    sound = sound and (not blob or _is_integer(item.get("length"), 1, 16_777_216))
    sound = sound and (kind != "pdq" or _is_integer(item.get("quality"), 0, 100))
    return [(kind, value)] if sound else []


def _is_integer(value: Any, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


# Merge and digest: docs/protocol.md, Merge, Digest


class Merged:
    """What is live in the logs of one name of one member, after all of their entries in order."""

    def __init__(self) -> None:
        self.owners: dict[str, str] = {}
        self.live: dict[str, tuple[str, int, list[tuple[str, str]]]] = {}
        self.counting: dict[str, int] = {}
        self.quarantined = self.unknown = 0

    def take(self, log: dict[str, Any], entries: Sequence[bytes]) -> None:
        """Merge one log after those before it in its sequence."""
        self.counting[log["origin"]] = len(entries)
        for index, entry in enumerate(entries):
            try:
                statement = read_statement(entry, log["kind"])
            except MalformedError:
                self.quarantined += 1
                continue
            if statement["kind"] not in REQUIRED:
                self.unknown += 1
                if statement.get("critical") is True:
                    self.counting[log["origin"]] = index
                    return
                continue
            self._merge(log["origin"], index, statement)

    def _merge(self, origin: str, index: int, statement: dict[str, Any]) -> None:
        identifier, kind = statement["id"], statement["kind"]
        if self.owners.setdefault(identifier, kind) != kind:
            self.quarantined += 1
        elif kind == "listing":
            self.live[identifier] = (origin, index, statement["claims"])
        elif kind == "withdrawal" and self.owners.get(statement["listing"]) == "listing":
            self.live.pop(statement["listing"], None)
