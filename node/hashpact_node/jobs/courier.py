"""The courier: brings webhooks what is due, in the process that runs the jobs.

Each endpoint has a thread while something is on its way to it, so that one that hangs holds up no other, and never two,
so that it is told in order. What is on its way when the process stops is sent again, under the same id.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import structlog

from hashpact_node.assembly import Node
from hashpact_node.net.stopping import Stop, Stopped
from hashpact_node.services.webhooks import WEBHOOKS_MAX
from hashpact_protocol.errors import HashpactError

LOOK_SECONDS: Final = 0.5

log = structlog.get_logger(__name__)


class Courier:
    """A thread that looks for what is due, and threads that deliver it; ``stop`` ends them, and waits for them."""

    def __init__(self, node: Node) -> None:
        self._delivery = node.webhook_delivery
        self._stop = threading.Event()
        self._carriers = ThreadPoolExecutor(WEBHOOKS_MAX, "courier")
        self._guard = threading.Lock()
        self._running: set[int] = set()
        self._thread = threading.Thread(target=self._watch, name="courier", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking, leave behind what is on its way, and wait for the threads, which end within a moment."""
        self._stop.set()
        self._thread.join()
        self._carriers.shutdown()

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                self._look()
            except HashpactError as error:
                log.warning("webhooks could not be looked after", error=str(error))
            except Exception:  # a courier that ended would leave receivers that are told nothing
                log.exception("the courier broke, and goes on")
            self._stop.wait(LOOK_SECONDS)

    def _look(self) -> None:
        for number in self._delivery.due():
            with self._guard:
                if number in self._running:
                    continue
                self._running.add(number)
            self._carriers.submit(self._carry, number)

    def _carry(self, number: int) -> None:
        """Deliver batch after batch, as long as they are taken."""
        stop = Stop(event=self._stop)
        try:
            while self._delivery.deliver(number, stop):
                stop.check()
        except Stopped:
            log.debug("a webhook was left behind", webhook=number)
        except HashpactError as error:
            log.warning("a webhook could not be delivered", webhook=number, code=error.code, error=str(error))
        except Exception:  # the next look tries again
            log.exception("delivering a webhook broke", webhook=number)
        finally:
            with self._guard:
                self._running.discard(number)
