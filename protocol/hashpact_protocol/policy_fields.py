"""The forms that values of a policy file may have: how each is read, and what the JSON Schema says of it.

A form's ``read`` takes what TOML gave and the path to it, and gives what a policy keeps; or it raises
:class:`PolicyFault`, which knows the path, so that whoever has the text can say the line.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from hashpact_protocol.errors import MemberNameError
from hashpact_protocol.facts import BUCKETS
from hashpact_protocol.names import parse_member_id
from hashpact_protocol.policy import ACTION_OF_WORD
from hashpact_protocol.policy_form import WILDCARD, FrozenMap, Weight, Words
from hashpact_protocol.signals import SIGNAL_TYPES

Path = tuple[str | int, ...]
WORDS_MAX = 1_000
TEXT_MAX_CHARACTERS = 128
NUMBER_MAX_BITS = 400
PERCENT_MAX = 100
_HUNDREDTHS = BUCKETS // PERCENT_MAX

WEIGHT_OF_TRUST: Mapping[str, Weight] = {
    "full": Weight.BLOCK,
    "review": Weight.REVIEW,
    "observe": Weight.OBSERVE,
    "none": Weight.NOTHING,
}
WEIGHT_OF_WORD: Mapping[str, Weight] = {weight.action.word: weight for weight in Weight}


class PolicyFault(Exception):  # noqa: N818 - it never leaves the parser, which makes a ConfigurationError of it
    """What is wrong, where in the file, and how to mend it."""

    def __init__(self, path: Path, what: str, mend: str) -> None:
        self.path = path
        self.what = what
        self.mend = mend
        super().__init__(what)


class Form(NamedTuple):
    """How a value is read, and its JSON Schema."""

    read: Callable[[object, Path], Any]
    schema: dict[str, Any]


def flag() -> Form:
    """``true`` or ``false``."""

    def read(value: object, path: Path) -> bool:
        if not isinstance(value, bool):
            raise PolicyFault(path, f"{_shown(value)} is neither true nor false", "write true or false, without quotes")
        return value

    return Form(read, {"type": "boolean"})


def whole(least: int, most: int) -> Form:
    """A whole number of ``least`` to ``most``."""

    def read(value: object, path: Path) -> int:
        if type(value) is not int or not least <= value <= most:
            what = f"{_shown(value)} is no whole number of {least} to {most}"
            raise PolicyFault(path, what, "write such a number, without quotes")
        return value

    return Form(read, {"type": "integer", "minimum": least, "maximum": most})


def percent() -> Form:
    """A percentage with up to two decimals, as a number of buckets."""

    def read(value: object, path: Path) -> int:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= PERCENT_MAX:
            hundredths = round(value * _HUNDREDTHS)
            if abs(value * _HUNDREDTHS - hundredths) < 1e-6:  # noqa: PLR2004 - what binary fractions leave of decimals
                return hundredths
        raise PolicyFault(path, f"{_shown(value)} is no percentage", "write 0 to 100, with at most two decimals")

    return Form(read, {"type": "number", "minimum": 0, "maximum": PERCENT_MAX})


def one_of(meanings: Mapping[str, Any]) -> Form:
    """One of some words; what it means is kept."""

    def read(value: object, path: Path) -> Any:
        if not isinstance(value, str) or value not in meanings:
            what = f"{_shown(value)} is not among the words that may stand here"
            raise PolicyFault(path, what, _mend_word(value, meanings))
        return meanings[value]

    return Form(read, {"enum": list(meanings)})


def action() -> Form:
    """An action."""
    return one_of(ACTION_OF_WORD)


def trust() -> Form:
    """How far a peer is trusted."""
    return one_of(WEIGHT_OF_TRUST)


def at_most() -> Form:
    """An action as the most that something may lead to."""
    return one_of(WEIGHT_OF_WORD)


def words(check: Callable[[str], str | None], schema: dict[str, Any]) -> Form:
    """A list of at least one string; ``check`` gives what is wrong with one of them, or None."""

    def read(value: object, path: Path) -> Words:
        if not isinstance(value, list) or not 0 < len(value) <= WORDS_MAX:
            what = f"{_shown(value)} is no list of 1 to {WORDS_MAX} words"
            raise PolicyFault(path, what, 'write a list such as ["one", "two"], or leave the line out')
        for word in value:
            wrong = check(word) if isinstance(word, str) else "is no string"
            if wrong is not None:
                raise PolicyFault(path, f"{_shown(word)} {wrong}", "mend this word, or take it out of the list")
        return frozenset(value)

    return Form(read, {"type": "array", "items": schema, "minItems": 1, "maxItems": WORDS_MAX})


def texts() -> Form:
    """A list of free words."""
    return words(_check_text, {"type": "string", "minLength": 1, "maxLength": TEXT_MAX_CHARACTERS})


def members() -> Form:
    """A list of members' ids."""
    return words(_check_member, {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{1,62}$"})


def labels() -> Form:
    """A list of labels, of which each may end with a wildcard."""
    schema = {"type": "string", "minLength": 1, "maxLength": TEXT_MAX_CHARACTERS, "pattern": r"^[^*]*\*?$"}
    return words(_check_label, schema)


def known(choice: Iterable[str]) -> Form:
    """A list of words out of a closed set."""
    choices = list(choice)

    def check(word: str) -> str | None:
        return None if word in choices else f"is none of {', '.join(choices)}"

    return words(check, {"enum": choices})


def distances() -> Form:
    """A table of signal types to the largest distance at which they are matched."""
    thresholds = {one.name: one.threshold for one in SIGNAL_TYPES.values() if one.threshold}
    return table({name: whole(0, most) for name, most in thresholds.items()}, lambda **fields: FrozenMap(fields))


def table(fields: Mapping[str, Form], make: Callable[..., Any], required: Iterable[str] = ()) -> Form:
    """A table whose fields have these forms; what was read is given to ``make`` by name, an unknown field refused."""
    needed = tuple(required)

    def read(value: object, path: Path) -> Any:
        if not isinstance(value, dict):
            raise PolicyFault(path, f"{_shown(value)} is no table", f"write the fields {', '.join(fields)}")
        for name in value:
            if name not in fields:
                raise PolicyFault((*path, name), f"there is no field {name!r} here", _mend_word(name, fields))
        for name in needed:
            if name not in value:
                raise PolicyFault(path, f"the field {name!r} is missing", "add it; docs/policy.md says what it means")
        return make(**{name: fields[name].read(one, (*path, name)) for name, one in value.items()})

    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: form.schema for name, form in fields.items()},
        "additionalProperties": False,
    }
    return Form(read, schema | ({"required": list(needed)} if needed else {}))


def by_member(form: Form) -> Form:
    """A table of members' ids to something."""

    def read(value: object, path: Path) -> FrozenMap[str, Any]:
        if not isinstance(value, dict):
            raise PolicyFault(path, f"{_shown(value)} is no table", "write [peers.MEMBER] and below it what holds")
        for name in value:
            wrong = _check_member(name)
            if wrong is not None:
                raise PolicyFault((*path, name), f"{name!r} {wrong}", "`hashpact peer list` names the members")
        return FrozenMap({name: form.read(one, (*path, name)) for name, one in value.items()})

    names = {"pattern": "^[a-z0-9][a-z0-9-]{1,62}$"}
    return Form(read, {"type": "object", "propertyNames": names, "additionalProperties": form.schema})


def rows(form: Form, most: int) -> Form:
    """A list of up to ``most`` tables."""

    def read(value: object, path: Path) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) > most:
            raise PolicyFault(path, f"this is no list of up to {most} tables", "begin each with its name in [[ ]]")
        return tuple(form.read(one, (*path, number)) for number, one in enumerate(value))

    return Form(read, {"type": "array", "items": form.schema, "maxItems": most})


def _check_text(word: str) -> str | None:
    return None if 0 < len(word) <= TEXT_MAX_CHARACTERS else f"is not 1 to {TEXT_MAX_CHARACTERS} characters long"


def _check_member(word: str) -> str | None:
    try:
        parse_member_id(word)
    except MemberNameError:
        return "is no member id"
    return None


def _check_label(word: str) -> str | None:
    if WILDCARD in word[:-1]:
        return f"has a {WILDCARD} that is not its last character"
    return _check_text(word)


def _mend_word(value: object, known_words: Iterable[str]) -> str:
    choices = list(known_words)
    near = difflib.get_close_matches(str(value), choices, n=1)
    return f"did you mean {near[0]}?" if near else f"write one of: {', '.join(choices)}"


def _shown(value: object) -> str:
    if isinstance(value, int) and value.bit_length() > NUMBER_MAX_BITS:  # Python would not write it in digits
        return "a number of that size"
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    return text if len(text) <= TEXT_MAX_CHARACTERS else f"{text[:TEXT_MAX_CHARACTERS]}…"
