"""Gathering cosignatures before a checkpoint is shown, and ringing at its readers afterwards (docs/protocol.md).

One request a peer and log is in flight. Whoever finds a line busy leaves the newest checkpoint there, and the thread
that has the line sends it afterwards: no thread ever waits for another's slow peer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import structlog

from hashpact_node import clock
from hashpact_node.net.fetcher import Fetcher
from hashpact_node.net.peer_witness import ADD_CHECKPOINT_SECONDS, Behind, PeerWitness
from hashpact_node.services.entries import EntryReader
from hashpact_node.services.log_trust import active_cards
from hashpact_node.services.readers import readers_of
from hashpact_node.services.views import own_peer
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.logs import Log, get_log, move_accepted
from hashpact_node.store.peers import Peer
from hashpact_protocol.card import Card
from hashpact_protocol.errors import HashpactError, SignatureError, StoreMovedError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merkle import consistency_proof
from hashpact_protocol.names import MemberUrl
from hashpact_protocol.notes import Note, NoteSignature, cosignatures, format_note, parse_checkpoint, parse_note
from hashpact_protocol.witness import format_add_checkpoint, parse_signatures

GATHER_SECONDS: Final = 1.0
BELL_SECONDS: Final = 5.0
OTHERS_MAX: Final = LIMITS.note_signatures_max - 3
"""Cosignatures of others on a checkpoint, beside our own and those of the log: two while its key is rotated."""

SPARES: Final = 6
"""How many peers more than are wanted are asked before a release; of fifty, all but a few would be asked in vain."""

THREADS: Final = 32
GATHER_PAUSE_MAX_SECONDS: Final = 300.0
BELL_PAUSE_MAX_SECONDS: Final = 10.0
RING_AGAIN_SECONDS: Final = 1.0
"""When a bell that was not heard rings again for the first time; each next time takes twice as long."""

RINGS_MAX: Final = 5
"""After so many failures in a row a reader is left to its polling, until it is rung for the next release."""

told = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Failures:
    """How often in a row something failed, after which it is left alone for a while, ``longest`` at most."""

    longest: float
    count: int = 0
    last_at: float = 0.0

    def one_more(self) -> None:
        self.count, self.last_at = self.count + 1, clock.monotonic()

    def were_lately(self) -> bool:
        pause = min(2.0 ** min(self.count, 16), self.longest)
        return self.count > 0 and clock.monotonic() - self.last_at < pause


@dataclass(slots=True)
class _Line:
    """The way to one peer's witness about one log. ``size`` is what it answered last."""

    member: str
    size: int | None = None
    releases: _Failures = field(default_factory=lambda: _Failures(GATHER_PAUSE_MAX_SECONDS))
    bells: _Failures = field(default_factory=lambda: _Failures(BELL_PAUSE_MAX_SECONDS))
    """Counted apart: who was too slow for a release is rung at all the same, and its cosignature comes late."""

    busy: bool = False
    busy_since: float = 0.0
    newest: _Job | None = None
    seconds: float = 0.0
    """How long it took to answer last; who was never asked counts as quick, so that it is found out."""

    heard: int = 0
    """The largest size for which its bell was heard."""

    later: _Job | None = None
    """The newest bell that rings again after a while, since it was not heard."""

    guard: threading.Lock = field(default_factory=threading.Lock)

    def is_waited_for(self) -> bool:
        """Say whether a release may wait for it: not where it is stuck, or failed lately."""
        return not self._is_stuck() and not self.releases.were_lately()

    def is_rung(self) -> bool:
        """Say whether its bell is rung: where it is stuck, what is newest is sent when it goes on."""
        return self._is_stuck() or not self.bells.were_lately()

    def answered(self, seconds: float, *, bell: bool) -> None:
        """Forget what failed; who answers a bell, but slowly, would still be too slow for a release."""
        self.bells.count, self.seconds = 0, seconds
        if not bell or seconds <= ADD_CHECKPOINT_SECONDS:
            self.releases.count = 0

    def failed(self, *, bell: bool) -> None:
        self.releases.one_more()
        if bell:
            self.bells.one_more()

    def _is_stuck(self) -> bool:
        return self.busy and clock.monotonic() - self.busy_since > GATHER_SECONDS


@dataclass(frozen=True, slots=True)
class _Job:
    """One checkpoint on its way to one peer; ``done`` is told the peer's cosignature, or None."""

    peer: Peer
    card: Card
    log: int
    note: Note
    shown_size: int
    seconds: float
    done: Callable[[str, NoteSignature | None], None]
    own_card: int | None = None
    """The version of our card, where the peer is to hear that it may be new."""

    bell: bool = False
    """Whether it is shown already, and this rings at a reader."""

    @property
    def size(self) -> int:
        """The size of the checkpoint."""
        return parse_checkpoint(self.note.text).size


class _Gathering:
    """The cosignatures that have come, for one thread to wait for and others to bring."""

    def __init__(self, members: Iterable[str], wanted: int) -> None:
        self._open = set(members)
        self._wanted = wanted
        self._found: dict[str, NoteSignature] = {}
        self._changed = threading.Condition()

    def bring(self, member: str, line: NoteSignature | None) -> None:
        with self._changed:
            self._open.discard(member)
            if line is not None:
                self._found[member] = line
            self._changed.notify_all()

    def wait(self, seconds: float) -> dict[str, NoteSignature]:
        with self._changed:
            self._changed.wait_for(lambda: not self._open or len(self._found) >= self._wanted, seconds)
            return dict(self._found)


@dataclass(slots=True)
class WitnessLines:
    """Sends checkpoints of our own logs to the witnesses of our peers; may be shared by threads."""

    database: Database
    fetcher: Fetcher
    now: Callable[[], datetime]
    wanted: int
    seconds: float = GATHER_SECONDS
    _lines: dict[tuple[str, int], _Line] = field(default_factory=dict, init=False, repr=False)
    _guard: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _askers: ThreadPoolExecutor = field(init=False, repr=False)
    _ringers: ThreadPoolExecutor = field(init=False, repr=False)
    _timers: set[threading.Timer] = field(default_factory=set, init=False, repr=False)
    _closed: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        self._askers = ThreadPoolExecutor(THREADS, "gather")
        self._ringers = ThreadPoolExecutor(THREADS, "doorbell")

    def gather(self, log: Log, note: Note, have: tuple[NoteSignature, ...] = ()) -> tuple[NoteSignature, ...]:
        """Give cosignatures of peers on a signed checkpoint that is not shown yet, those at hand first.

        Asked are those that answered the quickest lately, a few more than are wanted; the others hear of it by the
        doorbell, and cosign then. It waits until there are as many as wanted, or all have answered, or for a second.
        Where nobody can be asked it takes no time.
        """
        with self.database.read() as connection:
            peers = _witnesses(connection, log)
        have = tuple(line for line in have if not _is_of_the_past(line, peers))
        if len(have) >= self.wanted:
            return have[:OTHERS_MAX]
        lines = {peer.member: self._line(peer.member, log.number) for peer, _ in peers}
        # Who failed lately is left alone, so that one peer that is down does not make every release wait.
        there = {(line.name, line.key_id) for line in have}
        asked = [
            (peer, card)
            for peer, card in peers
            if lines[peer.member].is_waited_for()
            and not any((one.key.name, one.key.key_id) in there for one in card.witness_keys)
        ]
        missing = self.wanted - len(have)
        asked = sorted(asked, key=lambda one: lines[one[0].member].seconds)[: missing + SPARES]
        gathering = _Gathering([peer.member for peer, _ in asked], missing)
        for peer, card in asked:
            job = _Job(peer, card, log.number, note, log.accepted_size, ADD_CHECKPOINT_SECONDS, gathering.bring)
            self._askers.submit(self._send, lines[peer.member], job)
        found = gathering.wait(self.seconds) if asked else {}
        new = [line for line in found.values() if (line.name, line.key_id) not in there]
        return (*have, *new)[:OTHERS_MAX]

    def ring(self, log: int) -> None:
        """Send what is shown of a log to all its readers, who pull at once; nobody waits for it."""
        with self.database.read() as connection:
            row = get_log(connection, log)
            peers = _witnesses(connection, row)
            own_card = own_peer(connection).card_version
        if row.accepted_note is None:
            return
        note = parse_note(row.accepted_note)

        def late(_member: str, line: NoteSignature | None) -> None:
            if line is not None:
                self._show_late(log, note.text, line)

        for peer, card in peers:
            line = self._line(peer.member, log)
            job = _Job(peer, card, log, note, row.accepted_size, BELL_SECONDS, late, own_card, bell=True)
            if line.is_rung():
                self._ringers.submit(self._send, line, job)
            else:
                self._ring_later(line, job)

    def close(self) -> None:
        """Wait for what is on its way, which ends by its deadlines; what was to ring again does not."""
        with self._guard:
            self._closed = True
            for timer in self._timers:
                timer.cancel()
        self._askers.shutdown()
        self._ringers.shutdown()

    def _line(self, member: str, log: int) -> _Line:
        with self._guard:
            return self._lines.setdefault((member, log), _Line(member))

    def _ring_later(self, line: _Line, job: _Job) -> None:
        """Ring again after a while, for what is newest then, unless that was in vain too often."""
        if line.bells.count > RINGS_MAX:
            return
        with line.guard:
            waits, line.later = line.later is not None, job
        if waits:
            return
        pause = min(RING_AGAIN_SECONDS * 2.0 ** max(0, line.bells.count - 1), BELL_PAUSE_MAX_SECONDS)
        timer = threading.Timer(pause, lambda: self._ring_again(line, timer))
        timer.daemon = True
        with self._guard:
            if not self._closed:
                self._timers.add(timer)
                timer.start()

    def _ring_again(self, line: _Line, timer: threading.Timer) -> None:
        with line.guard:
            job, line.later = line.later, None
        with self._guard:
            self._timers.discard(timer)
            if job is None or self._closed or line.heard >= job.size:
                return
            self._ringers.submit(self._send, line, job)

    def _send(self, line: _Line, job: _Job) -> None:
        """Send a checkpoint, unless one is on its way: then that thread sends the newest afterwards."""
        next_job: _Job | None = None
        with line.guard:
            skipped = None
            if line.busy:
                skipped, line.newest = line.newest, job
            else:
                next_job, line.busy = job, True
                line.busy_since = clock.monotonic()
        if skipped is not None:
            skipped.done(line.member, None)
        while next_job is not None:
            self._send_one(line, next_job)
            with line.guard:
                next_job, line.newest = line.newest, None
                line.busy = next_job is not None
                line.busy_since = clock.monotonic()

    def _send_one(self, line: _Line, job: _Job) -> None:
        """Ask one peer about one checkpoint; whatever goes wrong is written down, and the line goes on."""
        found, start = None, clock.monotonic()
        try:
            found = self._ask(line, job)
            line.answered(clock.monotonic() - start, bell=job.bell)
            if job.bell:
                line.heard = max(line.heard, job.size)
        except HashpactError as error:
            line.failed(bell=job.bell)
            told.info("a witness could not be asked", member=line.member, code=error.code, error=str(error))
            if job.bell:
                self._ring_later(line, job)
        except Exception:  # noqa: BLE001 - a line that stayed busy would never send anything again
            line.failed(bell=job.bell)
            told.exception("asking a witness broke", member=line.member)
        job.done(line.member, found)

    def _ask(self, line: _Line, job: _Job) -> NoteSignature | None:
        witness = PeerWitness(self.fetcher, job.peer.url)
        size = job.size
        for old in (job.shown_size if line.size is None else line.size, None):
            start = line.size if old is None else old
            if start is None or start > size:
                return None
            with self.database.read() as connection:
                proof = consistency_proof(start, size, EntryReader(connection).tree(job.log, size).node)
            body = format_add_checkpoint(start, tuple(proof), format_note(job.note))
            answer = witness.add_checkpoint(body, deadline_seconds=job.seconds, card=job.own_card)
            if not isinstance(answer, Behind):
                line.size = size
                return valid_cosignature(job.card, job.note.text, answer.data, self.now())
            line.size = answer.size
        return None

    def _show_late(self, log: int, text: bytes, line: NoteSignature) -> None:
        """Add a cosignature that came after its checkpoint was shown, as long as there is room for it.

        Also where as many were shown as were waited for: a reader's own does not count for itself, so that one that
        asks for as many may need another.
        """
        try:
            with self.database.write() as connection:
                row = get_log(connection, log, lock=True)
                note = parse_note(row.accepted_note or b"")
                known = {(one.name, one.key_id) for one in note.signatures}
                # One place is kept for a second signature of the log, while its key is rotated.
                full = not self.wanted or len(note.signatures) >= LIMITS.note_signatures_max - 1
                if full or note.text != text or (line.name, line.key_id) in known:
                    return
                more = format_note(Note(note.text, (*note.signatures, line)))
                size, root = row.accepted_size, row.accepted_root
                move_accepted(connection, log, old_size=size, new_size=size, root=root, note=more)
        except StoreMovedError:
            told.info("a late cosignature came after the next release", log=log)
        except HashpactError as error:
            told.warning("a late cosignature could not be shown", log=log, error=str(error))


def valid_cosignature(card: Card, text: bytes, answer: bytes, now: datetime) -> NoteSignature | None:
    """Find the cosignature on ``text`` in a witness's answer that counts by the member's card; NoteError.

    SignatureError where the answer holds none: lines of unknown keys are ignored, wrong ones and old ones are none.
    """
    lines = parse_signatures(answer, text)
    latest = now.timestamp() + LIMITS.clock_skew_seconds
    for witness in card.witness_keys:
        for line in lines:
            try:
                signed = cosignatures(Note(text, (line,)), (witness.key,))
            except SignatureError:
                continue
            since, until = witness.valid_from.timestamp(), min(witness.valid_until.timestamp(), latest)
            if any(since <= one.timestamp <= until for one in signed):
                return line
    raise SignatureError("the witness answered without a cosignature by a key in its member's card", where=card.url)


def _is_of_the_past(line: NoteSignature, peers: Iterable[tuple[Peer, Card]]) -> bool:
    """Say whether a cosignature counts no more: its member's card names its key no longer."""
    for _, card in peers:
        if line.name.startswith(f"{MemberUrl.parse(card.url).prefix}/"):
            return all((line.name, line.key_id) != (one.key.name, one.key.key_id) for one in card.witness_keys)
    return False


def _witnesses(connection: Connection, log: Log) -> list[tuple[Peer, Card]]:
    """Give the peers that may read one of our logs and whose cards name a witness."""
    readers = readers_of(connection, log)
    peers = [(peer, card) for peer, card in active_cards(connection) if card.witness_keys]
    return peers if readers is None else [(peer, card) for peer, card in peers if peer.member in readers]
