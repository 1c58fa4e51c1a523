"""What the cases of a reader begin with: prepared homes, copied for each case, and servers that lie."""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hashpact_conformance.dump import Dump
from hashpact_conformance.plugin import OPTIONS
from hashpact_conformance.simulator.server import Server
from hashpact_conformance.simulator.world import Reader, Stage, World, opened, prepare


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[str, Server]]:
    """A server for the member that may lie, and one for each honest member."""
    made = {name: Server() for name in ("beta", "gamma", "delta")}
    yield made
    for server in made.values():
        server.close()


@pytest.fixture(scope="session")
def memory() -> Iterator[Path]:
    """A folder for homes, in memory where that is possible: nodes wait for the disk at every step that they keep."""
    shared = Path("/dev/shm")  # noqa: S108  only a folder of our own below it is used
    with tempfile.TemporaryDirectory(dir=shared if os.access(shared, os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.fixture
def home_folder(memory: Path) -> Iterator[Path]:
    """A folder for one case."""
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def reader(pytestconfig: pytest.Config) -> Reader:
    """The reader under test."""
    return Reader(shlex.split(str(pytestconfig.stash[OPTIONS].targets["entrypoint"])), Dump(None))


@pytest.fixture(scope="session")
def stage(reader: Reader, servers: dict[str, Server], memory: Path) -> Stage:
    """What all cases begin with."""
    two = {name: servers[name] for name in ("beta", "gamma")}
    return prepare(reader, two, memory / "stage")


@pytest.fixture(scope="session")
def witnessed_stage(reader: Reader, servers: dict[str, Server], memory: Path) -> Stage:
    """The same with one more honest member, and a reader that asks for two cosignatures."""
    return prepare(reader, servers, memory / "witnessed", require_witnesses=2)


@pytest.fixture
def world(stage: Stage, dump: Dump, home_folder: Path) -> Iterator[World]:
    """A reader that follows two honest members, of whom one goes wrong now."""
    stage.reader.dump = dump
    with opened(stage, home_folder) as one:
        yield one


@pytest.fixture
def witnessed(witnessed_stage: Stage, dump: Dump, home_folder: Path) -> Iterator[World]:
    """The same with one more honest member, and a reader that asks for two cosignatures."""
    witnessed_stage.reader.dump = dump
    with opened(witnessed_stage, home_folder) as one:
        yield one


@pytest.fixture
def newcomer(stage: Stage, dump: Dump, home_folder: Path) -> Iterator[World]:
    """A reader that follows nobody yet."""
    stage.reader.dump = dump
    with opened(stage, home_folder, home="founded") as one:
        yield one
