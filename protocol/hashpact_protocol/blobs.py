"""Blobs: signals too long for an entry (docs/protocol.md, Blobs)."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from hashpact_protocol.errors import SignalError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.signals import Signal, make_signal

VPDQ: Final = "vpdq"

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
# One line a frame: its PDQ, its quality, the second at which it stands.
_FRAME: Final = re.compile(rb"[0-9a-f]{64},(?:0|[1-9][0-9]?|100),(?:0|[1-9][0-9]{0,8})\.[0-9]{3}\n")


def blob_path(sha256: str) -> str:
    """Give the path of a blob below the URL of a log."""
    return f"blob/{sha256}"


def parse_blob_name(text: str) -> bytes | None:
    """Give the 32 bytes of the SHA-256 by which a path names a blob; None for anything but 64 lower-case hex digits."""
    return bytes.fromhex(text) if _SHA256.fullmatch(text) else None


def blob_signal(type_name: str, data: bytes) -> Signal:
    """Make the signal that stands for a blob; SignalError for a type that comes with a value, and for its form."""
    signal = make_signal(type_name, sha256=hashlib.sha256(data).hexdigest(), length=len(data))
    check_blob(type_name, data)
    return signal


def check_blob(type_name: str, data: bytes) -> None:
    """Raise SignalError unless the bytes have the form of their type, as far as it is known here."""
    if not LIMITS.blob_signal_min_bytes <= len(data) <= LIMITS.blob_max_bytes:
        raise SignalError(f"a blob is {LIMITS.blob_signal_min_bytes} to {LIMITS.blob_max_bytes} bytes long")
    if type_name == VPDQ:
        _check_frames(data)


def _check_frames(data: bytes) -> None:
    at, line = 0, 1
    while at < len(data):
        found = _FRAME.match(data, at)
        if found is None:
            raise SignalError(
                "a frame is 64 lower-case hex digits, a quality of 0 to 100 and seconds with 3 decimals, with commas "
                "between them and a line break behind",
                where=f"line {line}",
            )
        at, line = found.end(), line + 1
