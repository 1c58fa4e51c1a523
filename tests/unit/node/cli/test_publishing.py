"""``hashpact publish`` and ``hashpact withdraw``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from commands import Commands
from hashpact_node.services.publishing import Publisher
from hashpact_node.store.locks import HomeLock
from nodes import PASSPHRASE, STOP_SECONDS, TestNode, interruptible, wait_until

Draw = Callable[[int], str]


def test_files_are_listed_once(acme: Commands, draw: Draw) -> None:
    first, second = acme.json("publish", draw(1), draw(2), "--label", "behaviour:glorification", "--note", "n")[
        "listings"
    ]
    assert [one["type"] for one in first["signals"]] == ["pdq", "sha256"]
    assert (first["index"], second["index"], second["size"]) == (0, 1, 2)
    assert not first["existing"]
    again = acme.json("publish", draw(2))["listings"][0]
    assert (again["id"], again["existing"]) == (second["id"], True)
    shown = acme("publish", draw(1), draw(3)).stdout
    assert first["id"] in shown
    assert " listed " in shown
    assert acme.json("status")["blocklist"]["block"] == 6


def test_withdrawal(acme: Commands, draw: Draw) -> None:
    listing = acme.json("publish", draw(1))["listings"][0]["id"]
    assert "withdrawn" in acme("withdraw", listing, "--reason", "error").stdout
    assert acme.json("status")["blocklist"]["block"] == 0
    assert acme.error("withdraw", listing, "--reason", "error", code=4)["where"] == listing
    unknown = "6f1c2f0e-6f5c-4b0e-9d0a-0f6d2a1b3c4d"
    assert acme.error("withdraw", unknown, "--reason", "error", code=3)["where"] == unknown
    other = acme.json("publish", draw(2))["listings"][0]["id"]
    assert acme.json("withdraw", other, "--reason", "appeal", "--note", "n")["id"] == other


@pytest.mark.parametrize(
    ("arguments", "code", "what"),
    [
        (("missing.png",), 2, "there is no such file"),
        ((".",), 2, "folder"),
        (("FILE", "--label", "x" * 200), 2, "at most 128 bytes"),
        (("FILE", "--origin", "beta"), 2, "material of 'beta'"),
        (("FILE", "--expires", "tomorrow"), 2, "time"),
        (("FILE", "--log", "crisis"), 3, "crisis"),
    ],
)
def test_what_cannot_be_published(acme: Commands, draw: Draw, arguments: tuple[str, ...], code: int, what: str) -> None:
    error = acme.error("publish", draw(1), *(draw(2) if one == "FILE" else one for one in arguments), code=code)
    assert what in error["what"]
    assert acme.json("status")["queue"] == 0


def test_material_of_others_needs_a_yes(acme: Commands, draw: Draw) -> None:
    assert acme.json("publish", draw(1), "--origin", "beta", "--allow-foreign-origin")["listings"][0]["index"] == 0


def test_damaged_pictures_are_told(acme: Commands, tmp_path: Path, draw: Draw) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(Path(draw(1)).read_bytes()[:200])
    assert "broken.png: it looks like a picture" in acme("publish", str(broken)).stderr


def test_a_wrong_passphrase_stores_nothing(acme: Commands, draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HASHPACT_PASSPHRASE", "another one")
    error = acme.error("publish", draw(1), code=5)
    assert error["where"].endswith("release.key")
    assert acme.json("status")["queue"] == 0
    monkeypatch.delenv("HASHPACT_PASSPHRASE")
    assert "no terminal" in acme.error("publish", draw(1), code=5)["what"]


def test_a_running_node_releases_without_a_passphrase_here(served: TestNode, draw: Draw) -> None:
    environment = {key: value for key, value in served.environment.items() if key != "HASHPACT_PASSPHRASE"}
    done = served.command("publish", draw(11), env=environment)
    assert done.returncode == 0, done.stderr
    assert "published" in done.stdout


def test_what_a_running_node_does_not_release_in_time_is_told(
    acme: Commands, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(Publisher.__init__.__kwdefaults__, "wait_seconds", 0.1)  # type: ignore[arg-type]  # it has some
    with HomeLock(acme.home).shared():
        result = acme("publish", draw(1), code=4)
        listing = acme.json("publish", draw(1))["listings"][0]["id"]
        assert "waits" in result.stdout
        assert "it is stored" in result.stderr
        assert acme.json("withdraw", listing, "--reason", "error", code=4)["notice"]
    assert acme.json("status")["queue"] == 2
    acme("publish", draw(2))
    assert acme.json("status")["queue"] == 0


def test_ctrl_c_while_waiting_loses_nothing(acme: Commands, draw: Draw) -> None:
    home = {"HASHPACT_HOME": str(acme.home), "HASHPACT_PASSPHRASE": PASSPHRASE}
    environment = interruptible(os.environ) | home
    line = [str(Path(sys.executable).parent / "hashpact"), "publish", draw(1)]
    with HomeLock(acme.home).shared():
        process = subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_until(lambda: acme.json("status")["queue"])
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=STOP_SECONDS)
    assert process.returncode == 130
    assert error.startswith("interrupted: nothing is half done")
    assert "Traceback" not in error
    assert acme.json("status")["queue"] == 1
    again = acme.json("publish", draw(1))["listings"][0]
    assert (again["existing"], again["index"]) == (True, 0)


def test_a_database_of_a_newer_version(acme: Commands, draw: Draw) -> None:
    import sqlite3  # noqa: PLC0415  only here

    with sqlite3.connect(acme.home / "node.sqlite3") as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'r9999'")
    connection.close()
    error = acme.error("publish", draw(1), code=6)
    assert error["code"] == "store-newer"
    assert "newer version" in error["mend"]


def test_no_node_in_this_folder(tmp_path: Path, draw: Draw) -> None:
    error = Commands(tmp_path / "none").error("publish", draw(1), code=2)
    assert error["what"] == "there is no node in this folder"
    assert not (tmp_path / "none").exists()


def test_a_blob_is_published_with_its_file(acme: Commands, draw: Draw, tmp_path: Path) -> None:
    frames = tmp_path / "frames.vpdq"
    frames.write_text(f"{7:064x},98,1.250\n")
    found = acme.json("publish", draw(1), "--blob", f"vpdq={frames}")["listings"][0]
    assert found["signals"][-1]["type"] == "vpdq"
    assert found["signals"][-1]["length"] == 74
    assert "no TYPE=FILE" in acme.complaint("publish", draw(2), "--blob", str(frames), code=2)
    assert "cannot be read" in acme.complaint("publish", draw(2), "--blob", f"vpdq={tmp_path / 'none'}", code=2)
    assert "one file" in acme.complaint("publish", draw(2), draw(3), "--blob", f"vpdq={frames}", code=2)


def test_what_has_evidential_value_says_so_wherever_it_is_met(acme: Commands, draw: Draw) -> None:
    picture = draw(1)
    acme("publish", picture, "--preserve")
    (first, *_) = acme.json("match", picture)["results"]
    assert [hit["preserve"] for hit in first["hits"]] == [True]
    assert "preserve" in acme("match", picture).stdout
    assert [one["preserve"] for one in acme.json("blocklist", "show")["signals"]] == [True, True]
    assert "preserve" in acme("blocklist", "show").stdout
    exported = acme("blocklist", "export", "--format", "csv").stdout.splitlines()
    assert [line.rpartition(",")[2] for line in exported] == ["preserve", "true", "true"]
