"""Follow a card that cuts a log below what is held, ends it in another story, or reorders what is held.

What counts is a function of the newest card alone. What is to count is first fetched and proven beside the logs
(``staging``); then cut and successor are taken up in one transaction, and until then the list stays as it was. What was
cut is kept as evidence. Where the card names no open successor, or none could be read for 15 minutes since it was
accepted, the cut is taken up alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta

from hashpact_node.services.digests import OPEN
from hashpact_node.services.entries import EntryReader, open_bundle
from hashpact_node.services.polling import Poller
from hashpact_node.services.rederiving import rederive
from hashpact_node.services.staging import Staged, Staging
from hashpact_node.services.trimming import trim
from hashpact_node.store.bundles import (
    Tile,
    count_entries,
    drop_from,
    put_bundles,
    put_tiles,
    read_tile,
    stream_bundles,
)
from hashpact_node.store.connection import Connection
from hashpact_node.store.logs import Log, get_log, list_logs
from hashpact_node.store.peers import Peer
from hashpact_node.store.succession import drop_staged, keep_cut, set_accepted, set_held, staged
from hashpact_protocol.errors import EntriesError, FetchError, NoteError, TileError, VerificationError
from hashpact_protocol.follow import Head, Judged, Verdict
from hashpact_protocol.growth import extend_tiles, read_range, whole_bundles
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merkle import CompactRange, bundle_hashes
from hashpact_protocol.tiles import decode_bundle

SUCCESSOR_WAIT = timedelta(minutes=15)
UNREACHABLE = (EntriesError, FetchError, NoteError, TileError, VerificationError)


@dataclass(frozen=True, slots=True)
class _Next:
    """What a log comes to: what is staged of it, and the checkpoint that says so where it is open."""

    staged: Staged
    judged: Judged | None = None
    etag: str | None = None


def must_replace(logs: Sequence[Log]) -> bool:
    """Say whether the counting logs of one sequence, in order, are held otherwise than by only growing further."""
    for at, log in enumerate(logs):
        if log.state == OPEN or log.final_size is None:
            continue
        if log.held_size > log.final_size or (log.held_size == log.final_size and _root(log) != log.final_root):
            return True
        if log.held_size < log.final_size and any(later.held_size for later in logs[at + 1 :]):
            return True
    return False


def may_replace(log: Log) -> bool:
    """Say whether a log that contradicts what is held of it may: no checkpoint was ever accepted for what is held."""
    return log.state != OPEN or (log.accepted_note is None and log.accepted_size > 0)


@dataclass(frozen=True, slots=True)
class Replacer:
    """Replaces what is held of a peer's logs; the caller holds the lock of the peer."""

    peer: Peer
    poller: Poller

    def replace(self, sequence: int) -> None:
        """Bring one sequence to what the card in force says.

        Raises FetchError, EntriesError, NoteError, TileError and VerificationError when what is to count cannot be had:
        what is held stays in force. StoreError.
        """
        with self.poller.database.read() as connection:
            named = [log for log in list_logs(connection, sequence=sequence) if log.named]
        logs = sorted(named, key=lambda log: (log.state == OPEN, log.position))
        following: dict[int, _Next] = {}
        try:
            following = self._stage(_from_last_fresh(logs), following)
        except UNREACHABLE:
            closed = [log for log in logs if log.state != OPEN]
            if len(closed) == len(logs) or not self._waited():
                raise
            following = self._stage(_from_last_fresh(closed), following)
        with self.poller.database.write() as connection:
            self._flip(connection, logs, following)
        for one in following.values():
            if one.judged is not None:
                self.poller.seen(_reread(self.poller, one.staged.log), one.judged, one.etag)

    def _waited(self) -> bool:
        accepted = self.peer.card_accepted_at or 0
        return self.poller.now().timestamp() - accepted >= SUCCESSOR_WAIT.total_seconds()

    def _stage(self, logs: Sequence[Log], done: dict[int, _Next]) -> dict[int, _Next]:
        """Stage logs, the open one first: whether it can be had decides how all others are taken up."""
        poller = self.poller
        staging = Staging(poller.database, poller.source, poller.workers, poller.fetch_threads)
        for log in sorted(logs, key=lambda log: log.state != OPEN):
            if log.number in done:
                continue
            if log.state == OPEN:
                answer = poller.source.checkpoint(log.url, None)
                judged = None if answer.note is None else poller.judge(log, answer.note, anew=may_replace(log))
                done[log.number] = _Next(staging.stage(log, _open_head(log, judged)), judged, answer.etag)
            else:
                done[log.number] = _Next(staging.stage(log, _final(log)))
        return {log.number: done[log.number] for log in logs}

    def _flip(self, connection: Connection, logs: Sequence[Log], following: dict[int, _Next]) -> None:
        """Take everything up at once: what is cut, what replaces it, and what follows of both."""
        now = self.poller.now()
        for log in logs:
            current = get_log(connection, log.number, lock=True)
            after = following.get(log.number)
            if after is not None:
                self._take_up(connection, current, after)
            elif current.final_size is not None:
                self._set_aside(connection, current)
        rederive(connection, self.peer, logs[0].sequence, now=now)

    def _take_up(self, connection: Connection, log: Log, after: _Next) -> None:
        head, kept = after.staged.head, after.staged.kept
        if kept < count_entries(connection, log.number):
            trim(connection, log.number, kept, now=self.poller.now())
        held = read_range(kept, EntryReader(connection).tree(log.number, kept).node)
        held = _move_staged(connection, log.number, held)
        if (held.size, held.root()) != (head.size, head.root):
            raise EntriesError("what was staged is not what was proven", where=log.origin, mend="pull again")
        set_held(connection, log.number, size=held.size, range=held.encode())
        note = None if after.judged is None or after.judged.verdict is not Verdict.GROWN else after.judged.note
        if log.state == OPEN and note is None:
            return
        set_accepted(connection, log.number, size=head.size, root=head.root, note=note)

    def _set_aside(self, connection: Connection, log: Log) -> None:
        """Cut a log that a fresh successor replaces, too: it might count again by a later card."""
        now, stored = self.poller.now(), count_entries(connection, log.number)
        final = _final(log)
        if stored <= final.size:
            return
        if EntryReader(connection).root_at(log.number, final.size) == final.root:
            trim(connection, log.number, final.size, now=now)
            return
        with closing(stream_bundles(connection, log.number)) as bundles:
            keep_cut(connection, log.number, bundles, now=now)
        drop_from(connection, log.number, 0)


def _from_last_fresh(logs: Sequence[Log]) -> list[Log]:
    start = max((at for at, log in enumerate(logs) if log.fresh is not None), default=0)
    return list(logs[start:])


def _root(log: Log) -> bytes:
    return CompactRange.decode(log.held_size, log.held_range).root()


def _final(log: Log) -> Head:
    if log.final_size is None or log.final_root is None:
        raise VerificationError("a closed log without a final size", where=log.origin)
    return Head(log.final_size, log.final_root)


def _open_head(log: Log, judged: Judged | None) -> Head:
    """Say up to where an open log is to be held: its newest checkpoint if that is accepted, or the one before."""
    if judged is not None and judged.verdict is Verdict.GROWN:
        return Head(judged.checkpoint.size, judged.checkpoint.root)
    if log.accepted_note is None:
        raise VerificationError(
            "the successor's checkpoint waits for cosignatures", where=log.origin, mend="pull again later"
        )
    return Head(log.accepted_size, log.accepted_root)


def _reread(poller: Poller, log: Log) -> Log:
    with poller.database.read() as connection:
        return get_log(connection, log.number)


def _move_staged(connection: Connection, log: int, held: CompactRange) -> CompactRange:
    """Put staged bundles in their places, and extend tiles and compact range by them."""
    for bundle in list(staged(connection, log)):
        leaves, root = bundle_hashes(decode_bundle(open_bundle(bundle.data), bundle.width))
        put_bundles(connection, log, [bundle])
        whole = whole_bundles(held)
        if bundle.width == LIMITS.bundle_width:
            tiles = extend_tiles(lambda level, number: read_tile(connection, log, level, number), bundle.number, [root])
            put_tiles(connection, log, (Tile(level, number, hashes) for (level, number), hashes in tiles.items()))
            held = whole.extend_bundles([root])
        else:
            held = whole.extend(leaves)
    drop_staged(connection, log)
    return held
