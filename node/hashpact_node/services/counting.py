"""Bring which logs count, and whose claims stand, to one answer: that of ``digests.counting_logs``."""

from __future__ import annotations

from datetime import datetime

from hashpact_node.services.digests import counting_logs
from hashpact_node.services.removal import drop_claims_of_log
from hashpact_node.store.connection import Connection
from hashpact_node.store.logs import list_logs, set_counts


def settle_counting(connection: Connection, peer: int, *, now: datetime) -> None:
    """Store which logs of a member, given by its local number, count, and drop the claims of all others.

    All of it happens in the caller's transaction, which must hold no open ``Numbers``.
    """
    logs = list_logs(connection, peer=peer)
    counting = {log.number for log in counting_logs(logs)}
    for log in logs:
        counts = log.number in counting
        if log.counts != counts:
            set_counts(connection, log.number, counts=counts)
        if not counts and log.held_size:
            drop_claims_of_log(connection, log, now=now)
