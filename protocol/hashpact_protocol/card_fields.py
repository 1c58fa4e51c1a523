"""Reading the fields of a member card, each with its path in the error (docs/protocol.md, Card).

Unknown fields are ignored; a known field that does not apply is left out, and is never ``null``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

from hashpact_protocol.errors import CardError
from hashpact_protocol.limits import LIMITS

_TIME = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_MEND = "the member has to publish a card without this error; until then the card accepted before stays in force"


def refuse(what: str, where: str) -> NoReturn:
    """Raise the ``CardError`` that refuses the whole card."""
    raise CardError(what, where=where, mend=_MEND)


@dataclass(frozen=True, slots=True)
class Fields:
    """One JSON object of a card, and its path in it. Every method raises ``CardError``."""

    values: dict[str, Any]
    path: str = ""

    def where(self, name: str) -> str:
        """The path of a field of this object, such as ``logs[1].final.size``."""
        return f"{self.path}.{name}" if self.path else name

    def has(self, name: str) -> bool:
        """Whether the field is there, ``null`` included."""
        return name in self.values

    def refuse(self, name: str, what: str) -> NoReturn:
        """Refuse the card because of a field of this object."""
        refuse(what, self.where(name))

    def text(self, name: str) -> str:
        """A string of at most 4 096 bytes without control characters, not empty."""
        return _text(self._value(name), self.where(name))

    def texts(self, name: str) -> list[str]:
        """A list of such strings."""
        return [_text(value, f"{self.where(name)}[{n}]") for n, value in enumerate(self._list(name))]

    def integer(self, name: str, least: int, most: int) -> int:
        """An integer within both bounds; ``true`` and ``1.0`` are none."""
        value = self._value(name)
        if type(value) is not int or not least <= value <= most:
            self.refuse(name, f"is not an integer from {least} to {most}")
        return value

    def flag(self, name: str) -> bool:
        """``true`` or ``false``; a missing field is false."""
        value = self.values.get(name, False)
        if not isinstance(value, bool):
            self.refuse(name, "is neither true nor false")
        return value

    def note(self, name: str, most: int) -> str | None:
        """What is said to people: a string of up to ``most`` bytes that can be shown, or None.

        It decides nothing, and readers exist that do not know it, so a malformed one is as good as none.
        """
        try:
            text = self.text(name)
        except CardError:
            return None
        return text if len(text.encode()) <= most else None

    def time(self, name: str) -> datetime:
        """A real calendar time, ``YYYY-MM-DDThh:mm:ssZ``, as aware UTC."""
        match = _TIME.fullmatch(self.text(name))
        if match is None:
            self.refuse(name, "is not a time of the form YYYY-MM-DDThh:mm:ssZ")
        year, month, day, hour, minute, second = map(int, match.groups())
        try:
            return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        except ValueError:
            self.refuse(name, "is not a time that the calendar has")

    def object(self, name: str) -> Fields:
        """An object, ready to be read."""
        return _fields(self._value(name), self.where(name))

    def objects(self, name: str, most: int) -> list[Fields]:
        """A list of at most ``most`` objects."""
        values = self._list(name)
        if len(values) > most:
            self.refuse(name, f"holds {len(values)} where at most {most} are allowed")
        return [_fields(value, f"{self.where(name)}[{n}]") for n, value in enumerate(values)]

    def _value(self, name: str) -> Any:
        if name not in self.values:
            self.refuse(name, "is missing")
        return self.values[name]

    def _list(self, name: str) -> list[Any]:
        value = self._value(name)
        if not isinstance(value, list):
            self.refuse(name, "is not a list")
        return value


def read_object(data: bytes) -> Fields:
    """Read the bytes of a card as one strict JSON object of at most 64 KiB, or raise ``CardError``.

    Strict: UTF-8 without byte order mark, no name twice in one object, no NaN and no Infinity.
    """
    if len(data) > LIMITS.card_max_bytes:
        refuse(f"holds {len(data)} bytes where at most {LIMITS.card_max_bytes} are allowed", "card")
    try:
        value = json.loads(data.decode(), object_pairs_hook=_object, parse_constant=_constant)
    except RecursionError:
        refuse("is nested too deeply", "card")
    except ValueError as error:
        refuse(f"is not JSON: {error}", "card")
    return _fields(value, "card", path="")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("an object holds the same name twice")
    return values


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _fields(value: Any, where: str, *, path: str | None = None) -> Fields:
    if not isinstance(value, dict):
        refuse("is not an object", where)
    return Fields(value, where if path is None else path)


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value:
        refuse("is not a string with something in it", where)
    if _CONTROL.search(value) is not None:
        refuse("holds a control character or half a surrogate pair", where)
    if len(value.encode()) > LIMITS.known_string_max_bytes:
        refuse(f"is longer than {LIMITS.known_string_max_bytes} bytes", where)
    return value
