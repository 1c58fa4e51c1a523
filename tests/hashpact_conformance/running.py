"""Runs a mode's cases with pytest, and reports what came of them."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest

from hashpact_conformance import report, report_html
from hashpact_conformance.cases import Mode
from hashpact_conformance.plugin import Plugin, RunOptions
from hashpact_conformance.signing import read_credentials

FAILED, UNUSABLE = 1, 2
_HERE = Path(__file__).parent
_COMMON = {"mode", "junit", "json", "html", "dump", "expected_failures", "pattern"}


class UnusableError(Exception):
    """What the command line said is not right; the message says what, where and how to mend it."""


def run(told: argparse.Namespace) -> int:
    """Run one mode as the command line says; the exit code of ``hashpact-conformance``."""
    mode = Mode(told.mode)
    targets = {name: value for name, value in vars(told).items() if name not in _COMMON}
    try:
        _check_targets(told)
        expected = read_expected(told.expected_failures)
    except UnusableError as error:
        return _unusable(str(error))
    plugin = Plugin(RunOptions(mode, targets, told.pattern, told.dump), expected, report.Progress(sys.stdout))
    started = time.monotonic()
    ended = _pytest(plugin, [mode])
    if plugin.broken or ended not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
        return _unusable("\n".join(plugin.broken) or _why(ended, told.pattern))
    finished = report.Report(mode, _subject(targets), _version(), tuple(plugin.results), time.monotonic() - started)
    print(report.as_table(finished, colour=sys.stdout.isatty()))
    for path, written in ((told.junit, report.as_junit), (told.json, report.as_json), (told.html, report_html.as_page)):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(written(finished), encoding="utf-8")
    return FAILED if finished.failed else 0


def collect(modes: Sequence[Mode] = tuple(Mode)) -> Plugin:
    """Find all cases of some modes, without running any."""
    plugin = Plugin(RunOptions())
    _pytest(plugin, modes, "--collect-only")
    return plugin


def list_cases(*, as_json: bool) -> int:
    """Print all cases and how many there are, a mode and layer; the exit code."""
    plugin = collect()
    if plugin.broken:
        return _unusable("\n".join(plugin.broken))
    cases = sorted(plugin.cases, key=lambda one: one.id)
    if as_json:
        print(json.dumps({"cases": [asdict(one) for one in cases], "counts": report.count(cases)}, indent=2))
        return 0
    for one in cases:
        print(f"{one.id}\n    {one.title} ({one.rule})")
    print()
    print(report.as_counts(cases))
    return 0


def read_expected(path: Path | None) -> dict[str, str]:
    """Read the file of expected failures: ids, and behind each why; raises UnusableError."""
    if path is None:
        return {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UnusableError(f"the expected failures in {path} cannot be read: {error}") from error
    found: dict[str, str] = {}
    for line in lines:
        name, _, why = (part.strip() for part in line.partition("#"))
        if name:
            found[name] = why
    return found


def _pytest(plugin: Plugin, modes: Sequence[Mode], *more: str) -> int:
    line = [
        *(str(_HERE / mode) for mode in modes),
        *("-c", str(_HERE / "pytest.ini"), "--rootdir", str(_HERE)),
        *("-p", "no:terminal", "-p", "no:cacheprovider", "-p", "no:warnings", "--disable-plugin-autoload"),
        *more,
    ]
    # What somebody's shell tells their own pytest is not meant for this one.
    kept = {name: os.environ.pop(name) for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS") if name in os.environ}
    try:
        return int(pytest.main(line, plugins=[plugin]))
    finally:
        os.environ.update(kept)


def _check_targets(told: argparse.Namespace) -> None:
    root = getattr(told, "root", None)
    if root is not None and not root.is_file():
        raise UnusableError(f"there is no root file {root}; --root names the N.root.json that the member gave out")
    _check_credentials(told)
    try:
        re.compile(told.pattern or "")
    except re.error as error:
        raise UnusableError(f"-k {told.pattern} is no regular expression: {error}") from error


def _check_credentials(told: argparse.Namespace) -> None:
    name, key = getattr(told, "asks_as", None), getattr(told, "key", None)
    if (name is None) != (key is None):
        raise UnusableError("--as and --key belong together: who asks, and the request key that signs it")
    if name is not None and key is not None:
        try:
            read_credentials(name, key)
        except (OSError, ValueError) as error:
            raise UnusableError(f"requests cannot be signed: {error}") from error


def _why(ended: int, pattern: str | None) -> str:
    if ended == pytest.ExitCode.NO_TESTS_COLLECTED:
        return f"no case's id holds {pattern}; `hashpact-conformance list` tells what there is"
    return f"the run was ended early (pytest's exit code {ended})"


def _unusable(why: str) -> int:
    print(f"error: {why}", file=sys.stderr)
    return UNUSABLE


def _subject(targets: dict[str, Any]) -> str:
    shown = [str(targets[name]) for name in ("url", "entrypoint", "a", "b") if targets.get(name)]
    return " and ".join(shown) or "hashpact_protocol"


def _version() -> str:
    try:
        return version("hashpact")
    except PackageNotFoundError:
        return "not installed"
