"""The forms that the fields of a statement may have (docs/protocol.md, Entries).

A check takes what JSON gave, out of an entry that is canonical, and gives what a statement keeps of it; or it raises
StatementError, and the caller adds which field it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime

from hashpact_protocol.errors import SignalError, StatementError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.signals import Signal, parse_signal

_IDENTIFIER = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z")
_LEAF = re.compile(r"[0-9a-f]{64}")


def parse_time(text: str) -> datetime:
    """Read ``YYYY-MM-DDThh:mm:ssZ`` as an aware datetime in UTC; raises StatementError."""
    if not is_time(text):
        raise StatementError("is no time of the form YYYY-MM-DDThh:mm:ssZ")
    return datetime.fromisoformat(text).astimezone(UTC)


def format_time(moment: datetime) -> str:
    """Write an aware datetime as ``YYYY-MM-DDThh:mm:ssZ``, in UTC, without fractions of a second."""
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def is_time(text: str) -> bool:
    """Say whether ``text`` is a real time of the calendar in the one form that entries have."""
    if _TIME.fullmatch(text) is None:
        return False
    try:
        date.fromisoformat(text[:10])
    except ValueError:
        return False
    return True


def is_identifier(text: str) -> bool:
    """Say whether ``text`` is a UUID of version 4 (RFC 9562), lower case with hyphens."""
    return _IDENTIFIER.fullmatch(text) is not None


def check_text(value: object) -> str:
    """Give a string of at most 4 096 bytes of UTF-8."""
    if not isinstance(value, str):
        raise StatementError("is no string")
    # A character is at most 4 bytes of UTF-8; most strings are short enough without counting.
    if len(value) * 4 > LIMITS.known_string_max_bytes and len(value.encode()) > LIMITS.known_string_max_bytes:
        raise StatementError(f"is longer than {LIMITS.known_string_max_bytes} bytes")
    return value


def check_identifier(value: object) -> str:
    """Give a UUID of version 4, lower case with hyphens."""
    text = check_text(value)
    if not is_identifier(text):
        raise StatementError("is no UUID of version 4, lower case with hyphens")
    return text


def check_time(value: object) -> str:
    """Give a real time of the calendar, ``YYYY-MM-DDThh:mm:ssZ``."""
    text = check_text(value)
    if not is_time(text):
        raise StatementError("is no time of the form YYYY-MM-DDThh:mm:ssZ")
    return text


def check_leaf(value: object) -> str:
    """Give a leaf hash, 64 lower-case hex digits."""
    text = check_text(value)
    if _LEAF.fullmatch(text) is None:
        raise StatementError("is not 64 lower-case hex digits")
    return text


def check_flag(value: object) -> bool:
    """Give true or false."""
    if not isinstance(value, bool):
        raise StatementError("is neither true nor false")
    return value


def one_of(words: tuple[str, ...]) -> Callable[[object], str]:
    """Make the check for a closed set of words."""

    def check(value: object) -> str:
        text = check_text(value)
        if text not in words:
            raise StatementError(f"is none of {', '.join(words)}")
        return text

    return check


def check_labels(value: object) -> tuple[str, ...]:
    """Give at most 64 strings of at most 128 bytes each."""
    if not isinstance(value, list) or len(value) > LIMITS.labels_max:
        raise StatementError(f"is no array of at most {LIMITS.labels_max} labels")
    for label in value:
        if not isinstance(label, str) or len(label.encode()) > LIMITS.label_max_bytes:
            raise StatementError(f"holds something else than strings of at most {LIMITS.label_max_bytes} bytes")
    return tuple(value)


def check_signals(value: object) -> tuple[tuple[Signal, ...], tuple[str, ...]]:
    """Give the well-formed signals, each claim once, and the reasons why the others were dropped."""
    if not isinstance(value, list) or not 1 <= len(value) <= LIMITS.signals_max:
        raise StatementError(f"is no array of 1 to {LIMITS.signals_max} signals")
    kept: dict[bytes, Signal] = {}
    dropped: list[str] = []
    for place, item in enumerate(value):
        try:
            signal = parse_signal(item)
        except SignalError as error:
            dropped.append(f"signals[{place}]: {error}")
        else:
            kept[signal.key] = _better(kept.get(signal.key, signal), signal)
    return tuple(kept.values()), tuple(dropped)


def _better(first: Signal, second: Signal) -> Signal:
    return second if (second.quality or 0) > (first.quality or 0) else first
