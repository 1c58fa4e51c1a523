"""Every vector is decided as it says; and the vectors are whole."""

from __future__ import annotations

import pytest

from hashpact_conformance.cases import Layer, case
from hashpact_conformance.vectors.deciding import DECIDERS, Vector, decide
from hashpact_conformance.vectors.lookup import vector_folders
from hashpact_conformance.vectors.merging import MERGE_DECIDERS

RULE = "docs/protocol.md, Conformance"
DECIDERS |= MERGE_DECIDERS


def of(*areas: str) -> list[object]:
    """All vectors of some areas, as parameters."""
    folders = [folder for area in areas for folder in vector_folders(area)]
    return [
        pytest.param(Vector(folder), id=f"{folder.parent.name}-{folder.name.replace('--', '-minus-')}")
        for folder in folders
    ]


@case(Layer.TRUST, "{vector}", RULE)
@pytest.mark.parametrize("vector", of("cards", "directories", "names"))
def test_trust(vector: Vector) -> None:
    decide(vector)


@case(Layer.NOTES, "{vector}", RULE)
@pytest.mark.parametrize("vector", of("notes", "follow", "proofs"))
def test_notes(vector: Vector) -> None:
    decide(vector)


@case(Layer.LOG, "{vector}", RULE)
@pytest.mark.parametrize("vector", of("merkle", "tiles"))
def test_log(vector: Vector) -> None:
    decide(vector)


@case(Layer.STATEMENTS, "{vector}", RULE)
@pytest.mark.parametrize("vector", of("canonical", "statements", "signals", "merge", "digest"))
def test_statements(vector: Vector) -> None:
    decide(vector)


@case(Layer.STATEMENTS, "Every vector says why it is there, and is decided here", RULE)
def test_whole() -> None:
    silent = [folder.name for folder in vector_folders() if not (folder / "README.md").read_text().strip()]
    assert not silent, f"without a reason: {', '.join(silent)}"
    known = {(folder.parent.name, Vector(folder).facts.get("read")) for folder in vector_folders()}
    assert known <= DECIDERS.keys(), f"nobody decides {known - DECIDERS.keys()}"
