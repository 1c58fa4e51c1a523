"""``hashpact backup`` and ``hashpact restore``."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from commands import Commands
from hashpact_node.store.locks import HomeLock


def test_a_backup_is_made_checked_and_restored(acme: Commands, draw: Callable[[int], str], tmp_path: Path) -> None:
    acme("publish", draw(1))
    path = str(tmp_path / "acme.hashpact")
    with HomeLock(acme.home).shared():  # as a node that runs holds it
        made = acme.json("backup", path, "--with-keys")
    assert made["member"] == "acme"
    assert "keys/release.key" in made["files"]
    assert acme.json("backup", path, "--check") == made
    new = Commands(tmp_path / "new")
    restored = new.json("restore", path)
    assert (restored["member"], restored["rows"]) == ("acme", made["rows"])
    assert new.json("blocklist", "digest") == acme.json("blocklist", "digest")
    new("publish", draw(2))
    assert acme.error("restore", path, code=4)["what"] == "this home is set up already"


def test_words_for_people(acme: Commands, tmp_path: Path) -> None:
    path = str(tmp_path / "acme.hashpact")
    said = acme("backup", path)
    assert "A backup of acme" in said.stdout
    assert "Not in it: the key files" in said.stderr
    assert "A sound backup of acme" in acme("backup", path, "--check").stdout
    said = Commands(tmp_path / "new")("restore", path)
    assert "The node of acme as it was" in said.stdout
    assert "To do: the release key is not here" in said.stderr
    assert "Never start the old node again" in said.stderr
    assert "KEYS" in acme("backup", str(tmp_path / "other"), "--with-keys").stderr


def test_mistakes(acme: Commands, tmp_path: Path) -> None:
    path = str(tmp_path / "acme.hashpact")
    acme("backup", path)
    assert "a file already" in acme.error("backup", path, code=4)["what"]
    assert "--check" in acme.error("backup", path, "--check", "--with-keys", code=2)["what"]
    assert acme.error("backup", str(tmp_path / "no" / "folder"), code=2)["mend"]
    (tmp_path / "other").write_text("something else")
    assert "no backup" in acme.error("backup", str(tmp_path / "other"), "--check", code=2)["what"]
    new = Commands(tmp_path / "new")
    assert "no backup" in new.error("restore", str(tmp_path / "other"), code=2)["what"]
    assert new.error("restore", str(tmp_path / "nowhere"), code=2)["where"] == str(tmp_path / "nowhere")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if mount is None or umount is None or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    line = [mount, "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(line, check=False, capture_output=True).returncode:
        pytest.skip("this system mounts no small disk")
    yield folder
    subprocess.run([umount, str(folder)], check=True)


def test_a_full_disk_leaves_nothing(acme: Commands, small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(bytes(63 * 1024))
    assert "disk is full" in acme.error("backup", str(small_disk / "acme.hashpact"), code=6)["what"]
    assert [path.name for path in small_disk.iterdir()] == ["filler"]
    (small_disk / "filler").unlink()
    acme("backup", str(small_disk / "acme.hashpact"))
    assert acme.json("backup", str(small_disk / "acme.hashpact"), "--check")["member"] == "acme"
