"""``hashpact drafts``: a command proposes, and somebody else approves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from commands import Commands
from hashpact_node.cli import drafts
from hashpact_node.services.actors import Actor, ActorKind

Draw = Callable[[int], str]


@pytest.fixture(autouse=True)
def four_eyes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HASHPACT_FOUR_EYES", "true")


def test_what_is_published_waits_for_somebody_else(
    acme: Commands, draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "hashes.ndjson"
    path.write_text(json.dumps({"content": "image", "signals": [{"type": "sha256", "value": "1" * 64}]}) + "\n")
    with monkeypatch.context() as without_a_key:
        without_a_key.setenv("HASHPACT_PASSPHRASE", "another one")
        draft = acme.json("publish", draw(1))["draft"]
        imported = acme("import", str(path))
    assert "1 listings proposed" in imported.stdout
    assert "hashpact drafts approve" in imported.stderr
    assert acme.json("status")["queue"] == 0
    assert draft["id"] in acme("drafts", "list").stdout
    assert len(acme.json("drafts", "list")["drafts"]) == 2
    assert acme.error("drafts", "approve", draft["id"], code=4)["where"] == draft["id"]
    listing = acme.json("drafts", "show", draft["id"])["statements"][0]["id"]
    with monkeypatch.context() as as_another:
        as_another.setattr(drafts, "actor", lambda: Actor(ActorKind.COMMAND, "somebody else"))
        assert "released" in acme("drafts", "approve", draft["id"]).stdout
    proposed = acme("withdraw", listing, "--reason", "error")
    assert proposed.stdout.startswith("proposed: ")
    own = proposed.stdout.split()[1]
    assert acme.json("drafts", "reject", own, "--reason", "a mistake")["state"] == "rejected"
    assert acme.error("erase", listing, "--reason", "law", "--now", code=2)["where"] == "--now"
    assert acme.json("erase", listing, "--reason", "law")["draft"]["erase"]
    assert acme.json("publish", draw(1)) == {"draft": None, "listed": {draw(1): listing}}
    shown = acme("drafts", "show", draft["id"]).stdout
    assert "decided by command somebody else" in shown
    assert acme.json("status")["blocklist"]["block"] == 2
