"""docs/threat-model.md and SECURITY.md agree with the code: files exist; no key, door, scope or attacker is missing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from hashpact_keys.rows import RowName
from hashpact_node.api import connections
from hashpact_node.api.deps import SMALL_BODY_MAX_BYTES
from hashpact_node.api.member_door import MEMBER_PER_SECOND, MEMBERS_ONLY
from hashpact_node.services.tokens import TokenScope

ROOT = Path(__file__).parents[2]
THREATS = ROOT / "docs" / "threat-model.md"
SECURITY = ROOT / "SECURITY.md"
FOLDERS = {"protocol/": "protocol/hashpact_protocol/", "keys/": "keys/hashpact_keys/", "node/": "node/hashpact_node/"}
FILE = re.compile(r"`((?:protocol|keys|node|tests)/[a-z_0-9/]+\.py)`")
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#]*)(?:#([^)]+))?\)")


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def sections() -> dict[str, str]:
    parts = re.split(r"^## (.+)$", text_of(THREATS), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def first_cells(section: str) -> list[str]:
    rows = [line for line in sections()[section].splitlines() if line.startswith("|")]
    return [line.split("|")[1].strip() for line in rows[2:]]


def place(name: str) -> Path:
    folder = next((short for short in FOLDERS if name.startswith(short)), None)
    return ROOT / (name if folder is None else name.replace(folder, FOLDERS[folder], 1))


NAMED = sorted({name for path in (THREATS, SECURITY) for name in FILE.findall(text_of(path))})


@pytest.mark.parametrize("name", NAMED)
def test_every_file_that_is_named_exists(name: str) -> None:
    assert place(name).is_file()


def test_every_rule_has_a_test_that_holds_it() -> None:
    assert len(NAMED) > 60
    for section, text in sections().items():
        for line in text.splitlines():
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if line.startswith("|") and FILE.search(line):
                rule, held = cells[-2:]
                assert [one for one in FILE.findall(rule) if not one.startswith("tests/")], f"{section}: {line}"
                assert [one for one in FILE.findall(held) if one.startswith("tests/")], f"{section}: {line}"


@pytest.mark.parametrize("path", [THREATS, SECURITY], ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target, fragment in LINK.findall(text_of(path)):
        found = (path.parent / target).resolve() if target else path
        assert found.is_file(), target
        headings = re.findall(r"^##+ (.+)$", text_of(found), re.MULTILINE)
        anchors = {re.sub(r"[^a-z0-9 -]", "", one.lower()).replace(" ", "-") for one in headings}
        assert not fragment or fragment in anchors, f"{target}#{fragment}"


def test_every_row_of_keys_is_named() -> None:
    assert first_cells("Stolen keys") == [row.value for row in RowName]


def test_every_door_is_named() -> None:
    paths = json.loads((ROOT / "docs" / "openapi.json").read_bytes())["paths"]
    doors = {"/" + path.split("/")[1] for path in paths} | set(MEMBERS_ONLY)
    named = {name for cell in first_cells("Doors") for name in re.findall("`(/[a-z0-9]+)`", cell)}
    assert named == doors


def test_every_scope_is_named() -> None:
    assert first_cells("Tokens") == [f"`{one.value}`" for one in TokenScope]


def test_every_attacker_is_there_with_what_does_not_stop_it() -> None:
    attackers = list(sections())[3:]
    assert {
        "An outsider",
        "The network between members",
        "A peer gone bad",
        "Stolen keys",
        "A thief on the host",
        "An insider",
        "A stolen or an old backup",
        "A directory's secretariat",
    } <= set(attackers)
    for name in attackers:
        assert "What does not stop it" in sections()[name], name


def test_figures_are_those_of_the_program() -> None:
    outsider, peer = sections()["An outsider"], sections()["A peer gone bad"]
    kibibyte = 1_024
    assert f"a head of {connections.HEAD_MAX_BYTES // kibibyte} KiB and {connections.FIELDS_MAX} fields" in outsider
    assert f"{connections.FRAME_MAX_BYTES // kibibyte} KiB of framing" in outsider
    assert f"{connections.PIPELINED_MAX} requests that wait" in outsider
    assert (
        f"{connections.CONNECTIONS_MAX}, of which one public address has {connections.CLIENT_CONNECTIONS_MAX}"
        in outsider
    )
    assert (SMALL_BODY_MAX_BYTES, "a megabyte where nothing is said" in outsider) == (kibibyte**2, True)
    assert f"{MEMBER_PER_SECOND:,.0f} requests a second and member".replace(",", " ") in peer
