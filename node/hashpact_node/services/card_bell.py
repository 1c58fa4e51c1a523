"""Telling peers that our card is new, and hearing it of theirs: a hint, which makes a reader look and nothing more.

It goes with the doorbell: an add-checkpoint request says, in ``Hashpact-Card``, which version of the card is in force.
Whoever hears of a newer one than it has pulls, finds the same said at ``/checkpoint``, and reads the trust repository,
at most once a minute.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime

from hashpact_node.net.rates import Budgets
from hashpact_node.services.trusting import TRUST_HINT_INTERVAL
from hashpact_node.services.views import own_peer
from hashpact_node.services.witness_lines import WitnessLines
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.doorbells import find_card_ring, ring
from hashpact_node.store.logs import list_logs
from hashpact_node.store.peers import ACTIVE, Peer, list_peers
from hashpact_protocol.names import MemberUrl


@dataclass(slots=True)
class CardBell:
    """Rings once for each new card of this member; may be shared by threads."""

    database: Database
    lines: WitnessLines
    _told: int | None = field(default=None, init=False)
    _guard: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def version(self) -> int | None:
        """Give the version of the card in force."""
        with self.database.read() as connection:
            return own_peer(connection).card_version

    def tell(self) -> bool:
        """Ring at all readers if this process has not done so for the card in force; whether it did.

        What each open log shows is sent. Nobody waits for an answer; who does not hear it learns it at its next pull.
        """
        with self.database.read() as connection:
            own = own_peer(connection)
            logs = list_logs(connection, peer=own.number)
        with self._guard:
            if own.card_version == self._told:
                return False
            self._told = own.card_version
        for log in logs:
            if log.named and log.state == "open":
                self.lines.ring(log.number)
        return True


def hear_card(
    database: Database, origin: str, version: int, now: datetime, work: Budgets, *, asker: str | None = None
) -> bool:
    """Hear that the card of the member that has a log has this version; whether a pull is due for it now.

    No publisher has signed this, so it does no more than to have that member looked at, and not too often for whoever
    says it, the member ``asker``.
    """
    with database.read() as connection:
        peer = _publisher(connection, origin)
        if peer is None or version <= (peer.card_version or 0):
            return False
        number = next((log.number for log in list_logs(connection, peer=peer.number) if log.named), None)
        if number is None or (find_card_ring(connection, number) or 0) >= version:
            return False
    if work.spend((asker, f"card of {peer.member}")):
        return False
    due_ms = card_due_ms(peer, now)
    with database.write() as connection:
        ring(connection, number, size=0, due_ms=due_ms, card=version)
    return due_ms <= now.timestamp() * 1_000


def card_due_ms(peer: Peer, now: datetime) -> int:
    """Say from when on a hint makes us look at a peer's trust repository, Unix milliseconds."""
    seconds = now.timestamp()
    if peer.trust_checked_at is not None and peer.trust_checked_at <= seconds:
        seconds = max(seconds, peer.trust_checked_at + TRUST_HINT_INTERVAL.total_seconds())
    return int(seconds * 1_000)


def _publisher(connection: Connection, origin: str) -> Peer | None:
    """Find the active peer below whose URL a log lies."""
    peers = list_peers(connection, states=(ACTIVE,))
    return next((peer for peer in peers if origin.startswith(f"{MemberUrl.parse(peer.url).prefix}/")), None)
