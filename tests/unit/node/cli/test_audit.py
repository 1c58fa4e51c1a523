"""``hashpact audit …``."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from commands import Commands
from hashpact_node.store.database import open_database


@pytest.fixture
def busy(acme: Commands) -> Commands:
    """A home on which several commands were tried."""
    for number in range(5):
        acme("alarms", "clear", str(number + 1), code=3)
    return acme


def sql(home: Path, statement: str) -> None:
    database = open_database(f"sqlite:///{home / 'node.sqlite3'}")
    with database.write() as connection:
        connection.execute(text(statement))
    database.dispose()


def test_show(busy: Commands) -> None:
    shown = busy("audit", "show", "--limit", "2").stdout
    assert "alarms clear 5" in shown
    assert "NOT DONE: not-found" in shown
    assert "alarms clear 3" not in shown
    assert busy("audit", "show", "--since", "2100-01-01").stdout == "no entries\n"
    assert len(busy.json("audit", "show", "--since", "2026-01-01T00:00:00Z", "--action", "alarms")["entries"]) == 5
    assert "no time" in busy.complaint("audit", "show", "--since", "yesterday", code=2)


def test_verify_says_the_head_and_proves_growth(busy: Commands) -> None:
    first = busy.json("audit", "verify")
    assert (first["sound"], first["findings"]) == (True, [])
    busy("alarms", "clear", "9", code=3)
    said = busy("audit", "verify", "--head", first["head"]).stdout
    assert f"has only grown since {first['head']}" in said
    assert f"head: {busy.json('audit', 'verify')['head']}" in said
    assert busy.json("status")["audit_head"] in said
    size, _, root = first["head"].partition(":")
    forged = f"{size}:{root[::-1]}"
    assert "are not those over which" in busy("audit", "verify", "--head", forged, code=1).stdout
    assert "no head" in busy.complaint("audit", "verify", "--head", "x", code=2)


def test_verify_names_what_was_removed(busy: Commands) -> None:
    sql(busy.home, "DELETE FROM audit_entry WHERE number = 3")
    assert busy("audit", "verify", code=1).stdout == "entry 3 is missing\n"
    found = busy.json("audit", "verify", code=1)
    assert (found["sound"], found["findings"]) == (False, [{"entry": 3, "what": "entry 3 is missing"}])


def test_an_export_is_verified_anywhere(busy: Commands, tmp_path: Path) -> None:
    file = tmp_path / "audit.ndjson"
    head = busy.json("audit", "verify")["head"]
    assert f"head: {head}" in busy("audit", "export", str(file)).stdout
    assert file.stat().st_mode & 0o777 == 0o600
    elsewhere = Commands(tmp_path / "nothing")
    assert elsewhere.json("audit", "verify", "--file", str(file), "--head", head)["sound"]
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[1:]))
    assert "entry 1 is missing" in elsewhere("audit", "verify", "--file", str(file), code=1).stdout
    assert "cannot be read" in elsewhere.complaint("audit", "verify", "--file", str(tmp_path / "none"), code=2)
    assert busy.json("audit", "export", str(file))["head"] == head
