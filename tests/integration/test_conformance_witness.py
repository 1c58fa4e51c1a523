"""The suite's witness mode on a small witness that keeps every rule, and with rules left out: each case can fail."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hashpact_conformance.main import main
from small_witness import RULES, SmallWitness, small_witness

LEARN = "import sys, urllib.request as r; r.urlopen(f'{sys.argv[1]}/learn?{sys.argv[2]}?{sys.argv[3]}')"


@dataclass
class Stage:
    witness: SmallWitness
    url: str
    report: Path

    def outcomes(self, pattern: str, *left_out: str) -> dict[str, Any]:
        """Run the cases whose id holds a pattern; gives each outcome with its message."""
        self.witness.left_out = set(left_out)
        self.report.unlink(missing_ok=True)
        setup = shlex.join([sys.executable, "-S", "-c", LEARN, self.url]) + " {member} {url}"
        told = ["--vkey", str(self.witness.key), "--setup", setup, "-k", pattern, "--json", str(self.report)]
        main(["witness", "--url", self.url, *told])
        cases = json.loads(self.report.read_bytes())["cases"]
        return {case["id"]: (case["outcome"], case["message"]) for case in cases}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with small_witness() as (witness, url):
        yield Stage(witness, url, tmp_path_factory.mktemp("witness") / "report.json")


def test_a_witness_that_keeps_every_rule_passes(stage: Stage) -> None:
    outcomes = stage.outcomes("")
    assert {id_: said for id_, said in outcomes.items() if said[0] != "passed"} == {}
    assert len(outcomes) >= 40


LEFT_OUT = {
    "form": "malformed-(old-(0|minus|plus|with|in)|crlf|a-proof|without-the-empty|only)",
    "signature": "notes-(unsigned|forged)|moved-signature|other-logs-key|strange-key|refusals-leave|flood",
    "origin": "unknown-origin",
    "old-size": "conflict|replay|smaller|race-of-sizes",
    "old-above": "old-above",
    "proof": "wrong-proof|proof-to-itself|other-story|monitoring-after-refusal",
    "same-root": "same-size-other-root",
    "empty-root": "empty-with-root",
    "proof-from-nothing": "proof-from-nothing",
    "atomic": "race-of-(sizes|stories)",
    "signs-right": "witness-(first|growth|same-again|empty$|monitoring-order)|race-of-equals|keep-alive|logs-apart",
    "clock": "witness-time",
    "size-type": "conflict-[0-9]",
    "size-text": "conflict|replay",
    "monitoring": "witness-monitoring$",
    "monitoring-404": "monitoring-nothing|monitoring-paths-zeros",
    "methods": "fetch-method",
    "body-cap": "huge-body",
    "answer-form": "answer-form",
    "strangers": "sixteen|unknown-signatures",
    "extensions": "extensions",
    "requests": "requests-",
}


def test_every_rule_is_left_out_once() -> None:
    assert set(LEFT_OUT) == RULES


@pytest.mark.parametrize("rule", LEFT_OUT)
def test_a_rule_left_out_is_found_out(stage: Stage, rule: str) -> None:
    outcomes = stage.outcomes(LEFT_OUT[rule], rule)
    assert {id_: said for id_, said in outcomes.items() if said[0] != "failed"} == {}
