"""Nothing is lost, doubled or renumbered, however often it is killed; ``crash_loop.py`` does more rounds by hand."""

from __future__ import annotations

from pathlib import Path

from crash_loop import crash_publishing, crash_pulling
from nodes import MakeNode

ROUNDS = 4


def test_a_node_is_killed_while_it_is_published_to(make: MakeNode, tmp_path: Path) -> None:
    found = crash_publishing(make, tmp_path, rounds=ROUNDS, seed=1)
    assert found["kills of the node"] == ROUNDS
    assert found["listings acknowledged"] > 0


def test_pulls_are_killed_and_go_on(make: MakeNode, tmp_path: Path) -> None:
    found = crash_pulling(make, tmp_path, rounds=ROUNDS, seed=1)
    assert found["kills of pulls"] >= ROUNDS
