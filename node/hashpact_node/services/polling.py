"""Poll one log of a peer: ask for its checkpoint, judge it, and catch up when there is something new."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from hashpact_node.net.peer_logs import PeerLogs
from hashpact_node.services.absorb import Absorber
from hashpact_node.services.catch_up import CatchUp, LogSource, Progress
from hashpact_node.services.cosigning import Cosigner, line_by, witnessed_note
from hashpact_node.services.entries import EntryReader
from hashpact_node.services.log_trust import log_trust
from hashpact_node.services.thrift import thrifty
from hashpact_node.services.workers import Workers
from hashpact_node.store.alarms import clear_alarm, clear_alarms, find_alarm, raise_alarm, raised_among
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.logs import (
    Log,
    get_log,
    move_accepted,
    move_cosigned,
    see_own_cosignature,
    set_cosigners,
    set_etag,
    tell_news,
)
from hashpact_protocol.card import Card
from hashpact_protocol.errors import (
    ASK_WHICH_STORY,
    ConfigurationError,
    ConflictError,
    EntriesError,
    FetchError,
    FetchRefusedError,
    FetchStatusError,
    FetchTimeoutError,
    FetchTooLargeError,
    ForkError,
    KeyUnavailableError,
    NoteError,
    SignatureError,
    StoreError,
    StoreFullError,
    StoreMovedError,
    TileError,
    VerificationError,
)
from hashpact_protocol.follow import Head, Judged, Verdict, is_stale, judge_checkpoint
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merkle import CompactRange
from hashpact_protocol.notes import parse_note
from hashpact_protocol.tlog_policy import TlogPolicy

POLL = "poll"
DOORBELL = "doorbell"
OLD_ANSWER_NOTICE = "old-answer-seen"
OLD_ANSWER = "old-answer"
STALE = "log-stale"
STOPPED = "log-stopped"
WAITING = "cosignatures-missing"
NOTICE = "checkpoint-notice"
WAITS_FOR_EARLIER = "waits-for-earlier"
"""In place of a verdict: an earlier log of the same name is not held up to its final size yet, so nothing was asked."""
told = structlog.get_logger(__name__)

PASSING = tuple(
    kind.code
    for kind in (
        EntriesError,
        FetchError,
        FetchRefusedError,
        FetchStatusError,
        FetchTimeoutError,
        FetchTooLargeError,
        NoteError,
        SignatureError,
        StoreError,
        StoreFullError,
        StoreMovedError,
        TileError,
        VerificationError,
    )
)
"""Alarms that are over once the log can be read again; a fork's stays until a person clears it."""


@dataclass(frozen=True, slots=True)
class Polled:
    """What polling one log came to: sizes in entries before and after, the verdict, the card version hinted at."""

    origin: str
    before: int
    after: int
    verdict: str
    card_version: int | None


@dataclass(slots=True)
class Poller:
    """Polls logs of one peer with what is known of all members now. The caller holds the lock of the peer."""

    database: Database
    source: PeerLogs
    workers: Workers
    now: Callable[[], datetime]
    reader: str
    cards: dict[str, Card]
    fetch_threads: int
    require_witnesses: int | TlogPolicy
    progress: Progress | None = None
    cosigner: Cosigner | None = None
    news_by: str = POLL

    def poll(self, number: int) -> Polled:
        """Poll one log; raises FetchError, NoteError, TileError, VerificationError and StoreError subclasses.

        Whatever is raised, what was held is held still.
        """
        with self.database.read() as connection:
            log = get_log(connection, number)
        if log.state != "open":
            return self._follow_closed(log)
        before = log.held_size
        answer = self.source.checkpoint(log.url, log.etag)
        verdict = Verdict.NO_NEWS
        if answer.note is not None:
            judged = self.judge(log, answer.note)
            verdict = judged.verdict
            if verdict is Verdict.GROWN:
                self._catch_up(log, judged)
            self.seen(log, judged, answer.etag)
        with self.database.read() as connection:
            log = get_log(connection, number)
        if log.held_size < log.accepted_size:
            # A pull before this one was cut off after its checkpoint was proven.
            self._run(log, Head(log.accepted_size, log.accepted_root), lambda: None, ())
        self._cosign(number)
        return self._settle(log, before, verdict, answer.card_version)

    def _follow_closed(self, log: Log) -> Polled:
        """Read a closed log up to its final size, which counts by the card alone."""
        if log.final_size is None or log.final_root is None:
            raise VerificationError("a closed log without a final size", where=log.origin)
        final = Head(log.final_size, log.final_root)
        held = CompactRange.decode(log.held_size, log.held_range)
        if held.size > final.size or (held.size == final.size and held.root() != final.root):
            what = f"{held.size} are held" if held.size > final.size else "those that are held are not the ones"
            raise VerificationError(
                f"the card closes this log at {final.size} entries, and {what}",
                where=log.origin,
                mend="the list held stays in force; see the member's announcement",
            )
        if held.size < final.size:
            self._run(log, final, lambda: self._accept(log, final, None), ())
        return self._settle(log, log.held_size, Verdict.NO_NEWS, None)

    def judge(self, log: Log, note: bytes, *, anew: bool = False) -> Judged:
        """Judge a checkpoint by what is accepted and held of its log, or ``anew``, as if that were nothing."""
        if anew:
            log = replace(log, accepted_note=None, accepted_size=0, held_size=0)
        with self.database.read() as connection:
            reader = EntryReader(connection)
            return judge_checkpoint(
                note,
                log_trust(log, self.cards, reader=self.reader),
                # The final of a log that was closed and is open again was accepted without a note.
                held=Head(log.accepted_size, log.accepted_root) if log.accepted_note or log.accepted_size else None,
                accepted_note=_signed_before(log),
                root_at=lambda size: reader.root_at(log.number, size) if size <= log.held_size else None,
                now=self.now(),
                require_witnesses=self.require_witnesses,
            )

    def _catch_up(self, log: Log, judged: Judged) -> None:
        head = Head(judged.checkpoint.size, judged.checkpoint.root)
        notes = tuple(note for note in (_signed_before(log), judged.note) if note is not None)
        if log.held_size < log.accepted_size:
            # First what was proven before: the new checkpoint is proven to continue it, not only what is held.
            self._run(log, Head(log.accepted_size, log.accepted_root), lambda: None, ())
            with self.database.read() as connection:
                log = get_log(connection, log.number)
        self._run(log, head, lambda: self._accept(log, head, judged.note), notes)

    def _run(self, log: Log, head: Head, accept: Callable[[], None], notes: tuple[bytes, ...]) -> None:
        saving = thrifty(self.database, self.source, log)
        if saving is not None:
            try:
                self._read(saving, log, head, accept, notes)
            except EntriesError:  # tiles that name the wrong entries are no proof that those served are wrong
                with self.database.read() as connection:
                    log = get_log(connection, log.number)
            else:
                return
        self._read(self.source, log, head, accept, notes)

    def _read(
        self, source: LogSource, log: Log, head: Head, accept: Callable[[], None], notes: tuple[bytes, ...]
    ) -> None:
        held = CompactRange.decode(log.held_size, log.held_range)
        ahead = held.size % LIMITS.bundle_width
        with self.database.read() as connection:
            reader = EntryReader(connection)
            bundle = held.size // LIMITS.bundle_width
            leaves = reader.leaf_hashes(log.number, bundle, ahead) if ahead else []
        CatchUp(
            source=source,
            absorber=Absorber(self.database, log, held, now=self.now),
            held_leaves=leaves,
            head=head,
            accept=accept,
            workers=self.workers,
            fetch_threads=self.fetch_threads,
            notes=notes,
            progress=self.progress,
        ).run()

    def _accept(self, log: Log, head: Head, note: bytes | None) -> None:
        with self.database.write() as connection:
            current = get_log(connection, log.number, lock=True)
            size, root = head.size, head.root
            if note is not None and current.cosigned_size == size and current.cosigned_root != root:
                raise _two_roots(current, note)
            move_accepted(connection, log.number, old_size=log.accepted_size, new_size=size, root=root, note=note)

    def _cosign(self, number: int) -> None:
        """Cosign what is accepted, once all of it is held and continues what was cosigned before; ForkError."""
        with self.database.read() as connection:
            log = get_log(connection, number)
            same = (log.cosigned_size, log.cosigned_root) == (log.accepted_size, log.accepted_root)
            ahead = log.held_size < log.accepted_size or log.cosigned_size > log.accepted_size
            if self.cosigner is None or log.accepted_note is None or ahead:
                return
            before = log.cosigned_root if same else EntryReader(connection).root_at(number, log.cosigned_size)
        if before != log.cosigned_root:
            raise _two_roots(log, log.accepted_note)
        try:
            if same and line_by(log.cosigned_note, self.cosigner.key()):
                return
            accepted = parse_note(log.accepted_note)
            keys = log_trust(log, self.cards, reader=self.reader).keys
            note = witnessed_note(accepted, keys, self.cosigner.cosign(accepted.text))
        except (KeyUnavailableError, ConfigurationError, ConflictError) as error:
            told.warning("a checkpoint could not be cosigned", origin=log.origin, error=str(error))
            return
        with self.database.write() as connection:
            current = get_log(connection, number, lock=True)
            # Whoever was faster has cosigned something that continues the same.
            if (current.cosigned_size, current.cosigned_root) == (log.cosigned_size, log.cosigned_root):
                move_cosigned(
                    connection,
                    number,
                    old_size=log.cosigned_size,
                    new_size=log.accepted_size,
                    root=log.accepted_root,
                    note=note,
                )

    def seen(self, log: Log, judged: Judged, etag: str | None) -> None:
        """Store what a believed checkpoint says beyond its size: freshness, notices, and how it will be asked for."""
        now = self.now()
        with self.database.write() as connection:
            if judged.verdict is Verdict.NO_NEWS and judged.note != log.accepted_note:
                root = judged.checkpoint.root
                size = log.accepted_size
                move_accepted(connection, log.number, old_size=size, new_size=size, root=root, note=judged.note)
            if judged.verdict is Verdict.GROWN:
                age = None if judged.own_cosigned_at is None else max(0, int(now.timestamp()) - judged.own_cosigned_at)
                tell_news(connection, log.number, by=self.news_by, now=now, age=age)
            if judged.verdict in (Verdict.NO_NEWS, Verdict.GROWN) and tuple(sorted(judged.cosigners)) != log.cosigners:
                set_cosigners(connection, log.number, sorted(judged.cosigners))
            if judged.own_cosigned_at is not None:
                see_own_cosignature(connection, log.number, judged.own_cosigned_at)
            set_etag(connection, log.number, etag if judged.verdict in (Verdict.NO_NEWS, Verdict.GROWN) else None)
            for notice in judged.notices:
                what = f"{log.origin}: {notice}"
                raise_alarm(connection, NOTICE, what, now=now, peer=log.peer, log=log.number)
            self._tell_waiting(connection, log, judged, now)
            self._tell_old_answer(connection, log, judged, now)

    def _tell_waiting(self, connection: Connection, log: Log, judged: Judged, now: datetime) -> None:
        if judged.verdict is Verdict.WAITING:
            asked = self.require_witnesses
            whom = "the policy's quorum" if isinstance(asked, TlogPolicy) else f"{asked} others"
            what = f"{log.origin}: size {judged.checkpoint.size} waits for cosignatures of {whom}"
            raise_alarm(connection, WAITING, what, now=now, peer=log.peer, log=log.number)
        else:
            clear_alarm(connection, WAITING, now=now, peer=log.peer, log=log.number)

    def _tell_old_answer(self, connection: Connection, log: Log, judged: Judged, now: datetime) -> None:
        """Notice a smaller size whose root is ours; an alarm once it has lasted as long as a log may be stale."""
        if judged.verdict is not Verdict.OLD_ANSWER:
            clear_alarms(connection, (OLD_ANSWER, OLD_ANSWER_NOTICE), now=now, peer=log.peer, log=log.number)
            return
        what = f"{log.origin}: an old answer of size {judged.checkpoint.size}, {log.accepted_size} are accepted"
        raise_alarm(connection, OLD_ANSWER_NOTICE, what, now=now, peer=log.peer, log=log.number)
        first = find_alarm(connection, OLD_ANSWER_NOTICE, peer=log.peer, log=log.number)
        lasted = timedelta(seconds=now.timestamp() - first.first_at) if first else timedelta()
        if lasted >= timedelta(seconds=LIMITS.stale_after_seconds):
            mend = "ask the member whether a replica lags behind"
            raise_alarm(connection, OLD_ANSWER, what, now=now, mend=mend, peer=log.peer, log=log.number)

    def _settle(self, log: Log, before: int, verdict: Verdict, card_version: int | None) -> Polled:
        """Clear what is over, and say what is not: staleness, and a critical statement that stopped the log."""
        now = self.now()
        with self.database.read() as connection:
            log = get_log(connection, log.number)
            old = raised_among(connection, (*PASSING, STALE), peer=log.peer, log=log.number)
        stale = log.state == "open" and is_stale(log.own_cosigned_at, now)
        stopped = log.stopped_at is not None
        if old or stale or stopped:
            with self.database.write() as connection:
                over = tuple(code for code in old if code != STALE or not stale)
                clear_alarms(connection, over, now=now, peer=log.peer, log=log.number)
                self._tell_state(connection, log, stale=stale, stopped=stopped)
        return Polled(log.origin, before, log.held_size, verdict.value, card_version)

    def _tell_state(self, connection: Connection, log: Log, *, stale: bool, stopped: bool) -> None:
        now = self.now()
        if stale:
            what = f"{log.origin}: no fresh cosignature of its publisher; its list stays in force"
            mend = "ask the member whether its node renews its checkpoint"
            raise_alarm(connection, STALE, what, now=now, mend=mend, peer=log.peer, log=log.number)
        if stopped:
            what = f"{log.origin}: entry {log.stopped_at} is critical and of an unknown kind; nothing after it counts"
            mend = "install the version of Hashpact that knows it, then run `hashpact rebuild`"
            raise_alarm(connection, STOPPED, what, now=now, mend=mend, peer=log.peer, log=log.number)


def _signed_before(log: Log) -> bytes | None:
    """Give the checkpoint that the log signed before; where a card's final took its place, the one cosigned."""
    return log.accepted_note or log.cosigned_note


def _two_roots(log: Log, note: bytes) -> ForkError:
    return ForkError(
        f"the log does not continue what was cosigned here at size {log.cosigned_size}",
        evidence=tuple(one for one in (log.cosigned_note, note) if one is not None),
        where=log.origin,
        mend=ASK_WHICH_STORY,
    )
