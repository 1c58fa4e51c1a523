from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner, Result

from hashpact_node import clock
from hashpact_node.cli.main import app
from publisher import Publisher, gone


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["tuf-client", *arguments])


def test_init_refresh_and_download(tmp_path: Path) -> None:
    root = tmp_path / "root.json"
    metadata = ["--metadata-dir", str(tmp_path / "metadata")]
    with Publisher(now=clock.now()) as publisher:
        root.write_bytes(publisher.root_file)
        assert run(*metadata, "init", str(root)).exit_code == 0
        there = [*metadata, "--metadata-url", f"{publisher.url}/trust/metadata/"]
        assert run(*there, "refresh").exit_code == 0
        wanted = ["--target-name", "member.json", "--target-base-url", f"{publisher.url}/trust/targets/"]
        assert run(*there, *wanted, "--target-dir", str(tmp_path / "targets"), "download").exit_code == 0
        assert next((tmp_path / "targets").iterdir()).read_bytes() == publisher.card()
        publisher.alter("/trust/metadata/timestamp.json", gone)
        failed = run(*there, "refresh")
        assert failed.exit_code == 1
        assert "error: " in failed.stderr


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    metadata = ["--metadata-dir", str(tmp_path)]
    said = run(*metadata, "refresh")
    assert said.exit_code == 1
    assert "--metadata-url" in said.stderr
    said = run(*metadata, "--metadata-url", "http://127.0.0.1:1/", "--target-name", "x", "download")
    assert said.exit_code == 1
    assert "--target-base-url" in said.stderr
    assert run(*metadata, "init", str(tmp_path / "nowhere")).exit_code == 1
