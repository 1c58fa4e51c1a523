from __future__ import annotations

import sys
from pathlib import Path

import pytest

from commands import Commands
from hashpact_node.cli import doctor as command
from hashpact_node.services import doctor
from hashpact_node.services.doctor import SUBJECTS
from hashpact_node.services.doctor_kinds import Diagnosis, Level
from nodes import PASSPHRASE, TestNode


def test_a_home_that_is_on_trial_has_things_to_mend(acme: Commands) -> None:
    acme.home.chmod(0o755)
    (acme.home / "passphrase").write_text(PASSPHRASE)
    (acme.home / "passphrase").chmod(0o644)
    told = acme.json("doctor", code=7)
    assert (told["member"], told["worst"]) == ("acme", "error")
    found = {(one["subject"], one["level"], one["code"]) for one in told["findings"]}
    assert {
        ("settings", "note", "url-on-loopback"),
        ("files", "warning", "home-readable"),
        ("files", "error", "secret-readable"),
        ("keys", "error", "offline-key-here"),
        ("url", "error", "url-unreachable"),
        ("ports", "note", "not-running"),
        ("peers", "note", "no-peers"),
        ("schedule", "ok", "ok"),
        ("backups", "note", "backup-unknown"),
    } <= found
    assert {one["subject"] for one in told["findings"]} == {one.name for one in SUBJECTS}
    assert all(one["mend"] for one in told["findings"] if one["level"] != "ok")


def test_it_is_told_in_words(acme: Commands) -> None:
    lines = acme("doctor", code=7).stdout.splitlines()
    assert "settings" in lines
    assert any(line.startswith("  note    the member's URL leads") and "(url-on-loopback)" in line for line in lines)
    assert any(line.startswith("          -> nothing, for a trial") for line in lines)
    assert lines[-1].endswith("findings to mend")
    assert "\x1b" not in "".join(lines)


def test_a_node_that_runs_is_looked_at_as_strangers_see_it(served: TestNode) -> None:
    done = served.command("doctor", "--json")
    assert done.returncode == 7, done.stderr
    assert '"url-unreachable"' not in done.stdout
    assert '"not-running"' not in done.stdout
    assert '"outsiders-read"' not in done.stdout
    assert PASSPHRASE not in done.stdout + done.stderr


def test_a_home_where_all_is_well_ends_with_0(acme: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "SUBJECTS", [one for one in SUBJECTS if one.name in {"backups", "alarms"}])
    assert acme("doctor").stdout.splitlines()[-1] == "nothing to mend"
    assert acme.json("doctor")["worst"] == "note"


def test_files_of_secrets_are_looked_at_wherever_they_are_said(
    acme: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "SUBJECTS", [one for one in SUBJECTS if one.name == "files"])
    for name, variable in (("one", "HASHPACT_PIN_FILE"), ("two", "HASHPACT_PASSPHRASE_FILE")):
        (tmp_path / name).write_text("synthetic secret")
        (tmp_path / name).chmod(0o644)
        monkeypatch.setenv(variable, str(tmp_path / name))
    told = acme.json("doctor", code=7)
    found = {one["where"] for one in told["findings"] if one["code"] == "secret-readable"}
    assert found == {str(tmp_path / "one"), str(tmp_path / "two")}


def test_a_folder_without_a_node_is_refused(tmp_path: Path) -> None:
    error = Commands(tmp_path).error("doctor", code=2)
    assert "there is no node" in error["what"]


@pytest.mark.parametrize(("level", "colour"), [("ok", "32"), ("note", "36"), ("warning", "33"), ("error", "31")])
def test_levels_have_colours_on_a_terminal(
    level: str, colour: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("hashpact_node.cli.doctor.coloured", lambda target: target is sys.stdout)
    command._show((Diagnosis(Level(level), "code", "what", subject="one"),))
    assert f"\x1b[{colour}m{level.ljust(7)}\x1b[0m what" in capsys.readouterr().out
