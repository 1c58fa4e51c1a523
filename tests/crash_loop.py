"""Kill nodes, commands and pulls with ``kill -9`` at random moments, and look whether anything was lost or doubled.

The test suite does a few rounds; many are done by hand::

    python tests/crash_loop.py --rounds 50
    python tests/crash_loop.py --rounds 200 --only pull --database postgresql --seed 7

Each process under test is killed by its own process id; the moments follow from the seed, as far as a machine allows.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from crash_publishing import publish_loop
from crash_pulling import pull_loop
from databases import PostgresDatabases
from nodes import MakeNode, TestNode, make_node

LISTINGS = 20_000


def crash_publishing(make: MakeNode, folder: Path, *, rounds: int, seed: int) -> dict[str, Any]:
    """Kill a node that is published to."""
    return publish_loop(make("acme"), folder, rounds=rounds, seed=seed)


def crash_pulling(make: MakeNode, folder: Path, *, rounds: int, seed: int, listings: int = LISTINGS) -> dict[str, Any]:
    """Kill a member's pulls of a long log."""

    def puller(number: int) -> TestNode:
        return make(f"beta-{number}")

    return pull_loop(make("acme"), puller, folder, rounds=rounds, listings=listings, seed=seed)


@contextmanager
def _maker(folder: Path, postgres: PostgresDatabases | None) -> Iterator[MakeNode]:
    nodes: list[TestNode] = []
    with ExitStack() as databases:

        def made(member: str, **settings: str) -> TestNode:
            url = None if postgres is None else databases.enter_context(postgres.url(empty=True))
            nodes.append(make_node(folder, member, url, **settings))
            return nodes[-1]

        try:
            yield made
        finally:
            for node in nodes:
                node.kill()


def main() -> None:
    """Do what the command line asks for, and print what was found."""
    parser = argparse.ArgumentParser(description="Kill what publishes and pulls, and look what is left.")
    parser.add_argument("--rounds", type=int, default=50, help="how many kills of each kind")
    parser.add_argument("--seed", type=int, default=0, help="chooses the moments")
    parser.add_argument("--only", choices=("publish", "pull"), help="one kind alone")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), help="one database alone")
    given = parser.parse_args()
    postgres = PostgresDatabases(uuid.uuid4().hex)
    try:
        for database in (given.database,) if given.database else ("sqlite", "postgresql"):
            for name, loop in (("publish", crash_publishing), ("pull", crash_pulling)):
                if given.only in (None, name):
                    began = time.monotonic()
                    with (
                        tempfile.TemporaryDirectory() as folder,
                        _maker(Path(folder), postgres if database == "postgresql" else None) as make,
                    ):
                        found = loop(make, Path(folder), rounds=given.rounds, seed=given.seed)
                    _tell(f"{name} on {database}", found, time.monotonic() - began)
    finally:
        postgres.stop()


def _tell(title: str, found: dict[str, Any], seconds: float) -> None:
    lines = [f"{title}: nothing lost, doubled or renumbered ({seconds:.0f} s)"]
    lines += [
        f"  {name:<34} {value:,}" if isinstance(value, int) else f"  {name:<34} {value}"
        for name, value in found.items()
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
