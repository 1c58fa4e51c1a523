"""What every process that serves does besides.

It asks the peers before it signs, reads back what it lost, and writes down how often something matched.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import structlog

from hashpact_node import clock
from hashpact_node.assembly import Node
from hashpact_node.net.stopping import Stopped
from hashpact_node.services.awakening import HEARTBEAT_SECONDS, SERVING_SECONDS
from hashpact_node.services.match_tally import FLUSH_SECONDS
from hashpact_protocol.errors import HashpactError, StoreBusyError

ASK_SECONDS: Final = 2.0
"""How often the peers are asked while none has answered."""

ASK_REST_SECONDS: Final = 60.0
"""How often those are asked that have not answered, once somebody has."""

RESTORE_SECONDS: Final = 2.0
"""How often it is looked whether something has to be read back."""

RESTORE_AGAIN_SECONDS: Final = 15.0
"""How long a log that could not be read back is left alone."""

CARD: Final = 0
"""Stands for the card among the numbers of logs."""

TOLD_SECONDS: Final = 10.0

log = structlog.get_logger(__name__)


class Waking:
    """Wakes one process of a node, and keeps it so; five threads, since each may have to wait for others."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._stop = threading.Event()
        self._told_at = 0.0
        self._again_at: dict[int, float] = {}
        steps: dict[str, tuple[Callable[[], object], Callable[[], float]]] = {
            "heartbeat": (node.awakening.beat, lambda: HEARTBEAT_SECONDS),
            "awaken": (self._ask, lambda: ASK_REST_SECONDS if node.awakening.is_awake() else ASK_SECONDS),
            "card": (self._restore_card, lambda: RESTORE_SECONDS),
            "restore": (self._restore, lambda: RESTORE_SECONDS),
            "tally": (node.match_tally.flush, lambda: FLUSH_SECONDS),
        }
        self._threads = [
            threading.Thread(target=self._repeat, args=step, name=name, daemon=True) for name, step in steps.items()
        ]

    def start(self) -> None:
        """Begin to ask; until somebody answers, this process signs nothing."""
        self._node.awakening.serves = True
        self._node.awakening.begin()
        for thread in self._threads:
            thread.start()

    def halt(self) -> None:
        """Begin to stop, and wait for nothing."""
        self._stop.set()

    def stop(self) -> None:
        """Stop, and let nobody rely on this process any more."""
        self.halt()
        for thread in self._threads:
            thread.join(SERVING_SECONDS)
        self._node.awakening.end()

    def _repeat(self, step: Callable[[], object], seconds: Callable[[], float]) -> None:
        while not self._stop.is_set():
            try:
                step()
            except Stopped as stopped:
                log.info("reading own entries back was stopped", reason=stopped.reason)
            except StoreBusyError as error:
                log.info("another process is at it", reason=str(error))
            except HashpactError as error:
                log.warning("awakening has to wait", code=error.code, error=str(error))
            except Exception:  # a thread that ended would leave a node that never signs again
                log.exception("awakening broke, and begins anew")
            self._stop.wait(seconds())

    def _ask(self) -> None:
        awakening = self._node.awakening
        before = awakening.is_awake()
        if before and not awakening.unheard:
            return
        if not awakening.look(SERVING_SECONDS):
            log.warning("nothing is signed yet", state=awakening.state)
        elif not before:
            log.info("this process may sign now", state=awakening.state)
        else:
            return
        awakening.beat()

    def _restore(self) -> None:
        for number in self._node.restorer.behind():
            if self._again_at.get(number, 0.0) > clock.monotonic():
                continue
            self._again_at[number] = clock.monotonic() + RESTORE_AGAIN_SECONDS
            self._node.restorer.restore(number, progress=self._tell, event=self._stop)

    def _restore_card(self) -> None:
        """Take our own newer card back, and ask all peers about the logs that it names before they are signed."""
        again_at = self._again_at.get(CARD, 0.0)
        if again_at > clock.monotonic() or not self._node.card_restorer.behind():
            return
        self._again_at[CARD] = clock.monotonic() + RESTORE_AGAIN_SECONDS
        self._node.card_restorer.restore()
        self._node.awakening.ask_anew()
        self._node.awakening.look(SERVING_SECONDS)
        self._node.awakening.beat()

    def _tell(self, held: int, size: int) -> None:
        if clock.monotonic() - self._told_at >= TOLD_SECONDS or held == size:
            self._told_at = clock.monotonic()
            log.info("reading own entries back", held=held, size=size)
