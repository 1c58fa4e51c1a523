"""Fixtures for reading trust repositories."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from hashpact_node.net.fetcher import Fetcher
from unit.keys.trust_simulator import Member
from unit.node.net.trust_reader import Reader
from unit.node.net.trust_server import TrustServer

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def trust_source() -> Iterator[Fetcher]:
    with Fetcher() as one:
        yield one


@pytest.fixture
def trust_server() -> Iterator[TrustServer]:
    with TrustServer() as one:
        yield one


@pytest.fixture
def member(trust_server: TrustServer) -> Member:
    return Member(trust_server.url)


@pytest.fixture
def stranger(trust_source: Fetcher, trust_server: TrustServer, member: Member) -> Reader:
    """A reader that has pinned the member's first root and read nothing yet."""
    return Reader(trust_source, trust_server, member)


@pytest.fixture
def reader(stranger: Reader) -> Reader:
    """A reader that has already accepted the member's first card."""
    stranger.accepted()
    return stranger
