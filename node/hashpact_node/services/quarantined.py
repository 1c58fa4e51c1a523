"""What was malformed in a member's logs, for people to read."""

from __future__ import annotations

from typing import NamedTuple

from hashpact_node.store.database import Database
from hashpact_node.store.logs import list_logs
from hashpact_node.store.peers import get_peer
from hashpact_node.store.quarantine import list_quarantined


class MalformedPart(NamedTuple):
    """A malformed entry, ``part`` 0, or a malformed signal of a sound one, ``part`` from 1, at its index in a log."""

    origin: str
    position: int
    part: int
    code: str
    reason: str


def list_malformed(database: Database, member: str, *, limit: int) -> list[MalformedPart]:
    """List up to ``limit`` of what is kept as malformed of a member's logs, log by log in card order.

    At most 10 000 are kept of a log, of which all are counted in its row. NotFoundError for an unknown member.
    """
    found: list[MalformedPart] = []
    with database.read() as connection:
        for log in list_logs(connection, peer=get_peer(connection, member).number):
            rows = list_quarantined(connection, log.number, limit=limit - len(found))
            found += [MalformedPart(log.origin, row.position, row.part, row.code, row.reason) for row in rows]
            if len(found) >= limit:
                break
    return found
