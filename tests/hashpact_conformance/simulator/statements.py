"""Entries for simulated logs: synthetic listings whose signals are numbers."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from hashpact_protocol.canonical import canonical_bytes

TIME = "2026-11-24T04:00:00Z"


def uuid_of(number: int) -> str:
    """Give the UUIDv4 number ``number``."""
    return str(UUID(int=number, version=4))


def value_of(number: int) -> str:
    """Give the SHA-256 value that only this number has."""
    return f"{number:064x}"


def signal(number: int) -> dict[str, Any]:
    """Give the SHA-256 signal that only this number has."""
    return {"type": "sha256", "value": value_of(number)}


def listing_value(number: int, *signals: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Give the fields of the listing ``number``; its one signal is its number unless others are given."""
    return {
        "content": "image",
        "id": uuid_of(number),
        "kind": "listing",
        "signals": list(signals) or [signal(number)],
        "time": TIME,
        **fields,
    }


def listing(number: int, *signals: dict[str, Any], **fields: Any) -> bytes:
    """Write the listing ``number``."""
    return canonical_bytes(listing_value(number, *signals, **fields))


def withdrawal(number: int, of: int, **fields: Any) -> bytes:
    """Write the withdrawal ``number`` of the listing ``of``."""
    value = {"id": uuid_of(number), "kind": "withdrawal", "listing": uuid_of(of), "reason": "error", "time": TIME}
    return canonical_bytes(value | fields)
