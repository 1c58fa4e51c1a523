"""The vectors as a whole: they are there, and each says why."""

from __future__ import annotations

from hashpact_conformance.cases import Layer, case
from hashpact_conformance.vectors.lookup import vector_folders


@case(Layer.STATEMENTS, "Every vector has a line that says why it is there", "docs/protocol.md, Conformance")
def test_every_vector_says_why() -> None:
    silent = [folder.name for folder in vector_folders() if not (folder / "README.md").read_text().strip()]
    assert not silent, f"without a reason: {', '.join(silent)}"
