"""How far our clock is from our peers', by what they said."""

from __future__ import annotations

from datetime import datetime

from hashpact_keys.health import ClockOffset
from hashpact_node.store.connection import Connection
from hashpact_node.store.logs import list_logs
from hashpact_node.store.peers import find_own


def clock_offset(connection: Connection, now: datetime) -> ClockOffset | None:
    """Give by how much our clock is ahead of others', and how that is known; None where nobody said anything.

    A cosignature that is dated later than now shows that our clock is behind its signer's; one that is earlier shows
    nothing, for it may be old.
    """
    return _by_cosignatures(connection, now)


def _by_cosignatures(connection: Connection, now: datetime) -> ClockOffset | None:
    own = find_own(connection)
    newest = max(
        (
            (log.own_cosigned_at, log.member)
            for log in list_logs(connection)
            if own is None or log.peer != own.number
            if log.own_cosigned_at is not None
        ),
        default=None,
    )
    if newest is None or newest[0] <= now.timestamp():
        return None
    return ClockOffset(now.timestamp() - newest[0], f"by the newest cosignature of {newest[1]}")
