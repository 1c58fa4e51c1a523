"""``make conformance``: the conformance suite on our own node in all of its modes, with the reports printed and kept.

Usage: tests/conformance.py [MODE …]     (publisher, reader, witness, pair, vectors; all without a mode)
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from entrypoint_server import entrypoint_server
from hashpact_conformance.main import PASSPHRASE as CREDENTIALS_PASSPHRASE
from hashpact_conformance.main import main as suite
from hashpact_conformance.publisher.site import Site
from hashpact_conformance.publisher.trust_chain import read_chain
from hashpact_protocol.card import parse_card
from nodes import PASSPHRASE, TestNode, make_node

REPORTS = Path("build/conformance")
MODES = ("pair", "reader", "publisher", "witness", "vectors")
"""The longest ones first, which shortens the whole."""

PARTS = {"reader": {"reader-trust": "^reader-trust", "reader-logs": "^reader-(?!trust)"}}
"""A mode that takes long is run in parts: names of reports, and which cases they hold."""

AT_ONCE = 2
PART = "--part"
LISTINGS = 300
EXPECTED_FAILURES = Path(__file__).with_name("own_expected_failures.txt")


@dataclass
class Subject:
    """A node of ours that runs, with a root of its, and one that it does not know yet to be a witness for."""

    node: TestNode
    root: Path
    credentials: tuple[str, Path]
    """Who may ask it, as ``MEMBER/KEY-ID``, and the file of that request key."""

    @property
    def witness_key(self) -> str:
        """The verifier key of its cosignatures, out of its card."""
        site = Site(self.node.url)
        try:
            card = parse_card(read_chain(site, self.root.read_bytes()).card, member=self.node.member, url=self.node.url)
        finally:
            site.client.close()
        return str(card.witness_keys[0].key)

    @property
    def setup(self) -> str:
        """The command line that makes it follow the suite's member."""
        script = shlex.quote(str(Path(__file__).with_name("follow_peer.py")))
        environment = json.dumps(self.node.environment)
        place = self.root.with_name("environment.json")
        place.write_text(environment)
        return f"{shlex.quote(sys.executable)} {script} {shlex.quote(str(place))} {{member}} {{url}} {{root}}"


def fill(node: TestNode, folder: Path) -> None:
    """Give a node something to show: full and partial bundles, and a closed log before the open one."""
    lines = [
        {"content": "image", "signals": [{"type": "sha256", "value": f"{number:064x}"}]} for number in range(LISTINGS)
    ]
    hashes = folder / "hashes.ndjson"
    hashes.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    for arguments in (["import", str(hashes)], ["logs", "open", "listings", "--fresh"]):
        done = node.command(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"


@contextmanager
def running_subject(folder: Path, **settings: str) -> Iterator[Subject]:
    """Run a node of ours that has published, for the body; ``settings`` are told to its processes."""
    node = make_node(folder, "acme", **settings)
    fill(node, folder)
    node.start()
    try:
        root = folder / "1.root.json"
        root.write_bytes(node.get("/trust/metadata/1.root.json").content)
        yield Subject(node, root, know_a_member(node, folder))
    finally:
        node.kill()


def know_a_member(node: TestNode, folder: Path) -> tuple[str, Path]:
    """Let a node know another member, which may ask it and is not read; the credentials of that one."""
    asking = make_node(folder, "asking")
    asking.start()
    try:
        for arguments in (
            ["peer", "add", asking.member, asking.url, "--fingerprint", asking.fingerprint, "--yes"],
            ["peer", "pause", asking.member],
        ):
            done = node.command(*arguments)
            assert done.returncode == 0, f"{arguments}: {done.stderr}"
    finally:
        asking.kill()
    return f"{asking.member}/{asking.member}-request-1", asking.home / "keys/request.key"


def told_of(mode: str, subject: Subject) -> list[str]:
    """Give what the suite is told of a node that runs, to check it as a publisher or as a witness."""
    if mode == "publisher":
        name, key = subject.credentials
        os.environ[CREDENTIALS_PASSPHRASE] = PASSPHRASE
        return ["--url", subject.node.url, "--root", str(subject.root), "--as", name, "--key", str(key)]
    return ["--url", f"{subject.node.url}/witness", "--vkey", subject.witness_key, "--setup", subject.setup]


def run(mode: str, subject: Subject, entrypoint: str, more: Sequence[str] = ()) -> int:
    """Run one mode of the suite on our own node; its exit code."""
    told = {
        "reader": ["--entrypoint", entrypoint, "--expected-failures", str(EXPECTED_FAILURES)],
        "pair": ["--a", entrypoint, "--b", entrypoint],
        "vectors": [],
    }
    return suite([mode, *(told[mode] if mode in told else told_of(mode, subject)), *more])


def parts(modes: Sequence[str]) -> dict[str, list[str]]:
    """Give what is to be run: by the name of its reports the mode, and what chooses the cases."""
    found: dict[str, list[str]] = {}
    for mode in sorted(modes or MODES, key=MODES.index):
        found |= {name: [mode, "-k", cases] for name, cases in PARTS.get(mode, {mode: "."}).items()}
    return found


def run_part(name: str) -> int:
    """Run one part, and keep its reports; its exit code."""
    mode, *chosen = parts(())[name]
    kinds = (("--html", "html"), ("--json", "json"), ("--junit", "xml"))
    reports = [word for option, kind in kinds for word in (option, str(REPORTS / f"{name}.{kind}"))]
    with (
        tempfile.TemporaryDirectory() as folder,
        entrypoint_server() as entrypoint,
        running_subject(Path(folder)) as subject,
    ):
        return run(mode, subject, entrypoint, [*chosen, *reports])


def run_apart(name: str) -> int:
    """Run one part in a process of its own, and print its report once it is whole; its exit code."""
    line = [sys.executable, __file__, PART, name]
    done = subprocess.run(line, stdout=subprocess.PIPE, text=True, check=False)
    sys.stdout.write(done.stdout)
    sys.stdout.flush()
    return done.returncode


def main(modes: Sequence[str]) -> int:
    """Run some modes, two parts at a time, and keep their reports; the worst exit code."""
    for unknown in set(modes) - set(MODES):
        sys.exit(f"there is no mode {unknown}; the modes are {', '.join(MODES)}")
    started = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        codes = list(pool.map(run_apart, parts(modes)))
    print(f"\nreports: {REPORTS}/ ({time.monotonic() - started:.0f} s)")
    return max(codes)


if __name__ == "__main__":
    sys.exit(run_part(sys.argv[2]) if sys.argv[1:2] == [PART] else main(sys.argv[1:]))
