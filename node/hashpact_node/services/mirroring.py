"""The mirror: whatever log this node holds, own or followed, for whoever lost it (the layout of C2SP tlog-mirror).

What is held of a followed log was proven to be a prefix of what its publisher signed, so whoever reads it here can
check it against that signature, and needs to believe this node nothing.
"""

from __future__ import annotations

from collections.abc import Collection

from hashpact_node.services.log_files import Served, read_served, refuse_erased, serve_note
from hashpact_node.services.readers import is_open_to
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.logs import Log, find_log_by_hash
from hashpact_node.store.peers import FOLLOWED, find_peer
from hashpact_protocol.errors import NotFoundError
from hashpact_protocol.tiles import TileId


class Mirror:
    """Gives the files of all logs that are held, each out of one reading transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def checkpoint(self, name: str, *, asker: str | None = None) -> Served:
        """Give the newest checkpoint whose entries are all held; ``name`` is the hash of an origin. NotFoundError.

        ``asker`` is the member that asks: an audience's log is not for everybody (``services.readers``).
        """
        with self._database.read() as connection:
            log, size = _find(connection, name, asker)
        notes = [(log.accepted_size, log.accepted_note), (log.cosigned_size, log.cosigned_note)]
        held = {end: note for end, note in notes if note is not None and end <= size}
        if not held:
            raise NotFoundError("no checkpoint of this log is held", where=log.origin, mend="try again in a moment")
        return serve_note(held[max(held)])

    def tile(self, name: str, tile: TileId, *, accepts: Collection[str] = (), asker: str | None = None) -> Served:
        """Give a tile, or a bundle where ``tile.level`` is None, as far as the log is held; NotFoundError beyond."""
        with self._database.read() as connection:
            log, size = _find(connection, name, asker)
            return read_served(connection, log, tile, size=size, accepts=accepts)


def _find(connection: Connection, name: str, asker: str | None) -> tuple[Log, int]:
    """Find a log by the hash of its origin, and how many of its entries may be had here; NotFoundError.

    To whom it is not for, it is not there.
    """
    log = find_log_by_hash(connection, name)
    peer = None if log is None else find_peer(connection, log.member)
    if log is not None and peer is not None and peer.state in FOLLOWED and is_open_to(connection, asker, log):
        refuse_erased(log)
        return log, log.accepted_size if peer.own else log.held_size
    raise NotFoundError(
        "no log is held here whose origin has this hash", where=name[:80], mend="see the cards of members"
    )
