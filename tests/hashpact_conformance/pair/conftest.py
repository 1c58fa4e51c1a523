"""What the cases of a pair share: two nodes that are set up once, and run whenever a case begins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from hashpact_conformance.commands import Entrypoint
from hashpact_conformance.dump import Dump
from hashpact_conformance.pair.nodes import Node, Pair, free_port
from hashpact_conformance.plugin import RunOptions


@pytest.fixture(scope="session")
def nodes(options: RunOptions, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """The two nodes, each following the other."""
    folder = tmp_path_factory.mktemp("pair")
    made = []
    for name in ("a", "b"):
        entrypoint = Entrypoint.parse(options.targets[name], folder / name, Dump.of_case(options.dump, "shared"))
        url = f"http://127.0.0.1:{free_port()}"
        made.append(Node(f"node-{name}", url, entrypoint, entrypoint.init(f"node-{name}", url)))
    pair = Pair(*made)
    try:
        for node in pair.both:
            node.command("start")
        for node, other in (pair.both, pair.both[::-1]):
            answer = node.entrypoint.follow(other.member, other.url, other.root)
            assert not answer.refused, f"{node.member} does not follow {other.member}: {answer.said[-1_000:]}"
        yield pair
    finally:
        for node in pair.both:
            node.entrypoint.call("stop")


@pytest.fixture
def pair(nodes: Pair, dump: Dump) -> Iterator[Pair]:
    """The two nodes for one case, after which both run again."""
    a, b = (replace(node, entrypoint=replace(node.entrypoint, dump=dump)) for node in nodes.both)
    yield Pair(a, b)
    for node in nodes.both:
        node.command("start")


@pytest.fixture(params=["a", "b"])
def roles(request: pytest.FixtureRequest, pair: Pair) -> tuple[Node, Node]:
    """Publisher and reader: first one of the two, then the other."""
    return pair.both if request.param == "a" else pair.both[::-1]
