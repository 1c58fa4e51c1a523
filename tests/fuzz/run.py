"""Fuzz every target for a bounded time, guided by coverage: ``make fuzz`` (SECONDS=20 each, ONLY='note card').

Prints what was run and covered. What is found lies in ``.fuzz/found``, and the run ends with 1: add it as a vector, see
it fail there, then mend what it found.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".fuzz"
INPUT_MAX_BYTES = 20_000
"""A little more than the longest entry and the longest note."""


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=20, help="for each target")
    parser.add_argument("--only", default="", help="names of targets, parted by spaces")
    parser.add_argument("--target", help="run this one in this process; what the parent starts")
    return parser.parse_args()


def fuzz(name: str, seconds: int) -> None:
    """Fuzz one target; ends the process."""
    import atheris  # noqa: PLC0415 - only the child of the run needs it, and it may not be there

    sys.path[:0] = [str(ROOT / "tests")]
    with atheris.instrument_imports(include=["hashpact_protocol", "hashpact_keys", "hashpact_node"]):
        from fuzz.targets import TARGETS  # noqa: PLC0415 - what it imports is to be instrumented

    target = TARGETS[name]
    corpus, seeds, found = (HOME / kind / name for kind in ("corpus", "seeds", "found"))
    for folder in (corpus, seeds, found):
        folder.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds():
        (seeds / sha256(seed).hexdigest()[:16]).write_bytes(seed)
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={INPUT_MAX_BYTES}",
        f"-artifact_prefix={found}/",
        "-print_final_stats=1",
        "-timeout=20",
        "-rss_limit_mb=2048",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus), str(seeds)], target.check)
    atheris.Fuzz()


def run(name: str, seconds: int) -> bool:
    """Fuzz one target in a process of its own, and say how it went; True when nothing was found."""
    command = [sys.executable, __file__, "--target", name, "--seconds", str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    executed = re.findall(r"stat::number_of_executed_units: (\d+)", done.stderr)
    covered = re.findall(r"cov: (\d+)", done.stderr)
    print(f"{name:<12} {(executed or ['?'])[-1]:>9} runs, {(covered or ['?'])[-1]:>5} edges", end="")
    if done.returncode == 0:
        print(", nothing found", flush=True)
        return True
    print(f", FAILED ({done.returncode})", flush=True)
    print(done.stdout[-4_000:], done.stderr[-4_000:], sep="\n", file=sys.stderr, flush=True)
    return False


def main() -> int:
    """Fuzz the targets that are asked for."""
    told = arguments()
    if importlib.util.find_spec("atheris") is None:
        print(
            "fuzzing needs the package atheris, which comes with `make install` on Linux for x86-64 alone",
            file=sys.stderr,
        )
        return 1
    if told.target:
        fuzz(told.target, told.seconds)
    sys.path[:0] = [str(ROOT / "tests")]
    from fuzz.targets import TARGETS  # noqa: PLC0415 - the child imports it instrumented

    wanted = told.only.split() or list(TARGETS)
    unknown = set(wanted) - set(TARGETS)
    if unknown:
        print(f"there are no targets {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}", file=sys.stderr)
        return 1
    clean = [run(name, told.seconds) for name in wanted]
    return 0 if all(clean) else 1


if __name__ == "__main__":
    sys.exit(main())
