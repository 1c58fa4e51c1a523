"""Worker processes for bulk reading: started when there is much to do, and kept.

They share nothing with the node but the requests and answers that are passed; two such jobs in two threads would hold
each other up.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker

from hashpact_node.services.batches import Batch, BatchRequest, read_batch_unknown
from hashpact_protocol.errors import HashpactError

BATCHES_BEFORE_REPLACED = 2_000
"""After this many batches a worker process is replaced, so that none of them grows for ever."""


class Workers:
    """Reads batches in other processes; may be shared by threads."""

    def __init__(self, processes: int) -> None:
        """At most ``processes`` of them; none is started yet."""
        self._processes = processes
        self._pool: ProcessPoolExecutor | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start a worker process if none runs, and do not wait for it: it takes a second, and work is about to come."""
        with suppress(RuntimeError), _deaf_to_ctrl_c():  # a broken pool is seen to by ``submit``
            self._running().submit(os.getpid)

    def submit(self, request: BatchRequest) -> Future[Batch]:
        """Read a batch as ``read_batch_unknown`` does, elsewhere and meanwhile; the future raises what it raises.

        Where a worker process was killed, a new pool takes its place, and the batch is read here and now.
        """
        pool = self._running()
        try:
            with _deaf_to_ctrl_c():
                return pool.submit(read_batch_unknown, request)
        except RuntimeError:  # it is broken, or another thread that found it broken has ended it
            self._drop(pool)
            return _done(request)

    def result(self, future: Future[Batch], request: BatchRequest) -> Batch:
        """Wait for a batch; read it here if the process that had it was killed, which ``submit`` finds out next."""
        try:
            return future.result()
        except (BrokenProcessPool, CancelledError):
            return read_batch_unknown(request)

    def close(self) -> None:
        """End the worker processes; a later ``submit`` starts new ones."""
        with self._lock:
            pool = self._pool
        if pool is not None:
            self._drop(pool)

    def _drop(self, pool: ProcessPoolExecutor) -> None:
        with self._lock:
            if self._pool is pool:  # and not yet the one that another thread has started in its place
                self._pool = None
        pool.shutdown(cancel_futures=True)

    def _running(self) -> ProcessPoolExecutor:
        with self._lock:
            if self._pool is None:
                # Not "fork": this process has threads, whose locks a forked child would inherit as they happen to be.
                self._pool = ProcessPoolExecutor(
                    self._processes,
                    mp_context=multiprocessing.get_context("spawn"),
                    initializer=_prepare_worker,
                    max_tasks_per_child=BATCHES_BEFORE_REPLACED,
                )
            return self._pool


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Let processes that this thread starts not hear of Ctrl-C, which they would answer with a traceback at first."""
    resource_tracker.ensure_running()  # where it begins with the first process, it lets SIGINT through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _prepare_worker() -> None:
    # Ctrl-C goes to every process of a terminal; the node itself ends its workers, in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What a batch makes has no cycles, and walking over hundreds of thousands of live objects finds none.
    gc.disable()
    threading.Thread(target=_end_with_parent, name="end-with-parent", daemon=True).start()


def _end_with_parent() -> None:
    """End this worker when the node dies, even by ``kill -9``: it would wait for work from nobody, for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _done(request: BatchRequest) -> Future[Batch]:
    future: Future[Batch] = Future()
    try:
        future.set_result(read_batch_unknown(request))
    except HashpactError as error:
        future.set_exception(error)  # whoever waits for the batch is told, as if it had been read elsewhere
    return future
