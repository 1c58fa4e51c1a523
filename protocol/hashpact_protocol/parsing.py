"""Reading whole bundles: the same answers as ``parse_statement`` one by one, many times faster.

An entry is decoded into a struct whose fields are all that a plain statement has, in canonical order, and is encoded
again. When that gives the same bytes, they are canonical and hold no other field, and a few checks remain. Every doubt,
whatever its cause, goes to ``parse_statement``, which alone decides what is malformed and why.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal

import msgspec
from msgspec import UNSET

from hashpact_protocol.errors import SignalError, StatementError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.signals import QUALITY_MAX, SIGNAL_TYPES, Signal, make_signal
from hashpact_protocol.statement_fields import is_identifier, is_time
from hashpact_protocol.statements import (
    DEFAULT_HANDLING,
    DEFAULT_ORIGIN,
    Listing,
    Malformed,
    Statement,
    parse_statement,
    read_fields,
)

_LISTING_HINT: Final = b'"kind":"listing"'
_LISTING_LOGS: Final = frozenset({"listings", "crisis"})
# Up to this many characters a label is short enough whatever its characters are: one is at most 4 bytes of UTF-8.
_LABEL_SAFE_CHARACTERS: Final = LIMITS.label_max_bytes // 4


class _SignalLine(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A signal on the wire; fields in canonical order, None where absent (a null is not encoded again)."""

    length: int | None = None
    quality: int | None = None
    sha256: str | None = None
    type: str
    value: str | None = None


class _ListingLine(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A listing on the wire; fields in canonical order, None where absent."""

    confirmed: str | None = None
    content: str
    expires: str | None = None
    handling: Literal["members", "this-log", "no-reshare"] | None = None
    id: str
    incident: str | None = None
    kind: Literal["listing"]
    labels: tuple[str, ...] | None = None
    note: str | None = None
    origin: str | None = None
    preserve: bool | None = None
    review_by: str | None = None
    signals: tuple[_SignalLine, ...]
    time: str


class _Line(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A statement of any other known kind on the wire; strings only, so that no number needs a look."""

    id: str
    incident: str | None = None
    kind: str
    leaf: str | None = None
    listing: str | None = None
    log: str | None = None
    member: str | None = None
    note: str | None = None
    reason: str | None = None
    status: str | None = None
    time: str
    title: str | None = None
    type: str | None = None
    verdict: str | None = None


_decode_listing = msgspec.json.Decoder(_ListingLine).decode
_decode_line = msgspec.json.Decoder(_Line).decode
_decode_any = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
# What msgspec raises over bytes that are not what was declared; bad UTF-8 and deep nesting come as Python's own errors.
_DOUBTS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_PLAIN_TYPES: Final = {
    known.name: (bytes((known.code,)), known.digits, known.quality_min is not None)
    for known in SIGNAL_TYPES.values()
    if not (known.blob or known.prefix or known.upper)
}


def parse_entries(entries: Sequence[bytes], log_kind: str) -> list[Statement | Malformed]:
    """Read the entries of a bundle of a log of kind ``log_kind``, one answer for each, in order.

    Raises nothing, whatever the bytes: what ``parse_statement`` refuses is ``Malformed``, with its code and text.
    """
    return [_plain(entry, log_kind) or _exact(entry, log_kind) for entry in entries]


def _exact(entry: bytes, log_kind: str) -> Statement | Malformed:
    try:
        return parse_statement(entry, log_kind)
    except StatementError as error:
        return Malformed(error.code, str(error))


def _plain(entry: bytes, log_kind: str) -> Statement | None:
    """Read an entry that has nothing unusual; None is doubt, not a verdict."""
    if len(entry) > LIMITS.entry_max_bytes:
        return None
    try:
        if _LISTING_HINT in entry:
            line = _decode_listing(entry)
            return _plain_listing(line, len(entry)) if _encode(line) == entry and log_kind in _LISTING_LOGS else None
        # With no field but these strings, equal bytes settle the canonical form, and the exact rules go over the rest.
        return read_fields(_decode_any(entry), log_kind) if _encode(_decode_line(entry)) == entry else None
    except (*_DOUBTS, StatementError):
        return None


def _plain_listing(line: _ListingLine, size: int) -> Listing | None:
    if not (is_identifier(line.id) and is_time(line.time)):
        return None
    if not (line.incident is None or is_identifier(line.incident)):
        return None
    if not (_is_time_or_absent(line.expires) and _is_time_or_absent(line.review_by)):
        return None
    # In an entry no longer than a string may be, no string can be too long.
    if size > LIMITS.known_string_max_bytes and not _short((line.confirmed, line.content, line.note, line.origin)):
        return None
    labels = line.labels or ()
    if labels and not _plain_labels(labels):
        return None
    signals = _plain_signals(line.signals)
    if signals is None:
        return None
    return Listing(
        line.id,
        line.time,
        line.content,
        signals,
        labels,
        line.confirmed,
        line.handling or DEFAULT_HANDLING,
        DEFAULT_ORIGIN if line.origin is None else line.origin,
        line.incident,
        line.expires,
        line.review_by,
        line.note,
        line.preserve is True,
    )


def _is_time_or_absent(text: str | None) -> bool:
    return text is None or is_time(text)


def _short(texts: Iterable[str | None]) -> bool:
    return all(text is None or len(text.encode()) <= LIMITS.known_string_max_bytes for text in texts)


def _plain_labels(labels: tuple[str, ...]) -> bool:
    for label in labels:
        if len(label) > _LABEL_SAFE_CHARACTERS and len(label.encode()) > LIMITS.label_max_bytes:
            return False
    return len(labels) <= LIMITS.labels_max


def _plain_signals(lines: tuple[_SignalLine, ...]) -> tuple[Signal, ...] | None:
    if not 1 <= len(lines) <= LIMITS.signals_max:
        return None
    signals: list[Signal] = []
    keys: set[bytes] = set()
    for line in lines:
        signal = _plain_signal(line) or _other_signal(line)
        if signal is None or signal.key in keys:
            return None
        keys.add(signal.key)
        signals.append(signal)
    return tuple(signals)


def _plain_signal(line: _SignalLine) -> Signal | None:
    """Read a signal whose value is lower-case hex, as nearly all are."""
    form = _PLAIN_TYPES.get(line.type)
    value = line.value
    if form is None or value is None or line.sha256 is not None or line.length is not None:
        return None
    prefix, digits, has_quality = form
    quality = line.quality
    if (quality is None) is has_quality or not 0 <= (quality or 0) <= QUALITY_MAX:
        return None
    try:
        raw = bytes.fromhex(value)
    except ValueError:
        return None
    if len(value) != digits or raw.hex() != value:
        return None
    return Signal(line.type, value, quality, None, prefix + raw)


def _other_signal(line: _SignalLine) -> Signal | None:
    """Read a signal by the exact rules, unless it has a number that they would not look at."""
    if line.quality is not None or (line.length is not None and line.sha256 is None):
        return None
    try:
        return make_signal(
            line.type,
            UNSET if line.value is None else line.value,
            sha256=UNSET if line.sha256 is None else line.sha256,
            length=UNSET if line.length is None else line.length,
        )
    except SignalError:
        return None
