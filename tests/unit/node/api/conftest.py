from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from hashpact_node.assembly import Node
from hashpact_node.store.database import Database
from publisher import Publisher
from serving import Served, open_member, serving


@pytest.fixture
def node(database: Database, database_url: str, tmp_path: Path) -> Iterator[Node]:
    """An initialised member's node, once on each kind of database."""
    node = open_member(database, tmp_path / "home", database_url)
    yield node
    node.close()


@pytest.fixture
def sqlite_node(sqlite_database: Database, tmp_path: Path) -> Iterator[Node]:
    """The same on SQLite alone, for what has nothing to do with SQL."""
    node = open_member(sqlite_database, tmp_path / "home", sqlite_database.where)
    yield node
    node.close()


@pytest.fixture
def served(node: Node) -> Iterator[Served]:
    """A node behind a server, once on each kind of database."""
    with serving(node) as one:
        yield one


@pytest.fixture
def sqlite_served(sqlite_node: Node) -> Iterator[Served]:
    """A node behind a server, on SQLite alone."""
    with serving(sqlite_node) as one:
        yield one


@pytest.fixture
def bare(sqlite_served: Served) -> Iterator[httpx.Client]:
    """A client that has no token, and signs nothing."""
    with httpx.Client(base_url=sqlite_served.client.base_url, timeout=60, trust_env=False) as one:
        yield one


@pytest.fixture
def beta() -> Iterator[Publisher]:
    """A scripted publisher; in the end nobody may have asked it for what it did not expect."""
    with Publisher() as one:
        yield one
