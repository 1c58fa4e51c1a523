"""The suite as a whole: what it knows, what its cases declare, how it is packed."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from hashpact_conformance.cases import Mode
from hashpact_conformance.running import collect

SUITE = Path(__file__).parents[2] / "hashpact_conformance"
# httpx and tuf read what nodes serve, msgspec the statements of the protocol; cryptography signs for our own members.
LIBRARIES = {"pytest", "_pytest", "httpx", "tuf", "securesystemslib", "cryptography", "msgspec", "zstandard"}


def imported(path: Path) -> set[str]:
    """The top of every module that a file imports, wherever it does."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            found.add(str(node.module).partition(".")[0])
    return found


def test_it_knows_the_protocol_and_nothing_of_our_node() -> None:
    files = [path for path in SUITE.rglob("*.py") if "__pycache__" not in path.parts]
    assert len(files) > 10
    allowed = LIBRARIES | {"hashpact_conformance", "hashpact_protocol"} | set(sys.stdlib_module_names)
    assert {path.name: imported(path) - allowed for path in files if imported(path) - allowed} == {}


def test_every_case_is_whole() -> None:
    plugin = collect()
    assert plugin.broken == []
    ids = [one.id for one in plugin.cases]
    assert ids
    for one in plugin.cases:
        assert one.id.startswith(f"{one.mode}-{one.layer}-")
        assert one.title
        assert one.rule, one.id
    assert {one.mode for one in plugin.cases} <= set(Mode)
