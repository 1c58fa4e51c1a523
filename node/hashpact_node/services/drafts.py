"""What somebody wants to publish, before it is a statement: drafts of listings, and the entries made of them."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from hashpact_protocol.errors import HashpactError, RequestError, SignalError, StatementError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.parsing import parse_entries
from hashpact_protocol.signals import Signal, parse_signal
from hashpact_protocol.statement_fields import check_flag, check_labels, format_time
from hashpact_protocol.statements import DEFAULT_HANDLING, DEFAULT_ORIGIN, Listing, Withdrawal, encode_statement

TEXTS: Final = ("content", "confirmed", "handling", "origin", "incident", "expires", "review_by", "note")
FIELDS: Final = ("signals", "labels", "preserve", "audiences", *TEXTS)
_GIVEN: Final = ("id", "kind", "time")

_encode = msgspec.json.Encoder(order="sorted").encode
_encode_plain = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class ListingDraft:
    """A listing to be; fields as in docs/protocol.md, Entries.

    ``id`` is that of an own listing that is to be restated, None for a new one. ``where`` says in errors where the
    draft came from (a file, a line). ``audiences`` are those in whose logs it is to stand, by their names here; where
    there are none, it goes to the log that whoever publishes it names. No reader is told of them.
    """

    content: str
    signals: tuple[Signal, ...]
    labels: tuple[str, ...] = ()
    confirmed: str | None = None
    handling: str = DEFAULT_HANDLING
    origin: str = DEFAULT_ORIGIN
    incident: str | None = None
    expires: str | None = None
    review_by: str | None = None
    note: str | None = None
    preserve: bool = False
    id: str | None = None
    where: str | None = None
    audiences: tuple[str, ...] = ()

    def listing(self, now: datetime) -> Listing:
        """Make the statement, under a new random id unless it restates; nothing is checked yet."""
        return Listing(
            self.id or new_id(),
            format_time(now),
            self.content,
            self.signals,
            self.labels,
            self.confirmed,
            self.handling,
            self.origin,
            self.incident,
            self.expires,
            self.review_by,
            self.note,
            self.preserve,
        )


def draft_of_fields(fields: object, *, where: str | None = None, identifier: str | None = None) -> ListingDraft:
    """Read a draft out of decoded JSON: a listing without ``id``, ``kind`` and ``time``.

    Stricter than readers of entries are: an unknown field is most often a misspelt one, and a malformed signal would be
    dropped by everybody. Raises RequestError, SignalError and StatementError, naming the field after ``where``.
    """
    if not isinstance(fields, dict):
        raise RequestError("a listing is a JSON object", where=where)
    for name in fields:
        if name not in FIELDS:
            _refuse_field(name, where)
    values: dict[str, Any] = {name: _text(fields[name], name, where) for name in TEXTS if name in fields}
    try:
        if "labels" in fields:
            values["labels"] = _named("labels", check_labels, fields["labels"])
        if "audiences" in fields:
            values["audiences"] = _audiences(fields["audiences"], where)
        if "preserve" in fields:
            values["preserve"] = _named("preserve", check_flag, fields["preserve"])
        signals = read_signals(fields.get("signals"))
    except (SignalError, StatementError) as error:
        raise located(error, where) from None
    if "content" not in values:
        raise RequestError("is missing", where=_join(where, "content"), mend="say what it is: image, video, …")
    return ListingDraft(signals=signals, id=identifier, where=where, **values)


class PlainSignal(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """A signal of a plain draft; fields in canonical order, None where absent."""

    length: int | None = None
    quality: int | None = None
    sha256: str | None = None
    type: str
    value: str | None = None


class PlainDraft(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """A draft in bulk: nothing but the fields of an entry in canonical order, None where absent; nothing is checked.

    It becomes an entry by writing it with ``id``, ``kind`` and ``time``, which no draft brings.
    """

    confirmed: str | None = None
    content: str | None = None
    expires: str | None = None
    handling: str | None = None
    id: str | None = None
    incident: str | None = None
    kind: str | None = None
    labels: list[str] | None = None
    note: str | None = None
    origin: str | None = None
    preserve: bool | None = None
    review_by: str | None = None
    signals: list[PlainSignal]
    time: str | None = None


_decode_plain = msgspec.json.Decoder(PlainDraft).decode


def read_plain(line: str) -> PlainDraft | None:
    """Read a draft that has nothing unusual, many times faster than ``draft_of_fields``; None is doubt, no verdict."""
    if "\\" in line:
        return None
    try:
        plain = _decode_plain(line)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    # A name that is there twice, or a null, would show as quotes that are missing from what was read.
    if plain.id is not None or plain.kind is not None or plain.time is not None:
        return None
    return plain if _encode_plain(plain).count(b'"') == line.count('"') else None


def encode_plain(plain: PlainDraft, log_kind: str, identifier: str, time: str) -> bytes | None:
    """Write the entry of a plain draft, checked by the rule that every reader goes by; None is doubt, no verdict."""
    if plain.handling == DEFAULT_HANDLING:
        plain.handling = None
    if plain.origin == DEFAULT_ORIGIN:
        plain.origin = None
    if plain.preserve is False:
        plain.preserve = None
    plain.id, plain.kind, plain.time = identifier, Listing.kind, time
    entry = _encode_plain(plain)
    read = parse_entries([entry], log_kind)[0]
    if not isinstance(read, Listing) or len(read.signals) != len(plain.signals):
        return None
    # Fields that a type does not have would be passed over by readers; the exact way leaves them out.
    plainly = all(one.quality == found.quality for one, found in zip(plain.signals, read.signals, strict=True))
    return entry if plainly and b'"length"' not in entry else None


def new_id() -> str:
    """Give a random UUID of version 4 (RFC 9562), a few times faster than ``uuid`` does."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def read_signals(items: object) -> tuple[Signal, ...]:
    """Read the signals of a draft, all of which must be sound; the same one twice counts once, at its best quality.

    Raises StatementError, and SignalError that names the signal.
    """
    if not isinstance(items, list) or not 1 <= len(items) <= LIMITS.signals_max:
        raise StatementError(f"is no array of 1 to {LIMITS.signals_max} signals", where="signals")
    kept: dict[bytes, Signal] = {}
    for place, item in enumerate(items):
        try:
            signal = parse_signal(item)
        except SignalError as error:
            where = f"signals[{place}].{error.where}" if error.where else f"signals[{place}]"
            raise type(error)(error.what, where=where, mend=error.mend or _mend(error)) from None
        before = kept.get(signal.key)
        if before is None or (before.quality or 0) < (signal.quality or 0):
            kept[signal.key] = signal
    return tuple(kept.values())


def encode_listing(listing: Listing, log_kind: str) -> bytes:
    """Write the entry of a listing as ``encode_statement`` does, many times faster for plain ones.

    What is written is read back by the rule that every reader goes by. Raises StatementError.
    """
    fields: dict[str, Any] = {
        "kind": Listing.kind,
        "id": listing.id,
        "time": listing.time,
        "content": listing.content,
        "signals": [_signal_fields(signal) for signal in listing.signals],
    }
    for name, default in _DEFAULTS:
        value = getattr(listing, name)
        if value != default:
            fields[name] = value
    try:
        entry = _encode(fields)
    except UnicodeEncodeError:  # a lone surrogate, for which the exact way has words
        return encode_statement(listing, log_kind=log_kind)
    if parse_entries([entry], log_kind)[0] == listing:
        return entry
    return encode_statement(listing, log_kind=log_kind)


def encode_withdrawal(listing: str, reason: str, note: str | None, *, now: datetime, log_kind: str) -> bytes:
    """Write the entry that takes a listing back; StatementError when reason or note do not have their form."""
    withdrawal = Withdrawal(new_id(), format_time(now), listing, reason, note)
    return encode_statement(withdrawal, log_kind=log_kind)


def check_origin(origin: str, *, allow_foreign: bool, where: str | None) -> None:
    """Raise RequestError for material of somebody else, unless that was said on purpose."""
    if origin != DEFAULT_ORIGIN and not allow_foreign:
        raise RequestError(
            f"this is material of {origin!r}, and publishing lists it under this member's name",
            where=where,
            mend="if you may, say so on purpose: --allow-foreign-origin, by HTTP ?allow_foreign_origin=true",
        )


def located(error: HashpactError, where: str | None) -> HashpactError:
    """Give the same error with a place before its own."""
    return type(error)(error.what, where=_join(where, error.where), mend=error.mend or _mend(error))


def _mend(error: HashpactError) -> str | None:
    if isinstance(error, SignalError) and "lower-case hex" in error.what:
        return "write hashes in full, in lower case"
    return None


_DEFAULTS: Final = (
    ("labels", ()),
    ("confirmed", None),
    ("handling", DEFAULT_HANDLING),
    ("origin", DEFAULT_ORIGIN),
    ("incident", None),
    ("expires", None),
    ("review_by", None),
    ("note", None),
    ("preserve", False),
)


def _signal_fields(signal: Signal) -> Mapping[str, Any]:
    if signal.blob_length is not None:
        return {"length": signal.blob_length, "sha256": signal.value, "type": signal.type}
    if signal.quality is not None:
        return {"quality": signal.quality, "type": signal.type, "value": signal.value}
    return {"type": signal.type, "value": signal.value}


def _named(name: str, check: Any, value: object) -> Any:
    try:
        return check(value)
    except StatementError as error:
        raise located(error, name) from None


def _text(value: object, name: str, where: str | None) -> str:
    if not isinstance(value, str):
        raise RequestError("is no string", where=_join(where, name), mend="leave the field out if there is nothing")
    return value


def _audiences(value: Any, where: str | None) -> tuple[str, ...]:
    sound = isinstance(value, list) and len(value) <= LIMITS.card_logs_max
    if not sound or not all(isinstance(one, str) for one in value):
        raise RequestError("is no array of names", where=_join(where, "audiences"), mend="see `hashpact audience list`")
    return tuple(value)


def _refuse_field(name: str, where: str | None) -> None:
    if name in _GIVEN:
        mend = "leave it out: it is given when the listing is published"
    else:
        near = difflib.get_close_matches(name, FIELDS, n=1)
        mend = f"did you mean {near[0]}?" if near else f"the fields are: {', '.join(FIELDS)}"
    raise RequestError(f"a listing to publish has no field {name[:60]!r}", where=where, mend=mend)


def _join(*places: str | None) -> str | None:
    return ": ".join(place for place in places if place) or None
