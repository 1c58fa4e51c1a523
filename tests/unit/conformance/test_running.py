"""What a run comes to: outcomes, exit codes and reports, on small suites of cases."""

from __future__ import annotations

import json
import os
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from hashpact_conformance import running
from hashpact_conformance.cases import Case, Layer, Mode, Outcome, Result
from hashpact_conformance.main import main
from hashpact_conformance.report import Report, as_counts, as_json, as_junit, as_table
from hashpact_conformance.report_html import as_page

CASES = """
import pytest
from hashpact_conformance.cases import Layer, case, not_supported

@case(Layer.LOG, "Good", "a rule")
def test_good():
    pass

@case(Layer.LOG, "Bad {number}", "a rule")
@pytest.mark.parametrize("number", [1, 2])
def test_bad(number):
    assert number == 1, f"{number} is <wrong> \\x00"

@case(Layer.TRUST, "Absent", "a rule")
def test_absent():
    not_supported("there is none")

@case(Layer.TRUST, "Late", "a rule")
def test_late(late):
    pass

@pytest.fixture
def late():
    yield
    raise AssertionError("it fails in the end")
"""


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A suite whose vectors mode is the cases above."""
    folder = tmp_path / "suite" / "vectors"
    folder.mkdir(parents=True)
    (folder / "cases_small.py").write_text(CASES)
    (tmp_path / "suite" / "pytest.ini").write_text((running._HERE / "pytest.ini").read_text())
    monkeypatch.setattr(running, "_HERE", tmp_path / "suite")
    return tmp_path


def outcomes(suite: Path, *options: str, code: int) -> dict[str, tuple[str, str]]:
    report = suite / "report.json"
    assert main(["vectors", "--json", str(report), *options]) == code
    return {one["id"]: (one["outcome"], one["message"]) for one in json.loads(report.read_bytes())["cases"]}


def test_outcomes_and_exit_codes(suite: Path) -> None:
    found = outcomes(suite, code=1)
    assert found["vectors-log-good"][0] == found["vectors-log-bad-1"][0] == "passed"
    assert found["vectors-log-bad-2"][0] == "failed"
    assert "2 is <wrong>" in found["vectors-log-bad-2"][1]
    assert found["vectors-trust-absent"] == ("not supported", "there is none")
    assert found["vectors-trust-late"][0] == "failed"
    assert outcomes(suite, "-k", "good|absent", code=0).keys() == {"vectors-log-good", "vectors-trust-absent"}


def test_expected_failures_are_strict(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = suite / "expected.txt"
    expected.write_text("# known\nvectors-log-bad-2  # because\nvectors-trust-late\n")
    found = outcomes(suite, "--expected-failures", str(expected), code=0)
    assert found["vectors-log-bad-2"][0] == "expected failure"
    assert found["vectors-log-bad-2"][1].startswith("because\n")
    expected.write_text("vectors-log-good # it was wrong once\n")
    found = outcomes(suite, "-k", "good", "--expected-failures", str(expected), code=1)
    assert found["vectors-log-good"][0] == "failed"
    expected.write_text("vectors-log-nonsense\n")
    assert main(["vectors", "--expected-failures", str(expected)]) == 2
    assert "vectors-log-nonsense" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["vectors", "-k", "nothing-of-this"], "no case's id holds"),
        (["vectors", "-k", "("], "is no regular expression"),
        (["vectors", "--expected-failures", "nowhere.txt"], "cannot be read"),
        (["publisher", "--url", "http://127.0.0.1:1", "--root", "nowhere.json"], "there is no root file"),
    ],
)
def test_what_is_not_right_is_told(arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert why in capsys.readouterr().err


def test_cases_that_cannot_be_collected_are_told(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = suite / "suite" / "vectors"
    (folder / "cases_broken.py").write_text("import nothing_of_this_name\n")
    assert main(["vectors"]) == 2
    assert "nothing_of_this_name" in capsys.readouterr().err
    (folder / "cases_broken.py").unlink()
    (folder / "cases_undeclared.py").write_text("def test_undeclared():\n    pass\n")
    assert main(["vectors"]) == 2


def test_the_list_tells_every_case_and_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert sum(counts["all"] for counts in told["counts"].values()) == len(told["cases"])
    assert all(told["counts"][mode]["all"] for mode in Mode)


def result(outcome: Outcome, message: str = "") -> Result:
    one = Case(f"reader-log-{outcome.replace(' ', '-')}", Mode.READER, Layer.LOG, "A <b>title</b>", "a rule & more")
    return Result(one, outcome, message, 0.5)


REPORT = Report(
    Mode.READER,
    "./node <x>",
    "1.0",
    (
        result(Outcome.PASSED),
        result(Outcome.FAILED, "wrong \x00 & <bad>"),
        result(Outcome.NOT_SUPPORTED, "there is none"),
        result(Outcome.EXPECTED_FAILURE, "known"),
    ),
    1.5,
)


def test_what_is_not_supported_is_never_shown_as_passed() -> None:
    suite = ET.fromstring(as_junit(REPORT))[0]  # noqa: S314  (written a line before)
    assert {key: suite.get(key) for key in ("tests", "failures", "skipped")} == {
        "tests": "4",
        "failures": "1",
        "skipped": "2",
    }
    assert [child.tag for case in suite for child in case] == ["failure", "skipped", "skipped"]
    assert json.loads(as_json(REPORT))["counts"]["not supported"] == 1
    assert "not supported    reader-log-not-supported" in as_table(REPORT)
    assert "\x1b[33m" in as_table(REPORT, colour=True)


def test_the_page_stands_alone_and_escapes_what_a_node_says() -> None:
    page = as_page(REPORT)
    assert "<b>title</b>" not in page
    assert "<bad>" not in page
    assert "<x>" not in page
    assert not [word for word in ("<script", "src=", "href=", "http://", "@import", "url(") if word in page]
    assert "1 of 4 cases failed." in page
    assert "1 were not tried" in page


def test_counts_are_by_mode_and_layer() -> None:
    lines = as_counts([one.case for one in REPORT.results]).splitlines()
    assert lines[0].split() == ["mode", *Layer, "all"]
    assert lines[2].split() == ["reader", "0", "0", "4", "0", "0", "0", "0", "4"]
    assert lines[-1] == "4 cases"


def test_what_is_meant_for_another_pytest_is_not_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "--no-such-option")
    monkeypatch.setenv("PYTEST_PLUGINS", "no_such_plugin")
    assert running.collect([Mode.WITNESS]).cases
    assert os.environ["PYTEST_ADDOPTS"] == "--no-such-option"
