"""Proves the conformance suite: takes a rule out of our node, runs the cases that hold it, and sees one fail.

``python tests/mutants.py [-k PATTERN] [--jobs 2]`` goes through ``MUTANTS``, prints a table, and exits with 1 when
a mutant survives. Each mutant is a copy of the sources with one text replaced; nothing of this tree is changed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from conformance import running_subject, told_of
from entrypoint_server import entrypoint_server
from mutant_rules import MUTANTS, Mutant

TREE = Path(__file__).parents[1]
ROOTS = ("protocol", "keys", "node")
TIMEOUT_SECONDS = 900


@dataclass(frozen=True)
class Fate:
    """What became of a mutant: how many of its cases failed, of how many; ``trouble`` if they could not be run."""

    mutant: Mutant
    failed: int
    ran: int
    seconds: float
    trouble: str = ""

    @property
    def caught(self) -> bool:
        """Whether a case saw that the rule was gone."""
        return self.failed > 0 and not self.trouble

    @property
    def word(self) -> str:
        """The outcome in a word."""
        return "caught" if self.caught else "BROKEN" if self.trouble else "SURVIVED"


def mutated(mutant: Mutant, tree: Path = TREE) -> str:
    """Give the file of a mutant with its rule taken out; ValueError unless the text stands there exactly once."""
    text = (tree / mutant.file).read_text(encoding="utf-8")
    if text.count(mutant.old) != 1:
        raise ValueError(f"{mutant.file} holds the text of {mutant.name!r} {text.count(mutant.old)} times")
    return text.replace(mutant.old, mutant.new)


def try_mutant(mutant: Mutant) -> Fate:
    """Run the cases of one mutant against a copy of the sources in which its rule is missing."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hashpact-mutant-") as folder:
        copy = Path(folder)
        for root in ROOTS:
            shutil.copytree(TREE / root, copy / root, ignore=shutil.ignore_patterns("__pycache__"))
        (copy / mutant.file).write_text(mutated(mutant), encoding="utf-8")
        report = copy / "report.json"
        with _told(mutant.mode, copy) as told:
            line = [sys.executable, "-m", "hashpact_conformance", mutant.mode, *told]
            line += ["-k", mutant.cases, "--json", str(report)]
            environment = {**os.environ, "PYTHONPATH": str(TREE / "tests")}
            done = subprocess.run(
                line, env=environment, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS
            )
        seconds = time.monotonic() - started
        if done.returncode not in (0, 1) or not report.exists():
            return Fate(mutant, 0, 0, seconds, (done.stderr or done.stdout).strip()[-300:])
        outcomes = [one["outcome"] for one in json.loads(report.read_bytes())["cases"]]
    return Fate(mutant, outcomes.count("failed"), len(outcomes), seconds)


@contextmanager
def _told(mode: str, copy: Path) -> Iterator[list[str]]:
    """Run what the suite asks in a mode, with the sources of this copy; gives what the suite is told."""
    roots = [copy / root for root in ROOTS]
    if mode == "reader":
        with entrypoint_server(roots=roots) as command:
            yield ["--entrypoint", command]
    elif mode == "pair":
        with entrypoint_server(roots=roots) as command, entrypoint_server() as sound:
            yield ["--a", command, "--b", sound]
    else:
        with running_subject(copy, PYTHONPATH=os.pathsep.join(map(str, roots))) as subject:
            yield told_of(mode, subject)


def as_table(fates: Iterable[Fate]) -> str:
    """Write the outcome as a table for people."""
    rows = [f"{fate.word:9} {fate.failed:3} of {fate.ran:3}  {fate.seconds:5.0f} s  {_line(fate)}" for fate in fates]
    return "\n".join(["outcome   failed       time  rule taken out", *rows])


def _line(fate: Fate) -> str:
    trouble = f" ({fate.trouble})" if fate.trouble else ""
    return f"{fate.mutant.name} [{fate.mutant.file}]{trouble}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Try all mutants, or those whose mode, name or file holds a pattern; 1 if one survives."""
    parser = argparse.ArgumentParser(description="Take rules out of our node, and see the conformance suite notice.")
    parser.add_argument(
        "-k", dest="pattern", default="", help="only mutants whose mode, name or file holds this expression"
    )
    parser.add_argument("--jobs", type=int, default=2, help="how many at the same time")
    told = parser.parse_args(arguments)
    chosen = [one for one in MUTANTS if re.search(told.pattern, f"{one.mode} {one.name} {one.file}")]
    fates: list[Fate] = []
    with ThreadPoolExecutor(told.jobs) as pool:
        for fate in pool.map(try_mutant, chosen):
            fates.append(fate)
            print(f"{fate.word:9} {_line(fate)}", flush=True)  # noqa: T201  a command prints
    caught = sum(fate.caught for fate in fates)
    print(f"\n{as_table(fates)}\n\n{caught} of {len(fates)} caught")  # noqa: T201  a command prints
    return 0 if fates and caught == len(fates) else 1


if __name__ == "__main__":
    sys.exit(main())
