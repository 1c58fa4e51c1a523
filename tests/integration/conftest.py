from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from databases import PostgresDatabases
from nodes import MakeNode, TestNode, make_node


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of database that the nodes of a test have."""
    return str(request.param)


@pytest.fixture
def make(kind: str, postgres_databases: PostgresDatabases, tmp_path: Path) -> Iterator[MakeNode]:
    """Set up nodes, each with a database of its own; those that run are ended with the test."""
    nodes: list[TestNode] = []
    with ExitStack() as databases:

        def made(member: str, **settings: str) -> TestNode:
            url = databases.enter_context(postgres_databases.url()) if kind == "postgresql" else None
            nodes.append(make_node(tmp_path, member, url, **settings))
            return nodes[-1]

        yield made
        for node in nodes:
            node.kill()
