"""Which words of others a report repeats: those that everybody knows. Whatever else somebody wrote is one row.

Labels, reasons and the like are free text of whoever published them. A name or a hash in one of them would be told to
the public by a report that repeats it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from hashpact_protocol.opinions import REASONS
from hashpact_protocol.signals import SIGNAL_TYPES
from hashpact_protocol.taxonomy import taxonomy

OTHER: Final = "other words"
UNLABELLED: Final = "no label"
UNSTATED: Final = "not stated"
OTHER_TYPES: Final = "other types"

WITHDRAWAL_REASONS: Final = frozenset(
    {"error", "appeal", "expired", "law", "no-longer-shared", "disputed", "wrong-hash", "outdated", "bulk"}
)
OPINION_REASONS: Final = frozenset(REASONS)

_FACETS = taxonomy().facets
CONTENTS: Final = frozenset(label.label for label in _FACETS["content"].labels)
INCIDENT_TYPES: Final = frozenset(label.label for label in _FACETS["incident"].labels)
LABELS: Final = frozenset(taxonomy().labels) - CONTENTS - INCIDENT_TYPES


def known_word(word: str | None, known: Collection[str]) -> str:
    """Give a word that everybody knows, or that it is another, or none."""
    if word is None:
        return UNSTATED
    return word if word in known else OTHER


def known_labels(labels: Iterable[str]) -> tuple[str, ...]:
    """Give the labels that a report names for some, each once, sorted; that there are others, or none."""
    return tuple(sorted({label if label in LABELS else OTHER for label in labels})) or (UNLABELLED,)


def known_type(name: str) -> str:
    """Give a signal type that everybody knows, or that it is another."""
    return name if name in SIGNAL_TYPES else OTHER_TYPES
