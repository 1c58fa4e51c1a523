"""Measure Hashpact: ``make bench``, ``make bench N=1000000``, ``make bench ONLY='bootstrap.*'``.

``make bench ONLY='crisis.*' NODES=12`` has a crisis among so many nodes.

Every figure is measured on real nodes over loopback, each a process of its own. ``bootstrap.floor`` is measured in the
same run over the same bytes, so that the ratio to it says more than a rate on some machine. Prints a table and writes
``bench.json``.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from bench.asking_members import costs, flood  # noqa: E402 - the path comes first
from bench.bootstrap import bootstrap  # noqa: E402
from bench.crisis import HASHES, NODES, crisis  # noqa: E402
from bench.floor import floor_rate  # noqa: E402
from bench.judging import NAMES as JUDGING  # noqa: E402
from bench.judging import judging_times  # noqa: E402
from bench.latency import latencies  # noqa: E402
from bench.results import Results  # noqa: E402
from bench.signers import NAMES as SIGNERS  # noqa: E402
from bench.signers import signer_rates  # noqa: E402
from bench.steady import lookup_rates, one_new_hash, poll_without_news  # noqa: E402
from bench.witness import witness_rates  # noqa: E402
from databases import PostgresDatabases  # noqa: E402
from hashpact_node.store.bundles import stream_bundles  # noqa: E402
from hashpact_node.store.database import open_database  # noqa: E402
from material import draft  # noqa: E402
from nodes import TestNode, make_node  # noqa: E402

SMALL = 10_000
WITNESS_KINDS = ("honest", "bad_signature", "unknown_origin", "bad_proof", "replay")
WITNESS = (*WITNESS_KINDS, *(f"http.{kind}" for kind in WITNESS_KINDS[1:]))
COSTS = tuple(f"requests.{work}.{method}" for work in ("sign", "verify") for method in ("get", "post"))
FLOOD = tuple(
    f"requests.flood.{one}" for one in ("quiet.p95", "unsigned.p95", "unsigned.rate", "forged.p95", "forged.rate")
)
CIRCLES = (3, 10)
QUANTILES = ("p50", "p95", "p99")
CRISIS = ("p50", "p95", "p99", "longest", "everywhere", "lookup.p95")
DEFAULT_N = 100_000
IMPORT_SECONDS = 3_600


def main() -> int:
    """Run what is asked for."""
    options = _options()
    results = Results(re.compile(options.only))
    with tempfile.TemporaryDirectory(prefix="hashpact-bench-") as folder, ExitStack() as ends:
        postgres = PostgresDatabases(Path(folder).name)
        ends.callback(postgres.stop)
        bench = Bench(Path(folder), results, postgres, ends)
        news(Path(folder), results, options.nodes)
        _judging(Path(folder) / "judging", results, options.n)
        for n in [] if _only_news(results) else sorted({min(SMALL, options.n), min(DEFAULT_N, options.n), options.n}):
            bench.measure(n, second=n == options.n)
    results.show()
    results.write(Path(options.output))
    return 0


def news(folder: Path, results: Results, nodes: int) -> None:
    """Measure what needs no large log: signers, witnesses, signed requests, and how fast news goes around."""
    if results.wants(*SIGNERS):
        for name, rate in signer_rates(folder / "signers", results.console.print):
            results.add(name, 0, rate, "1/s")
    if results.wants(*(f"witness.{name}" for name in WITNESS)):
        for name, rate in witness_rates(folder / "witness").items():
            results.add(f"witness.{name}", 0, rate, "1/s")
    _requests(folder, results)
    if results.wants(*(f"crisis.{name}" for name in CRISIS)):
        results.console.print(f"[bold]a crisis among {nodes} nodes[/bold]")
        for name, value in crisis(folder / "crisis", nodes, say=results.console.print).items():
            results.add(f"crisis.{name}", HASHES, value, "1" if name == "everywhere" else "ms")
    for count in CIRCLES:
        names = [f"latency.{count}_nodes.{quantile}" for quantile in QUANTILES]
        if results.wants(*names):
            found = latencies(folder, count)
            for name, quantile in zip(names, QUANTILES, strict=True):
                results.add(name, 0, found[quantile], "ms")


def _judging(folder: Path, results: Results, signals: int) -> None:
    names = [f"judge.{name}" for name in JUDGING]
    if results.wants(*names):
        found = judging_times(folder, signals)
        for name in JUDGING:
            scale = 1 if name.startswith("one.") else 1_000
            results.add(f"judge.{name}", signals, found[name] * scale, "ms")


def _requests(folder: Path, results: Results) -> None:
    for names, prefix, measure in ((COSTS, "requests.", costs), (FLOOD, "requests.flood.", flood)):
        if results.wants(*names):
            found = measure(folder / prefix.strip("."))
            for name in names:
                results.add(name, 0, found[name.removeprefix(prefix)], "1/s" if name.endswith("rate") else "ms")


def _only_news(results: Results) -> bool:
    return results.only.pattern.startswith(("crisis", "judge", "latency", "requests", "signers", "witness"))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=DEFAULT_N, help=f"the largest log, in listings (default {DEFAULT_N})")
    parser.add_argument("--nodes", type=int, default=NODES, help=f"how many nodes share a crisis (default {NODES})")
    parser.add_argument("--only", default=".*", help="a regular expression that the names must match (default all)")
    parser.add_argument("--output", default="bench.json", help="where the figures go (default bench.json)")
    return parser.parse_args()


class Bench:
    """The nodes of a run, in one temporary folder."""

    def __init__(self, folder: Path, results: Results, postgres: PostgresDatabases, ends: ExitStack) -> None:
        self._folder = folder
        self._results = results
        self._postgres = postgres
        self._ends = ends

    def measure(self, n: int, *, second: bool) -> None:
        """Measure everything at one size; ``second`` also a second log of that size into the filled database."""
        self._results.console.print(f"[bold]{n:,} listings[/bold]")
        publisher = self._publisher("acme", n, seed=n)
        last = _last_signals(n, seed=n, count=1)[0]
        if self._results.wants("bootstrap.floor"):
            self._floor(publisher, n)
        other = self._publisher("beta", n, seed=n + 1, quiet=True) if second and self._wants_bootstrap() else None
        for kind in ("sqlite", "postgresql"):
            puller = self._puller(n, kind)
            if self._wants_bootstrap() or kind == "sqlite":
                self._bootstrap(puller, publisher, last, n, kind)
            if other is not None:
                other_last = _last_signals(n, seed=n + 1, count=1)[0]
                found = bootstrap(puller, other, other_last, self._results.console)
                self._results.add(f"bootstrap.second.rate{_suffix(kind)}", n, n / found["seconds"], "1/s")
            if kind == "sqlite":
                self._steady(puller, publisher, n)
        publisher.kill()
        if other is not None:
            other.kill()

    def _wants_bootstrap(self) -> bool:
        return self._results.only.pattern == ".*" or "bootstrap" in self._results.only.pattern

    def _publisher(self, member: str, n: int, *, seed: int, quiet: bool = False) -> TestNode:
        """Make a member, import ``n`` listings into its log, and serve it."""
        node = make_node(self._folder / f"{n}", member)
        material = self._folder / f"{member}-{n}.ndjson"
        with material.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(listing) + "\n" for listing in _material(n, seed))
        start = time.perf_counter()
        done = node.command("import", str(material), "--json", timeout=IMPORT_SECONDS)
        elapsed = time.perf_counter() - start
        if done.returncode:
            raise RuntimeError(f"the import failed: {done.stderr}")
        material.unlink()
        if not quiet:
            self._results.add("import_release.rate", n, n / elapsed, "1/s")
        node.start()
        self._ends.callback(node.kill)
        return node

    def _puller(self, n: int, kind: str) -> TestNode:
        url = self._ends.enter_context(self._postgres.url(empty=True)) if kind == "postgresql" else None
        return make_node(self._folder / f"{n}-{kind}", "gamma", url)

    def _floor(self, publisher: TestNode, n: int) -> None:
        database = open_database(publisher.database_url)
        with database.read() as connection:
            number = publisher.log(publisher).number
            frames = [bundle.data for bundle in stream_bundles(connection, number) if bundle.width == 256]
        database.dispose()
        if frames:
            self._results.add("bootstrap.floor", n, floor_rate(frames)[0], "1/s")

    def _bootstrap(self, puller: TestNode, publisher: TestNode, last: dict[str, str], n: int, kind: str) -> None:
        before = self._size_of(puller, kind)
        found = bootstrap(puller, publisher, last, self._results.console)
        suffix = _suffix(kind)
        rate = n / found["seconds"]
        self._results.add(f"bootstrap.rate{suffix}", n, rate, "1/s")
        floor = self._results.value("bootstrap.floor", n)
        if floor:
            self._results.add(f"bootstrap.rate_to_floor{suffix}", n, rate / floor, "ratio")
        self._results.add(f"bootstrap.peak_memory{suffix}", n, found["memory"], "MB")
        size = (self._size_of(puller, kind) - before) / n
        self._results.add(f"bootstrap.database_bytes{suffix}", n, size, "bytes")

    def _size_of(self, node: TestNode, kind: str) -> int:
        if kind == "postgresql":
            return self._postgres.size(node.database_url)
        return sum(path.stat().st_size for path in node.home.glob("node.sqlite3*") if path.suffix != ".sqlite3-shm")

    def _steady(self, puller: TestNode, publisher: TestNode, n: int) -> None:
        if not self._results.wants(
            "poll.no_news.requests",
            "poll.no_news.bytes",
            "poll.no_news.time",
            "publish_to_release.time",
            "release_to_match.time",
            "match.single.rate",
            "match.batch.rate",
        ):
            return
        puller.start()
        try:
            for name, value in poll_without_news(puller, publisher).items():
                self._results.add(f"poll.no_news.{name}", n, value, {"time": "ms", "bytes": "bytes"}.get(name, "1"))
            times = one_new_hash(puller, publisher)
            self._results.add("publish_to_release.time", n, times["release"], "ms")
            self._results.add("release_to_match.time", n, times["match"], "ms")
            rates = lookup_rates(puller, _last_signals(n, seed=n, count=min(n, 2_000), at=1))
            self._results.add("match.single.rate", n, rates["single"], "1/s")
            self._results.add("match.batch.rate", n, rates["batch"], "1/s")
        finally:
            puller.stop()


def _suffix(kind: str) -> str:
    return "" if kind == "sqlite" else f".{kind}"


def _material(n: int, seed: int) -> Iterator[dict[str, Any]]:
    chance = random.Random(seed)
    return (draft(chance) for _ in range(n))


def _last_signals(n: int, *, seed: int, count: int, at: int = 0) -> list[dict[str, str]]:
    """Give one signal (the first, or the one ``at``) of each of the last ``count`` listings."""
    kept = [listing["signals"][at] for number, listing in enumerate(_material(n, seed)) if number >= n - count]
    return [{"type": signal["type"], "value": signal["value"]} for signal in kept]


if __name__ == "__main__":
    sys.exit(main())
