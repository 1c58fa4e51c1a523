"""Our own node under the reader's mode of the conformance suite: every third case, a layer at a time.

``make conformance`` runs all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrypoint_server import entrypoint_server
from hashpact_conformance.cases import Mode
from hashpact_conformance.main import main
from hashpact_conformance.running import collect

EXPECTED_FAILURES = Path(__file__).parents[1] / "own_expected_failures.txt"
ONE_OF = 3
"""Of so many cases, one is run here."""


@pytest.fixture(scope="module")
def entrypoint() -> Iterator[str]:
    with entrypoint_server() as command:
        yield command


def sample(layer: str) -> list[str]:
    """Pick every third case of a layer, in the order of their ids."""
    return sorted(one.id for one in collect([Mode.READER]).cases if one.layer == layer)[::ONE_OF]


@pytest.mark.parametrize("layer", ["trust", "notes", "log", "fetch", "statements"])
def test_our_node_passes(entrypoint: str, layer: str, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    chosen = sample(layer)
    line = ["reader", "--entrypoint", entrypoint, "-k", f"^({'|'.join(chosen)})$", "--json", str(report)]
    code = main([*line, "--expected-failures", str(EXPECTED_FAILURES)])
    found = json.loads(report.read_bytes())["cases"]
    assert {one["id"]: one["message"] for one in found if one["outcome"] in ("failed", "not supported")} == {}
    assert code == 0
    assert len(found) == len(chosen)
