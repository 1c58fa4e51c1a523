"""Awakening: before a process signs anything, it asks its peers what they hold of its own logs (docs/protocol.md).

A restored copy of the database looks like any other. So whoever wants to sign asks: the process that serves, once after
its start and until somebody answers; a command, only where no process of the same database is awake. What is learned
lies in the database (``services.own_heads``) and keeps everybody from signing until it is read back.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Final

import structlog

from hashpact_node import clock
from hashpact_node.net.fetcher import Fetcher
from hashpact_node.net.peer_cards import PeerCards
from hashpact_node.net.peer_logs import PeerLogs
from hashpact_node.net.stopping import Stop, StoppableFetcher, Stopped
from hashpact_node.services.own_heads import Learned, learn
from hashpact_node.services.own_newer_card import (
    is_newer,
    learn_own_card,
    learn_own_roots,
    must_have_newest,
    newer_roots,
    own_root,
    settle_card,
)
from hashpact_node.store.alarms import clear_alarm, raise_alarm
from hashpact_node.store.awakening import ServingProcess, drop_process, list_processes, put_process
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.locks import HeldLock, Locks
from hashpact_node.store.logs import Log, list_logs
from hashpact_node.store.peers import ACTIVE, Peer, find_own, list_peers
from hashpact_protocol.errors import ConflictError, FetchStatusError, HashpactError, StoreBusyError
from hashpact_protocol.witness import origin_hash

ASLEEP: Final = "signing-waits"
ALONE: Final = "signing-alone"

COMMAND_SECONDS: Final = 5.0
"""How long a command waits for the answers of the peers."""

SERVING_SECONDS: Final = 15.0
"""How long a process that serves waits for them, each time that it asks."""

FIRST_LOOK_SECONDS: Final = 10.0
"""How long whoever wants to sign waits for the first answers after the start of a process that serves."""

HEARTBEAT_SECONDS: Final = 10.0
VOUCHES_SECONDS: Final = 60.0
"""How old the last heartbeat of an awake process may be for others to rely on it."""

VOUCH_KEPT_SECONDS: Final = 5.0
SLOTS: Final = 256
ASKERS_MAX: Final = 16

UNASKED: Final = "has not asked its peers yet"
SIGNS: Final = "signs"
SIGNS_ALONE: Final = "signs ALONE: no peer has said what it knows"
MEND: Final = (
    "it asks again by itself: see whether the network and the peers are up. Only if you are sure that this database is "
    "the newest there is: `hashpact serve --alone`"
)

log = structlog.get_logger(__name__)


def _set_event() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


@contextmanager
def _setting(event: threading.Event) -> Iterator[None]:
    """Set an event after the body, however that ends."""
    try:
        yield
    finally:
        event.set()


@dataclass(slots=True)
class _Answer:
    """What a peer shows: checkpoints of our logs, newer roots, and newer cards by version and targets metadata."""

    notes: list[tuple[Log, bytes]] = field(default_factory=list)
    cards: list[tuple[int, bytes]] = field(default_factory=list)
    roots: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Awakening:
    """Knows whether this process may sign; shared by its threads.

    ``serves`` is set where a thread of this process asks the peers again and again; else whoever needs to sign asks
    here and now. ``alone`` signs without anybody's word: what peers show still counts when they do answer.
    """

    database: Database
    locks: Locks
    fetcher: Fetcher
    now: Callable[[], datetime]
    serves: bool = False
    alone: bool = False
    again_seconds: float = 0.0
    """How long whoever asked here and now, and was not answered, does not ask again."""
    state: str = UNASKED
    _awake: bool = field(default=False, init=False, repr=False)
    _unheard: set[str] = field(default_factory=set, init=False, repr=False)
    _asked_at: float | None = field(default=None, init=False, repr=False)
    _vouched_at: float | None = field(default=None, init=False, repr=False)
    _slot: int = field(default=0, init=False, repr=False)
    _held: HeldLock | None = field(default=None, init=False, repr=False)
    _started_at: int = field(default=0, init=False, repr=False)
    _looked: threading.Event = field(default_factory=_set_event, init=False, repr=False)
    _asking: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def require(self) -> None:
        """Raise ConflictError unless this process may sign: it asked, or an awake process of this database vouches."""
        self.hear()
        with self.database.read() as connection:
            must_have_newest(connection)

    def hear(self) -> None:
        """Raise ConflictError unless a peer has said what it holds of ours, here or to a process that vouches."""
        if not self.is_awake() and not self._is_vouched_for():
            if self.serves:
                self._looked.wait(FIRST_LOOK_SECONDS)
            elif self._asked_at is None or clock.monotonic() - self._asked_at >= self.again_seconds:
                self.look(COMMAND_SECONDS)
                self._asked_at = clock.monotonic()
            if not self._awake:
                raise ConflictError(f"this node signs nothing yet: it {self.state}", mend=MEND)

    def ask_anew(self) -> None:
        """Ask all peers once more before anything else is signed, as about logs that a newer card names."""
        self._awake, self._vouched_at, self._asked_at = False, None, None
        self.state = "has taken its newer card back, and asks its peers about the logs that it names"
        self._looked.clear()
        if not self.serves:
            self._looked.set()

    def is_awake(self) -> bool:
        """Say whether this process has asked, and is on the same database still.

        A serving process that lost its lock lost its session, as by a failover to an older replica: it asks anew.
        """
        if self._awake and self._held is not None and not self._held.is_alive():
            log.warning("the session with the database was lost: nothing is signed before the peers were asked anew")
            self._awake, self.state = False, "lost its database for a moment, and has not asked its peers since"
            self._held = None
        return self._awake

    def look(self, seconds: float) -> bool:
        """Ask every active peer that was not heard yet what it holds of the own logs; whether this process may sign.

        One peer's answer is enough, and "nothing" is one; where there is no peer, there is nobody to ask. Those that
        did not answer are asked again at the next look. Raises StoreError.
        """
        with self._asking, _setting(self._looked):
            peers, logs = self._whom_to_ask()
            wanted = [peer for peer in peers if not self._awake or peer.member in self._unheard]
            heard = self._ask(wanted, logs, seconds)
            with self.database.write() as connection:
                settle_card(connection, now=self.now())
            self._unheard = {peer.member for peer in wanted} - heard
            if peers and not heard and not self._awake and not self.alone:
                names = ", ".join(peer.member for peer in peers)
                self.state = f"waits for a word of its peers on its own logs, and none has answered: {names}"
                with self.database.write() as connection:
                    what = f"this node {self.state}; nothing is signed"
                    raise_alarm(connection, ASLEEP, what, now=self.now(), mend=MEND, peer=_own(connection))
                return False
            if not self._awake:
                self._wake(by_nobody=bool(peers) and not heard)
            return True

    @property
    def unheard(self) -> bool:
        """Whether there are peers that have not answered since this process started."""
        return bool(self._unheard)

    def begin(self) -> None:
        """Take a place among the processes that serve this database; not awake yet."""
        self._started_at = int(self.now().timestamp())
        self._looked.clear()
        for slot in range(SLOTS):
            held = self.locks.try_hold(f"process/{slot}")
            if held is not None:
                self._slot, self._held = slot, held
                self.beat()
                return
        raise StoreBusyError(f"{SLOTS} processes serve this database already", mend="stop some of them")

    def beat(self) -> None:
        """Say that this process lives, and whether it is awake; others rely on it for a minute."""
        awake = self.is_awake()
        if self._held is None:
            self.begin()
            return
        at = int(self.now().timestamp())
        runner = f"{socket.gethostname()}:{os.getpid()}"
        row = ServingProcess(self._slot, self._started_at, at, awake, self.alone, runner, self.state)
        with self.database.write() as connection:
            put_process(connection, row)

    def end(self) -> None:
        """Leave the place; nobody relies on this process any more."""
        self._awake, held, self._held = False, self._held, None
        if held is None:
            return
        try:
            with self.database.write() as connection:
                drop_process(connection, self._slot)
        finally:
            held.release()

    def _wake(self, *, by_nobody: bool) -> None:
        with self.database.write() as connection:
            own = _own(connection)
            clear_alarm(connection, ASLEEP, now=self.now(), peer=own)
            if by_nobody:
                what = "this node signs without having heard from any peer, because it was told --alone"
                mend = "if its database is an old copy, it tells a second story: stop it then"
                raise_alarm(connection, ALONE, what, now=self.now(), mend=mend, peer=own)
                log.warning(what)
            else:
                clear_alarm(connection, ALONE, now=self.now(), peer=own)
        self._awake, self.state = True, SIGNS_ALONE if by_nobody else SIGNS

    def _whom_to_ask(self) -> tuple[list[Peer], list[Log]]:
        with self.database.read() as connection:
            own = find_own(connection)
            if own is None:
                return [], []
            logs = [one for one in list_logs(connection, peer=own.number) if one.named and one.state == "open"]
            return list_peers(connection, states=(ACTIVE,)), logs

    def _ask(self, peers: Sequence[Peer], logs: Sequence[Log], seconds: float) -> set[str]:
        """Ask all peers at once, and take up what they show; give who answered."""
        if not peers:
            return set()
        stop = Stop(seconds=seconds)
        with ThreadPoolExecutor(min(ASKERS_MAX, len(peers)), "awaken") as pool:
            answers = list(pool.map(lambda peer: self._ask_one(peer, logs, stop), peers))
        heard = set()
        for peer, answer in zip(peers, answers, strict=True):
            if answer is None:
                continue
            # Roots first: the cards after them are signed by the keys that they name; and cards before checkpoints,
            # which a newer card may let other keys sign.
            roots = not answer.roots or self._take_up_roots(peer, answer.roots)
            cards = [self._take_up_card(peer, *card) for card in answer.cards]
            notes = [self._take_up(peer, one, note) for one, note in answer.notes]
            if roots and all(cards) and (cards or all(notes)):
                heard.add(peer.member)
        return heard

    def _ask_one(self, peer: Peer, logs: Sequence[Log], stop: Stop) -> _Answer | None:
        """Give what a peer shows of these logs and of our card; None where it did not answer."""
        source = PeerLogs(self.fetcher, stop=stop)
        answer = _Answer()
        try:
            for one in logs:
                note = witnessed(source, peer, one.origin, audience=one.name != one.kind)
                if note is not None:
                    answer.notes.append((one, note))
            self._ask_cards(peer, PeerCards(StoppableFetcher(self.fetcher, stop), peer.url), answer)
        except FetchStatusError as error:
            # Whoever never answered this member need not follow it, and then holds nothing of it. Whoever did once and
            # does so no more may refuse the keys of an old copy of this database: that is no answer.
            if error.status == HTTPStatus.UNAUTHORIZED and peer.last_good_at is None:
                log.info("a peer does not know this member", member=peer.member)
                return _Answer()
            _no_word(peer, error)
            return None
        except (HashpactError, Stopped) as error:
            _no_word(peer, error)
            return None
        return answer

    def _ask_cards(self, peer: Peer, source: PeerCards, answer: _Answer) -> None:
        """Ask for a card of ours that is newer than the one in force here."""
        with self.database.read() as connection:
            own = find_own(connection)
        for card in source.list():
            if own is not None and card.member == own.member:
                with self.database.read() as connection:
                    newer, root = is_newer(connection, card.version), own_root(connection)
                where = f"{peer.member}: roots of {own.member}"
                answer.roots = newer_roots(root, card.root, partial(source.root, own.member), where)
                if newer:
                    answer.cards.append((card.version, source.targets(own.member, card.version)))
                return
        log.debug("a peer knows no card of ours", member=peer.member)

    def _take_up_roots(self, peer: Peer, roots: Sequence[bytes]) -> bool:
        """Take up newer roots of ours; give whether they were."""
        try:
            with self.database.write() as connection:
                learn_own_roots(connection, roots, member=peer.member)
        except HashpactError as error:
            log.warning("a peer shows a root that we never signed", member=peer.member, reason=str(error))
            return False
        log.warning("a peer knows newer roots of ours", member=peer.member, roots=len(roots))
        return True

    def _take_up_card(self, peer: Peer, version: int, targets: bytes) -> bool:
        """Take up a newer card of ours; give whether it was one, for nobody else's word counts."""
        try:
            with self.database.write() as connection:
                learn_own_card(connection, version, targets, member=peer.member, now=self.now())
        except HashpactError as error:
            log.warning("a peer shows a card that we never signed", member=peer.member, reason=str(error))
            return False
        log.warning("a peer knows a newer card of ours", member=peer.member, version=version)
        return True

    def _take_up(self, peer: Peer, one: Log, note: bytes) -> bool:
        """Take up what a peer shows; give whether it was our own word, for nobody else's counts."""
        try:
            with self.database.write() as connection:
                learned = learn(connection, one.number, note, member=peer.member, now=self.now())
        except HashpactError as error:
            log.warning("a peer shows what we never signed", member=peer.member, origin=one.origin, reason=str(error))
            return False
        if learned is not Learned.HELD:
            log.warning("a peer knows more of our log than we do", member=peer.member, origin=one.origin)
        return True

    def _is_vouched_for(self) -> bool:
        """Say whether a process that is awake serves this database now."""
        if self._vouched_at is not None and 0 <= clock.monotonic() - self._vouched_at < VOUCH_KEPT_SECONDS:
            return True
        with self.database.read() as connection:
            processes = list_processes(connection)
        at = self.now().timestamp()
        for process in processes:
            fresh = abs(at - process.heartbeat_at) <= VOUCHES_SECONDS
            # A copy of the database holds the rows of yesterday's processes, but nobody holds their locks on it.
            if process.awake and fresh and self._is_held(process.slot):
                self._vouched_at = clock.monotonic()
                return True
        return False

    def _is_held(self, slot: int) -> bool:
        if self._held is not None and slot == self._slot:
            return False  # that is this process itself
        held = self.locks.try_hold(f"process/{slot}")
        if held is None:
            return True
        held.release()
        return False


def _no_word(peer: Peer, error: HashpactError | Stopped) -> None:
    log.info("a peer does not say what it knows of us", member=peer.member, reason=str(error))


def _own(connection: Connection) -> int | None:
    own = find_own(connection)
    return None if own is None else own.number


def witnessed(source: PeerLogs, peer: Peer, origin: str, *, audience: bool = False) -> bytes | None:
    """Give the checkpoint of a log that a peer cosigned last, or else holds; None where it knows nothing of it.

    Of an ``audience``'s log, a peer that does not read it may say no more than that nobody may have it there.
    """
    nothing = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
    nothing |= {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} if audience else set()
    for place in ("witness", "mirror"):
        try:
            return source.checkpoint(f"{peer.url}/{place}/{origin_hash(origin)}", None).note
        except FetchStatusError as error:
            if error.status not in nothing:
                raise
    return None
