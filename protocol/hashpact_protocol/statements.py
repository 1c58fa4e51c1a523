"""Statements: what one entry of a log says, and the rules by which it is well formed (docs/protocol.md, Entries).

:func:`parse_statement` is the exact rule for one entry. :mod:`hashpact_protocol.parsing` reads whole bundles fast, and
gives the same answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, TypeAlias

import msgspec

from hashpact_protocol.canonical import canonical_bytes, parse_canonical
from hashpact_protocol.errors import StatementError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.signals import Signal
from hashpact_protocol.statement_fields import (
    check_flag,
    check_identifier,
    check_labels,
    check_leaf,
    check_signals,
    check_text,
    check_time,
    one_of,
)

HANDLINGS: Final = ("members", "this-log", "no-reshare")
VERDICTS: Final = ("agree", "disagree", "seen", "none")
STATUSES: Final = ("proposed", "active", "concluded")
DEFAULT_HANDLING: Final = "members"
DEFAULT_ORIGIN: Final = "own"


class Listing(msgspec.Struct, frozen=True, gc=False):
    """One confirmed piece of content.

    ``time``, ``expires`` and ``review_by`` are as on the wire (``statement_fields.parse_time`` reads them). ``signals``
    are well formed and each claim is there once, with its highest quality; ``dropped`` says what was wrong with others.
    """

    kind: ClassVar[str] = "listing"
    id: str
    time: str
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
    dropped: tuple[str, ...] = ()


class Withdrawal(msgspec.Struct, frozen=True, gc=False):
    """Takes the publisher's own listing ``listing`` back, in the same sequence of logs."""

    kind: ClassVar[str] = "withdrawal"
    id: str
    time: str
    listing: str
    reason: str
    note: str | None = None


class Opinion(msgspec.Struct, frozen=True, gc=False):
    """What a member thinks of one revision, named by ``leaf`` (hex), of another member's listing."""

    kind: ClassVar[str] = "opinion"
    id: str
    time: str
    member: str
    log: str
    listing: str
    leaf: str
    verdict: str
    reason: str | None = None
    note: str | None = None


class Incident(msgspec.Struct, frozen=True, gc=False):
    """A step of a crisis: ``incident`` is the same through proposal, activation and conclusion."""

    kind: ClassVar[str] = "incident"
    id: str
    time: str
    incident: str
    status: str
    title: str | None = None
    type: str | None = None
    note: str | None = None


class Unknown(msgspec.Struct, frozen=True, gc=False):
    """An entry of a kind that this version does not know; a ``critical`` one stops the claims of its log there."""

    kind: str
    critical: bool


class Malformed(msgspec.Struct, frozen=True, gc=False):
    """An entry that is quarantined: the wire code of its error, and what is wrong where, for people."""

    code: str
    reason: str


WellFormed: TypeAlias = Listing | Withdrawal | Opinion | Incident
Statement: TypeAlias = WellFormed | Unknown


def parse_statement(entry: bytes, log_kind: str) -> Statement:
    """Read one entry of a log of kind ``log_kind`` (``listings``, ``crisis``, ``opinions``).

    Raises StatementError, with the field or byte in ``where``, if it is malformed or has no place in such a log.
    """
    if not 0 < len(entry) <= LIMITS.entry_max_bytes:
        raise StatementError(f"an entry is 1 to {LIMITS.entry_max_bytes} bytes, this one has {len(entry)}")
    return read_fields(parse_canonical(entry), log_kind)


def read_fields(fields: object, log_kind: str | None) -> Statement:
    """Read a statement out of the decoded JSON of an entry that is known to be canonical; raises StatementError.

    With ``log_kind`` None it is not asked whether the kind of log is right.
    """
    if not isinstance(fields, dict):
        raise StatementError("an entry is a JSON object")
    kind = fields.get("kind")
    if not isinstance(kind, str) or not kind:
        raise StatementError("is missing, empty or no string", where="kind")
    form = _FORMS.get(kind)
    if form is None:
        return Unknown(kind, fields.get("critical") is True)
    if log_kind is not None and log_kind not in form.logs:
        raise StatementError(f"a statement of kind {kind} has no place in a log of kind {log_kind}", where="kind")
    return form.make(**_checked_fields(form, fields))


def encode_statement(statement: WellFormed, *, log_kind: str | None = None) -> bytes:
    """Write a statement as the canonical bytes of an entry; fields that say their default are left out.

    Raises StatementError unless these bytes read back as the same statement, in a log of kind ``log_kind`` if it is
    given: so nothing malformed is written, no signal twice and no listing that others had signals dropped from.
    """
    entry = canonical_bytes(_wire_fields(statement))
    if len(entry) > LIMITS.entry_max_bytes:
        raise StatementError(f"an entry is at most {LIMITS.entry_max_bytes} bytes, this one has {len(entry)}")
    if read_fields(parse_canonical(entry), log_kind) != statement:
        raise StatementError("these bytes would not read back as the same statement; are all its signals sound?")
    return entry


def _make_listing(signals: tuple[tuple[Signal, ...], tuple[str, ...]], **fields: Any) -> Listing:
    kept, dropped = signals
    return Listing(signals=kept, dropped=dropped, **fields)


def _wire_fields(statement: WellFormed) -> dict[str, Any]:
    fields: dict[str, Any] = {"kind": statement.kind}
    for field in msgspec.structs.fields(statement):
        value = getattr(statement, field.name)
        if field.name != "dropped" and value != field.default:
            fields[field.name] = value
    if isinstance(statement, Listing):
        fields["signals"] = [_wire_signal(signal) for signal in statement.signals]
    return fields


def _wire_signal(signal: Signal) -> dict[str, Any]:
    if signal.blob_length is not None:
        return {"type": signal.type, "sha256": signal.value, "length": signal.blob_length}
    fields: dict[str, Any] = {"type": signal.type, "value": signal.value}
    if signal.quality is not None:
        fields["quality"] = signal.quality
    return fields


def _checked_fields(form: _Form, fields: Mapping[str, object]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, check in form.checks.items():
        if name in fields:
            try:
                values[name] = check(fields[name])
            except StatementError as error:
                raise StatementError(error.what, where=name) from None
        elif name in form.required:
            raise StatementError(f"a statement of kind {form.kind} must have this field", where=name)
    return values


@dataclass(frozen=True, slots=True)
class _Form:
    """The rules of one kind: its fields with their checks, and the kinds of log in which it may stand."""

    kind: str
    make: Callable[..., WellFormed]
    logs: frozenset[str]
    required: frozenset[str]
    checks: Mapping[str, Callable[[object], Any]]


def _form(
    kind: str,
    make: Callable[..., WellFormed],
    logs: set[str],
    required: dict[str, Callable[[object], Any]],
    optional: dict[str, Callable[[object], Any]],
) -> _Form:
    always: dict[str, Callable[[object], Any]] = {"id": check_identifier, "time": check_time}
    return _Form(kind, make, frozenset(logs), frozenset({*always, *required}), always | required | optional)


_FORMS: Final = {
    form.kind: form
    for form in (
        _form(
            "listing",
            _make_listing,
            {"listings", "crisis"},
            {"content": check_text, "signals": check_signals},
            {
                "labels": check_labels,
                "confirmed": check_text,
                "handling": one_of(HANDLINGS),
                "origin": check_text,
                "incident": check_identifier,
                "expires": check_time,
                "review_by": check_time,
                "note": check_text,
                "preserve": check_flag,
            },
        ),
        _form(
            "withdrawal",
            Withdrawal,
            {"listings", "crisis"},
            {"listing": check_identifier, "reason": check_text},
            {"note": check_text},
        ),
        _form(
            "opinion",
            Opinion,
            {"opinions"},
            {
                "member": check_text,
                "log": check_text,
                "listing": check_identifier,
                "leaf": check_leaf,
                "verdict": one_of(VERDICTS),
            },
            {"reason": check_text, "note": check_text},
        ),
        _form(
            "incident",
            Incident,
            {"crisis"},
            {"incident": check_identifier, "status": one_of(STATUSES)},
            {"title": check_text, "type": check_text, "note": check_text},
        ),
    )
}
