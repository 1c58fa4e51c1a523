"""A publisher that tells two readers two stories, through one address: both find out, and can prove it to anybody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hashpact_node import clock
from hashpact_protocol.statements import encode_statement
from members import listing, sha256
from nodes import MakeNode, TestNode, running
from publisher import Publisher


def entries(first: int, count: int) -> list[bytes]:
    return [encode_statement(listing(number, sha256(number))) for number in range(first, first + count)]


@pytest.fixture
def liar() -> Iterator[Publisher]:
    with Publisher("gamma", now=clock.now()) as one:
        yield one
        # It holds nothing of others that a node which starts, or compares, could learn from it.
        one.unexpected = [path for path in one.unexpected if not path.startswith(("witness/", "mirror/"))]


def tell(liar: Publisher, reader: TestNode, story: list[bytes]) -> None:
    """Tell one reader a story; what it is told later is not its business here, so it pulls no more."""
    liar.log.tell(story)
    for arguments in (
        ("add", "gamma", liar.url, "--fingerprint", liar.fingerprint),
        ("pull", "gamma"),
        ("pause", "gamma"),
    ):
        done = reader.command("peer", *arguments)
        assert done.returncode == 0, done.stderr


def verify_apart(file: Path, root: Path) -> dict[str, object]:
    """Verify evidence in a process that has neither home nor node."""
    line = [
        str(Path(sys.executable).parent / "hashpact"),
        "evidence",
        "verify",
        str(file),
        "--root",
        str(root),
        "--json",
    ]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HASHPACT_")}
    done = subprocess.run(line, env=kept, cwd=root.parent, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(("ours", "theirs"), [(4, 4), (3, 300)], ids=["same-size", "interleaved"])
def test_both_readers_find_out_and_prove_it_apart(
    make: MakeNode, liar: Publisher, tmp_path: Path, ours: int, theirs: int
) -> None:
    acme, delta = make("acme"), make("delta")
    tell(liar, acme, entries(1, ours))
    tell(liar, delta, entries(900, 1) + entries(2, theirs - 1))
    (tmp_path / "apart").mkdir()
    root = tmp_path / "apart" / "root.json"
    root.write_bytes(liar.root_file)
    with running(acme, delta):
        acme.follow(delta)
        delta.follow(acme)
        for reader, other in ((acme, delta), (delta, acme)):
            compared = reader.command("evidence", "compare", other.member, "--json")
            assert compared.returncode == 1, compared.stderr + compared.stdout
            (number,) = json.loads(compared.stdout)["evidence"]
            file = tmp_path / "apart" / f"{reader.member}.json"
            exported = reader.command("evidence", "export", str(number), str(file))
            assert exported.returncode == 0, exported.stderr
            proven = verify_apart(file, root)
            assert (proven["proven"], proven["void"], proven["member"]) == (True, None, "gamma")
            assert proven["sizes"] == sorted((ours, theirs))
            alarms = reader.get("/v1/status").json()["alarms"]
            assert f"hashpact evidence export {number}" in str(alarms)
            assert {alarm["member"] for alarm in alarms if alarm["code"] == "log-forked"} == {"gamma"}
