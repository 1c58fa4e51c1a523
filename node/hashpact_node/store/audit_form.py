"""What an entry of the audit log says: who did what, when, from where, with what result; and how it is written.

An entry is canonical JSON (``hashpact_protocol.canonical``), so that its bytes and what it says are one. It names the
root of the tree over all entries before it. No secret ever comes in: what is masked elsewhere is masked here, whatever
is not printable is escaped, and what is long is cut, since much of it was written by outsiders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from hashpact_node.masking import without_secrets
from hashpact_protocol.canonical import canonical_bytes
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.statement_fields import format_time

OK: Final = "ok"
WORD_MAX: Final = 100
TEXT_MAX: Final = 300
DETAILS_MAX: Final = 16
LIST_MAX: Final = 10
ENTRY_MAX_BYTES: Final = 128 * 1024
"""No entry comes near it, whatever is in it."""

Value = str | int | bool | Sequence[str] | None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was done or tried, by whom: ``kind`` and ``name`` as in ``services.actors``.

    ``result`` is ``ok`` or the code of what went wrong. Of ``detail`` what is None or empty is left out.
    """

    kind: str
    name: str
    action: str
    address: str | None = None
    subject: str = ""
    result: str = OK
    detail: Mapping[str, Value] = field(default_factory=dict)


def write_entry(event: Event, number: int, before: bytes, now: datetime) -> bytes:
    """Write the entry of this number; ``before`` is the root over all entries before it."""
    return canonical_bytes(
        {
            "action": clean(event.action, WORD_MAX),
            "actor": {
                "address": None if event.address is None else clean(event.address, WORD_MAX),
                "kind": clean(event.kind, WORD_MAX),
                "name": clean(event.name, WORD_MAX),
            },
            "before": before.hex(),
            "detail": _details(event.detail),
            "n": number,
            "result": clean(event.result, WORD_MAX),
            "subject": clean(event.subject, TEXT_MAX),
            "time": format_time(now),
        }
    )


def clean(text: str, length: int) -> str:
    """Give a text without secrets, printable, of at most ``length`` characters."""
    # Masked before it is cut, lest a cut secret no longer looks like one; but not at any length.
    masked = without_secrets(text[: 20 * length])
    shown = "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in masked)
    return shown if len(shown) <= length else f"{shown[: length - 1]}…"


def _details(detail: Mapping[str, Value]) -> dict[str, Any]:
    given = {name: value for name, value in detail.items() if value is not None and value not in ("", [], ())}
    return {clean(name, WORD_MAX): _value(value) for name, value in list(given.items())[:DETAILS_MAX]}


def _value(value: Value) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= LIMITS.integer_max else str(value)
    if isinstance(value, str):
        return clean(value, TEXT_MAX)
    shown = [clean(one, WORD_MAX) for one in value[:LIST_MAX]]
    return shown if len(value) <= LIST_MAX else [*shown, f"and {len(value) - LIST_MAX} more"]
