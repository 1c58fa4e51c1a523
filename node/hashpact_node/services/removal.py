"""Take the claims of a removed member, or of a log that is named no more, out of the blocklist."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from hashpact_node.services.views import viewpoint
from hashpact_node.store.alarms import clear_alarms_of
from hashpact_node.store.changes import Numbers, last_change
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.expiries import drop_expiring
from hashpact_node.store.feed import stream_claimed_by
from hashpact_node.store.locks import Locks
from hashpact_node.store.logs import Log, list_logs, reset_held
from hashpact_node.store.owners import drop_log, drop_owners, page_of_owners
from hashpact_node.store.peers import REMOVED, get_peer, list_peers
from hashpact_node.store.quarantine import drop_quarantined
from hashpact_node.store.signals import SignalChange, SignalRow, change_signals
from hashpact_protocol.claims import Place, unpack_claims
from hashpact_protocol.errors import StoreBusyError

SIGNALS_AT_ONCE = 4_096
OWNERS_AT_ONCE = 8_192


def drop_claims_of(database: Database, peer: int, *, now: datetime) -> int:
    """Take the claims of a removed member, given by its local number, out of the blocklist; give how many changed.

    The caller holds the lock of the peer, so that no claims of it are added. They go in short transactions, so that
    others can write in between; until the last, which takes seconds, a match may still show what is left. Where this is
    cut off, it can simply be done again: the held sizes say until the end that something may be left.

    What the member published stays stored, as history, and its logs are merged anew from that when it is added again;
    its log rows keep their accepted and cosigned heads. Its alarms are cleared.
    """
    with database.read() as connection:
        logs = list_logs(connection, peer=peer)
        numbers = {log.number for log in logs if log.held_size}
        changed = sum(
            _drop_some(database, rows, numbers, now)
            for rows in stream_claimed_by(connection, numbers, last_change(connection), chunk=SIGNALS_AT_ONCE)
        )
    for sequence in {log.sequence for log in logs}:
        _drop_owners(database, sequence)
    with database.write() as connection:
        for log in logs:
            _forget(connection, log)
        clear_alarms_of(connection, peer, now=now)
    return changed


def finish_removals(database: Database, locks: Locks, *, now: datetime) -> int:
    """Do what is left of removals that were cut off; give of how many members. One that is busy has its turn later."""
    with database.read() as connection:
        removed = list_peers(connection, states=(REMOVED,))
        left = [peer for peer in removed if any(log.held_size for log in list_logs(connection, peer=peer.number))]
    for peer in left:
        with suppress(StoreBusyError), locks.hold(f"peer/{peer.member}"):
            with database.read() as connection:
                still = get_peer(connection, peer.member).state == REMOVED
            if still:
                drop_claims_of(database, peer.number, now=now)
    return len(left)


def _drop_some(database: Database, rows: list[SignalRow], logs: set[int], now: datetime) -> int:
    with database.write() as connection:
        numbers = Numbers(connection, now=int(now.timestamp()))
        changed = _drop_rows(connection, rows, logs, numbers)
        numbers.close()
    return changed


def _drop_owners(database: Database, sequence: int) -> None:
    """Forget the owners of a sequence, some thousand at a time."""
    after = b""
    while True:
        with database.write() as connection:
            owners = [row[1] for row in page_of_owners(connection, sequence, after, limit=OWNERS_AT_ONCE)]
            drop_owners(connection, sequence, owners)
        if len(owners) < OWNERS_AT_ONCE:
            return
        after = owners[-1]


def drop_claims_of_log(connection: Connection, log: Log, *, now: datetime) -> int:
    """Take the claims of one log, which its member's card names no more, out of the blocklist, as ``drop_claims_of``.

    An older revision that stands in another log of the same name is not brought back by this; a rebuild does that.
    """
    numbers = Numbers(connection, now=int(now.timestamp()))
    changed = _drop_claims(connection, {log.number}, numbers)
    numbers.close()
    drop_log(connection, log.sequence, log.number)
    _forget(connection, log)
    return changed


def _forget(connection: Connection, log: Log) -> None:
    drop_expiring(connection, log.number)
    drop_quarantined(connection, log.number, 0)
    reset_held(connection, log.number, old_size=log.held_size, new_size=0, range=b"")


def _drop_claims(connection: Connection, logs: set[int], numbers: Numbers) -> int:
    rows = stream_claimed_by(connection, logs, last_change(connection))
    return sum(_drop_rows(connection, some, logs, numbers) for some in rows)


def _drop_rows(connection: Connection, rows: list[SignalRow], logs: set[int], numbers: Numbers) -> int:
    changes: dict[bytes, SignalChange] = {}
    for row in rows:
        places = {Place(claim.log, claim.position) for claim in unpack_claims(row.claims) if claim.log in logs}
        if places:
            changes[row.key] = SignalChange(remove=places)
    change_signals(connection, changes, viewpoint(connection), numbers)
    return len(changes)
