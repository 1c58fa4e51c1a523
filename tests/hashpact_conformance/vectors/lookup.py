"""Finds the vectors: in the wheel they lie inside this package, in a checkout beside it."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def vectors_root() -> Path:
    """Give the folder that holds the areas; raises FileNotFoundError if this installation has no vectors."""
    for place in (_PACKAGE / "vector_files", _PACKAGE.parent / "vectors"):
        if (place / "README.md").is_file():
            return place
    raise FileNotFoundError(f"there are no vectors beside {_PACKAGE}; install the wheel of hashpact anew")


def vector_folders(area: str = "*") -> list[Path]:
    """Give the folders of the cases of an area, or of all, by name; raises FileNotFoundError if there are none."""
    found = sorted(readme.parent for readme in vectors_root().glob(f"{area}/*/README.md"))
    if not found:
        raise FileNotFoundError(f"there are no vectors of {area} in {vectors_root()}")
    return found
