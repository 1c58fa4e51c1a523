"""End a pull before its time: on a signal, when its time is over, or when its peer is not wanted any more.

A peer that sends a byte now and then can hold a request for its whole deadline. So requests run in threads that may be
left behind, and whoever waits for one looks every moment whether it still should.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait

from hashpact_node import clock
from hashpact_node.net.fetcher import Answer, Fetcher

MOMENT_SECONDS = 0.2
"""How often somebody who waits looks whether to go on waiting."""

ASK_SECONDS = 1.0
"""How often ``look`` asks whether the work is still wanted, which may cost a query."""


class Stopped(BaseException):
    """The work was told to end; like asyncio.CancelledError no failure, so that nobody handles it as one."""

    def __init__(self, reason: str) -> None:
        """``reason`` is told to people."""
        super().__init__(reason)
        self.reason = reason


class OutOfTimeError(Stopped):
    """The time of the work is over: what was fetched may still be committed."""


class Stop:
    """Says whether some work goes on; may be shared by threads, all but ``look`` and ``before_commit``.

    ``event`` ends it from outside, ``seconds`` are how long it may take, and ``asks`` gives the reason why it is not
    wanted any more, or None. ``headway`` is set by the work once it has committed something.
    """

    def __init__(
        self,
        *,
        seconds: float | None = None,
        event: threading.Event | None = None,
        asks: Callable[[], str | None] = lambda: None,
        monotonic: Callable[[], float] = clock.monotonic,
    ) -> None:
        self._event = event or threading.Event()
        self._asks = asks
        self._monotonic = monotonic
        self._end = None if seconds is None else monotonic() + seconds
        self._asked_at = monotonic()
        self._reason: str | None = None
        self.headway = False

    def check(self) -> None:
        """Raise Stopped, or OutOfTimeError, once the work has to end; costs nothing."""
        self._check_asked()
        if self._end is not None and self._monotonic() >= self._end:
            raise OutOfTimeError("its time is over; the next one goes on where it stopped")

    def look(self) -> None:
        """Do as ``check``, and ask now and then whether the work is still wanted."""
        if self._monotonic() - self._asked_at >= ASK_SECONDS:
            self._ask()
        self.check()

    def before_commit(self) -> None:
        """Raise Stopped if what was fetched must not be committed any more."""
        self._ask()
        self._check_asked()

    def _ask(self) -> None:
        self._asked_at = self._monotonic()
        self._reason = self._reason or self._asks()

    def _check_asked(self) -> None:
        if self._event.is_set():
            raise Stopped("it was told to stop; the next one goes on from there")
        if self._reason is not None:
            raise Stopped(self._reason)


class Abandonable(threading.Thread):
    """A thread that may be left behind: the process ends without it, and what it still gets is nobody's."""

    def __init__(self, work: Callable[[], object], name: str) -> None:
        super().__init__(target=work, name=name, daemon=True)


class StoppableFetcher:
    """Asks peers as a Fetcher does, as long as a Stop lets it: what is being fetched then is left behind."""

    def __init__(self, fetcher: Fetcher, stop: Stop) -> None:
        self._fetcher = fetcher
        self._stop = stop

    def get(
        self, url: str, *, max_bytes: int, deadline_seconds: float, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Return the answer to one GET; raises what Fetcher.get does, and Stopped."""

        def fetch() -> Answer:
            return self._fetcher.get(url, max_bytes=max_bytes, deadline_seconds=deadline_seconds, headers=headers)

        return self._ask(fetch)

    def post(
        self,
        url: str,
        body: bytes,
        *,
        max_bytes: int,
        deadline_seconds: float,
        headers: Mapping[str, str] | None = None,
        whole: bool = True,
    ) -> Answer:
        """Return the answer to one POST; raises what Fetcher.post does, and Stopped."""

        def fetch() -> Answer:
            return self._fetcher.post(
                url, body, max_bytes=max_bytes, deadline_seconds=deadline_seconds, headers=headers, whole=whole
            )

        return self._ask(fetch)

    def _ask(self, fetch: Callable[[], Answer]) -> Answer:
        self._stop.check()
        if isinstance(threading.current_thread(), Abandonable):
            return fetch()
        answer: Future[Answer] = Future()
        Abandonable(lambda: _fulfil(answer, fetch), "ask").start()
        while not wait((answer,), MOMENT_SECONDS).done:
            self._stop.look()
        return answer.result()


def _fulfil(answer: Future[Answer], fetch: Callable[[], Answer]) -> None:
    try:
        answer.set_result(fetch())
    except Exception as error:  # noqa: BLE001 - handed over whole to whoever waits for the answer, and raised there
        answer.set_exception(error)
