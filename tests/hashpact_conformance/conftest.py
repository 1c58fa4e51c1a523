"""What every case may ask for: what the command line said, and where to keep what goes over the wire."""

from __future__ import annotations

import pytest

from hashpact_conformance.dump import Dump
from hashpact_conformance.plugin import CASE, OPTIONS, RunOptions


@pytest.fixture(scope="session")
def options(pytestconfig: pytest.Config) -> RunOptions:
    """What the command line said."""
    return pytestconfig.stash[OPTIONS]


@pytest.fixture
def dump(options: RunOptions, request: pytest.FixtureRequest) -> Dump:
    """Where this case keeps what went over the wire."""
    return Dump.of_case(options.dump, request.node.stash[CASE].id)
