"""Fetch numbered things with several threads, ahead of whoever takes them in order, within a budget of bytes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self

from hashpact_node import clock
from hashpact_node.net.peer_logs import BundleAnswer
from hashpact_node.net.stopping import MOMENT_SECONDS, Abandonable, OutOfTimeError, Stop, Stopped
from hashpact_node.services.batches import Frame
from hashpact_protocol.errors import HashpactError
from hashpact_protocol.limits import LIMITS

BATCH_BUNDLES = 192
"""A batch ends at a multiple of this: 49 152 entries, three quarters of what is allowed.

Tried with a log of 1 M listings: larger ones cost 80 MB more at the peak, and smaller ones cost SQLite a tenth of its
speed, since each of them touches nearly every page of the index over the keys.
"""

AHEAD_MAX = 320
AHEAD_MAX_BYTES = 32 * 1024 * 1024
ALL_AHEAD_MAX_BYTES = 128 * 1024 * 1024
"""How much may wait to be taken in the whole process, however many peers are pulled at once."""

PATIENCE_SECONDS = 0.5
"""How long the end of a Prefetcher waits for what is being fetched, before that is left behind."""


class _Waiting:
    """Counts the bytes that wait to be taken, those of all Prefetchers together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.bytes = 0

    def add(self, size: int) -> None:
        with self._lock:
            self.bytes += size


_waiting = _Waiting()


class Prefetcher:
    """Fetches the bundles ``first`` to ``last - 1``; iterate to get them in order, with the error of one at its turn.

    No more than 320 are fetched ahead, and none is begun while 32 MiB wait to be taken, or 128 MiB in the whole
    process, but for the one that is to be taken next. Whoever takes them is told by Stopped when ``stop`` ends it.
    """

    def __init__(
        self,
        fetch: Callable[[int], BundleAnswer],
        first: int,
        last: int,
        *,
        threads: int,
        stop: Stop | None = None,
    ) -> None:
        self._stop = stop or Stop()
        self._fetch = fetch
        self._next, self._taken, self._last = first, first, last
        self._ready: dict[int, BundleAnswer | Exception | Stopped] = {}
        self._bytes = 0
        self._closed = False
        self._change = threading.Condition()
        count = min(threads, last - first)
        self._threads = [Abandonable(self._work, f"fetch-{n}") for n in range(count)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Begin nothing more, and wait a moment for what is being fetched; what takes longer is left behind."""
        with self._change:
            self._closed = True
            self._count(-self._bytes)
            self._change.notify_all()
        told = error is not None and not isinstance(error, (Exception, GeneratorExit))
        end = clock.monotonic() + (0.0 if told else PATIENCE_SECONDS)
        for thread in self._threads:
            thread.join(max(0.0, end - clock.monotonic()))

    def __iter__(self) -> Iterator[tuple[int, BundleAnswer]]:
        while self._taken < self._last:
            number = self._taken
            with self._change:
                ready = self._change.wait_for(lambda: number in self._ready, MOMENT_SECONDS)  # noqa: B023 - at once
                if ready:
                    found = self._ready.pop(number)
                    self._taken += 1
                    if isinstance(found, BundleAnswer):
                        self._count(-len(found.data))
                    self._change.notify_all()
            self._stop.look()
            if not ready:
                continue
            if not isinstance(found, BundleAnswer):
                raise found
            yield number, found

    def _work(self) -> None:
        while (number := self._claim()) is not None:
            try:
                found: BundleAnswer | Exception | Stopped = self._fetch(number)
            except (Exception, Stopped) as error:  # noqa: BLE001 - handed over whole to whoever takes this number
                found = error
            with self._change:
                if self._closed:
                    return
                self._ready[number] = found
                if isinstance(found, BundleAnswer):
                    self._count(len(found.data))
                self._change.notify_all()

    def _claim(self) -> int | None:
        """Wait until one more may be fetched, and give its number; None when there is no more to do."""
        with self._change:
            # Others may make room without a word to us.
            while not self._change.wait_for(
                lambda: self._closed or self._next >= self._last or self._may_begin(), MOMENT_SECONDS
            ):
                pass
            if self._closed or self._next >= self._last:
                return None
            self._next += 1
            return self._next - 1

    def _may_begin(self) -> bool:
        room = self._next == self._taken or _waiting.bytes < ALL_AHEAD_MAX_BYTES
        return room and self._next - self._taken < AHEAD_MAX and self._bytes < AHEAD_MAX_BYTES

    def _count(self, size: int) -> None:
        self._bytes += size
        _waiting.add(size)


class FrameQueue:
    """Cuts the frames that come into batches: up to a multiple of 192 bundles, or 32 MiB as transferred.

    Where a frame cannot be had, or not in time, those before it are a batch still; the error waits for ``check``.
    """

    def __init__(self, frames: Iterator[Frame]) -> None:
        self._frames = frames
        self._waiting: deque[Frame] = deque()
        self._failure: HashpactError | OutOfTimeError | None = None

    def fill(self) -> None:
        """Gather frames until a whole batch waits, or no more can be had."""
        size = 0
        for frame in self._waiting:
            size += len(frame.data)
            if _ends_batch(frame, size):
                return
        try:
            for frame in self._frames:
                self._waiting.append(frame)
                size += len(frame.data)
                if _ends_batch(frame, size):
                    return
        except (HashpactError, OutOfTimeError) as error:
            self._failure = error

    def check(self) -> None:
        """Raise what kept the frames from coming, once all that came are taken."""
        if self._failure is not None:
            raise self._failure

    def take(self) -> list[Frame]:
        """Give the frames of the next batch; none when no more come."""
        self.fill()
        taken: list[Frame] = []
        size = 0
        while self._waiting:
            frame = self._waiting.popleft()
            taken.append(frame)
            size += len(frame.data)
            if _ends_batch(frame, size):
                break
        return taken

    def put_back(self, frames: Sequence[Frame]) -> None:
        """Put back what of the batch before did not fit, so that it comes first."""
        self._waiting.extendleft(reversed(frames))


def _ends_batch(frame: Frame, size: int) -> bool:
    return (frame.number + 1) % BATCH_BUNDLES == 0 or size >= LIMITS.batch_max_bytes
