from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from follower import Follower
from hashpact_node.services.batches import BatchRequest, Frame, read_batch_unknown
from hashpact_node.services.workers import Workers
from hashpact_protocol.errors import EntriesError
from hashpact_protocol.policy import Action
from hashpact_protocol.statements import encode_statement
from hashpact_protocol.tiles import encode_bundle
from members import listing, sha256, withdrawal
from nodes import wait_until
from publisher import Publisher

REQUEST = BatchRequest(
    1, 1, "listings", (Frame(0, 1, encode_bundle([encode_statement(listing(1, sha256(1)))]), "identity"),)
)


@pytest.fixture(scope="module")
def shared() -> Iterator[Workers]:
    """Workers that were started once for the tests of this file; whoever kills one leaves a new one to be started."""
    workers = Workers(1)
    yield workers
    workers.close()


def kill(workers: Workers) -> None:
    assert workers._pool is not None
    for process in list(workers._pool._processes.values()):
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)


def test_a_batch_is_read_elsewhere_as_it_is_read_here(shared: Workers) -> None:
    assert shared.result(shared.submit(REQUEST), REQUEST) == read_batch_unknown(REQUEST)
    assert shared._pool is not None
    assert os.getpid() not in shared._pool._processes


def test_a_worker_is_started_ahead_of_its_work() -> None:
    workers = Workers(1)
    workers.start()
    assert workers._pool is not None
    (process,) = workers._pool._processes.values()
    assert workers.result(workers.submit(REQUEST), REQUEST) == read_batch_unknown(REQUEST)
    assert list(workers._pool._processes.values()) == [process]
    kill(workers)
    process.join()
    workers.start()
    # Whether the pool knows already that it is broken, or only the batch finds out, the batch is read.
    assert workers.result(workers.submit(REQUEST), REQUEST) == read_batch_unknown(REQUEST)
    workers.close()


PARENT = """
import os, time
from hashpact_node.services.workers import Workers
if __name__ == "__main__":
    workers = Workers(1)
    print(workers._running().submit(os.getpid).result(), flush=True)
    time.sleep(600)
"""


def test_a_worker_ends_with_a_node_that_is_killed(tmp_path: Path) -> None:
    program = tmp_path / "parent.py"
    program.write_text(PARENT)
    with subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        parent.kill()
    wait_until(lambda: not runs(worker))


def runs(process: int) -> bool:
    """Say whether a process is there, and more than an entry that nobody has collected."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_an_error_comes_back_whole(shared: Workers) -> None:
    frame = Frame(3, 1, REQUEST.frames[0].data, "identity", root=bytes(32))
    request = BatchRequest(1, 1, "listings", (frame,))
    with pytest.raises(EntriesError) as caught:
        shared.result(shared.submit(request), request)
    assert caught.value.where == "bundle 3"


def test_a_killed_worker_costs_nothing_but_time(shared: Workers) -> None:
    first = shared.submit(REQUEST)
    first.result()
    kill(shared)
    lost = shared.submit(REQUEST)
    assert shared.result(lost, REQUEST) == first.result()
    assert shared.result(shared.submit(REQUEST), REQUEST) == first.result()


def test_what_was_killed_while_it_read_is_read_here() -> None:
    workers = Workers(1)
    future = workers.submit(REQUEST)  # its process is only just being started
    while not workers._pool or not workers._pool._processes:
        time.sleep(0.001)
    kill(workers)
    assert workers.result(future, REQUEST) == read_batch_unknown(REQUEST)
    with pytest.raises(BrokenProcessPool):
        future.result()
    wrong = BatchRequest(1, 1, "listings", (Frame(3, 1, REQUEST.frames[0].data, "identity", root=bytes(32)),))
    with pytest.raises(EntriesError):
        workers.result(workers.submit(wrong), wrong)
    workers.close()
    workers.close()


def test_one_who_finds_the_pool_broken_leaves_the_new_one_alone(shared: Workers) -> None:
    """Two pulls that share the workers find out one after the other that a process was killed."""
    shared.submit(REQUEST).result()
    broken = shared._pool
    assert broken is not None
    kill(shared)
    while not broken._broken:
        time.sleep(0.001)
    shared.submit(REQUEST).result()  # the first finds out, and drops the pool
    shared.submit(REQUEST).result()  # a new one is started
    fresh = shared._pool
    assert fresh is not broken
    shared._drop(broken)  # the second finds out
    assert shared._pool is fresh
    assert shared.result(shared.submit(REQUEST), REQUEST) == read_batch_unknown(REQUEST)


def test_a_long_log_is_pulled_through_worker_processes_that_are_killed(
    sqlite_follower: Follower, publisher: Publisher, shared: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashpact_node.services.catch_up.ENTRIES_ALONE", 300)
    for module in ("catch_up", "prefetch"):
        monkeypatch.setattr(f"hashpact_node.services.{module}.BATCH_BUNDLES", 2)
    publisher.log.append(*(listing(number, sha256(number)) for number in range(1_300)), withdrawal(5_000, 3))
    sqlite_follower.add(publisher)
    shared.submit(REQUEST).result()

    def told(held: int, _size: int) -> None:
        if held == 512:
            kill(shared)

    pulled = sqlite_follower.make_puller(shared).pull(publisher.member, progress=told)
    assert pulled.errors == []
    assert sqlite_follower.held(publisher) == 1_301
    assert sqlite_follower.live(publisher) == [number for number in range(1_300) if number != 3]
    assert sqlite_follower.action(sha256(3)) == Action.NONE


def test_the_first_worker_of_a_process_is_deaf_to_ctrl_c_from_its_beginning() -> None:
    """While it still imports it would answer with a traceback, in the middle of what the node says."""
    program = (
        "from pathlib import Path\n"
        "from hashpact_node.services.workers import Workers\n"
        "if __name__ == '__main__':\n"
        "    workers = Workers(1)\n"
        "    workers.start()\n"
        "    for child in workers._pool._processes:\n"
        "        print(Path(f'/proc/{child}/status').read_text())\n"
        "    workers.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    (blocked,) = (int(line.split()[1], 16) for line in done.stdout.splitlines() if line.startswith("SigBlk"))
    assert blocked & 1 << signal.SIGINT - 1
