"""The waker: pulls at once what doorbells asked for, in the process that runs the jobs.

A ring may come from anybody who has a checkpoint that its log signed, again and again. So it is bounded: one pull of a
peer at a time, the next after a pause, which grows as long as pulls bring nothing new.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import structlog

from hashpact_node import clock
from hashpact_node.assembly import Node
from hashpact_node.services.card_bell import card_due_ms
from hashpact_node.services.polling import DOORBELL
from hashpact_node.store.doorbells import Ring, list_rings, ring, take_rings
from hashpact_node.store.peers import Peer, get_peer
from hashpact_protocol.errors import HashpactError, StoreBusyError
from hashpact_protocol.follow import Verdict

LOOK_SECONDS: Final = 0.2
PAUSE_SECONDS: Final = 0.3
PAUSE_MAX_SECONDS: Final = 60.0
AGAIN_MILLISECONDS: Final = 200
THREADS: Final = 32

log = structlog.get_logger(__name__)


class Waker:
    """A thread that looks for rings, and threads that pull; ``stop`` ends them, and waits for them."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._stop = threading.Event()
        self._pullers = ThreadPoolExecutor(THREADS, "woken")
        self._guard = threading.Lock()
        self._running: set[str] = set()
        self._asked_meanwhile: set[str] = set()
        """Of whom something is due while a pull runs, so that it is looked again when that ends."""
        self._pauses: defaultdict[str, float] = defaultdict(lambda: PAUSE_SECONDS)
        self._not_before: dict[str, float] = {}
        self._thread = threading.Thread(target=self._watch, name="waker", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking, end the pulls that run, and wait for them."""
        self._stop.set()
        self._node.witness.rung.set()
        self._thread.join()
        self._pullers.shutdown()

    def _watch(self) -> None:
        rung, wait = self._node.witness.rung, 0.0
        while not self._stop.is_set():
            try:
                rung.wait(wait)
                rung.clear()
                wait = self._look()
            except HashpactError as error:
                log.warning("doorbells could not be looked after", error=str(error))
                self._stop.wait(LOOK_SECONDS)
            except Exception:  # a waker that ended would leave a node that only polls
                log.exception("the waker broke, and goes on")
                self._stop.wait(LOOK_SECONDS)

    def _look(self) -> float:
        """Begin a pull of each peer of which a log is due, unless one runs or it is too early.

        Gives in how many seconds to look again: when the next is due, and at the latest when another process of this
        node may have been rung.
        """
        now_ms = int(clock.now().timestamp() * 1_000)
        with self._node.database.read() as connection:
            rings = list_rings(connection)
        over = [one.log for one in rings if one.is_over]
        if over:
            with self._node.database.write() as connection:
                take_rings(connection, over)
        due: defaultdict[str, list[Ring]] = defaultdict(list)
        wait = LOOK_SECONDS
        for one in rings:
            if one.is_over:
                continue
            seconds = max((one.due_ms - now_ms) / 1_000, self._early_by(one.member))
            if seconds > 0.0:
                wait = min(wait, seconds)
            else:
                due[one.member].append(one)
        for member, asked in due.items():
            with self._guard:
                if member in self._running:
                    self._asked_meanwhile.add(member)
                    continue
                self._running.add(member)
                self._not_before[member] = clock.monotonic() + self._pauses[member]
            self._pullers.submit(self._pull, member, asked)
        return wait

    def _early_by(self, member: str) -> float:
        with self._guard:
            return self._not_before.get(member, 0.0) - clock.monotonic()

    def _pull(self, member: str, asked: list[Ring]) -> None:
        """Pull what was asked for; what is asked for meanwhile is asked for anew."""
        try:
            self._pull_now(member, asked)
        except HashpactError as error:
            log.info("a doorbell was answered in vain", member=member, code=error.code, error=str(error))
            self._wait_longer(member)
        except Exception:  # polling goes on
            log.exception("answering a doorbell broke", member=member)
            self._wait_longer(member)
        finally:
            with self._guard:
                self._running.discard(member)
                again = member in self._asked_meanwhile
                self._asked_meanwhile.discard(member)
            if again:
                self._node.witness.rung.set()

    def _pull_now(self, member: str, asked: list[Ring]) -> None:
        with self._node.database.write() as connection:
            take_rings(connection, [one.log for one in asked])
        # A new card may name other logs.
        newer = [one for one in asked if one.card_is_newer]
        sequences = None if newer else frozenset(one.sequence for one in asked)
        try:
            pulled = self._node.puller.pull(member, stop=self._stop, by=DOORBELL, sequences=sequences)
        except StoreBusyError:
            # It is being pulled already; whether that sees what was rung for is known when it is over.
            self._ask_again(asked)
            return
        if any(polled.verdict == Verdict.WAITING.value for polled in pulled.logs):
            # Cosignatures that come late ring nobody's bell.
            self._ask_again(asked)
        with self._node.database.read() as connection:
            peer = get_peer(connection, member)
        if newer and peer.card_version == newer[0].accepted_card:
            self._look_again(peer, newer)
        if any(polled.after > polled.before for polled in pulled.logs) or (
            newer and peer.card_version != newer[0].accepted_card
        ):
            with self._guard:
                self._pauses[member] = PAUSE_SECONDS
        else:
            self._wait_longer(member)

    def _look_again(self, peer: Peer, newer: list[Ring]) -> None:
        """Ask again for a newer card where it was too early to look for it; who was told wrongly asks no further."""
        now = clock.now()
        at_ms = card_due_ms(peer, now)
        if at_ms > int(now.timestamp() * 1_000):
            with self._node.database.write() as connection:
                for one in newer:
                    ring(connection, one.log, size=0, due_ms=at_ms, card=one.card)

    def _ask_again(self, asked: list[Ring]) -> None:
        again = int(clock.now().timestamp() * 1_000) + AGAIN_MILLISECONDS
        with self._node.database.write() as connection:
            for one in asked:
                ring(connection, one.log, size=one.size, due_ms=again, card=one.card)

    def _wait_longer(self, member: str) -> None:
        with self._guard:
            self._pauses[member] = min(self._pauses[member] * 2, PAUSE_MAX_SECONDS)
            self._not_before[member] = clock.monotonic() + self._pauses[member]
