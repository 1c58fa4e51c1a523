"""Find the wire vectors: folders ``tests/vectors/<area>/<case>[_fail]``, each with a README of one line that says why.

A case holds its input files and ``expected.json``; where the folder's name ends in ``_fail`` the input must be refused
with the ``code`` that it tells.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent / "vectors"


@dataclass(frozen=True, slots=True)
class Vector:
    """One case."""

    folder: Path

    def __str__(self) -> str:
        return f"{self.folder.parent.name}/{self.folder.name}"

    @property
    def must_fail(self) -> bool:
        return self.folder.name.endswith("_fail")

    @property
    def why(self) -> str:
        return (self.folder / "README.md").read_text().strip()

    @property
    def expected(self) -> dict[str, Any]:
        return dict(self.json("expected.json"))

    def has(self, name: str) -> bool:
        return (self.folder / name).is_file()

    def json(self, name: str) -> Any:
        return json.loads((self.folder / name).read_bytes())

    def read(self, *names: str) -> bytes:
        """Give the bytes of the first of these files that the case has; raises FileNotFoundError if it has none."""
        for name in names:
            if self.has(name):
                return (self.folder / name).read_bytes()
        raise FileNotFoundError(f"{self.folder} has none of {', '.join(names)}")


def vectors(area: str) -> list[Vector]:
    """All cases of an area, by name; raises FileNotFoundError if there are none, lest a test checks nothing."""
    found = [Vector(readme.parent) for readme in sorted((ROOT / area).glob("*/README.md"))]
    if not found:
        raise FileNotFoundError(f"there are no vectors in {ROOT / area}")
    return found


def committed_files(area: str) -> dict[str, bytes]:
    """Every file of an area by its path below the vectors' folder, to compare with what a generator makes."""
    files = sorted(path for path in (ROOT / area).rglob("*") if path.is_file())
    return {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in files}
