"""What the cases of merging are made of: statements with numbered ids, and logs of two members.

Nothing here uses the code under test: trees are computed by the definition in RFC 6962, section 2.1.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256 as _sha256
from typing import Any
from uuid import UUID

from vectors.statement_material import TIME, Object, canonical, digest

LISTINGS, LISTINGS_2, LISTINGS_3 = (f"acme.example/logs/listings-{number}" for number in (1, 2, 3))
CRISIS, OPINIONS = "acme.example/logs/crisis-1", "acme.example/logs/opinions-1"
BETA_LISTINGS = "beta.example:8443/logs/listings-1"

Where = tuple[str, int]


def uuid(number: int) -> str:
    return str(UUID(int=number, version=4))


def sha256(number: int) -> Object:
    return {"type": "sha256", "value": digest(str(number))}


def pdq(number: int, quality: int = 98) -> Object:
    return {"type": "pdq", "value": digest(str(number)), "quality": quality}


def listing(number: int, *signals: Object) -> Object:
    return {"kind": "listing", "id": uuid(number), "time": TIME, "content": "image", "signals": list(signals)}


def withdrawal(number: int, *, of: int) -> Object:
    return {"kind": "withdrawal", "id": uuid(number), "time": TIME, "listing": uuid(of), "reason": "error"}


def opinion(number: int) -> Object:
    about = {"member": "beta", "log": "listings", "listing": uuid(1), "leaf": digest("leaf"), "verdict": "agree"}
    return {"kind": "opinion", "id": uuid(number), "time": TIME, **about}


def incident(number: int) -> Object:
    return {"kind": "incident", "id": uuid(number), "time": TIME, "incident": uuid(99), "status": "proposed"}


def unknown(number: int, *, critical: bool = False) -> Object:
    return {"kind": "treaty", "id": uuid(number), **({"critical": True} if critical else {})}


@dataclass
class Case:
    """One case. Expected by hand: what lives where, what is quarantined (with part and code), counted, stopped.

    ``sound`` names the claims of those live listings whose signals do not all count as they are written; ``left_out``
    the logs that the digest passes over.
    """

    name: str
    why: str
    live: list[Where] = field(default_factory=list)
    quarantined: list[tuple[str, int, int, str]] = field(default_factory=list)
    unknown: dict[str, int] = field(default_factory=dict)
    stopped: dict[str, int] = field(default_factory=dict)
    sound: dict[Where, list[Object]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    logs: list[Object] = field(default_factory=list, init=False)
    entries: dict[str, list[Object | str]] = field(default_factory=dict, init=False)

    def log(self, origin: str, *entries: Object | str, name: str | None = None, fresh: int | None = None) -> Case:
        """Add a log; an entry is an object, written canonically, or text as it is."""
        kind = origin.rpartition("/")[2].partition("-")[0]
        texts = [entry if isinstance(entry, str) else canonical(entry).decode() for entry in entries]
        member = origin.partition(".")[0]
        log = {"member": member, "name": name or kind, "kind": kind, "origin": origin, "entries": texts}
        self.logs.append(log if fresh is None else {**log, "fresh": fresh})
        self.entries[origin] = list(entries)
        return self

    def has(self, *quarantined: tuple[str, int, int, str]) -> Case:
        """Add to what is expected to be quarantined."""
        self.quarantined += quarantined
        return self

    def expected(self) -> Object:
        """What the case expects, as its expected.json says it."""
        return {
            "live": [[origin, index, self._entry(origin, index)["id"]] for origin, index in sorted(self.live)],
            "quarantined": [list(item) for item in sorted(self.quarantined)],
            "unknown": self.unknown,
            "stopped": self.stopped,
            "claims": self._claims(),
        }

    def digest(self) -> Object:
        """The lines of the digest, and the digest."""
        lines = []
        for log in sorted(self.logs, key=lambda log: str(log["origin"]).encode()):
            origin = log["origin"]
            if origin in self.left_out:
                continue
            entries = [text.encode() for text in log["entries"]][: self.stopped.get(origin)]
            lines.append(f"{origin} {len(entries)} {b64encode(tree_root(entries)).decode()}\n")
            for index in sorted(index for where, index in self.live if where == origin):
                lines.append(f"{index} {self._entry(origin, index)['id']}\n")
                claims = sorted(f"{kind} {value}".encode() for kind, value, _ in self._signals(origin, index))
                lines += [f"{claim.decode()}\n" for claim in claims]
        return {"lines": lines, "digest": _sha256("".join(lines).encode()).hexdigest()}

    def _entry(self, origin: str, index: int) -> Object:
        entry = self.entries[origin][index]
        if isinstance(entry, str):
            raise TypeError(f"{self.name}: what lives is an object")
        return entry

    def _signals(self, origin: str, index: int) -> list[tuple[str, str, Any]]:
        written: list[Object] = self._entry(origin, index)["signals"]
        signals = self.sound.get((origin, index), written)
        return [(each["type"], each.get("value") or each["sha256"], each.get("quality")) for each in signals]

    def _claims(self) -> list[Object]:
        claims: dict[tuple[str, str], list[list[Any]]] = {}
        for origin, index in sorted(self.live):
            for kind, value, quality in self._signals(origin, index):
                claims.setdefault((kind, value), []).append([origin, index, *([] if quality is None else [quality])])
        return [{"type": kind, "value": value, "by": claims[kind, value]} for kind, value in sorted(claims)]


def tree_root(entries: Sequence[bytes]) -> bytes:
    """The root of a tree over these entries, by its definition."""
    if not entries:
        return _sha256().digest()
    if len(entries) == 1:
        return _sha256(b"\x00" + entries[0]).digest()
    half = 1 << ((len(entries) - 1).bit_length() - 1)
    return _sha256(b"\x01" + tree_root(entries[:half]) + tree_root(entries[half:])).digest()
