"""Our own node as a witness and in a pair, and the vectors; publisher and reader mode have tests of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance import Subject, run, running_subject
from entrypoint_server import entrypoint_server


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    with running_subject(tmp_path_factory.mktemp("subject")) as subject:
        yield subject


@pytest.fixture(scope="module")
def entrypoint() -> Iterator[str]:
    with entrypoint_server() as command:
        yield command


@pytest.mark.parametrize(("mode", "least"), [("witness", 80), ("vectors", 1_000)])
def test_our_own_node(subject: Subject, entrypoint: str, tmp_path: Path, mode: str, least: int) -> None:
    report = tmp_path / "report.json"
    code = run(mode, subject, entrypoint, ["--json", str(report)])
    cases = json.loads(report.read_bytes())["cases"]
    assert [(case["id"], case["outcome"], case["message"]) for case in cases if case["outcome"] != "passed"] == []
    assert len(cases) >= least
    assert code == 0


def test_two_of_our_own_nodes(subject: Subject, entrypoint: str, tmp_path: Path) -> None:
    """Some cases of the pair mode; ``make conformance`` runs all of them."""
    chosen = (
        "statements-publish-a",
        "statements-withdraw-b",
        "log-missed-releases-a",
        "log-reader-down",
        "log-succession-b",
        "fetch-erased-is-gone",
    )
    report = tmp_path / "report.json"
    code = run("pair", subject, entrypoint, ["-k", f"^pair-({'|'.join(chosen)})$", "--json", str(report)])
    cases = json.loads(report.read_bytes())["cases"]
    assert {case["id"]: case["message"] for case in cases if case["outcome"] != "passed"} == {}
    assert len(cases) == len(chosen)
    assert code == 0
