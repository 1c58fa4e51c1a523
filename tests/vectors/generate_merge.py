"""Make the vectors of merging and of the digest anew: ``python tests/vectors/generate_merge.py``."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # pragma: no cover - as a script, it stands beside its package
    sys.path.insert(0, str(Path(__file__).parent.parent))

from vectors.merge_cases import DIGEST, MERGE
from vectors.statement_material import Area, readable

LOGS = """`logs.json` lists logs in their order, those of one member and one `name` being one sequence, each with its
`entries` (the text of each is the entry, in UTF-8). All of them are held. Where a log has `fresh` and at least so many
entries, the earlier logs of its sequence count no more. """

ABOUT_MERGE = f"""# Merge

{LOGS}`expected.json` says what comes of them:

- `live`: `[origin, index, id]` of the winning entries of live listings;
- `claims`: each signal that is claimed, and `by` which entries: `[origin, index]`, and the quality where there is one;
- `quarantined`: `[origin, index, part, code]`, part 0 being the whole entry and 1 and more its malformed signals;
- `unknown`: how many entries of an unknown kind each log has, up to where it stops;
- `stopped`: at which index a critical entry stops a log.

Members are read in any order, and logs in batches of any size; the outcome is the same.
"""

ABOUT_DIGEST = f"""# Digest

{LOGS}`expected.json` says the `lines` over which the digest is made, and the `digest`; beside them `live`,
`claims` and the rest as in the vectors of merging.
"""


def merge_area() -> Area:
    """Make the area ``merge``."""
    made = Area("merge", ABOUT_MERGE)
    for case in MERGE:
        made.add(case.name, case.why, case.expected(), logs_json=readable(case.logs))
    return made


def digest_area() -> Area:
    """Make the area ``digest``."""
    made = Area("digest", ABOUT_DIGEST)
    for case in DIGEST:
        made.add(case.name, case.why, case.expected() | case.digest(), logs_json=readable(case.logs))
    return made


if __name__ == "__main__":  # pragma: no cover - the tests call the areas
    root = Path(__file__).parent
    for area in (merge_area(), digest_area()):
        for path, data in area.files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
