"""The logs of a member card: how one is read, and how those of one name follow each other (docs/protocol.md, Card)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from hashpact_protocol.base64_text import decode_base64
from hashpact_protocol.card_fields import Fields
from hashpact_protocol.errors import MemberNameError, NoteError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merkle import EMPTY_ROOT, HASH_BYTES
from hashpact_protocol.names import MemberUrl
from hashpact_protocol.notes import KeyType, VerifierKey

_Word = TypeVar("_Word", bound=StrEnum)
_AUDIENCE = re.compile(r"-[a-z0-9-]+")


class LogKind(StrEnum):
    """What a log holds; it picks the row of its keys."""

    LISTINGS = "listings"
    CRISIS = "crisis"
    OPINIONS = "opinions"


class LogState(StrEnum):
    """Whether a log goes on."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Final:
    """Where a closed log ends: what lies beyond ``size`` entries never happened."""

    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class CardLog:
    """One log as a card names it.

    ``final`` is there exactly when the log is closed. Once the first ``fresh`` entries are held, the earlier logs of
    the same name count no more. ``reason`` is what its member says of why it was closed; it decides nothing.
    """

    name: str
    kind: LogKind
    origin: str
    url: str
    keys: tuple[VerifierKey, ...]
    state: LogState
    final: Final | None = None
    fresh: int | None = None
    erased: bool = False
    reason: str | None = None


def read_log(fields: Fields, member_url: MemberUrl) -> CardLog:
    """Read one element of ``logs``; CardError when it is not of its form."""
    kind = _word(fields, "kind", LogKind)
    state = _word(fields, "state", LogState)
    final = _read_final(fields, state)
    fresh_max = LIMITS.log_max_entries if final is None else final.size
    return CardLog(
        name=_read_name(fields, kind),
        kind=kind,
        origin=_read_origin(fields, member_url),
        url=_read_url(fields, member_url),
        keys=_read_log_keys(fields),
        state=state,
        final=final,
        fresh=fields.integer("fresh", 1, fresh_max) if fields.has("fresh") else None,
        erased=fields.flag("erased"),
        reason=fields.note("reason", LIMITS.card_reason_max_bytes) if state is LogState.CLOSED else None,
    )


def read_key(fields: Fields, name: str, text: str, kind: KeyType) -> VerifierKey:
    """Read one verifier key of the wanted type; CardError names the field when it is another or none."""
    try:
        key = VerifierKey.parse(text)
    except NoteError as error:
        fields.refuse(name, f"is no verifier key: {error}")
    if key.type is not kind:
        fields.refuse(name, f"is a key of type 0x{key.type:02x} where 0x{kind:02x} is needed")
    return key


def log_sequence(logs: Iterable[CardLog], name: str) -> list[CardLog]:
    """The logs of one name in the order in which they count: the closed ones in card order, then the open one."""
    return sorted((log for log in logs if log.name == name), key=lambda log: log.state is LogState.OPEN)


def counting_logs(logs: Iterable[CardLog], name: str) -> list[CardLog]:
    """The part of the sequence with which a new reader starts: from the last fresh log on."""
    sequence = log_sequence(logs, name)
    start = max((place for place, log in enumerate(sequence) if log.fresh is not None), default=0)
    return sequence[start:]


def log_names(logs: Iterable[CardLog]) -> list[str]:
    """Every log name, once, in card order."""
    return list(dict.fromkeys(log.name for log in logs))


def check_sequences(logs: Sequence[CardLog], fields: Fields) -> None:
    """Refuse the card when the logs of one name, or their origins, do not fit together."""
    seen: set[str] = set()
    for log in logs:
        if log.origin in seen:
            fields.refuse("logs", f"{log.origin} is named twice")
        seen.add(log.origin)
    for name in log_names(logs):
        sequence = log_sequence(logs, name)
        if sum(log.state is LogState.OPEN for log in sequence) > 1:
            fields.refuse("logs", f"more than one log named {name} is open")
        for place, log in enumerate(sequence):
            if log.erased:
                _check_erased(log, sequence[place + 1 :], fields)


def _check_erased(log: CardLog, later: Sequence[CardLog], fields: Fields) -> None:
    if log.state is LogState.OPEN:
        fields.refuse("logs", f"{log.origin} is erased, and still open")
    if all(successor.fresh is None for successor in later):
        fields.refuse("logs", f"{log.origin} is erased, and no later fresh log named {log.name} replaces it")


def _word(fields: Fields, name: str, words: type[_Word]) -> _Word:
    text = fields.text(name)
    try:
        return words(text)
    except ValueError:
        fields.refuse(name, f"is none of {', '.join(words)}")


def _read_final(fields: Fields, state: LogState) -> Final | None:
    if state is LogState.OPEN:
        if fields.has("final"):
            fields.refuse("final", "is there although the log is open")
        return None
    final = fields.object("final")
    size = final.integer("size", 0, LIMITS.log_max_entries)
    root = read_bytes(final, "root", HASH_BYTES)
    if size == 0 and root != EMPTY_ROOT:
        final.refuse("root", "is not the root of an empty log, and size is 0")
    return Final(size, root)


def read_bytes(fields: Fields, name: str, length: int) -> bytes:
    """Read a string of canonical base64 (RFC 4648, section 4) that holds ``length`` bytes, or raise CardError."""
    text = fields.text(name)
    try:
        data = decode_base64(text)
    except ValueError as error:
        fields.refuse(name, str(error))
    if len(data) != length:
        fields.refuse(name, f"is not {length} bytes in canonical base64")
    return data


def _read_name(fields: Fields, kind: LogKind) -> str:
    name = fields.text("name")
    suffix = name.removeprefix(kind)
    if name != kind and (suffix == name or _AUDIENCE.fullmatch(suffix) is None):
        fields.refuse("name", f"is neither {kind} nor {kind}- with a suffix of a-z, 0-9 and hyphens")
    return name


def _read_origin(fields: Fields, member_url: MemberUrl) -> str:
    origin = fields.text("origin")
    try:
        member_url.check_origin(origin)
    except MemberNameError as error:
        fields.refuse("origin", error.what)
    return origin


def _read_url(fields: Fields, member_url: MemberUrl) -> str:
    url = fields.text("url")
    if url != member_url.log_url(fields.text("origin")):
        fields.refuse("url", f"is not {member_url.scheme}:// and the origin")
    return url


def _read_log_keys(fields: Fields) -> tuple[VerifierKey, ...]:
    texts = fields.texts("keys")
    if not 1 <= len(texts) <= LIMITS.card_keys_max:
        fields.refuse("keys", f"holds {len(texts)} keys where 1 to {LIMITS.card_keys_max} are allowed")
    keys = tuple(read_key(fields, f"keys[{n}]", text, KeyType.ED25519) for n, text in enumerate(texts))
    for n, key in enumerate(keys):
        if key.name != fields.text("origin"):
            fields.refuse(f"keys[{n}]", "is not named by the log's origin")
    return keys
