"""Bootstrap: a node that knows nothing takes a peer's whole log, until its last hash can be matched.

Run as a program, this is the puller: a process of its own, so that its peak memory is its own. It prints one JSON line.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from hashpact_node.assembly import open_node, open_settings
from hashpact_node.cli.log_output import log_to_stderr
from nodes import PASSPHRASE, TestNode

PULLER = Path(__file__)


def bootstrap(puller: TestNode, publisher: TestNode, last: dict[str, str], console: Console) -> dict[str, Any]:
    """Let ``puller`` take the log of ``publisher`` in a process of its own; seconds, memory in MB, entries held."""
    puller.follow(publisher)
    line = [sys.executable, str(PULLER), publisher.member, last["type"], last["value"]]
    environment = puller.environment | {"PYTHONPATH": str(PULLER.parents[1])}
    with (
        subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, text=True) as process,
        Progress(
            TextColumn("  bootstrap"),
            BarColumn(),
            TextColumn("{task.completed:,.0f}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        ) as progress,
    ):
        task = progress.add_task("bootstrap", total=None)
        for text in process.stdout or ():
            told = json.loads(text)
            if "seconds" in told:
                process.wait()
                return dict(told)
            progress.update(task, completed=told["held"], total=told["size"])
    raise RuntimeError(f"the puller ended with {process.returncode} and no result")


def main(arguments: Sequence[str]) -> int:
    """Pull the member named first; then match the signal whose type and value follow."""
    member, kind, value = arguments
    log_to_stderr("json", level="warning")
    node = open_node(open_settings(Path(os.environ["HASHPACT_HOME"])), PASSPHRASE.encode)
    start = time.perf_counter()
    pulled = node.puller.pull(member, progress=lambda held, size: _say(held=held, size=size))
    if pulled.errors:
        raise pulled.errors[0]
    (found,) = node.matcher.match([(kind, value)])
    seconds = time.perf_counter() - start
    if found.action != "review":
        raise RuntimeError(f"the last hash is not matched: {found}")
    node.close()
    memory = [resource.getrusage(who).ru_maxrss / 1_000 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    _say(seconds=seconds, memory=sum(memory), requests=pulled.requests, held=pulled.logs[0].after)
    return 0


def _say(**told: float) -> None:
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
