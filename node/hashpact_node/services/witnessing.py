"""This node as a witness (C2SP tlog-witness): it cosigns that a log has only grown, and rings for a pull.

A push can say "look now" and nothing else: it costs a bounded check, and never touches the health of a peer.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import structlog

from hashpact_node.net.rates import Budgets
from hashpact_node.services.card_bell import hear_card
from hashpact_node.services.cosigning import Cosigner, line_by, made_at, witnessed_note
from hashpact_node.services.entries import EntryReader
from hashpact_node.services.log_trust import card_of, log_trust
from hashpact_node.services.own_heads import learn
from hashpact_node.services.problems import alarm_about
from hashpact_node.services.readers import is_open_to
from hashpact_node.store.alarms import raise_alarm
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.doorbells import find_ring, ring
from hashpact_node.store.logs import Log, find_log, find_log_by_hash, get_log, move_cosigned
from hashpact_node.store.peers import ACTIVE, Peer, get_peer
from hashpact_protocol.errors import (
    ASK_WHICH_STORY,
    ConsistencyError,
    ForkError,
    NotFoundError,
    RequestError,
    VerificationError,
)
from hashpact_protocol.follow import Head, LogTrust, check_log_signatures
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.notes import NoteSignature
from hashpact_protocol.witness import AddCheckpoint, check_growth, parse_add_checkpoint

REUSED_SECONDS: Final = 60
"""How long a cosignature is given again for the same checkpoint, before another is made."""

UNSHOWN_MILLISECONDS: Final = 1_500
"""How long after a checkpoint that its publisher has not cosigned yet a pull is due: it gathers for a second."""

WORK_PER_SECOND: Final = 20.0
WORK_BURST: Final = 60.0
FORKS_REMEMBERED: Final = 256
OWN_AHEAD: Final = "own-log-ahead"
SOMEBODY: Final = "whoever sent it"
"""Who showed a checkpoint of our own by add-checkpoint: it counts because our key signed it."""

told = structlog.get_logger(__name__)

OnFork = Callable[[Log, ForkError], object]
"""Told of two stories that a log has signed, once a checkpoint and process."""


@dataclass(frozen=True, slots=True)
class Cosigned:
    """The cosignatures of this node on what was sent."""

    lines: tuple[NoteSignature, ...]


@dataclass(frozen=True, slots=True)
class Stands:
    """The proof sent does not start from what is cosigned here, which are ``size`` entries."""

    size: int


@dataclass(frozen=True, slots=True)
class Busy:
    """Whoever asks has asked too much about this log; in ``seconds`` there is time for more."""

    seconds: float


@dataclass(frozen=True, slots=True)
class _Known:
    """What the database says of a log when a checkpoint comes in."""

    log: Log
    peer: Peer
    trust: LogTrust
    asker: str | None

    @property
    def payer(self) -> tuple[str | None, str]:
        """Whose budget what is asked about this log is on: nobody asks at another's expense."""
        return self.asker, self.log.origin

    @property
    def latest(self) -> Head:
        return Head(self.log.cosigned_size, self.log.cosigned_root)


@dataclass(slots=True)
class Witness:
    """Cosigns checkpoints of followed logs and of our own; may be shared by threads, and by processes on one database.

    ``rung`` is set when a pull was asked for, for a waker in the same process. ``work`` bounds what is signed and
    written for one member about one log, ``looking`` what is looked up for forks.
    """

    database: Database
    cosigner: Cosigner
    now: Callable[[], datetime]
    on_fork: OnFork | None = None
    work: Budgets = field(default_factory=lambda: Budgets(per_second=WORK_PER_SECOND, burst=WORK_BURST))
    looking: Budgets = field(default_factory=lambda: Budgets(per_second=WORK_PER_SECOND, burst=WORK_BURST))
    rung: threading.Event = field(default_factory=threading.Event, init=False)
    _forks: OrderedDict[bytes, None] = field(default_factory=OrderedDict, init=False, repr=False)

    def add_checkpoint(
        self, body: bytes, card: int | None = None, *, asker: str | None = None
    ) -> Cosigned | Stands | Busy:
        """Answer one add-checkpoint request, its checks in the order that tlog-witness has.

        ``card`` is the version that whoever asks says its publisher's card to have: reason to look, and nothing more.
        ``asker`` is the member that asks: an audience's log is not for everybody (``services.readers``).

        Raises ProofError and NoteError for a malformed body (400), NotFoundError for an unknown origin (404),
        SignatureError unless a key of the log signed it, and nobody of the publisher wrongly (403), RequestError for an
        old size above the new one (400), VerificationError and ConsistencyError for a checkpoint that does not continue
        the latest cosigned one (422), KeyUnavailableError and StoreError.
        """
        request = parse_add_checkpoint(body)
        # Also where the log or its key is unknown: a new card is what may name it.
        if card is not None and self._hears_card(request.checkpoint.origin, card, asker):
            self.rung.set()
        with self.database.read() as connection:
            known = _find(connection, request.checkpoint.origin, asker)
        check_log_signatures(request.parsed, known.trust)
        size = request.checkpoint.size
        if request.old > size:
            raise RequestError(
                f"the old size {request.old} is larger than the checkpoint's, {size}",
                where=known.log.origin,
                mend="send the size that this witness cosigned last; it is in its answer with status 409",
            )
        self._look_for_forks(request, known)
        if request.old != known.log.cosigned_size:
            return Stands(known.log.cosigned_size)
        if size > LIMITS.log_max_entries:
            raise VerificationError(f"a log of {size} entries is refused", where=known.log.origin)
        try:
            check_growth(request, known.latest)
        except ConsistencyError as error:
            error.where = known.log.origin
            raise
        if known.peer.own and size > known.log.accepted_size:
            return self._own_is_ahead(request, known)
        return self._cosign(request, known)

    def _hears_card(self, origin: str, version: int, asker: str | None) -> bool:
        return hear_card(self.database, origin, version, self.now(), self.work, asker=asker)

    def checkpoint(self, hashed: str, *, asker: str | None = None) -> bytes:
        """Give the newest checkpoint that this node has cosigned, by the hash of its origin; NotFoundError."""
        with self.database.read() as connection:
            log = find_log_by_hash(connection, hashed)
            log = log if log is not None and is_open_to(connection, asker, log) else None
        if log is None or line_by(log.cosigned_note, self.cosigner.key()) is None or log.cosigned_note is None:
            raise NotFoundError("no checkpoint of such a log was cosigned here")
        return log.cosigned_note

    def _cosign(self, request: AddCheckpoint, known: _Known) -> Cosigned | Stands | Busy:
        log, now = known.log, self.now()
        line = self._cosigned_before(request, known)
        due_ms = self._due_ms(request, known, now)
        if line is not None and due_ms is None:
            return Cosigned((line,))
        wait = self.work.spend(known.payer)
        if wait:
            return Busy(wait)
        again = line is not None
        line = line or self.cosigner.cosign(request.parsed.text)
        note = witnessed_note(request.parsed, known.trust.keys, line)
        with self.database.write() as connection:
            current = get_log(connection, log.number, lock=True)
            if Head(current.cosigned_size, current.cosigned_root) != known.latest or current.state != "open":
                # Another request was faster; what this one proved does not start from what stands now.
                return Stands(current.cosigned_size)
            size, root = request.checkpoint.size, request.checkpoint.root
            if not again:
                move_cosigned(connection, log.number, old_size=known.latest.size, new_size=size, root=root, note=note)
            if due_ms is not None and size > current.accepted_size:
                ring(connection, log.number, size=size, due_ms=due_ms)
        if due_ms is not None and due_ms <= now.timestamp() * 1_000:
            self.rung.set()
        return Cosigned((line,))

    def _cosigned_before(self, request: AddCheckpoint, known: _Known) -> NoteSignature | None:
        """Find a cosignature of ours on the very same checkpoint, unless it has grown old."""
        if known.latest.size != request.checkpoint.size or known.log.cosigned_note is None:
            return None
        line = line_by(known.log.cosigned_note, self.cosigner.key())
        same = known.log.cosigned_note.startswith(request.parsed.text + b"\n")
        fresh = line is not None and 0 <= self.now().timestamp() - made_at(line) <= REUSED_SECONDS
        return line if same and fresh else None

    def _due_ms(self, request: AddCheckpoint, known: _Known, now: datetime) -> int | None:
        """Say when to pull, in Unix milliseconds; None where there is nothing new, or it is asked for already."""
        size = request.checkpoint.size
        if known.peer.own or size <= known.log.accepted_size:
            return None
        witnesses = {(witness.key.name, witness.key.key_id) for witness in known.trust.publisher_witness}
        # Publishers cosign what they show, and gather the cosignatures of others before.
        shown = any((line.name, line.key_id) in witnesses for line in request.parsed.signatures)
        due_ms = int(now.timestamp() * 1_000) + (0 if shown else UNSHOWN_MILLISECONDS)
        with self.database.read() as connection:
            asked = find_ring(connection, known.log.number)
        return None if asked is not None and asked[0] >= size and asked[1] <= due_ms else due_ms

    def _look_for_forks(self, request: AddCheckpoint, known: _Known) -> None:
        """Tell of another root than ours at the same size, which the log's own key has signed."""
        checkpoint, log = request.checkpoint, known.log
        if request.parsed.text in self._forks:
            return
        other = self._other_note(request, known)
        if other is None or self.looking.spend(known.payer):
            return
        fork = ForkError(
            f"the log has two roots at size {checkpoint.size}",
            evidence=(*((other,) if other else ()), request.note),
            where=log.origin,
            mend=ASK_WHICH_STORY,
        )
        if self.on_fork is not None:
            try:
                self.on_fork(log, fork)
            except VerificationError as error:  # evidence that does not prove itself is no reason to answer otherwise
                told.warning("what a log signed could not be kept as evidence", origin=log.origin, error=str(error))
        else:
            with self.database.write() as connection:
                alarm_about(connection, fork, now=self.now(), peer=log.peer, log=log.number)
        if known.peer.own:
            with self.database.write() as connection:
                learn(connection, log.number, request.note, member=SOMEBODY, now=self.now())
        self._forks[request.parsed.text] = None
        if len(self._forks) > FORKS_REMEMBERED:
            self._forks.popitem(last=False)

    def _other_note(self, request: AddCheckpoint, known: _Known) -> bytes | None:
        """Give our note at the size sent if its root is another: our newest where we have none; None for no fork."""
        checkpoint, log = request.checkpoint, known.log
        heads = (
            (log.cosigned_size, log.cosigned_root, log.cosigned_note),
            (log.accepted_size, log.accepted_root, log.accepted_note),
        )
        for size, root, note in heads:
            if size == checkpoint.size and note is not None:
                return note if root != checkpoint.root else None
        stored = log.placed_size if known.peer.own else log.held_size
        # Looking costs; what is not looked at now is no less a fork when it is sent again.
        if not 0 < checkpoint.size <= stored or self.looking.spend(known.payer):
            return None
        with self.database.read() as connection:
            own = EntryReader(connection).root_at(log.number, checkpoint.size)
        return None if own == checkpoint.root else log.accepted_note or b""

    def _own_is_ahead(self, request: AddCheckpoint, known: _Known) -> Stands:
        """Tell of a checkpoint of our own, signed by us, that is larger than what this database shows."""
        log, checkpoint = known.log, request.checkpoint
        told = request.parsed.text in self._forks
        if checkpoint.size > log.placed_size and not told and not self.looking.spend(known.payer):
            what = f"{log.origin}: a checkpoint of size {checkpoint.size} is signed, and {log.accepted_size} are shown"
            mend = "this database is older than what was published: see 'Restoring' in docs/operations.md"
            with self.database.write() as connection:
                learn(connection, log.number, request.note, member=SOMEBODY, now=self.now())
                raise_alarm(
                    connection, OWN_AHEAD, what, now=self.now(), mend=mend, log=log.number, evidence=request.note
                )
            self._forks[request.parsed.text] = None
        return Stands(log.cosigned_size)


def _find(connection: Connection, origin: str, asker: str | None) -> _Known:
    """Find an open log that is followed, or our own, and is for whoever asks; NotFoundError."""
    log = find_log(connection, origin)
    log = log if log is not None and is_open_to(connection, asker, log) else None
    peer = None if log is None else get_peer(connection, log.member)
    if log is None or peer is None or not log.named or log.state != "open" or peer.state != ACTIVE or peer.card is None:
        raise NotFoundError(
            "this node does not follow such a log", where=origin[:200], mend="ask its operator to follow it"
        )
    trust = log_trust(log, {log.member: card_of(peer)}, reader="")
    return _Known(log, peer, trust, asker)
