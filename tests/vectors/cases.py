"""Write the vectors of one family as folders, and find them again.

A case is a folder with a README of one line, ``case.json`` and the bytes that it speaks of; a name that ends in
``_fail`` says that the bytes must be refused, with the error code in ``case.json``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent


@dataclass(slots=True)
class Family:
    """The cases of one family on their way to the disk: path below the vectors' folder, and bytes."""

    name: str
    files: dict[str, bytes] = field(default_factory=dict)

    def add(self, case: str, why: str, facts: Mapping[str, Any], **blobs: bytes) -> None:
        """Add one case; two of one name are a mistake of the generator."""
        folder = f"{self.name}/{case}"
        if f"{folder}/README.md" in self.files:
            raise ValueError(folder)
        self.files[f"{folder}/README.md"] = f"{why}\n".encode()
        self.files[f"{folder}/case.json"] = (json.dumps(facts, ensure_ascii=True, indent=1) + "\n").encode()
        for name, data in blobs.items():
            self.files[f"{folder}/{name}"] = data


def write(families: list[Family]) -> None:
    """Write every case to the disk; cases that are no longer made stay, and the test of the generator finds them."""
    for family in families:
        for path, data in family.files.items():
            place = ROOT / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)


def on_disk(family: str) -> dict[str, bytes]:
    """All files of a family, as the generator names them."""
    return {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for path in sorted((ROOT / family).rglob("*"))
        if path.is_file()
    }


def cases(family: str, *reads: str) -> list[Path]:
    """The folders of a family whose ``read`` is one of ``reads``."""
    folders = sorted(path.parent for path in (ROOT / family).glob("*/case.json"))
    return [folder for folder in folders if facts(folder)["read"] in reads]


def facts(folder: Path) -> dict[str, Any]:
    """What a case says."""
    return dict(json.loads((folder / "case.json").read_bytes()))
