"""How pytest runs the suite: gives cases their ids, hands them what the command line said, notes what comes of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hashpact_conformance.cases import Case, Layer, Mode, Outcome, Result

CASE = pytest.StashKey[Case]()
OPTIONS = pytest.StashKey["RunOptions"]()
_MESSAGE_MAX_CHARACTERS = 4_000


@dataclass(frozen=True)
class RunOptions:
    """What the command line said. ``targets`` are the options of one mode, by name, such as ``url``."""

    mode: Mode | None = None
    targets: Mapping[str, Any] = field(default_factory=dict)
    pattern: str | None = None
    dump: Path | None = None


class Plugin:
    """Collects the cases and their results; ``expected`` maps ids of cases that may fail to the reason."""

    def __init__(
        self,
        options: RunOptions,
        expected: Mapping[str, str] | None = None,
        tell: Callable[[Result], None] = lambda _result: None,
    ) -> None:
        self.options = options
        self.expected = dict(expected or {})
        self.cases: list[Case] = []
        self.results: list[Result] = []
        self.broken: list[str] = []
        self._tell = tell
        self._reports: list[pytest.TestReport] = []

    def pytest_configure(self, config: pytest.Config) -> None:
        """Make the marker of cases known, and hand over what the command line said."""
        config.stash[OPTIONS] = self.options
        config.addinivalue_line("markers", "case(layer, title, rule): a case of the conformance suite")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a file of cases that cannot be read."""
        if report.failed:
            self.broken.append(f"{report.nodeid}: {report.longreprtext}")

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Give every item its case, and choose those that are asked for."""
        for item in items:
            item.stash[CASE] = case_of(item)
        self.cases = [item.stash[CASE] for item in items]
        self._check_ids()
        pattern = re.compile(self.options.pattern or "")
        chosen = [item for item in items if pattern.search(item.stash[CASE].id)]
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen

    def _check_ids(self) -> None:
        ids = [one.id for one in self.cases]
        doubled = sorted({one for one in ids if ids.count(one) > 1})
        if doubled:
            self.broken.append(f"ids that two cases have: {', '.join(doubled)}")
        unknown = sorted(set(self.expected) - set(ids))
        if unknown:
            self.broken.append(
                f"expected failures name no case: {', '.join(unknown)}; `hashpact-conformance list` tells what there is"
            )

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        """Run one case, and note what came of it."""
        self._reports = []
        done = yield
        result = self._judge(item.stash[CASE], self._reports)
        self.results.append(result)
        self._tell(result)
        return done

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what setup, call and teardown came to."""
        self._reports.append(report)

    def _judge(self, one: Case, reports: Iterable[pytest.TestReport]) -> Result:
        reports = list(reports)
        seconds = sum(report.duration for report in reports)
        failed = [report for report in reports if report.failed]
        if failed:
            said = "\n".join(message_of(report) for report in failed)
            if one.id in self.expected:
                return Result(one, Outcome.EXPECTED_FAILURE, f"{self.expected[one.id]}\n{said}".strip(), seconds)
            return Result(one, Outcome.FAILED, said, seconds)
        skipped = [report for report in reports if report.skipped]
        if skipped:
            return Result(one, Outcome.NOT_SUPPORTED, message_of(skipped[0]), seconds)
        if one.id in self.expected:
            return Result(one, Outcome.FAILED, "it passed, and was expected to fail: take it off the list", seconds)
        return Result(one, Outcome.PASSED, "", seconds)


def case_of(item: pytest.Item) -> Case:
    """Read the case that a test function declares; raises pytest.UsageError if it declares none."""
    marker = item.get_closest_marker("case")
    if marker is None or not isinstance(item, pytest.Function):
        raise pytest.UsageError(f"{item.nodeid} does not say what case it is: declare it with @case")
    mode, layer = Mode(item.path.parent.name), Layer(marker.kwargs["layer"])
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    name = item.originalname.removeprefix("test_")
    suffix = f"-{item.callspec.id}" if hasattr(item, "callspec") else ""
    slug = re.sub("[^a-z0-9]+", "-", f"{name}{suffix}".lower()).strip("-")
    title = str(marker.kwargs["title"]).format_map(parameters)
    return Case(f"{mode}-{layer}-{slug}", mode, layer, title, marker.kwargs["rule"])


def message_of(report: pytest.TestReport) -> str:
    """Say why a case failed or was not run, in the words of the check itself."""
    found: Any = report.longrepr
    if isinstance(found, tuple):
        return str(found[2]).removeprefix("Skipped: ")
    crash = getattr(found, "reprcrash", None)
    said = (str(crash.message) if crash is not None else str(found)).removeprefix("AssertionError: ")
    # Where a check says itself what is wrong, pytest's view of its operands only tires whoever reads a report.
    return said.partition("\nassert ")[0][:_MESSAGE_MAX_CHARACTERS]
