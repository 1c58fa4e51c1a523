"""Read our own entries back from the mirrors of our peers, when a database turns out to be an old copy.

A peer shows a checkpoint that our own key signed, and more entries than are here (``services.own_heads``). They are
fetched as a peer's log is: what comes is proven by that checkpoint's tree to continue what is here before any of it is
stored, so that no mirror can give us anything that we did not sign, or fill the disk. They become our own entries, and
once all are here, the log goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import structlog

from hashpact_node.net.fetcher import Fetcher
from hashpact_node.net.peer_logs import PeerLogs
from hashpact_node.net.stopping import OutOfTimeError, Stop
from hashpact_node.services.absorb import Absorber
from hashpact_node.services.batches import Batch, BatchRequest
from hashpact_node.services.catch_up import CatchUp, Progress
from hashpact_node.services.entries import EntryReader, open_bundle
from hashpact_node.services.own_heads import SUCCEED, must_not_contradict, settle, tell_forked
from hashpact_node.services.rederiving import rederive
from hashpact_node.services.views import own_peer
from hashpact_node.services.workers import Workers
from hashpact_node.store.awakening import Known, drop_queued, known_heads
from hashpact_node.store.database import Database
from hashpact_node.store.locks import Locks
from hashpact_node.store.logs import Log, drop_pending, get_log, list_logs, place, restore_shown
from hashpact_node.store.peers import ACTIVE, Peer, list_peers
from hashpact_node.store.queue import count_entries
from hashpact_node.store.succession import set_held
from hashpact_protocol.errors import ConflictError, FetchTimeoutError, ForkError, HashpactError
from hashpact_protocol.follow import Head
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merkle import CompactRange
from hashpact_protocol.tiles import decode_bundle
from hashpact_protocol.witness import origin_hash

LOCK_WAIT_SECONDS: Final = 120.0
MIRROR_SECONDS: Final = 15 * 60.0
"""How long one mirror is read before the next one has its turn; what was stored by then stays."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Restorer:
    """Restores own logs, each by one process at a time."""

    database: Database
    locks: Locks
    fetcher: Fetcher
    workers: Workers
    fetch_threads: int
    now: Callable[[], datetime]

    def behind(self) -> list[int]:
        """Give the own logs of which a peer holds something that is not here."""
        with self.database.read() as connection:
            return sorted({head.log for head in known_heads(connection)})

    def restore(self, number: int, *, progress: Progress | None = None, event: threading.Event | None = None) -> int:
        """Read a log back as far as it is known, from any peer that has it; give its size then.

        Raises ConflictError where what is known contradicts what is here; StoreBusyError while another process reads it
        back; and what kept the last mirror from giving what it should. What was stored by then stays, and the next one
        goes on from there.
        """
        with self.locks.hold(f"restore/{number}"):
            head = self._target(number)
            if head is None:
                return self._log(number).placed_size
            if head.size > self._log(number).placed_size:
                self._fetch(number, head, progress, event)
            self._finish(number, head)
            return head.size

    def _log(self, number: int) -> Log:
        with self.database.read() as connection:
            return get_log(connection, number)

    def _target(self, number: int) -> Known | None:
        """Give the newest head that is known and not held; ConflictError where one contradicts what is held."""
        with self.database.write() as connection:
            current = get_log(connection, number, lock=True)
            left = settle(connection, current, now=self.now())
            must_not_contradict(connection, current)
            return left[-1] if left else None

    def _fetch(self, number: int, head: Known, progress: Progress | None, event: threading.Event | None) -> None:
        with self.database.read() as connection:
            peers = list_peers(connection, states=(ACTIVE,))
        peers.sort(key=lambda peer: (peer.member != head.member, peer.member))
        failure: HashpactError = ConflictError(
            "there is no peer to read this log back from", mend="add the peers that followed it, and wait"
        )
        for peer in peers:
            try:
                self._fetch_from(peer, number, head, progress, event)
            except ForkError:
                self._contradicted(number, head)
            except OutOfTimeError as error:
                failure = FetchTimeoutError(f"the mirror is slow: {error.reason}", where=peer.url, mend="wait")
            except HashpactError as error:
                failure = error
            else:
                return
            log.warning("own entries could not be read back from a peer", member=peer.member, reason=str(failure))
        raise failure

    def _fetch_from(
        self, peer: Peer, number: int, head: Known, progress: Progress | None, event: threading.Event | None
    ) -> None:
        """Fetch from one mirror what lies between what is placed and the head; what is kept is proven before."""
        current = self._log(number)
        placed = CompactRange.decode(current.placed_size, current.placed_range)
        bundle, ahead = divmod(placed.size, LIMITS.bundle_width)
        with self.database.read() as connection:
            leaves = EntryReader(connection).leaf_hashes(number, bundle, ahead) if ahead else []
        mirror = replace(current, url=f"{peer.url}/mirror/{origin_hash(current.origin)}")
        CatchUp(
            source=PeerLogs(self.fetcher, stop=Stop(seconds=MIRROR_SECONDS, event=event)),
            absorber=OwnEntries(self.database, mirror, placed, now=self.now),
            held_leaves=leaves,
            head=Head(head.size, head.root),
            accept=lambda: self._drop_pending(number),
            workers=self.workers,
            fetch_threads=self.fetch_threads,
            notes=(head.note,),
            progress=progress,
        ).run()

    def _drop_pending(self, number: int) -> None:
        """What was about to be signed is proven to be part of what was signed since."""
        with self.database.write() as connection:
            drop_pending(connection, number)

    def _contradicted(self, number: int, head: Known) -> None:
        with self.database.write() as connection:
            current = get_log(connection, number)
            tell_forked(connection, current, head.size, head.note, now=self.now())
        raise ConflictError(
            f"the {head.size} entries that we signed do not continue the {current.placed_size} that are here",
            where=current.origin,
            mend=SUCCEED,
        )

    def _finish(self, number: int, head: Known) -> None:
        """Show again what was shown, and let the log go on."""
        with self._unmerged(number), self.database.write() as connection:
            current = get_log(connection, number, lock=True)
            root = CompactRange.decode(current.placed_size, current.placed_range).root()
            if (current.placed_size, root) != (head.size, head.root):
                raise ConflictError("this log moved while it was read back", where=current.origin, mend="try again")
            old_size, learned = current.accepted_size, head.learned_at
            restore_shown(
                connection,
                number,
                old_size=old_size,
                size=head.size,
                root=root,
                note=head.note or None,  # where a card ended the log, no checkpoint is needed
                shown_at=learned,
            )
            if current.state != "open":  # nobody releases it any more, so it is merged here
                set_held(connection, number, size=head.size, range=current.placed_range)
                rederive(connection, own_peer(connection), current.sequence, now=self.now())
            left = settle(connection, get_log(connection, number), now=self.now())
            if left:
                tell_forked(connection, current, left[0].size, left[0].note, now=self.now())
        log.info("own entries were read back", origin=current.origin, size=head.size)

    @contextmanager
    def _unmerged(self, number: int) -> Iterator[None]:
        """Keep others from releasing and merging the logs of a sequence."""
        with self.database.read() as connection:
            logs = list_logs(connection, sequence=get_log(connection, number).sequence)
        with ExitStack() as held:
            for one in sorted(logs, key=lambda log: log.number):
                held.enter_context(self.locks.hold(f"release/{one.number}", timeout=LOCK_WAIT_SECONDS))
            yield


class OwnEntries(Absorber):
    """Takes batches of an own log as entries that have their places; they are merged once they are shown again."""

    @property
    def merges(self) -> bool:
        """Never: what is shown is merged out of the stored bundles, as after every release."""
        return False

    def absorb(self, request: BatchRequest, batch: Batch, *, fresh: bool) -> None:  # noqa: ARG002  as its base has it
        """Commit one batch, and take out of the queue what turns out to be released already."""
        grown = self.grown(batch)
        number = self.log.number
        with self._database.write() as connection:
            self._store(connection, batch)
            place(connection, number, old_size=self.held.size, new_size=grown.size, range=grown.encode())
            if count_entries(connection):
                entries: set[bytes] = set()
                for _, width, data in batch.bundles:
                    entries.update(decode_bundle(open_bundle(data), width))
                for one in list_logs(connection, sequence=self.log.sequence):
                    drop_queued(connection, one.number, entries)
        self.held = grown
