"""What is recommended beyond an action: one sentence for whoever matched, by surface, action and labels.

A recommendation says what a company wants to be thought of when content is met: "no live streaming for 30 days", say.
Whom that concerns is known where content is matched, and nowhere here. The first recommendation that applies is given,
so that their order is what weighs; in ``policy.toml`` each is a table ``[[recommendations]]``::

    [[recommendations]]
    text = "no live streaming for 30 days"
    surfaces = ["livestream", "upload"]
    actions = ["block"]
    labels = ["behaviour:imminent-threat", "incident:*"]
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from hashpact_protocol.errors import ConfigurationError, RequestError
from hashpact_protocol.policy import ACTION_OF_WORD

SURFACES: Final = ("upload", "livestream", "link")
"""Where content was met: sent to be kept, live, or as the address of something elsewhere."""

DEFAULT_ACTIONS: Final = frozenset({"block"})
"""What a recommendation is for that does not say it: what is confirmed well enough to be blocked."""

TEXT_MAX_CHARACTERS: Final = 500
RECOMMENDATIONS_MAX: Final = 64
LABELS_MAX: Final = 64
LABEL_MAX_BYTES: Final = 128

_FIELDS: Final = ("text", "surfaces", "actions", "labels")
_ANY: Final = "*"


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A sentence, and what it is for.

    ``surfaces``: empty for wherever it was met, said or not. ``labels``: one of them is enough, empty for whatever the
    labels are; one that ends in ``*`` stands for all that begin so.
    """

    text: str
    surfaces: frozenset[str] = frozenset()
    actions: frozenset[str] = DEFAULT_ACTIONS
    labels: tuple[str, ...] = ()

    def applies(self, *, surface: str | None, action: str, labels: Collection[str]) -> bool:
        """Say whether it is for content met there, with that action and those labels."""
        if action not in self.actions or (self.surfaces and surface not in self.surfaces):
            return False
        return not self.labels or any(_fits(pattern, label) for pattern in self.labels for label in labels)


def recommend(
    recommendations: Iterable[Recommendation], *, surface: str | None, action: str, labels: Collection[str]
) -> str | None:
    """Give the text of the first recommendation that applies, None where none does.

    ``action`` is the strongest one of what was met, ``labels`` are those of the hits that have it; ``surface`` is None
    where it was not said.
    """
    applying = (one.text for one in recommendations if one.applies(surface=surface, action=action, labels=labels))
    return next(applying, None)


def check_surface(word: str | None) -> str | None:
    """Give a surface, or None for none; RequestError for what is no surface."""
    if word is not None and word not in SURFACES:
        raise RequestError(
            f"{word[:60]!r} is no surface", where="surface", mend=f"say one of {', '.join(SURFACES)}, or leave it out"
        )
    return word


def read_recommendations(tables: object, *, where: str = "recommendations") -> tuple[Recommendation, ...]:
    """Read the tables ``[[recommendations]]`` of a policy; ConfigurationError that names the table and its field."""
    if not isinstance(tables, list):
        raise ConfigurationError("is no array of tables", where=where, mend="write [[recommendations]] before each")
    if len(tables) > RECOMMENDATIONS_MAX:
        raise ConfigurationError(f"there are more than {RECOMMENDATIONS_MAX}", where=where)
    return tuple(_read(table, f"{where}[{at}]") for at, table in enumerate(tables))


def _read(table: object, where: str) -> Recommendation:
    if not isinstance(table, Mapping):
        raise ConfigurationError("is no table", where=where, mend="write [[recommendations]] before each")
    for name in table:
        if name not in _FIELDS:
            raise ConfigurationError(
                f"there is no field {str(name)[:60]!r}", where=where, mend=f"the fields are: {', '.join(_FIELDS)}"
            )
    text = table.get("text")
    if not isinstance(text, str) or not 1 <= len(text) <= TEXT_MAX_CHARACTERS or not text.isprintable():
        raise ConfigurationError(
            f"is no line of 1 to {TEXT_MAX_CHARACTERS} characters", where=f"{where}.text", mend="say what to think of"
        )
    return Recommendation(
        text,
        frozenset(_words(table, "surfaces", where, SURFACES)),
        frozenset(_words(table, "actions", where, ACTION_OF_WORD)) or DEFAULT_ACTIONS,
        _labels(table, where),
    )


def _words(table: Mapping[str, object], name: str, where: str, known: Collection[str]) -> list[str]:
    words = _strings(table, name, where)
    for word in words:
        if word not in known:
            raise ConfigurationError(
                f"{word[:60]!r} is none of {', '.join(known)}", where=f"{where}.{name}", mend="use one of those words"
            )
    return words


def _labels(table: Mapping[str, object], where: str) -> tuple[str, ...]:
    labels = _strings(table, "labels", where)
    sound = len(labels) <= LABELS_MAX and all(1 <= len(label.encode()) <= LABEL_MAX_BYTES for label in labels)
    if not sound or any(_ANY in label[:-1] for label in labels):
        raise ConfigurationError(
            f"are not at most {LABELS_MAX} labels of 1 to {LABEL_MAX_BYTES} bytes, with no * but at their end",
            where=f"{where}.labels",
        )
    return tuple(labels)


def _strings(table: Mapping[str, object], name: str, where: str) -> list[str]:
    found = table.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ConfigurationError("is no array of words", where=f"{where}.{name}", mend='write it as ["…", "…"]')
    return found


def _fits(pattern: str, label: str) -> bool:
    return label.startswith(pattern[:-1]) if pattern.endswith(_ANY) else label == pattern
