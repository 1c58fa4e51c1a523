"""Synthetic things to list: random hashes and statements made of them."""

from __future__ import annotations

import random
from typing import Any


def hex_of(chance: random.Random, count: int) -> str:
    """Give ``count`` random bytes as hex."""
    return chance.randbytes(count).hex()


def draft(chance: random.Random, **fields: Any) -> dict[str, Any]:
    """Give a listing as ``POST /v1/listings`` and ``hashpact import`` take it: a PDQ, a SHA-256 and two labels."""
    return {
        "content": "image",
        "labels": ["behaviour:glorification", "producer:attack-perpetrator"],
        "signals": [
            {"quality": 98, "type": "pdq", "value": hex_of(chance, 32)},
            {"type": "sha256", "value": hex_of(chance, 32)},
        ],
        **fields,
    }


def drafts(count: int, *, seed: int = 0) -> list[dict[str, Any]]:
    """Give ``count`` drafts, the same for the same seed."""
    chance = random.Random(seed)
    return [draft(chance) for _ in range(count)]
