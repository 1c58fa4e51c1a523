"""Does an audit log hold together? Its entries are read in order, and every one must continue all before it.

Each entry names the root of the RFC 6962 tree over the entries before it, so what was altered shows at the next one;
what comes last shows at the head. Who rewrites all of it, the head too, is caught by a head that was written down
elsewhere. Nothing here knows a database, so an exported log is verified the same way anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from hashpact_protocol.canonical import parse_canonical
from hashpact_protocol.errors import RequestError, StatementError
from hashpact_protocol.merkle import CompactRange, leaf_hash

FINDINGS_MAX: Final = 50
_HEAD: Final = re.compile(r"(?P<size>0|[1-9][0-9]{0,15}):(?P<root>[0-9a-f]{64})")


@dataclass(frozen=True, slots=True, order=True)
class Head:
    """How many entries there are, and the root over them; written ``SIZE:HEX``."""

    size: int
    root: bytes

    def __str__(self) -> str:
        return f"{self.size}:{self.root.hex()}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """Read it back; RequestError."""
        found = _HEAD.fullmatch(text.strip().lower())
        if found is None:
            raise RequestError(
                "this is no head of an audit log", where=text[:100], mend="write it as SIZE:HEX, 64 hex digits"
            )
        return cls(int(found["size"]), bytes.fromhex(found["root"]))


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was written; ``entry`` is the number of the entry that it is about, if any."""

    entry: int | None
    what: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What an audit log came to. ``head`` is over what is there; it means little where something was found."""

    head: Head
    findings: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing was altered, removed or reordered."""
        return not self.findings


@dataclass(slots=True)
class Chain:
    """Takes the entries of a log in order. ``earlier`` are heads that were written down elsewhere."""

    earlier: Iterable[Head] = ()
    findings: list[Finding] = field(default_factory=list)
    _range: CompactRange = field(default_factory=CompactRange)
    _last: int = 0
    _broken: bool = False
    _open: list[Head] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._open = sorted(self.earlier)
        self._meet_heads()

    def add(self, number: int, entry: bytes, *, time: int | None = None) -> None:
        """Take the entry that stands under a number; ``time`` is what its row says, in Unix seconds."""
        if number <= self._last:
            self._find(number, f"entry {number} stands twice, or behind entry {self._last}: it was moved", breaks=True)
            return
        if number > self._last + 1:
            self._find(self._last + 1, f"{_entries(self._last + 1, number - 1)} missing", breaks=True)
        self._last = number
        told = self._read(number, entry)
        if told is not None:
            self._check(number, told, time)
        if not self._broken:
            self._range = self._range.extend([leaf_hash(entry)])
            self._meet_heads()

    def close(self, head: Head | None) -> Verified:
        """Compare with the head that is kept beside the entries, and give what it all came to."""
        mine = Head(self._last, self._range.root())
        if head is None:
            self._find(None, "the head is missing or damaged", breaks=False)
        elif head.size > self._last:
            self._find(self._last + 1, f"{_entries(self._last + 1, head.size)} missing at the end", breaks=True)
        elif head.size < self._last:
            self._find(
                head.size + 1,
                f"{_entries(head.size + 1, self._last)} not known to the head: the node never wrote that",
                breaks=False,
            )
        elif not self._broken and head.root != mine.root:
            self._find(self._last or None, f"entry {self._last} was altered, or the head was", breaks=True)
        for one in self._open:
            self._find(None, _unmet(one, self._last, broken=self._broken), breaks=False)
        return Verified(mine, tuple(self.findings[:FINDINGS_MAX]))

    def _read(self, number: int, entry: bytes) -> dict[str, Any] | None:
        try:
            told = parse_canonical(entry)
        except StatementError as error:
            self._find(number, f"entry {number} was altered: {error.what}", breaks=True)
            return None
        if not isinstance(told, dict):
            self._find(number, f"entry {number} was altered: it is no object", breaks=True)
            return None
        return told

    def _check(self, number: int, told: dict[str, Any], time: int | None) -> None:
        if told.get("n") != number:
            says = str(told.get("n"))[:20]
            self._find(number, f"in the place of entry {number} stands one that says it is entry {says}", breaks=True)
        elif not self._broken and told.get("before") != self._range.root().hex():
            altered = max(1, number - 1)
            self._find(altered, f"entry {altered} was altered: entry {number} does not continue it", breaks=True)
        if time is not None and _seconds(told.get("time")) != time:
            self._find(number, f"entry {number} is filed under another time than it says", breaks=False)

    def _meet_heads(self) -> None:
        """Compare with each head that was written down at this size."""
        while self._open and self._open[0].size == self._range.size and not self._broken:
            head = self._open.pop(0)
            if head.root != self._range.root():
                self._find(
                    None,
                    f"the first {head.size} entries are not those over which the head {head} was written down",
                    breaks=False,
                )

    def _find(self, entry: int | None, what: str, *, breaks: bool) -> None:
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(Finding(entry, what))
        self._broken = self._broken or breaks


def _unmet(head: Head, last: int, *, broken: bool) -> str:
    if head.size > last:
        return f"there were {head.size} entries when the head {head} was written down, and now there are {last}"
    what = "cannot be compared any more" if broken else "was not met"
    return f"the head {head} {what}: something before it is wrong"


def _entries(first: int, last: int) -> str:
    return f"entry {first} is" if first == last else f"entries {first} to {last} are"


def _seconds(text: Any) -> int | None:
    try:
        return int(datetime.fromisoformat(text).timestamp())
    except (TypeError, ValueError):
        return None
