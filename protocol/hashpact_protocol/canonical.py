"""The canonical form of an entry: RFC 8785 over I-JSON (RFC 7493), integers only, at most eight levels.

An entry is canonical when writing what it says gives the same bytes again, so :func:`parse_canonical` reads leniently
and compares: doubled names, white space, another order of names and another spelling of a string or number all show as
a difference (docs/protocol.md, Entries).
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from hashpact_protocol.errors import StatementError
from hashpact_protocol.limits import LIMITS

_INTEGER_MAX_CHARACTERS = len(str(-LIMITS.integer_max))
_SHOWN_CHARACTERS = 24

# The standard library escapes a string exactly as RFC 8785 section 3.2.2.2 asks: the two-character escapes, lower-case
# \u00xx for the other control characters, and nothing else. A test compares all code points with the rfc8785 package.
_quote = json.JSONEncoder(ensure_ascii=False).encode


def canonical_bytes(value: Any) -> bytes:
    """Write ``value`` in canonical form.

    ``value`` is made of dict (with str names), list, tuple, str, bool, None and int. Raises StatementError for anything
    else, floats among them, for an integer beyond 2^53-1, a lone surrogate, or more than eight levels of objects and
    arrays.
    """
    text = _write(value, 1)
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise StatementError("a string holds a lone surrogate") from None


def parse_canonical(data: bytes) -> Any:
    """Read JSON that must stand in canonical form; gives dict, list, str, bool, None and int.

    Raises StatementError, saying at which byte or character, for everything else; the length is the caller's to check.
    """
    value = _read(data)
    expected = canonical_bytes(value)
    if expected != data:
        raise StatementError("not in canonical form (RFC 8785)", where=f"byte {_first_difference(expected, data)}")
    return value


def _read(data: bytes) -> Any:
    try:
        return _DECODER.decode(data.decode())
    except UnicodeDecodeError as error:
        raise StatementError("not UTF-8", where=f"byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise StatementError("not JSON", where=f"character {error.pos}") from None
    except RecursionError:
        # Far beyond eight levels, so the answer does not depend on how deep the caller's own stack is.
        raise _too_deep() from None


def _write(value: Any, depth: int) -> str:
    if isinstance(value, str):
        return _quote(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return _write_integer(value)
    if depth > LIMITS.depth_max:
        raise _too_deep()
    if isinstance(value, dict):
        return "{" + ",".join(f"{_quote(name)}:{_write(value[name], depth + 1)}" for name in _ordered(value)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(_write(item, depth + 1) for item in value) + "]"
    raise StatementError(f"a value of type {type(value).__name__} has no canonical form here")


def _write_integer(value: int) -> str:
    if abs(value) > LIMITS.integer_max:
        raise StatementError("a number is beyond 2^53-1")
    return int.__repr__(value)


def _ordered(names: dict[Any, Any]) -> list[str]:
    """Order names by their UTF-16 code units (RFC 8785 section 3.2.3), which for ASCII is their own order."""
    if not all(isinstance(name, str) for name in names):
        raise StatementError("the name of a field is no string")
    if all(map(str.isascii, names)):
        return sorted(names)
    return sorted(names, key=_utf_16)


def _utf_16(name: str) -> bytes:
    return name.encode("utf-16-be", "surrogatepass")


def _first_difference(left: bytes, right: bytes) -> int:
    shorter = min(len(left), len(right))
    return next((place for place in range(shorter) if left[place] != right[place]), shorter)


def _too_deep() -> StatementError:
    return StatementError(f"nested deeper than {LIMITS.depth_max} levels")


def _parse_integer(text: str) -> int:
    # Checked before it is converted: how many digits int() accepts is a setting of the interpreter.
    if len(text) > _INTEGER_MAX_CHARACTERS:
        raise StatementError("a number is beyond 2^53-1", where=text[:_SHOWN_CHARACTERS])
    return int(text)


def _refuse_number(text: str) -> NoReturn:
    raise StatementError("a number that is not written as an integer", where=text[:_SHOWN_CHARACTERS])


_DECODER = json.JSONDecoder(parse_int=_parse_integer, parse_float=_refuse_number, parse_constant=_refuse_number)
