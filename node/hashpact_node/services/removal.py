"""Take the claims of a removed or suspended member, or of a log that is named no more, out of the blocklist."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from hashpact_node.services.rejudging import keys_at, rejudge_now
from hashpact_node.services.views import viewpoint
from hashpact_node.store.alarms import clear_alarms_of
from hashpact_node.store.changes import Numbers, last_change
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.expiries import drop_expiring
from hashpact_node.store.feed import stream_claimed_by
from hashpact_node.store.incidents import drop_steps
from hashpact_node.store.locks import Locks
from hashpact_node.store.logs import Log, list_logs, reset_held
from hashpact_node.store.opinions import drop_opinions_of
from hashpact_node.store.owners import drop_log, drop_sequence
from hashpact_node.store.peers import OUT, get_peer, list_peers
from hashpact_node.store.quarantine import drop_quarantined
from hashpact_node.store.signals import Eyes, SignalChange, SignalRow, change_signals
from hashpact_protocol.claims import Place, unpack_claims
from hashpact_protocol.errors import StoreBusyError

SIGNALS_AT_ONCE = 4_096


def drop_claims_of(database: Database, peer: int, *, now: datetime) -> int:
    """Take the claims of a member, given by its local number, out of the blocklist; give how many signals changed.

    All in one transaction, so that nobody ever sees half of a list, and whoever follows the feed gets it whole or not
    at all. Others who write wait meanwhile, some 20 s for a million signals; lookups do not. The caller holds the lock
    of the peer, so that no claims of it are added.

    What the member published stays stored, as history and evidence, and its logs are merged anew from that when it
    comes back; its log rows keep their accepted and cosigned heads. Its alarms are cleared.
    """
    with database.write() as connection:
        logs = list_logs(connection, peer=peer)
        numbers = Numbers(connection, now=int(now.timestamp()))
        changed = _drop_claims(connection, {log.number for log in logs if log.held_size}, numbers, now)
        numbers.close()
        for sequence in {log.sequence for log in logs}:
            drop_sequence(connection, sequence)
        opined = [place for log in logs for place in _forget(connection, log)]
        rejudge_now(connection, keys_at(connection, opined), now=now)
        clear_alarms_of(connection, peer, now=now)
    return changed


def finish_removals(database: Database, locks: Locks, *, now: datetime) -> int:
    """Do removals and suspensions that were cut off; give of how many members. One that is busy has its turn later."""
    with database.read() as connection:
        out = list_peers(connection, states=OUT)
        left = [peer for peer in out if any(log.held_size for log in list_logs(connection, peer=peer.number))]
    for peer in left:
        with suppress(StoreBusyError), locks.hold(f"peer/{peer.member}"):
            drop_if_out(database, peer.member, now=now)
    return len(left)


def drop_if_out(database: Database, member: str, *, now: datetime) -> None:
    """Take out the claims of a member that is removed or suspended, and still is; the caller holds its lock."""
    with database.read() as connection:
        peer = get_peer(connection, member)
    if peer.state in OUT:
        drop_claims_of(database, peer.number, now=now)


def drop_claims_of_log(connection: Connection, log: Log, *, now: datetime) -> int:
    """Take the claims of one log, which its member's card names no more, out of the blocklist, as ``drop_claims_of``.

    An older revision that stands in another log of the same name is not brought back by this; a rebuild does that.
    """
    numbers = Numbers(connection, now=int(now.timestamp()))
    changed = _drop_claims(connection, {log.number}, numbers, now)
    numbers.close()
    drop_log(connection, log.sequence, log.number)
    rejudge_now(connection, keys_at(connection, _forget(connection, log)), now=now)
    return changed


def _forget(connection: Connection, log: Log) -> list[Place]:
    """Forget what was merged out of a log; give the places of the listings that its opinions were about."""
    drop_expiring(connection, log.number)
    drop_quarantined(connection, log.number, 0)
    drop_steps(connection, log.number)
    reset_held(connection, log.number, old_size=log.held_size, new_size=0, range=b"")
    return drop_opinions_of(connection, log.number)


def _drop_claims(connection: Connection, logs: set[int], numbers: Numbers, now: datetime) -> int:
    eyes = viewpoint(connection, now)
    rows = stream_claimed_by(connection, logs, last_change(connection), chunk=SIGNALS_AT_ONCE)
    return sum(_drop_rows(connection, some, logs, numbers, eyes) for some in rows)


def _drop_rows(connection: Connection, rows: list[SignalRow], logs: set[int], numbers: Numbers, eyes: Eyes) -> int:
    changes: dict[bytes, SignalChange] = {}
    for row in rows:
        places = {Place(claim.log, claim.position) for claim in unpack_claims(row.claims) if claim.log in logs}
        if places:
            changes[row.key] = SignalChange(remove=places)
    change_signals(connection, changes, eyes, numbers)
    return len(changes)
