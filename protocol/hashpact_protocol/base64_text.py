"""Base64 in its one spelling: padded, no spare bits, nothing between (RFC 4648, section 4)."""

from __future__ import annotations

import base64


def encode_base64(data: bytes) -> str:
    """Write bytes as base64."""
    return base64.b64encode(data).decode("ascii")


def decode_base64(text: str) -> bytes:
    """Read the one spelling that ``encode_base64`` gives; ValueError, which says what the text is not."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise ValueError("is not base64") from None
    if encode_base64(data) != text:
        raise ValueError("is not canonical base64")
    return data
