"""Take the claims of a removed member, or of a log that is named no more, out of the blocklist."""

from __future__ import annotations

from datetime import datetime

from hashpact_node.services.views import viewpoint
from hashpact_node.store.changes import Numbers, last_change
from hashpact_node.store.connection import Connection
from hashpact_node.store.expiries import drop_expiring
from hashpact_node.store.feed import stream_claimed_by
from hashpact_node.store.logs import Log, list_logs, reset_held
from hashpact_node.store.owners import drop_log, drop_sequence
from hashpact_node.store.quarantine import drop_quarantined
from hashpact_node.store.signals import SignalChange, change_signals
from hashpact_protocol.claims import Place, unpack_claims


def drop_claims_of(connection: Connection, peer: int, *, now: datetime) -> int:
    """Take the claims of a member, given by its local number, out of the blocklist; give how many signals changed.

    All of it happens in the caller's transaction. What the member published stays stored, as history, and its logs are
    merged anew from that when it is added again; its log rows keep their accepted and cosigned heads.
    """
    logs = list_logs(connection, peer=peer)
    numbers = Numbers(connection, now=int(now.timestamp()))  # first, so that no other change comes in between
    changed = _drop_claims(connection, {log.number for log in logs}, numbers)
    numbers.close()
    for sequence in {log.sequence for log in logs}:
        drop_sequence(connection, sequence)
    for log in logs:
        _forget(connection, log)
    return changed


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
    eyes = viewpoint(connection)
    changed = 0
    for rows in stream_claimed_by(connection, logs, last_change(connection)):
        changes: dict[bytes, SignalChange] = {}
        for row in rows:
            places = {Place(claim.log, claim.position) for claim in unpack_claims(row.claims) if claim.log in logs}
            if places:
                changes[row.key] = SignalChange(remove=places)
        change_signals(connection, changes, eyes, numbers)
        changed += len(changes)
    return changed
