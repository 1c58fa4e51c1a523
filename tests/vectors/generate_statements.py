"""Make the vectors of entries anew: ``python tests/vectors/generate_statements.py [folder]``.

Areas ``canonical``, ``signals`` and ``statements``. Nothing here uses the code under test, and every run makes the same
bytes. Cases that are made no longer are removed.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

if __name__ == "__main__":  # pragma: no cover - as a script, it stands beside its package
    sys.path.insert(0, str(Path(__file__).parent.parent))

from vectors import canonical_cases, signal_cases, statement_cases
from vectors.malformed_cases import add_malformed
from vectors.statement_material import Area


def areas() -> list[Area]:
    """Make all three areas."""
    statements = Area("statements", statement_cases.ABOUT)
    statement_cases.add_sound(statements)
    add_malformed(statements)
    return [canonical_cases.area(), signal_cases.area(), statements]


def write(root: Path) -> None:
    """Write the areas below a folder, in place of what is there."""
    for area in areas():
        shutil.rmtree(root / area.name, ignore_errors=True)
        for path, data in area.files.items():
            place = root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)


if __name__ == "__main__":  # pragma: no cover
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
