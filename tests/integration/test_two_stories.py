"""A publisher that tells two readers two stories, through one address: both find out, and can prove it to anybody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from hashpact_node import clock
from hashpact_node.assembly import Node, open_node, open_settings
from hashpact_protocol.statements import encode_statement
from members import listing, sha256
from nodes import PASSPHRASE, MakeNode, TestNode, follow
from publisher import Publisher
from serving import serving


def entries(first: int, count: int) -> list[bytes]:
    return [encode_statement(listing(number, sha256(number))) for number in range(first, first + count)]


@pytest.fixture
def liar() -> Iterator[Publisher]:
    with Publisher("gamma", now=clock.now()) as one:
        yield one
        # It holds nothing of others that a node which compares could learn from it.
        one.unexpected = [path for path in one.unexpected if not path.startswith(("witness/", "mirror/"))]


def opened(home: TestNode) -> Node:
    return open_node(open_settings(home.home, home.environment), PASSPHRASE.encode)


def tell(liar: Publisher, reader: Node, story: list[bytes]) -> None:
    """Tell one reader a story."""
    liar.log.tell(story)
    reader.peering.add("gamma", liar.url, fingerprint=liar.fingerprint)
    assert reader.puller.pull("gamma").errors == []


def verify_apart(file: Path, root: Path) -> dict[str, object]:
    """Verify evidence in a process that has neither home nor node."""
    program = str(Path(sys.executable).parent / "hashpact")
    line = [program, "evidence", "verify", str(file), "--root", str(root), "--json"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HASHPACT_")}
    done = subprocess.run(line, env=kept, cwd=root.parent, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(("ours", "theirs"), [(4, 4), (3, 300)], ids=["same-size", "interleaved"])
def test_both_readers_find_out_and_prove_it_apart(
    make: MakeNode, liar: Publisher, tmp_path: Path, ours: int, theirs: int
) -> None:
    homes = {member: make(member) for member in ("acme", "delta")}
    (tmp_path / "apart").mkdir()
    root = tmp_path / "apart" / "root.json"
    root.write_bytes(liar.root_file)
    with ExitStack() as stack:
        acme, delta = (opened(home) for home in homes.values())
        for node, home in ((acme, homes["acme"]), (delta, homes["delta"])):
            stack.callback(node.close)
            stack.enter_context(serving(node, port=home.port))
        tell(liar, acme, entries(1, ours))
        tell(liar, delta, entries(900, 1) + entries(2, theirs - 1))
        for reader, other in ((acme, homes["delta"]), (delta, homes["acme"])):
            follow(reader, other)
            compared = reader.comparer.compare(other.member)
            assert (len(compared.evidence), compared.notices) == (1, [])
            file = tmp_path / "apart" / f"{reader.member}.json"
            file.write_bytes(reader.evidence.read(compared.evidence[0]).data)
            proven = verify_apart(file, root)
            assert (proven["proven"], proven["void"], proven["member"]) == (True, None, "gamma")
            assert proven["sizes"] == sorted((ours, theirs))
            assert reader.peering.show("gamma").alarms[0].code == "log-forked"
