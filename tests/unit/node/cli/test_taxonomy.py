"""``hashpact taxonomy …``."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import Commands


def test_labels_are_listed_with_what_they_mean(acme: Commands) -> None:
    shown = acme("taxonomy", "list").stdout
    assert "behaviour:glorification" in shown
    assert "deprecated" in shown
    only = acme.json("taxonomy", "list", "--facet", "incident")
    assert list(only["facets"]) == ["incident"]
    assert only["version"] == 1
    labels = {label["label"]: label for label in acme.json("taxonomy", "list")["facets"]["behaviour"]}
    assert labels["behaviour:propaganda"]["instead"] == ["behaviour:glorification", "behaviour:recruitment"]
    assert "instead" not in labels["behaviour:glorification"]
    assert "there is no facet 'odd'" in acme.error("taxonomy", "list", "--facet", "odd", code=2)["what"]


def test_words_and_files_are_checked_and_nothing_is_refused(acme: Commands, tmp_path: Path) -> None:
    file = tmp_path / "listings.ndjson"
    file.write_text(
        '{"kind":"listing","content":"image","labels":["behaviour:glorificaton",3]}\n\n'
        '{"kind":"listing","content":"image","labels":"odd"}\n'
        '{"kind":"incident","type":"exercise"}\n'
    )
    found = {one["label"]: one for one in acme.json("taxonomy", "check", str(file), "behaviour:propaganda")["labels"]}
    assert {label: (one["standing"], one["times"]) for label, one in found.items()} == {
        "image": ("known", 2),
        "behaviour:glorificaton": ("unknown", 1),
        "exercise": ("known", 1),
        "behaviour:propaganda": ("deprecated", 1),
    }
    assert found["behaviour:glorificaton"]["hint"] == ["behaviour:glorification"]
    shown = acme("taxonomy", "check", str(file))
    assert "behaviour:glorificaton" in shown.stdout
    assert "image" not in shown.stdout
    assert "3 labels, 1 of them" in shown.stderr
    assert acme("taxonomy", "check", "image").stdout == ""


@pytest.mark.parametrize(("line", "what"), [("{", "no JSON"), ("3", "no object")])
def test_a_line_that_is_no_statement_is_told(acme: Commands, tmp_path: Path, line: str, what: str) -> None:
    file = tmp_path / "odd.ndjson"
    file.write_text(f"\n{line}\n")
    error = acme.error("taxonomy", "check", str(file), code=2)
    assert what in error["what"]
    assert error["where"] == f"{file}, line 2"
