"""Destroy the entries of erased logs, own and peers', and find out who still has ours (docs/protocol.md, Card).

Leaf hashes, tiles and checkpoints stay, so that what was once proven stays provable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from hashpact_node.net.fetcher import Fetcher
from hashpact_node.services.digests import counting_logs
from hashpact_node.services.entries import open_bundle
from hashpact_node.services.views import own_number
from hashpact_node.store.alarms import clear_alarm, raise_alarm
from hashpact_node.store.bundles import Tile, drop_bundles, put_tiles, stream_bundles
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.erasures import Copy, list_copies, list_erased, put_copy, set_destroyed
from hashpact_node.store.locks import Locks
from hashpact_node.store.logs import Log, list_logs
from hashpact_node.store.peers import EVERY_STATE, OUT, Peer, list_peers
from hashpact_node.store.quarantine import drop_quarantined
from hashpact_node.store.succession import drop_cut, drop_staged
from hashpact_protocol.errors import FetchError, StoreBusyError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merkle import bundle_hashes
from hashpact_protocol.tiles import TileId, decode_bundle
from hashpact_protocol.witness import origin_hash

BUNDLES_AT_ONCE = 256
ERASED_WITHIN = timedelta(days=7)
ASK_SECONDS = 15.0
STILL_SERVED = "erased-still-served"

GONE = 410
SERVED = 200


@dataclass(frozen=True, slots=True)
class CopyView:
    """What a member last answered when it was asked for an erased log of ours."""

    origin: str
    member: str
    asked_at: int
    status: int | None

    @property
    def word(self) -> str:
        """Say it in a word."""
        return {GONE: "gone", SERVED: "still served", None: "no answer"}.get(self.status, "none to be had")


@dataclass(frozen=True, slots=True)
class Erasing:
    """Does what is due about erased logs; each call may be cut off, and is simply done again."""

    database: Database
    locks: Locks
    fetcher: Fetcher
    now: Callable[[], datetime]

    def destroy(self) -> int:
        """Destroy the entries of erased logs whose successor is held; of how many logs anything was left.

        Those of a removed or a paused member go like any other's. A member that is being pulled has its turn later.
        """
        with self.database.read() as connection:
            due = _due(connection)
        done = 0
        for log in due:
            with suppress(StoreBusyError), self.locks.hold(_lock_of(log, self._own)):
                self._destroy(log)
                done += 1
        return done

    def ask(self) -> int:
        """Ask members whether they still serve erased logs of ours; how many were asked.

        An alarm is raised about each that does seven days after the card said so.
        """
        with self.database.read() as connection:
            erased = list_erased(connection)
            own = own_number(connection)
            logs = [log for log in list_logs(connection, peer=own) if log.number in erased]
            peers = list_peers(connection)
            gone = {(one.log, one.peer) for one in list_copies(connection) if one.status == GONE}
        asked = 0
        for log in logs:
            for peer in peers:
                if (log.number, peer.number) in gone:
                    continue
                status = self._ask(peer, log)
                with self.database.write() as connection:
                    put_copy(connection, log.number, peer.number, status, now=self.now())
                    self._tell(connection, log, peer, status, erased[log.number].since)
                asked += 1
        return asked

    def copies(self) -> list[CopyView]:
        """List what members last answered about erased logs of ours, by log and member."""
        with self.database.read() as connection:
            origins = {log.number: log.origin for log in list_logs(connection)}
            names = {peer.number: peer.member for peer in list_peers(connection, states=EVERY_STATE)}
            copies: list[Copy] = list_copies(connection)
        return [CopyView(origins[one.log], names[one.peer], one.asked_at, one.status) for one in copies]

    def _own(self) -> int:
        with self.database.read() as connection:
            return own_number(connection)

    def _ask(self, peer: Peer, log: Log) -> int | None:
        """Ask a member's mirror for the first bundle of a log; give the status, None where there was no answer."""
        bundle = TileId(None, 0, min(LIMITS.bundle_width, log.accepted_size))
        url = f"{peer.url}/mirror/{origin_hash(log.origin)}/{bundle}"
        try:
            return self.fetcher.get(url, max_bytes=LIMITS.bundle_max_bytes, deadline_seconds=ASK_SECONDS).status
        except FetchError:
            return None

    def _tell(self, connection: Connection, log: Log, peer: Peer, status: int | None, since: int) -> None:
        now = self.now()
        if status != SERVED:
            clear_alarm(connection, STILL_SERVED, now=now, peer=peer.number, log=log.number)
        elif now.timestamp() - since >= ERASED_WITHIN.total_seconds():
            what = f"{peer.member} still serves {log.origin}, which is erased since more than seven days"
            mend = "ask its people to destroy that copy; `hashpact logs status --ask` looks again"
            raise_alarm(connection, STILL_SERVED, what, now=now, mend=mend, peer=peer.number, log=log.number)

    def _destroy(self, log: Log) -> None:
        with self.database.read() as connection:
            still = any(one.number == log.number for one in _due(connection))
        while still:
            with self.database.write() as connection, _overwriting(connection):
                still = _destroy_some(connection, log)
        with self.database.write() as connection, _overwriting(connection):
            drop_cut(connection, log.number)
            drop_staged(connection, log.number)
            drop_quarantined(connection, log.number, 0)
            set_destroyed(connection, log.number, now=self.now())


def _due(connection: Connection) -> list[Log]:
    """Give the logs that are erased and count no more, whose entries are still here."""
    left = {one.log for one in list_erased(connection).values() if one.destroyed_at is None}
    if not left:
        return []
    found: list[Log] = []
    for peer in list_peers(connection, own=True, states=EVERY_STATE):
        logs = list_logs(connection, peer=peer.number)
        counting = set() if peer.state in OUT else {log.number for log in counting_logs(logs)}
        found += [log for log in logs if log.number in left - counting and not log.held_size]
    return found


def _destroy_some(connection: Connection, log: Log) -> bool:
    """Keep the leaf hashes of some bundles in their place; whether there were any."""
    bundles = list(islice(stream_bundles(connection, log.number), BUNDLES_AT_ONCE))
    tiles = []
    for bundle in bundles:
        leaves, _ = bundle_hashes(decode_bundle(open_bundle(bundle.data), bundle.width))
        tiles.append(Tile(0, bundle.number, b"".join(leaves)))
    put_tiles(connection, log.number, tiles)
    drop_bundles(connection, log.number, [bundle.number for bundle in bundles])
    return bool(bundles)


@contextmanager
def _overwriting(connection: Connection) -> Iterator[None]:
    """Let SQLite overwrite what is deleted, which it leaves in free pages otherwise; PostgreSQL's vacuum does that."""
    if connection.dialect.name != "sqlite":
        yield
        return
    connection.exec_driver_sql("PRAGMA secure_delete = ON")
    try:
        yield
    finally:
        connection.exec_driver_sql("PRAGMA secure_delete = OFF")


def _lock_of(log: Log, own: Callable[[], int]) -> str:
    return f"release/{log.number}" if log.peer == own() else f"peer/{log.member}"
