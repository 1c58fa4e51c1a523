"""docs/attacks.md names every row, files that exist, and every case of the reader's mode."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hashpact_conformance.cases import Mode
from hashpact_conformance.running import collect

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "attacks.md").read_text(encoding="utf-8")
ROWS = {
    int(cells[1]): cells[2:]
    for line in DOCUMENT.splitlines()
    for cells in [[cell.strip() for cell in line.split("|")]]
    if len(cells) > 4 and cells[1].isdigit()
}
MODES = tuple(f"{mode}-" for mode in Mode)
FOLDERS = {"protocol/": "protocol/hashpact_protocol/", "keys/": "keys/hashpact_keys/", "node/": "node/hashpact_node/"}


def quoted(cell: str) -> list[str]:
    return re.findall("`([^`]+)`", cell)


def test_every_row_is_there() -> None:
    assert set(ROWS) == set(range(1, 54))


@pytest.mark.parametrize("row", sorted(ROWS))
def test_files_exist(row: int) -> None:
    _, rule, held, _ = ROWS[row]
    assert quoted(rule)
    for name in quoted(rule):
        folder = next(short for short in FOLDERS if name.startswith(short))
        assert (ROOT / name.replace(folder, FOLDERS[folder], 1)).is_file(), name
    assert quoted(held)
    for name in quoted(held):
        assert name.startswith(MODES) or (ROOT / name).is_file(), name


def test_every_case_of_the_reader_is_named_and_every_name_is_a_case() -> None:
    ids = {one.id for one in collect().cases}
    named = {name for cells in ROWS.values() for name in quoted(cells[2]) if name.startswith(MODES)}
    assert [name for name in sorted(named) if not any(one.startswith(name) for one in ids)] == []
    of_readers = sorted(one for one in ids if one.startswith("reader-"))
    assert of_readers
    assert [one for one in of_readers if not any(one.startswith(name) for name in named)] == []
