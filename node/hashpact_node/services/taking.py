"""Put a new card of this member into force where no log ends or begins with it."""

from __future__ import annotations

from datetime import datetime

from hashpact_keys.trust import current_card
from hashpact_keys.trust_files import TrustFiles
from hashpact_node.services.own_cards import OwnTrust, own_trust
from hashpact_node.services.trusting import take_card
from hashpact_node.store.connection import Connection
from hashpact_node.store.trust import prune_files, save_files
from hashpact_protocol.errors import StoreMovedError


def take_own_card(connection: Connection, trust: OwnTrust, files: TrustFiles, now: datetime) -> int:
    """Store what was signed on top of ``trust``; give the card's version, which a new root alone leaves as it was.

    StoreMovedError where another card came first.
    """
    standing = own_trust(connection)
    if standing.peer.card_version != trust.peer.card_version:
        raise StoreMovedError("another card was signed meanwhile", mend="look again")
    save_files(connection, trust.peer.number, files)
    prune_files(connection, trust.peer.number, files.keys())
    version, card = current_card(files)
    if version != standing.peer.card_version:
        take_card(connection, standing.peer, card, version, now)
    return version
