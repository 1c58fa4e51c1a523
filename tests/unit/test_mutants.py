"""The list of mutants is sound, and a sample of it is caught; ``make mutants`` tries them all."""

from __future__ import annotations

import re

import pytest

from hashpact_conformance.cases import Mode
from hashpact_conformance.running import collect
from mutant_rules import MUTANTS, Mutant
from mutants import Fate, as_table, mutated, try_mutant

SAMPLE = (
    "the origin is not looked at",
    "a 403 is the end of the roots",
    "who has a file gets it again",
    "the old size may be any",
    "a successor restates what is withdrawn",
)
"""At least one of each mode."""


def test_each_takes_out_something_that_is_there() -> None:
    assert len(MUTANTS) >= 50
    assert {mutant.mode for mutant in MUTANTS} == {"reader", "publisher", "witness", "pair"}
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    for mutant in MUTANTS:
        compile(mutated(mutant), mutant.file, "exec")


def test_each_names_cases_that_exist() -> None:
    ids = [one.id for one in collect(list(Mode)).cases]
    assert [mutant.name for mutant in MUTANTS if not any(re.search(mutant.cases, one) for one in ids)] == []


def test_a_text_that_is_not_there_is_no_mutant() -> None:
    broken = Mutant("nothing", MUTANTS[0].file, "no such text", "", "x")
    with pytest.raises(ValueError, match="0 times"):
        mutated(broken)


def test_the_table_tells_them_apart() -> None:
    mutant = MUTANTS[0]
    fates = [Fate(mutant, 1, 2, 3.0), Fate(mutant, 0, 2, 3.0), Fate(mutant, 0, 0, 3.0, "it did not run")]
    assert [fate.caught for fate in fates] == [True, False, False]
    assert [word in as_table(fates) for word in ("caught", "SURVIVED", "BROKEN")] == [True, True, True]


@pytest.mark.parametrize("name", SAMPLE)
def test_a_sample_is_caught(name: str) -> None:
    fate = try_mutant(next(mutant for mutant in MUTANTS if mutant.name == name))
    assert fate.caught, as_table([fate])
