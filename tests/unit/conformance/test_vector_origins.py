"""Where the vectors come from: none out of our own encoder, and well over a third from outside of any code of ours."""

from __future__ import annotations

import ast
import json
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path

from hashpact_conformance.vectors.lookup import vector_folders, vectors_root

ORIGINS: dict[str, str] = json.loads((vectors_root() / "origins.json").read_bytes())


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            found.add(str(node.module))
    return found


def test_no_generator_knows_the_code_under_test() -> None:
    """Whatever a generator imports, directly or by another file beside it, nothing of it is ours."""
    seen: set[Path] = set()
    waiting = sorted(vectors_root().glob("generate_*.py"))
    assert len(waiting) >= 8
    while waiting:
        path = waiting.pop()
        seen.add(path)
        for module in imported(path):
            assert not module.startswith("hashpact_"), f"{path.name} imports {module}"
            beside = vectors_root() / f"{module.removeprefix('vectors.')}.py"
            if beside.is_file() and beside not in seen:
                waiting.append(beside)
    assert len(seen) > 12


def test_a_third_comes_from_outside_of_our_code() -> None:
    names = [f"{folder.parent.name}/{folder.name}" for folder in vector_folders()]
    told = [next(origin for pattern, origin in ORIGINS.items() if fnmatch(name, pattern)) for name in names]
    counted = Counter(told)
    assert counted["published"] >= 40
    assert counted["published"] + counted["by hand"] + counted["another tool"] >= len(names) / 3


def test_every_row_of_the_origins_says_something() -> None:
    names = [f"{folder.parent.name}/{folder.name}" for folder in vector_folders()]
    first = {name: next(pattern for pattern in ORIGINS if fnmatch(name, pattern)) for name in names}
    assert set(first.values()) == set(ORIGINS)
