"""The vectors as a whole: every one is loaded by a test, and the page about them is enough to use them."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hashpact_protocol.errors import HashpactError

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "tests" / "vectors"
CASES = sorted(path for path in VECTORS.glob("*/*") if path.is_dir() and path.parent.name != "__pycache__")
AREAS = sorted({case.parent.name for case in CASES})
PAGE = (VECTORS / "README.md").read_text()
QUOTED = frozenset(re.findall(r"`([^`\n]+)`", PAGE))
# Maps whose names are free: log names, sizes, members, origins.
FREE = frozenset({"counting", "keys", "roots", "seeds", "witnesses", "unknown", "stopped"})


def by_name(folder: Path) -> str:
    return f"{folder.parent.name}/{folder.name}"


def calls(function: str) -> Iterator[tuple[str, ...]]:
    """The literal arguments with which the tests call one of the two functions that find vectors."""
    for path in sorted((ROOT / "tests" / "unit").rglob("test_*.py")):
        module = ast.parse(path.read_bytes())
        constants = {
            target.id: node.value
            for node in module.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function:
                yield tuple(word for argument in node.args for word in words(argument, constants))


def words(node: ast.expr, constants: dict[str, ast.expr]) -> list[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.Starred) and isinstance(node.value, ast.Name):
        return list(ast.literal_eval(constants[node.value.id]))
    return []


LOADED = {(area, None) for area, *_ in filter(None, calls("vectors"))} | {
    (family, read) for family, *reads in filter(None, calls("cases")) for read in reads
}


def facts(folder: Path) -> dict[str, Any]:
    name = "case.json" if (folder / "case.json").exists() else "expected.json"
    return dict(json.loads((folder / name).read_bytes()))


def names(value: Any) -> Iterator[str]:
    """Every name of a field in some facts."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            if name in FREE and isinstance(inner, dict):
                yield from names(list(inner.values()))
            else:
                yield from names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from names(inner)


def test_there_are_vectors() -> None:
    assert len(AREAS) >= 12
    assert len(CASES) > 900


@pytest.mark.parametrize("area", AREAS)
def test_every_vector_is_loaded_by_a_test(area: str) -> None:
    """A folder without a README or facts is found by nobody, nor is one whose ``read`` no test asks for."""
    for folder in (case for case in CASES if case.parent.name == area):
        why = (folder / "README.md").read_text()
        assert re.fullmatch(r"\S[^\n]*\n", why), by_name(folder)
        found = facts(folder)
        assert (area, found.get("read")) in LOADED, by_name(folder)
        assert ((folder / "case.json").exists()) is ("read" in found), by_name(folder)
        assert folder.name.endswith("_fail") is ("error" in found or "code" in found), by_name(folder)


def test_every_code_is_one_of_ours() -> None:
    def codes(kind: type[HashpactError]) -> Iterator[str]:
        yield kind.code
        for child in kind.__subclasses__():
            yield from codes(child)

    told = {
        found["error" if "error" in found else "code"] for found in map(facts, CASES) if {"error", "code"} & {*found}
    }
    assert told <= set(codes(HashpactError))
    assert told <= QUOTED


@pytest.mark.parametrize("area", AREAS)
def test_the_page_explains_every_file_and_field(area: str) -> None:
    assert f"\n### `{area}`: " in PAGE
    folders = [case for case in CASES if case.parent.name == area]
    assert {path.name for folder in folders for path in folder.iterdir()} <= QUOTED
    found = [facts(folder) for folder in folders]
    assert {case["read"] for case in found if "read" in case} <= QUOTED
    if area != "statements":  # their fields are those of the wire
        assert {name for case in found for name in names(case)} <= QUOTED


def test_git_leaves_the_bytes_alone() -> None:
    assert "\ntests/vectors/** -text\n" in (ROOT / ".gitattributes").read_text()
