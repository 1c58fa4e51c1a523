"""The taxonomy: words for what is listed, who made it, what it does, and for incidents; versioned data beside it.

Nothing here refuses a word: a label that the taxonomy does not know is kept, published and matched like any other. It
is there so that members mean the same by the same word.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Final

import msgspec

VERSION: Final = 1
"""The version of the taxonomy that comes with this package."""


class LabelStatus(StrEnum):
    """How a label stands."""

    ACTIVE = "active"
    DEPRECATED = "deprecated"
    PROPOSED = "proposed"


class Standing(StrEnum):
    """What the taxonomy says of a word that somebody uses."""

    KNOWN = "known"
    DEPRECATED = "deprecated"
    PROPOSED = "proposed"
    UNKNOWN = "unknown"


class Label(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One label, as it is written on the wire; ``instead`` says what to use for a deprecated one."""

    label: str
    status: LabelStatus
    definition: str
    instead: tuple[str, ...] = ()


class Facet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The labels of one kind, and where they stand in a statement."""

    about: str
    labels: tuple[Label, ...]


class Taxonomy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All facets by name."""

    version: int
    about: str
    facets: Mapping[str, Facet]

    @property
    def labels(self) -> dict[str, Label]:
        """Every label by its name; no two facets share one."""
        return {label.label: label for facet in self.facets.values() for label in facet.labels}


@dataclass(frozen=True, slots=True)
class Finding:
    """What the taxonomy says of one word: ``hint`` names what may have been meant, or is to be used instead."""

    label: str
    standing: Standing
    hint: tuple[str, ...] = ()


@cache
def taxonomy() -> Taxonomy:
    """Give the taxonomy of this package."""
    data = resources.files(__package__).joinpath("data", "taxonomy", f"v{VERSION}.json").read_bytes()
    return parse_taxonomy(data)


def parse_taxonomy(data: bytes) -> Taxonomy:
    """Read a taxonomy out of its JSON; raises msgspec.ValidationError or DecodeError."""
    return msgspec.json.decode(data, type=Taxonomy)


def check_labels(words: Iterable[str], known: Taxonomy) -> list[Finding]:
    """Say of each word, in their order and each once, whether it is known, deprecated, proposed or unknown."""
    labels = known.labels
    return [_finding(word, labels) for word in dict.fromkeys(words)]


def _finding(word: str, labels: Mapping[str, Label]) -> Finding:
    label = labels.get(word)
    if label is None:
        return Finding(word, Standing.UNKNOWN, tuple(difflib.get_close_matches(word, labels, n=1)))
    if label.status is LabelStatus.ACTIVE:
        return Finding(word, Standing.KNOWN)
    return Finding(word, Standing(label.status.value), label.instead)
