"""Names that people take for other names: letters of other scripts, digits, and what cannot be seen.

Member ids and hosts are ASCII, so only ``acrne`` can pass for ``acme`` there; the name for people in a card may hold
anything. What is found here is a reason to look twice, never to refuse: in spirit, not in its tables, this is UTS #39.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final

# Written by their numbers: in this file, too, they would be taken for the letters that they look like.
_SHAPES: Final = {
    **dict(
        zip(
            "\u0430\u0432\u0441\u0501\u0435\u04bb\u0456\u0458\u043a\u04cf\u043c\u043d\u043e\u0440\u051b\u0455\u0442\u0443\u0475\u051d\u0445\u0433",
            "abcdehijklmhopqstyvwxr",
            strict=True,
        )
    ),
    **dict(
        zip(
            "\u03b1\u03b2\u03b5\u03b7\u03b9\u03ba\u03bc\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7\u03b6\u03b3",
            "abenikuvoptuxzy",
            strict=True,
        )
    ),
    **dict(zip("\u0585\u0578\u057d\u0570\u0581", "onuhg", strict=True)),
    **dict(zip("\u0131\u0251\u0261\u0142\u00f8\u0111", "iaglod", strict=True)),
    "\u00df": "b",
}
"""Cyrillic, Greek, Armenian and some Latin letters, in lower case, with the plain letters that they look like."""

_TOGETHER: Final = (("rn", "m"), ("vv", "w"), ("cl", "d"))
_ALIKE: Final = str.maketrans("0153i|", "olsell")
_ALPHABETS: Final = frozenset({"ARMENIAN", "CHEROKEE", "COPTIC", "CYRILLIC", "GEORGIAN", "GREEK", "LATIN"})
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})


@lru_cache(maxsize=8_192)  # a directory compares each new member with each known one
def skeleton(text: str) -> str:
    """What is left of a text once all that a hurried reader does not tell apart is one; letters and digits only.

    Two texts of one skeleton may be taken for each other.
    """
    letters = "".join(one for one in unicodedata.normalize("NFKD", text).casefold() if one.isalnum())
    plain = "".join(_SHAPES.get(one, one) for one in letters)
    for two, one in _TOGETHER:
        plain = plain.replace(two, one)
    return plain.translate(_ALIKE)


def resembles(text: str, other: str) -> bool:
    """Whether one may be taken for the other; the same text, and texts without letters, resemble nothing."""
    return text != other and bool(skeleton(text)) and skeleton(text) == skeleton(other)


def oddities(text: str) -> list[str]:
    """What is unusual about how a name is written, in words; nothing for nearly all names."""
    found = []
    if any(unicodedata.category(one) in _UNSEEN for one in text):
        found.append("holds characters that cannot be seen")
    mixed = sorted({scripts for word in text.split() if len(scripts := _alphabets(word)) > 1})
    found += [f"mixes {' and '.join(name.capitalize() for name in scripts)} letters in one word" for scripts in mixed]
    return found


def _alphabets(word: str) -> tuple[str, ...]:
    letters = (one for one in unicodedata.normalize("NFKC", word) if one.isalpha())
    return tuple(sorted({unicodedata.name(one, "").partition(" ")[0] for one in letters} & _ALPHABETS))
