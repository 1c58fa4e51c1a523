from __future__ import annotations

import pytest

from commands import Commands
from hashpact_node.cli.common import ExitCode
from hashpact_node.services.card_bell import CardBell


def test_a_release_key_is_rotated_by_three_commands(acme: Commands) -> None:
    assert acme.json("keys", "rotate") == {"under_way": []}
    assert "No rotation is under way." in acme("keys", "rotate", "--status").stdout
    said = acme("keys", "rotate", "release").stdout
    assert "release: both keys sign; file:keys/release-2.key" in said
    assert "hashpact keys rotate release --finish" in said
    (state,) = acme.json("keys", "rotate", "--status")["under_way"]
    assert (state["row"], state["command"]) == ("release", "hashpact keys rotate release --finish")
    assert acme.json("keys", "rotate", "witness", "--status") == {"under_way": []}
    assert "release" in acme("keys", "rotate").stdout
    assert "hourly" in acme.error("keys", "rotate", "release", "--finish", code=ExitCode.BUSY)["what"]
    done = acme.json("keys", "rotate", "release", "--finish", "--at-once")
    assert (done["step"], done["retired"]) == ("the new key signs alone", ["file:keys/release.key"])
    assert (acme.home / "keys" / "release.key.retired").exists()
    assert acme.json("keys", "rotate") == {"under_way": []}


def test_a_witness_key_is_announced_and_revoked(acme: Commands) -> None:
    assert "begins by itself at" in acme("keys", "rotate", "witness").stdout
    assert "nobody has to act" in acme("keys", "rotate").stdout
    assert "begins at" in acme.error("keys", "rotate", "witness", "--finish", code=ExitCode.BUSY)["what"]
    said = acme("keys", "revoke", "witness").stdout
    assert "out of node.toml: file:keys/witness-2.key" in said
    assert "out of node.toml: file:keys/witness.key" in said
    assert acme.json("keys", "revoke", "request")["key"] == "file:keys/request-2.key"


@pytest.mark.parametrize(
    ("words", "mend"),
    [
        (("revoke", "release"), "keys recover"),
        (("rotate", "--finish"), "rotate release --finish"),
        (("rotate", "release", "--finish", "--key", "file:keys/new.key"), "began with"),
        (("rotate", "release", "--key", "nonsense"), "file:"),
    ],
)
def test_what_is_not_done_is_said_with_what_is(acme: Commands, words: tuple[str, ...], mend: str) -> None:
    assert mend in acme.error("keys", *words, code=ExitCode.USAGE)["mend"]


def test_whatever_command_signs_a_card_rings(acme: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int | None] = []
    monkeypatch.setattr(CardBell, "tell", lambda bell: told.append(bell.version()))
    acme("logs", "status")
    opened = acme.json("logs", "open", "crisis")["card"]
    assert told == [opened]
