from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from databases import PostgresDatabases, SqliteFiles, opened
from hashpact_node.store.database import Database
from tokens import SoftHsm, SoftToken, why_no_soft_hsm

# No deadlines: a busy machine is no fault of the code. HYPOTHESIS_PROFILE=thorough looks much longer for what fails.
settings.register_profile(
    "fast", deadline=None, max_examples=50, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", settings.get_profile("fast"), max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))

SHORT_BYTES = 16  # what a test's name may still show


def pytest_configure() -> None:
    """Let the programs under test hear Ctrl-C, and logs be short.

    A run in the background of a script is started with Ctrl-C ignored.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # Else each traceback that is logged shows all variables of all frames, which takes up to fifteen seconds.
    for processor in structlog.get_config()["processors"]:
        if isinstance(processor, structlog.dev.ConsoleRenderer):
            processor.exception_formatter = structlog.dev.plain_traceback


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a long value of bytes by its argument.

    What is made on import (a gzip header's time, a key) may differ between the processes that share a run, and they
    must see the same names.
    """
    return argname if isinstance(val, bytes) and len(val) > SHORT_BYTES else None


@pytest.fixture(scope="session")
def sqlite_files(tmp_path_factory: pytest.TempPathFactory) -> SqliteFiles:
    return SqliteFiles(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def postgres_databases() -> PostgresDatabases:
    return PostgresDatabases(os.environ.get("PYTEST_XDIST_TESTRUNUID", uuid.uuid4().hex))


@pytest.fixture
def sqlite_database(sqlite_files: SqliteFiles, tmp_path: Path) -> Iterator[Database]:
    with opened(sqlite_files.url(tmp_path)) as database:
        yield database


@pytest.fixture
def postgresql_database(postgres_databases: PostgresDatabases) -> Iterator[Database]:
    with postgres_databases.url() as url, opened(url) as database:
        yield database


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(
    request: pytest.FixtureRequest,
    sqlite_files: SqliteFiles,
    postgres_databases: PostgresDatabases,
    tmp_path: Path,
) -> Iterator[str]:
    """The URL of a migrated database, once of each kind."""
    if request.param == "sqlite":
        yield sqlite_files.url(tmp_path)
        return
    with postgres_databases.url() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(
    request: pytest.FixtureRequest, postgres_databases: PostgresDatabases, tmp_path: Path
) -> Iterator[str]:
    """The URL of an empty database, once of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    with postgres_databases.url(empty=True) as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated database, once of each kind."""
    with opened(database_url) as database:
        yield database


@pytest.fixture
def empty_database(empty_database_url: str) -> Iterator[Database]:
    """An empty database, once of each kind."""
    with opened(empty_database_url) as database:
        yield database


@pytest.fixture(scope="session")
def soft_hsm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftHsm]:
    """SoftHSM2 with a folder of tokens for this session alone."""
    reason = why_no_soft_hsm()
    if reason is not None:
        pytest.skip(reason)
    with pytest.MonkeyPatch.context() as patch:
        hsm = SoftHsm(tmp_path_factory.mktemp("softhsm"))
        patch.setenv("SOFTHSM2_CONF", str(hsm.configuration))
        yield hsm


@pytest.fixture
def token(soft_hsm: SoftHsm) -> SoftToken:
    """A new token without keys."""
    return soft_hsm.new_token()
