"""Signals: the types, the form of their values, and the compact keys under which stores keep them.

A signal stands in a listing either with its ``value`` or, when it is too long for an entry, as a blob that is named by
its SHA-256 (docs/protocol.md, Signals). The match index compares values; what counts as a match is said here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256 as sha256_hash
from typing import Any, Final

import msgspec
from msgspec import UNSET

from hashpact_protocol.errors import SignalError
from hashpact_protocol.limits import LIMITS

QUALITY_MAX: Final = 100
KEY_VALUE_MAX_BYTES: Final = 1_024
"""The longest value of an unknown type that its compact key holds whole; a longer one is there by its SHA-256."""

_UNKNOWN_CODE: Final = 0xFF
_LONG_KEY = re.compile(rb"\xff([a-z0-9_]{1,32})\0\0(.{32})", re.DOTALL)
_TYPE_NAME = re.compile(r"[a-z0-9_]{1,32}")
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_SHA256_DIGITS: Final = 64


class Comparison(StrEnum):
    """How two values of a type compare."""

    EXACT = "exact"
    PDQ = "pdq"  # Hamming distance over 256 bits
    TLSH = "tlsh"  # TLSH distance
    FRAMES = "frames"  # PDQ of the frames that a blob lists
    NONE = "none"  # carried only; matched where a matcher for it is installed


@dataclass(frozen=True, slots=True)
class SignalType:
    """One known signal type.

    ``code`` begins its compact keys. A value is ``prefix`` and ``digits`` hex digits, lower case unless ``upper``;
    types with ``blob`` come as blobs only, and their claims' value is the blob's SHA-256. ``threshold`` is the largest
    distance that is a match, in the measure of ``comparison``. Where ``quality_min`` is set, a signal must tell its
    quality, 0 to 100, and one below it is kept and never matched.
    """

    name: str
    code: int
    digits: int
    comparison: Comparison = Comparison.EXACT
    threshold: int = 0
    prefix: str = ""
    upper: bool = False
    blob: bool = False
    quality_min: int | None = None


SIGNAL_TYPES: Final = {
    known.name: known
    for known in (
        SignalType("md5", 1, 32),
        SignalType("sha1", 2, 40),
        SignalType("sha256", 3, 64),
        SignalType("sha512", 4, 128),
        SignalType("pdq", 5, 64, Comparison.PDQ, threshold=31, quality_min=50),
        SignalType("tlsh", 6, 70, Comparison.TLSH, threshold=30, prefix="T1", upper=True),
        SignalType("url_sha256", 7, 64),
        SignalType("vpdq", 8, _SHA256_DIGITS, Comparison.FRAMES, threshold=31, blob=True),
        SignalType("tmk", 9, _SHA256_DIGITS, Comparison.NONE, blob=True),
        SignalType("photodna", 10, 288, Comparison.NONE),
    )
}
"""The known types by name; every other well-formed name is kept, exported and never matched."""

_BY_CODE: Final = {known.code: known for known in SIGNAL_TYPES.values()}


class Signal(msgspec.Struct, frozen=True, gc=False):
    """One signal of a listing, as :func:`make_signal` and :func:`parse_signal` give it.

    ``value`` of a blob is its SHA-256 in hex, and ``blob_length`` its length in bytes (None: no blob). ``quality`` is
    None for types that have none. ``key`` is :func:`signal_key` of type and value; signals of one key are one claim.
    """

    type: str
    value: str
    quality: int | None
    blob_length: int | None
    key: bytes


def parse_signal(data: Any) -> Signal:
    """Read one item of a listing's ``signals`` out of decoded JSON; raises SignalError. Unknown fields are ignored."""
    if not isinstance(data, dict):
        raise SignalError("a signal is an object")
    field = data.get
    return make_signal(
        field("type", UNSET),
        field("value", UNSET),
        field("quality", UNSET),
        field("sha256", UNSET),
        field("length", UNSET),
    )


def make_signal(
    type_name: object, value: object = UNSET, quality: object = UNSET, sha256: object = UNSET, length: object = UNSET
) -> Signal:
    """Make a signal out of the fields that it has on the wire, ``msgspec.UNSET`` for those that are absent.

    Raises SignalError if they do not have their form. ``quality`` is a field of types with a ``quality_min`` only, and
    ``length`` of blobs only; elsewhere they are unknown fields, which are ignored.
    """
    if not isinstance(type_name, str) or _TYPE_NAME.fullmatch(type_name) is None:
        raise SignalError("a type is 1 to 32 characters of a-z, 0-9 and _", where="type")
    known = SIGNAL_TYPES.get(type_name)
    if sha256 is not UNSET:
        return _blob_signal(type_name, known, value, sha256, length)
    if value is UNSET:
        raise SignalError("neither value nor sha256 is there", where="value")
    if not isinstance(value, str):
        raise SignalError("is no string", where="value")
    if known is None:
        return Signal(type_name, value, None, None, _unknown_key(type_name, value))
    if known.blob:
        raise SignalError(f"{type_name} comes as a blob, with sha256 and length", where="value")
    rating = None if known.quality_min is None else _quality(quality)
    return Signal(type_name, value, rating, None, _known_key(known, value))


def signal_key(type_name: str, value: str) -> bytes:
    """Give the compact key of a claim: one byte of type code and the raw bytes; for stores, never on the wire.

    For an unknown type it is 0xFF, the type's name, a zero byte and the value. Unique indexes of stores take no rows of
    4 096 bytes; so instead of a value above 1 024 bytes there is one more zero byte, which no value begins with, and
    its SHA-256: all keys of a type lie together. ``value`` of a blob is its SHA-256.

    Raises SignalError if type or value do not have their form.
    """
    known = SIGNAL_TYPES.get(type_name)
    if known is not None:
        return _known_key(known, value)
    if _TYPE_NAME.fullmatch(type_name) is None:
        raise SignalError("a type is 1 to 32 characters of a-z, 0-9 and _", where="type")
    return _unknown_key(type_name, value)


def parse_signal_key(key: bytes) -> tuple[str, str]:
    """Give type and value of a compact key, the inverse of :func:`signal_key`; raises SignalError.

    Of a value above 1 024 bytes the key knows only ``sha256:`` and the hex digits of its SHA-256, and that is what is
    given: good to be shown, where it may look like a real value of that text, whose key is another. Whoever needs the
    value itself (exports, the digest) reads it from an entry that claims it.
    """
    long = _LONG_KEY.fullmatch(key)
    if long is not None and long[1].decode() not in SIGNAL_TYPES:
        return long[1].decode(), f"sha256:{long[2].hex()}"
    known = _BY_CODE.get(key[0]) if key else None
    if known is not None:
        digits = key[1:].hex()
        pair = (known.name, known.prefix + (digits.upper() if known.upper else digits))
    else:
        name, _, value = key[1:].decode("latin-1").partition("\0")
        pair = (name, value)
    if signal_key(*pair) != key:
        raise SignalError("these bytes are no key of a signal")
    return pair


def _blob_signal(type_name: str, known: SignalType | None, value: object, sha256: object, length: object) -> Signal:
    if known is not None and not known.blob:
        raise SignalError(f"{type_name} comes with a value, not as a blob", where="sha256")
    if value is not UNSET:
        raise SignalError("value and sha256 are both there", where="value")
    if not isinstance(sha256, str) or _hex_bytes(sha256, _SHA256_DIGITS) is None:
        raise SignalError(f"is not {_SHA256_DIGITS} lower-case hex digits", where="sha256")
    if type(length) is not int or not LIMITS.blob_signal_min_bytes <= length <= LIMITS.blob_max_bytes:
        raise SignalError(f"is no integer of {LIMITS.blob_signal_min_bytes} to {LIMITS.blob_max_bytes}", where="length")
    return Signal(type_name, sha256, None, length, signal_key(type_name, sha256))


def _quality(quality: object) -> int:
    # By exact type: True is an int in Python, and no number in JSON.
    if type(quality) is not int or not 0 <= quality <= QUALITY_MAX:
        raise SignalError(f"is no integer of 0 to {QUALITY_MAX}", where="quality")
    return quality


def _known_key(known: SignalType, value: str) -> bytes:
    digits = value[len(known.prefix) :]
    raw = _hex_bytes(digits, known.digits, upper=known.upper) if value.startswith(known.prefix) else None
    if raw is None:
        case = "upper" if known.upper else "lower"
        begin = f"{known.prefix} and " if known.prefix else ""
        raise SignalError(f"a value of {known.name} is {begin}{known.digits} {case}-case hex digits", where="value")
    return bytes((known.code,)) + raw


def _unknown_key(type_name: str, value: str) -> bytes:
    if len(value) > LIMITS.signal_value_max_bytes or _VISIBLE.fullmatch(value) is None:
        raise SignalError(
            f"a value of an unknown type is 1 to {LIMITS.signal_value_max_bytes} visible ASCII characters",
            where="value",
        )
    raw = value.encode()
    if len(raw) > KEY_VALUE_MAX_BYTES:
        return b"%c%b\0\0%b" % (_UNKNOWN_CODE, type_name.encode(), sha256_hash(raw).digest())
    return b"%c%b\0%b" % (_UNKNOWN_CODE, type_name.encode(), raw)


def _hex_bytes(text: str, digits: int, *, upper: bool = False) -> bytes | None:
    """Decode exactly ``digits`` hex digits of one case; None if they are anything else."""
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        return None
    # fromhex takes both cases and skips white space, so only text that is written back the same has the form.
    again = raw.hex().upper() if upper else raw.hex()
    return raw if again == text and len(text) == digits else None
