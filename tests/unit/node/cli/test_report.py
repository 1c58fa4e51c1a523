"""``hashpact report``."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import Commands
from hashpact_node import clock

TODAY = f"{clock.now():%Y-%m-%d}"
PERIOD = ("report", "--from", "2026-01-01", "--to")


def test_a_report_comes_in_the_form_of_its_file(acme: Commands, tmp_path: Path) -> None:
    hashes = tmp_path / "hashes.csv"
    hashes.write_text("type,value,content\n" + "".join(f"sha256,{n:064x},image\n" for n in range(7)))
    acme("import", str(hashes))
    page, table = tmp_path / "report.html", tmp_path / "report.csv"
    acme(*PERIOD, TODAY, "--out", str(page))
    acme(*PERIOD, TODAY, "-o", str(table))
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert "list,list-by-type,sha256,items,7," in table.read_text().splitlines()
    report = acme.json(*PERIOD, TODAY)
    assert (report["member"], report["threshold"], report["last"]) == ("acme", 5, TODAY)
    assert report["sections"][0]["figures"][1] | {"id": "items", "value": 7} == report["sections"][0]["figures"][1]
    assert acme(*PERIOD, TODAY, "--format", "csv").stdout.startswith("section,table,row,measure,value,note")


@pytest.mark.parametrize(
    ("words", "where"),
    [
        (("--from", "2026", "--to", TODAY), "--from"),
        (("--from", "2026-01-01", "--to", "2999-01-01"), "to"),
    ],
)
def test_periods_that_are_none(acme: Commands, words: tuple[str, ...], where: str) -> None:
    assert acme.error("report", *words, code=2)["where"] == where


def test_a_file_that_cannot_be_written(acme: Commands, tmp_path: Path) -> None:
    error = acme.error(*PERIOD, TODAY, "--out", str(tmp_path / "nowhere" / "report.html"), code=2)
    assert "cannot be written" in error["what"]
