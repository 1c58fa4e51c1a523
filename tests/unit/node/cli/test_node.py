"""``status``, ``rebuild``, ``keys``, ``logs`` and ``alarms``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from commands import Commands
from hashpact_keys.health import Health
from hashpact_node import clock
from hashpact_node.store.alarms import raise_alarm
from hashpact_node.store.database import open_database
from hashpact_node.store.locks import HomeLock
from nodes import TestNode, wait_until

Draw = Callable[[int], str]
NOW = datetime(2026, 11, 24, 4, tzinfo=UTC)


def test_status(acme: Commands, draw: Draw) -> None:
    acme("publish", draw(1))
    found = acme.json("status")
    assert (found["member"], found["running"], found["queue"]) == ("acme", False, 0)
    assert found["logs"][0]["live"] == 1
    text = acme("status").stdout
    assert "2 block" in text
    assert "hashpact serve" in text
    with HomeLock(acme.home).shared():
        assert acme.json("status")["running"]


def test_status_of_a_running_node_shows_its_jobs(served: TestNode) -> None:
    wait_until(lambda: "cosign" in served.command("status").stdout)  # which is written down soon after it began
    assert "running" in served.command("status").stdout


def test_no_secret_is_shown(acme: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HASHPACT_DATABASE_URL", "postgresql://acme:very-secret@127.0.0.1:1/none")
    result = acme("status", code=6)
    assert "cannot be reached" in result.stderr
    assert "very-secret" not in result.output


def test_rebuild(acme: Commands, draw: Draw) -> None:
    acme("publish", draw(1))
    assert acme.json("rebuild")["signals_mended"] == 0
    assert acme("rebuild").stdout.startswith("1 log read again; mended: 0 signals")


def test_keys_status(acme: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HASHPACT_PASSPHRASE")
    found = acme.json("keys", "status")
    assert [key["row"] for key in found["keys"]][:2] == ["root", "targets"]
    assert len(found["keys"][0]["public"]) == 64
    result = acme("keys", "status")
    assert found["fingerprint"] in result.stdout
    assert "TRIAL MODE" in result.stderr
    assert "a security officer" in result.stdout
    assert {row["row"]: row["by"] for row in found["rows"]}["release"] is None
    (acme.home / "keys" / "release.key").unlink()
    assert "release" in acme("keys", "status").stderr


def test_keys_check_ends_with_7_when_something_is_found(acme: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HASHPACT_PASSPHRASE")
    found = acme.json("keys", "check", code=7)
    errors = {(one["code"], one["row"]) for one in found["findings"] if one["severity"] == "error"}
    assert errors == {("offline-key-here", "root"), ("offline-key-here", "targets"), ("root-threshold", "root")}
    said = acme("keys", "check", code=7).stdout
    assert said.startswith("error: TRIAL MODE")
    assert "-> whoever takes this host" in said
    assert "no root or targets key lies in this home" not in said
    for row in ("root", "targets"):
        (acme.home / "keys" / f"{row}.key").unlink()
    said = acme("keys", "check", code=7).stdout
    assert "no root or targets key lies in this home" in said
    assert "TRIAL MODE" not in said
    assert "1 error" in acme("status").stdout


def test_keys_check_compares_our_clock_with_that_of_a_peer(
    acme: Commands, served: TestNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme("peer", "add", "gamma", served.url, "--fingerprint", served.fingerprint, "--yes")
    codes = {one["code"] for one in acme.json("keys", "check", code=7)["findings"]}
    assert "clock-skew" not in codes
    now = clock.now
    monkeypatch.setattr("hashpact_node.clock.now", lambda: now() + timedelta(minutes=10))
    found = acme.json("keys", "check", code=7)["findings"]
    (skew,) = (one for one in found if one["code"] == "clock-skew")
    assert skew["severity"] == "error"
    assert "ahead of" in skew["what"]
    assert "gamma +" in skew["what"]


def test_keys_check_ends_with_0_when_all_is_well(acme: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hashpact_node.services.key_status.examine", lambda *_: Health((), (), (), 3))
    assert acme.json("keys", "check") == {"member": "acme", "files_looked_at": 3, "findings": []}
    assert acme("keys", "check").stdout.startswith("the keys are well; no root or targets key lies in this home")


def test_logs(acme: Commands, draw: Draw, tmp_path: Path) -> None:
    acme("publish", draw(1))
    assert acme.json("logs", "status")["logs"][0]["size"] == 1
    assert "listings-1" in acme("logs", "status").stdout
    out = tmp_path / "out"
    assert "1 entries" in acme("logs", "export", str(out)).stdout
    assert (out / "logs/listings-1/checkpoint").read_text().splitlines()[1] == "1"
    acme("publish", draw(2))
    assert acme.json("logs", "export", str(out), "--log", "listings-1")["logs"][0]["size"] == 2
    acme.error("logs", "export", str(out), "--log", "crisis-1", code=3)
    acme.error("logs", "export", str(out / "logs/listings-1/checkpoint"), code=2)


def test_alarms(acme: Commands) -> None:
    assert acme("alarms", "list").stdout == "no alarms\n"
    database = open_database(f"sqlite:///{acme.home}/node.sqlite3")
    with database.write() as connection:
        number = raise_alarm(connection, "log-forked", "two \x1b[2Jstories", now=NOW, mend="ask", peer=1).number
    database.dispose()
    shown = acme("alarms", "list").stdout
    assert "two \\x1b[2Jstories" in shown
    assert "-> ask" in shown
    assert acme.json("alarms", "list")["alarms"][0]["member"] == "acme"
    acme.error("alarms", "clear", str(number), "99", code=3)
    assert len(acme.json("alarms", "list")["alarms"]) == 1
    assert acme("alarms", "clear", str(number)).stdout == f"cleared: {number}\n"
    assert acme.json("alarms", "list") == {"alarms": []}
    assert acme.json("alarms", "list", "--all")["alarms"][0]["cleared"]
    assert "over" in acme("alarms", "list", "--all").stdout
