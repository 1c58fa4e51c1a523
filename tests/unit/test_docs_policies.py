"""docs/policy.md shows what the three example policies decide on one set of signals: exactly what comes out."""

from __future__ import annotations

import re
from pathlib import Path

from hashpact_protocol.judging import judge
from hashpact_protocol.policy_file import read_policy
from policy_cases import NOW, cases

DOCS = Path(__file__).parents[2] / "docs"
NAMES = ("careful-small", "large", "observer")
HEAD = "| what is known of the signal | careful small | large | observer |\n|---|---|---|---|\n"


def decided() -> list[str]:
    """Judge all signals by each of the three, and write the rows of the table."""
    policies = [read_policy((DOCS / "policies" / f"{name}.toml").read_text(encoding="utf-8")) for name in NAMES]
    rows = []
    for case in cases():
        found = [judge(case.facts, policy, NOW) for policy in policies]
        cells = [f"{one.action.word}: `{one.rule}`" for one in found]
        rows.append(f"| {' | '.join([case.words, *cells])} |")
    return rows


def test_the_table_of_the_three_examples_is_what_they_decide() -> None:
    text = (DOCS / "policy.md").read_text(encoding="utf-8")
    assert HEAD in text
    shown = re.match(r"(?:\|.*\n)+", text.partition(HEAD)[2])
    assert shown is not None
    assert shown[0].splitlines() == decided()


def test_the_signals_tell_the_three_apart() -> None:
    rows = [row.strip("| ").split(" | ") for row in decided()]
    assert len({row[0] for row in rows}) == len(rows)
    for one, another in ((1, 2), (1, 3), (2, 3)):
        assert sum(row[one].split(":")[0] != row[another].split(":")[0] for row in rows) > 3
