"""``hashpact peer invite``, ``peer preview`` and ``peer add`` for people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commands import Commands
from nodes import TestNode
from terminals import Terminal


@pytest.fixture
def told(served: TestNode, tmp_path: Path) -> str:
    """The path of gamma's invitation."""
    path = tmp_path / "gamma.invitation.json"
    done = served.command("peer", "invite", "--to", str(path))
    assert done.returncode == 0, done.stderr
    return str(path)


def at_a_terminal(monkeypatch: pytest.MonkeyPatch, answer: bool) -> list[str]:  # noqa: FBT001 - what is answered
    """Let somebody sit at a terminal who answers so; give what is asked."""
    asked: list[str] = []

    def ask(question: str, **_options: object) -> bool:
        asked.append(question)
        return answer

    monkeypatch.setattr("hashpact_node.cli.asking.typer.confirm", ask)
    for module in ("asking", "peer_add"):
        monkeypatch.setattr(f"hashpact_node.cli.{module}.sys", Terminal())
    return asked


def test_an_invitation_says_what_the_other_side_needs(acme: Commands, tmp_path: Path) -> None:
    said = acme("peer", "invite")
    fingerprint = acme.json("keys", "status")["fingerprint"]
    assert fingerprint in said.stdout
    assert f"line 1: {fingerprint[9:13]}  " in said.stdout
    assert "another channel" in said.stderr
    assert acme.json("peer", "invite")["fingerprint"] == fingerprint
    path = tmp_path / "acme.json"
    assert "The file proves nothing" in acme("peer", "invite", "--to", str(path)).stderr
    assert json.loads(path.read_text())["fingerprint"] == fingerprint


def test_one_is_shown_whom_one_is_about_to_trust(
    beta: Commands, served: TestNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin = ("gamma", served.url, "--fingerprint", served.fingerprint)
    found = beta.json("peer", "preview", *pin)
    assert (found["member"], found["fingerprint"]) == ("gamma", served.fingerprint)
    said = beta("peer", "preview", *pin)
    for word in (served.url, served.fingerprint, "1 of 1 key must sign", "no peer could be asked"):
        assert word in said.stdout
    assert "in trial" in said.stderr
    assert beta.json("peer", "list") == {"peers": []}
    asked = at_a_terminal(monkeypatch, answer=False)
    said = beta("peer", "add", *pin, code=1)
    assert asked == ["Follow gamma, and let what it lists count here?"]
    assert "You are about to trust gamma" in said.stdout
    assert "nothing was changed" in said.stderr
    assert beta.json("peer", "list") == {"peers": []}
    at_a_terminal(monkeypatch, answer=True)
    said = beta("peer", "add", *pin)
    assert "is followed" in said.stdout
    assert "gamma answers nobody whom it does not follow" in said.stderr
    assert "hashpact peer invite" in said.stderr
    assert "gamma is followed already" in beta.error("peer", "preview", *pin, code=4)["what"]


def test_nobody_is_added_unasked(beta: Commands, served: TestNode) -> None:
    pin = ("gamma", served.url, "--fingerprint", served.fingerprint)
    said = beta("peer", "add", *pin, code=2).stderr
    assert "no terminal" in said
    assert "peer preview" in said
    assert "JSON" in beta.error("peer", "add", *pin, code=2)["what"]
    assert beta.json("peer", "list") == {"peers": []}


def test_an_invitation_alone_is_no_pin(
    beta: Commands, served: TestNode, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = beta.error("peer", "add", "--invitation", told, "--yes", code=2)
    assert "proves nothing" in error["what"]
    assert "--fingerprint" in error["mend"]
    assert beta.json("peer", "list") == {"peers": []}
    asked = at_a_terminal(monkeypatch, answer=True)
    assert "is followed" in beta("peer", "add", "--invitation", told).stdout
    assert asked == ["Did gamma itself read this fingerprint to you, over another channel than the file's?"]
    beta("peer", "remove", "gamma", "--yes")
    beta("peer", "add", "--invitation", told, "--fingerprint", served.fingerprint, "--yes")
    assert beta.json("peer", "show", "gamma")["fingerprint"] == served.fingerprint


def test_an_invitation_must_agree_with_what_was_told(beta: Commands, served: TestNode, told: str) -> None:
    other = f"1:sha256:{'0' * 64}"
    for words in (("--fingerprint", other), ("delta",), ("gamma", "https://gamma.example")):
        error = beta.error("peer", "add", *words, "--invitation", told, "--yes", code=2)
        assert "was given with it" in error["what"]
    assert "member id and a URL" in beta.error("peer", "add", "gamma", "--yes", code=2)["what"]
    assert "no invitation" in beta.error("peer", "preview", "--invitation", f"{beta.home}/node.toml", code=2)["what"]
    assert beta.json("peer", "preview", "--invitation", told)["pinned"] == served.fingerprint
