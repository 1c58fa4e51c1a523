"""Every command that changes something is recorded, with who ran it and how it ended."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from commands import Commands
from hashpact_node.cli import recording
from hashpact_node.cli.changes import COMMANDS
from hashpact_node.cli.main import app
from hashpact_node.cli.recording import actor
from nodes import PASSPHRASE, TestNode

Draw = Callable[[int], str]
ME = pwd.getpwuid(os.getuid()).pw_name


def leaves(group: Any, path: tuple[str, ...] = ()) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            found |= leaves(command, (*path, name))
        else:
            found[" ".join((*path, name))] = command
    return found


LEAVES = leaves(typer.main.get_command(app))


def test_every_command_says_whether_it_changes_something() -> None:
    assert set(COMMANDS) == set(LEAVES)


def test_what_is_told_of_a_command_is_what_it_is_given() -> None:
    for name, told in COMMANDS.items():
        assert set(told or ()) <= {one.name for one in LEAVES[name].params}, name


def told(acme: Commands) -> list[tuple[Any, ...]]:
    entries = acme.json("audit", "show", "--actor", "command")["entries"]
    assert {one["actor"]["name"] for one in entries} <= {ME}
    return [(one["action"], one["subject"], one["result"]) for one in entries]


def test_what_changes_something_is_recorded_and_what_asks_is_not(acme: Commands, draw: Draw) -> None:
    acme("status")
    listing = acme.json("publish", draw(1))["listings"][0]["id"]
    acme("peer", "list")
    acme("withdraw", listing, "--reason", "error")
    acme("withdraw", listing, "--reason", "error", code=4)
    acme("alarms", "clear", "9", "10", code=3)
    acme("peer", "remove", "beta", code=3)
    assert told(acme) == [
        ("publish", "listings", "ok"),
        ("withdraw", listing, "ok"),
        ("withdraw", listing, "conflict"),
        ("alarms clear", "9, 10", "not-found"),
        ("peer remove", "beta", "not-found"),
    ]
    published = acme.json("audit", "show", "--action", "publish")["entries"][0]
    assert published["detail"] == {"listings": [listing]}
    assert acme.json("audit", "verify")["sound"]


def test_a_wrong_passphrase_is_a_failed_entry(acme: Commands, draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HASHPACT_PASSPHRASE", "hunter2")
    acme("publish", draw(1), code=5)
    monkeypatch.setenv("HASHPACT_PASSPHRASE", PASSPHRASE)
    assert told(acme) == [("publish", "listings", "key-unavailable")]
    everything = acme("audit", "show", "--json").stdout
    assert "hunter2" not in everything
    assert PASSPHRASE not in everything


@pytest.mark.usefixtures("quick_keys")
def test_a_new_home_begins_with_who_made_it(tmp_path: Path) -> None:
    home = Commands(tmp_path / "new")
    home("init", "--member", "delta", "--url", "https://delta.example")
    assert told(home) == [("init", "delta", "ok")]


def test_a_restored_home_says_so_behind_what_it_held(acme: Commands, draw: Draw, tmp_path: Path) -> None:
    acme("publish", draw(1))
    head = acme.json("audit", "verify")["head"]
    backup = tmp_path / "acme.hashpact"
    acme("backup", str(backup), "--with-keys")
    restored = Commands(tmp_path / "restored")
    restored("restore", str(backup))
    assert [one[0] for one in told(restored)] == ["publish", "restore"]
    assert restored.json("audit", "verify", "--head", head)["sound"]
    assert told(acme)[-1][:2] == ("backup", str(backup))


def test_who_starts_a_node_is_recorded(served: TestNode) -> None:
    shown = Commands(served.home).json("audit", "show", "--action", "serve")["entries"]
    assert [(one["actor"]["name"], one["result"]) for one in shown] == [(ME, "ok")]


def test_a_user_whom_nobody_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "eve")
    assert actor().name == ME

    def unknown(_number: int) -> None:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert actor().name == f"uid {os.getuid()}"


def test_an_unnamed_command_would_be_recorded(acme: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "COMMANDS", {"audit show": None})
    acme("peer", "list")
    assert told(acme) == [("peer list", "", "ok")]


def test_what_cannot_be_recorded_is_said(acme: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    from hashpact_node.services.audit import AuditLog  # noqa: PLC0415 - what is patched

    monkeypatch.setattr(AuditLog, "try_record", lambda *_a, **_n: False)
    assert "the audit log could not be written" in acme("peer", "remove", "beta", code=3).stderr
