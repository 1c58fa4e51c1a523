"""What of the suite is in the wheel, and what its console script says without pytest."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from hashpact_conformance.main import MODES, main
from hashpact_conformance.vectors.lookup import vector_folders, vectors_root

ROOT = Path(__file__).parents[3]


def test_the_wheel_holds_the_suite_and_the_vectors(tmp_path: Path) -> None:
    build = "import hatchling.build, sys; print(hatchling.build.build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", build, str(tmp_path)], cwd=ROOT, check=True, capture_output=True, text=True
    )
    with zipfile.ZipFile(tmp_path / done.stdout.split()[-1]) as wheel:
        names = set(wheel.namelist())
        points = next(wheel.read(name).decode() for name in names if name.endswith("entry_points.txt"))
        metadata = next(wheel.read(name).decode() for name in names if name.endswith(".dist-info/METADATA"))
    assert "hashpact-conformance = hashpact_conformance.main:main" in points
    assert "Provides-Extra: conformance" in metadata
    for path in (ROOT / "tests" / "hashpact_conformance").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert path.relative_to(ROOT / "tests").as_posix() in names
    for folder in vector_folders():
        assert f"hashpact_conformance/vector_files/{folder.parent.name}/{folder.name}/README.md" in names


def test_the_extra_is_what_the_script_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert [one.partition(">")[0] for one in project["optional-dependencies"]["conformance"]] == ["pytest"]


def test_without_pytest_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert main(["vectors"]) == 2
    assert "pip install 'hashpact[conformance]'" in capsys.readouterr().err


@pytest.mark.parametrize("mode", [*MODES, "list"])
def test_every_mode_has_help_with_an_example(mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([mode, "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert f"hashpact-conformance {mode}" in said
    assert "exit codes:" in said


def test_the_vectors_are_found_in_a_checkout() -> None:
    assert vectors_root() == ROOT / "tests" / "vectors"
    with pytest.raises(FileNotFoundError, match="no vectors of nonsense"):
        vector_folders("nonsense")
