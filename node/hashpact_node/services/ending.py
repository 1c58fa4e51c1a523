"""End own logs and begin their successors in the one transaction that takes up the card which says so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from hashpact_keys.trust import current_card
from hashpact_keys.trust_files import TrustFiles
from hashpact_node.services.entries import EntryReader
from hashpact_node.services.own_cards import OwnTrust, own_trust
from hashpact_node.services.preparing import Successor, begin
from hashpact_node.services.rederiving import rederive
from hashpact_node.services.trimming import trim
from hashpact_node.services.trusting import take_card
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.logs import Log, get_log
from hashpact_node.store.succession import end_log, requeue, set_held
from hashpact_node.store.trust import prune_files, save_files
from hashpact_protocol.card_logs import Final
from hashpact_protocol.errors import RequestError, StoreMovedError


def final_at(database: Database, log: Log, at: int | None) -> Final:
    """Give where an own log ends: at ``at`` entries, or at what it shows.

    Raises RequestError for a size that was not shown, and for one below the entries that the log begins with afresh.
    """
    if at is None or at == log.accepted_size:
        return Final(log.accepted_size, log.accepted_root)
    if not 0 <= at < log.accepted_size:
        raise RequestError(
            f"{log.accepted_size} entries were shown, so it cannot end at {at}",
            where=log.origin,
            mend="give a size that was shown, the last good one",
        )
    if at < (log.fresh or 0):
        raise RequestError(
            f"its first {log.fresh} entries restate the logs before it, so it cannot end at {at}",
            where=log.origin,
            mend=f"end it at {log.fresh} or later, and withdraw what is wrong among those first entries",
        )
    with database.read() as connection:
        return Final(at, EntryReader(connection).root_at(log.number, at))


def take_up(
    connection: Connection,
    trust: OwnTrust,
    files: TrustFiles,
    ends: Sequence[tuple[Log, Final]],
    begins: Sequence[Successor] = (),
    *,
    now: datetime,
) -> int:
    """Put a new card into force, end the logs where it says, and begin those that it names anew; its version.

    Where something that was shown is cut off, what follows is derived anew, and what a successor begins with counts
    from the same moment on. Raises StoreMovedError where a card or a checkpoint came meanwhile.
    """
    standing = own_trust(connection)
    if standing.peer.card_version != trust.peer.card_version:
        raise StoreMovedError("another card was signed meanwhile", mend="look again")
    anew = {log.sequence for log, final in ends if _end(connection, log, final, now=now)}
    save_files(connection, trust.peer.number, files)
    prune_files(connection, trust.peer.number, files.keys())
    version, card = current_card(files)
    take_card(connection, standing.peer, card, version, now)
    for successor in begins:
        begin(connection, successor)
        if successor.restated.entries and successor.card.fresh is None:
            log = get_log(connection, successor.number)
            set_held(connection, log.number, size=log.placed_size, range=log.placed_range)
            anew.add(log.sequence)
    for sequence in sorted(anew):
        rederive(connection, standing.peer, sequence, now=now)
    return version


def _end(connection: Connection, log: Log, final: Final, *, now: datetime) -> bool:
    """End a log in the database; say whether anything that was shown is cut off."""
    standing = get_log(connection, log.number, lock=True)
    if (standing.accepted_size, standing.accepted_root) != (log.accepted_size, log.accepted_root):
        raise StoreMovedError("something was released meanwhile", where=log.origin, mend="look again")
    reader = EntryReader(connection)
    unshown = [reader.entry(log.number, at) for at in range(standing.accepted_size, standing.placed_size)]
    kept = trim(connection, log.number, final.size, now=now)
    end_log(connection, log.number, size=final.size, root=final.root, range=kept.encode())
    requeue(connection, log.number, unshown, now=now)
    cut = standing.held_size > final.size
    if cut:
        set_held(connection, log.number, size=final.size, range=kept.encode())
    return cut
