"""Reports of a run for people at a terminal (a table by layer) and for programs (JUnit XML, JSON)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TextIO
from xml.etree import ElementTree as ET

from hashpact_conformance.cases import Case, Layer, Mode, Outcome, Result

_COLOURS = {
    Outcome.PASSED: "32",
    Outcome.FAILED: "31;1",
    Outcome.NOT_SUPPORTED: "33",
    Outcome.EXPECTED_FAILURE: "35",
}
_SIGNS = {Outcome.PASSED: ".", Outcome.FAILED: "F", Outcome.NOT_SUPPORTED: "-", Outcome.EXPECTED_FAILURE: "x"}


@dataclass(frozen=True)
class Report:
    """A finished run of one mode against ``subject``, after so many seconds."""

    mode: Mode
    subject: str
    version: str
    results: tuple[Result, ...]
    seconds: float

    @property
    def failed(self) -> list[Result]:
        """Those that failed."""
        return self.of(Outcome.FAILED)

    def of(self, outcome: Outcome, layer: Layer | None = None) -> list[Result]:
        """Give the results with an outcome, in all layers or in one."""
        return [one for one in self.results if one.outcome is outcome and layer in {None, one.case.layer}]

    @property
    def layers(self) -> list[Layer]:
        """The layers that have a result."""
        return [layer for layer in Layer if any(one.case.layer is layer for one in self.results)]


@dataclass
class Progress:
    """Shows at a terminal how far a run has come; silent where nobody looks."""

    out: TextIO

    def __call__(self, result: Result) -> None:
        """Show one more result."""
        if self.out.isatty():
            self.out.write(_SIGNS[result.outcome])
            self.out.flush()


def as_table(report: Report, *, colour: bool = False) -> str:
    """Write the report for a terminal."""

    def paint(outcome: Outcome, text: str) -> str:
        return f"\x1b[{_COLOURS[outcome]}m{text}\x1b[0m" if colour else text

    lines = ["", f"Hashpact conformance, {report.mode} mode: {report.subject}"]
    for layer in report.layers:
        lines += ["", f"{layer}"]
        for one in (one for one in report.results if one.case.layer is layer):
            lines.append(f"  {paint(one.outcome, f'{one.outcome:<16}')} {one.case.id}")
            if one.outcome is not Outcome.PASSED:
                lines += [f"{'':18} {line}" for line in one.message.splitlines()[:6]]
    head = f"{'layer':<12}" + "".join(f"{outcome:>18}" for outcome in Outcome)
    lines += ["", head, "-" * len(head)]
    for layer in report.layers:
        lines.append(f"{layer:<12}" + "".join(f"{len(report.of(outcome, layer)):>18}" for outcome in Outcome))
    lines.append(f"{'all':<12}" + "".join(f"{len(report.of(outcome)):>18}" for outcome in Outcome))
    return "\n".join([*lines, "", f"{len(report.results)} cases in {report.seconds:.1f} s"])


def as_json(report: Report) -> str:
    """Write the report as JSON."""
    value = {
        "mode": report.mode,
        "subject": report.subject,
        "suite": report.version,
        "seconds": round(report.seconds, 3),
        "counts": {outcome: len(report.of(outcome)) for outcome in Outcome},
        "cases": [_result(one) for one in report.results],
    }
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _result(one: Result) -> dict[str, Any]:
    return {
        "id": one.case.id,
        "layer": one.case.layer,
        "title": one.case.title,
        "rule": one.case.rule,
        "outcome": one.outcome,
        "message": one.message,
        "seconds": round(one.seconds, 3),
    }


def as_junit(report: Report) -> str:
    """Write the report as JUnit XML; what is not supported or failed as expected is `skipped` there, with why."""
    skipped = len(report.of(Outcome.NOT_SUPPORTED)) + len(report.of(Outcome.EXPECTED_FAILURE))
    counts = {"tests": len(report.results), "failures": len(report.failed), "errors": 0, "skipped": skipped}
    told = {name: str(count) for name, count in counts.items()} | {"time": f"{report.seconds:.3f}"}
    root = ET.Element("testsuites", told)
    suite = ET.SubElement(root, "testsuite", {"name": f"hashpact-conformance {report.mode}", **told})
    for one in report.results:
        place = {"classname": f"{one.case.mode}.{one.case.layer}", "name": one.case.id, "time": f"{one.seconds:.3f}"}
        element = ET.SubElement(suite, "testcase", place)
        if one.outcome is Outcome.FAILED:
            ET.SubElement(element, "failure", {"message": _plain(one.message[:300])}).text = _plain(one.message)
        elif one.outcome is not Outcome.PASSED:
            ET.SubElement(element, "skipped", {"message": _plain(f"{one.outcome}: {one.message[:300]}")})
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _plain(text: str) -> str:
    """Replace what XML cannot hold: a node under test may say anything."""
    return "".join(c if c in "\t\n" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" else "\ufffd" for c in text)


def count(cases: Iterable[Case]) -> dict[str, dict[str, int]]:
    """Count cases by mode and layer."""
    found = Counter((one.mode, one.layer) for one in cases)
    return {
        mode: {layer: found[mode, layer] for layer in Layer if found[mode, layer]}
        | {"all": sum(number for (of, _layer), number in found.items() if of is mode)}
        for mode in Mode
    }


def as_counts(cases: Sequence[Case]) -> str:
    """Write how many cases there are, as a table of modes and layers."""
    columns = [*Layer, "all"]
    lines = [f"{'mode':<12}" + "".join(f"{column:>12}" for column in columns)]
    for mode, counted in count(cases).items():
        lines.append(f"{mode:<12}" + "".join(f"{counted.get(column, 0):>12}" for column in columns))
    return "\n".join([*lines, f"{len(cases)} cases"])
