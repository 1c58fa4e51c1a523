"""Homes of nodes, and ways to run commands on them."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from commands import Commands, picture
from hashpact_keys.keystore import KeyStore
from hashpact_node.cli import log_output
from knowing import know
from nodes import PASSPHRASE, TestNode, make_node, running


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An environment with a passphrase and nothing else of ours; logging is put back as it was."""
    for name in ("HOME", "DATABASE_URL", "PASSPHRASE_FILE", "PORT", "PIN", "PIN_FILE"):
        monkeypatch.delenv(f"HASHPACT_{name}", raising=False)
    monkeypatch.setenv("HASHPACT_PASSPHRASE", PASSPHRASE)
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in (*log_output._QUIET, *log_output._SILENT):
        logging.getLogger(name).setLevel(logging.NOTSET)
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def made_homes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Homes of two members, each made once; tests take copies."""
    folder = tmp_path_factory.mktemp("homes")
    return {member: make_node(folder, member).home for member in ("acme", "beta")}


@pytest.fixture
def acme(made_homes: dict[str, Path], tmp_path: Path) -> Commands:
    """Commands on a fresh home of acme."""
    return Commands(Path(shutil.copytree(made_homes["acme"], tmp_path / "acme")))


@pytest.fixture
def beta(made_homes: dict[str, Path], tmp_path: Path) -> Commands:
    """Commands on a fresh home of beta."""
    return Commands(Path(shutil.copytree(made_homes["beta"], tmp_path / "beta")))


@pytest.fixture(scope="session")
def served(made_homes: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestNode]:
    """A node of gamma that runs, knows acme and beta, and lists one picture, number 7."""
    folder = tmp_path_factory.mktemp("served")
    node = make_node(folder, "gamma")
    for home in made_homes.values():
        know(node.database_url, f"sqlite:///{home / 'node.sqlite3'}")
    with running(node):
        done = node.command("publish", str(picture(folder / "gamma.png", 7)))
        assert done.returncode == 0, done.stderr
        yield node


@pytest.fixture
def draw(tmp_path: Path) -> Callable[[int], str]:
    """Draws a picture by its number, and gives its path."""
    return lambda number: str(picture(tmp_path / f"p{number}.png", number))


@pytest.fixture
def quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """New key files are written with one round of key derivation, which costs no time."""
    monkeypatch.setitem(KeyStore.__init__.__kwdefaults__, "kdf_rounds", 1)  # type: ignore[arg-type]  # it has some
