"""The house rules that no other tool holds: what is committed, the locks, the Makefile."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PIN = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[a-z,]+\])?==(?P<version>[^\s;]+)(?P<rest>(?:.*\\\n)*.*)$", re.MULTILINE
)

# Split, so that this file does not name what it looks for.
REGISTRIES = [
    "pypi" + ".org",
    "pythonhosted" + ".org",
    "registry.npm" + "js.org",
    "docker" + ".io",
    "ghcr" + ".io",
    "quay" + ".io",
    "--index" + "-url",
    "--extra-index" + "-url",
    "--find" + "-links",
]
MACHINE_PATH = re.compile(r"(?<![\w.$}~/<-])/(?:home|root|work|Users|opt/wheels|opt/pypi)/[\w.]")


def committed() -> list[Path]:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout: nobody knows what is committed")
    listing = subprocess.run([git, "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True)
    paths = [ROOT / os.fsdecode(name) for name in listing.stdout.split(b"\0") if name]
    return [path for path in paths if path.is_file()]


def text_of(path: Path) -> str:
    return path.read_bytes().decode("utf-8", errors="replace")


def pins(name: str) -> dict[str, list[tuple[str, str]]]:
    """Return version and the rest (markers, hashes) of the pins of a lock file, by normal name.

    A name has several where Python versions need several.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    for pin in PIN.finditer((ROOT / "requirements" / name).read_text()):
        found.setdefault(normal(pin["name"]), []).append((pin["version"], pin["rest"]))
    return found


def normal(requirement: str) -> str:
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name is not None
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def project() -> dict[str, list[str]]:
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return {
        "run": data["project"]["dependencies"],
        "dev": data["project"]["optional-dependencies"]["dev"],
        "build": data["build-system"]["requires"],
    }


def test_no_registry_is_named() -> None:
    allowed = {ROOT / "requirements" / "lock.sh"}  # it tells uv to write no index
    named = [
        (path.relative_to(ROOT), word)
        for path in committed()
        if path not in allowed
        for word in REGISTRIES
        if word in text_of(path)
    ]
    assert not named


def test_no_path_of_a_machine() -> None:
    named = [
        (path.relative_to(ROOT), found[0]) for path in committed() for found in MACHINE_PATH.finditer(text_of(path))
    ]
    assert not named


def test_no_secrets_or_databases_are_committed() -> None:
    wrong = {".sqlite3", ".pem", ".key", ".env"}
    assert not [path for path in committed() if path.suffix in wrong]


@pytest.mark.parametrize(
    ("kind", "lock"), [("run", "run.txt"), ("run", "dev.txt"), ("dev", "dev.txt"), ("build", "build.txt")]
)
def test_every_dependency_is_locked(kind: str, lock: str) -> None:
    locked = pins(lock)
    assert not [requirement for requirement in project()[kind] if normal(requirement) not in locked]


@pytest.mark.parametrize("lock", ["run.txt", "dev.txt", "build.txt"])
def test_nothing_is_locked_for_a_dependency_that_is_gone(lock: str) -> None:
    text = (ROOT / "requirements" / lock).read_text()
    direct = set(
        re.findall(
            r"^([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?==(?:.*\n)(?: .*\n)*? +#(?: via)? +hashpact \(pyproject",
            text,
            re.MULTILINE,
        )
    )
    wanted = {normal(requirement) for kind in ("run", "dev") for requirement in project()[kind]}
    assert {normal(name) for name in direct} <= wanted


@pytest.mark.parametrize("lock", ["run.txt", "dev.txt", "build.txt"])
def test_every_pin_has_hashes(lock: str) -> None:
    every = [(name, rest) for name, several in pins(lock).items() for _version, rest in several]
    assert every
    assert not [name for name, rest in every if "--hash=sha256:" not in rest]


@pytest.mark.parametrize("lock", ["run.txt", "build.txt"])
def test_locks_agree(lock: str) -> None:
    everything = pins("dev.txt")
    for name, several in pins(lock).items():
        if lock == "run.txt" or name in everything:
            assert [version for version, _rest in several] == [version for version, _rest in everything[name]]


def test_makefile_has_its_targets() -> None:
    text = (ROOT / "Makefile").read_text()
    described = set(re.findall(r"^([a-z]+):.*## ", text, re.MULTILINE))
    assert described == {
        "help",
        "install",
        "lint",
        "test",
        "coverage",
        "conformance",
        "mutants",
        "fuzz",
        "demo",
        "run",
        "bench",
        "clean",
    }
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == described


@pytest.mark.parametrize("script", [".ci/run", "scripts/install.sh", "scripts/coverage.sh", "requirements/lock.sh"])
def test_scripts_are_executable_and_strict(script: str) -> None:
    path = ROOT / script
    assert os.access(path, os.X_OK)
    assert path.read_text().startswith("#!/usr/bin/env bash\n")
    assert "\nset -euo pipefail\n" in path.read_text()
    bash = shutil.which("bash")
    assert bash is not None
    subprocess.run([bash, "-n", str(path)], check=True)


def test_ci_calls_make_test() -> None:
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith("\nexec make test")


def test_image_runs_without_root_and_is_watched() -> None:
    text = (ROOT / "Dockerfile").read_text()
    last = text[text.rindex("\nFROM ") :]
    for line in ("\nUSER hashpact\n", "\nVOLUME /var/lib/hashpact\n", '\nENTRYPOINT ["hashpact"]\n', "/healthz"):
        assert line in last
    assert "PASSPHRASE=" not in last


@pytest.mark.parametrize("name", ["README.md", "LICENSE", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_the_usual_files_are_there(name: str) -> None:
    assert (ROOT / name).stat().st_size > 0


def test_every_process_collects_the_same_tests(request: pytest.FixtureRequest) -> None:
    """pytest-xdist compares what its processes collect: a name made of a clock or a set's order fails a run by luck."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    here = [item.nodeid for item in request.session.items]
    environment = {**os.environ, "PYTHONHASHSEED": "1", "PYTEST_ADDOPTS": ""}  # and another second of the clock
    found = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    elsewhere = set(found.stdout.splitlines())
    assert [name for name in here if name.removeprefix(f"{ROOT}/") not in elsewhere] == []
