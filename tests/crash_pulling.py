"""Pull a log of many batches with a process that is killed at random, until all is held; then compare digests.

Part of ``crash_loop.py``. Run as a program it is the process that is killed: the command ``hashpact peer pull`` with
batches that are small enough for kills to fall between them, which writes a line whenever one has been committed.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hashpact_node.cli.main import main
from hashpact_node.services import prefetch
from hashpact_node.services.absorb import Absorber
from material import drafts
from nodes import COMMAND_SECONDS, TestNode, free_port
from proxy import Proxy

BATCH_BUNDLES = 4
BUNDLE_WIDTH = 256
BEGINNING_SECONDS = 3.0
"""Where a kill falls before the first batch is committed: at most so long after the pull began."""

BETWEEN_SECONDS = 0.2
"""And else: at most so long after one was committed."""

TESTS = Path(__file__).parent
BUNDLE = re.compile(r"/tile/entries/(?:x(\d{3})/)?(\d{3})(?:\.p/\d+)?$")


@dataclass
class Tally:
    """What happened, and what is to happen: ``rounds`` kills, at moments that ``chance`` chooses."""

    chance: random.Random
    rounds: int
    listings: int
    kills: int = 0
    with_progress: int = 0
    resumed: int = 0
    completed: int = 0
    bundles_asked: int = 0
    sizes: set[int] = field(default_factory=set)


def pull_loop(
    publisher: TestNode,
    make_puller: Callable[[int], TestNode],
    folder: Path,
    *,
    rounds: int,
    listings: int,
    seed: int = 0,
) -> dict[str, Any]:
    """Kill pulls so many times, with a new puller whenever one has all; what was found, after each was checked."""
    tally = Tally(random.Random(seed), rounds, listings)
    inner = replace(publisher, port=free_port())
    _fill(inner, folder, listings)
    with Proxy(publisher.port, inner.port) as proxy:
        inner.start()
        try:
            digest = inner.digest()
            while tally.kills < rounds:
                puller = make_puller(tally.completed)
                puller.follow(publisher)
                _pull_until_done(puller, publisher, proxy, tally)
                _check(puller, publisher, digest, listings)
        finally:
            inner.kill()
    return {
        "kills of pulls": tally.kills,
        "of them with batches committed": tally.with_progress,
        "runs that went on from there": tally.resumed,
        "whole logs held in the end": tally.completed,
        "entries in the log": listings,
        "bundles in the log": -(-listings // BUNDLE_WIDTH),
        "bundles asked for per whole log": round(tally.bundles_asked / tally.completed, 1),
        "different sizes left by kills": len(tally.sizes),
        "digest": digest,
    }


def _fill(publisher: TestNode, folder: Path, listings: int) -> None:
    path = folder / "log.ndjson"
    path.write_text("".join(f"{json.dumps(one)}\n" for one in drafts(listings, seed=listings)))
    done = publisher.command("import", str(path), "--json")
    assert done.returncode == 0, done.stderr


def _pull_until_done(puller: TestNode, publisher: TestNode, proxy: Proxy, tally: Tally) -> None:
    while True:
        before = puller.log(publisher).held_size
        proxy.asked.clear()
        done = _pull(puller, publisher, tally, tally.listings - before)
        bundles = [int("".join(found.groups(""))) for path in list(proxy.asked) if (found := BUNDLE.search(path))]
        assert all(number >= before // BUNDLE_WIDTH for number in bundles), "it began anew"
        tally.bundles_asked += len(bundles)
        tally.resumed += bool(before and bundles)
        if done:
            tally.completed += 1
            return
        tally.kills += 1
        held = puller.log(publisher).held_size
        assert held >= before, "what was committed is gone"
        tally.with_progress += held > before
        tally.sizes.add(held)


def _pull(puller: TestNode, publisher: TestNode, tally: Tally, left: int) -> bool:
    """Pull, and kill that at some moment while kills are left; whether it ended by itself before."""
    batches = tally.chance.randint(0, left // (BATCH_BUNDLES * BUNDLE_WIDTH))
    line = [sys.executable, "-m", "crash_pulling", publisher.member]
    log = puller.home / "pull.log"
    with (
        log.open("ab") as errors,
        subprocess.Popen(
            line, cwd=TESTS, env=puller.environment, stdout=subprocess.PIPE, stderr=errors, bufsize=0
        ) as process,
    ):
        assert process.stdout is not None
        for _ in range(1 + batches):
            process.stdout.readline()
        patience = tally.chance.uniform(0, BETWEEN_SECONDS if batches else BEGINNING_SECONDS)
        try:
            code = process.wait(patience if tally.kills < tally.rounds else COMMAND_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return False
    assert code == 0, log.read_text()[-2_000:]
    return True


def _check(puller: TestNode, publisher: TestNode, digest: str, listings: int) -> None:
    assert puller.log(publisher).held_size == listings
    told = json.loads(puller.command("blocklist", "digest", "--member", publisher.member, "--json").stdout)
    assert told["digest"] == digest
    rebuilt = json.loads(puller.command("rebuild", "--json").stdout)
    assert (rebuilt["signals_mended"], rebuilt["owners_mended"]) == (0, 0), rebuilt


def _tell_commits() -> None:
    """Write a line whenever a batch has been committed."""
    absorb = Absorber.absorb

    def absorb_and_tell(self: Absorber, *given: Any, **options: Any) -> None:
        absorb(self, *given, **options)
        sys.stdout.write("committed\n")
        sys.stdout.flush()

    Absorber.absorb = absorb_and_tell  # type: ignore[method-assign]  # this process lives for one pull


if __name__ == "__main__":
    prefetch.BATCH_BUNDLES = BATCH_BUNDLES
    _tell_commits()
    sys.argv = ["hashpact", "peer", "pull", *sys.argv[1:], "--json"]
    sys.stdout.write("begin\n")
    sys.stdout.flush()
    main()
