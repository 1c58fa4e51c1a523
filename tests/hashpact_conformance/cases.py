"""What a case of the suite is, how one is declared, and what may come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NoReturn, TypeVar

import pytest

_Test = TypeVar("_Test", bound=Callable[..., Any])


class Mode(StrEnum):
    """What is tested; each is a folder beside this file, and its cases stand in its files ``cases_*.py``."""

    PUBLISHER = "publisher"
    READER = "reader"
    WITNESS = "witness"
    PAIR = "pair"
    VECTORS = "vectors"


class Layer(StrEnum):
    """Which part of a node has to see to it."""

    TRUST = "trust"
    NOTES = "notes"
    LOG = "log"
    FETCH = "fetch"
    STATEMENTS = "statements"
    WITNESS = "witness"
    REQUESTS = "requests"


class Outcome(StrEnum):
    """What came of a case. Only ``failed`` makes a run fail."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_SUPPORTED = "not supported"
    EXPECTED_FAILURE = "expected failure"


@dataclass(frozen=True, slots=True)
class Case:
    """One case: its id is ``mode-layer-name``; ``rule`` names where the rule stands that it holds a node to."""

    id: str
    mode: Mode
    layer: Layer
    title: str
    rule: str


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one case, why, and after how many seconds."""

    case: Case
    outcome: Outcome
    message: str
    seconds: float


def case(layer: Layer, title: str, rule: str) -> Callable[[_Test], _Test]:
    """Declare a test function ``test_…`` in a file ``cases_*.py`` as a case.

    ``title`` is a sentence that a manager understands; ``{name}`` in it stands for a parameter of the test. ``rule`` is
    a section of docs/protocol.md or of another document, or a row of a list of attacks.
    """
    return pytest.mark.case(layer=layer, title=title, rule=rule)


def not_supported(why: str) -> NoReturn:
    """End the running case: the node under test does not have what it is about. Shown as such, never as passed."""
    pytest.skip(why)
