"""Whom this node believes about a log, out of the cards that are accepted."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from hashpact_node.store.connection import Connection
from hashpact_node.store.logs import Log
from hashpact_node.store.peers import ACTIVE, CardHolder, Peer, list_peers
from hashpact_protocol.card import Card, WitnessKey, parse_card
from hashpact_protocol.follow import LogTrust

_parsed = lru_cache(maxsize=1_024)(parse_card)


def card_of(peer: Peer | CardHolder) -> Card:
    """Give the accepted card of a member that has one; one that was read before is not read again."""
    return _parsed(peer.card or b"", member=peer.member, url=peer.url)


def accepted_cards(connection: Connection) -> dict[str, Card]:
    """Give the cards in force of all members that are followed, and this one's, by their ids."""
    return {peer.member: card_of(peer) for peer in list_peers(connection, own=True) if peer.card is not None}


def active_cards(connection: Connection) -> list[tuple[Peer, Card]]:
    """Give the active peers that have a card, with it."""
    peers = list_peers(connection, states=(ACTIVE,))
    return [(peer, card_of(peer)) for peer in peers if peer.card is not None]


def log_trust(log: Log, cards: Mapping[str, Card], *, reader: str) -> LogTrust:
    """Give what ``judge_checkpoint`` must know of a log; ``cards`` hold the publisher's, and those of witnesses."""
    card = cards[log.member]
    named = card.log(log.origin)
    others: dict[str, tuple[WitnessKey, ...]] = {
        member: other.witness_keys for member, other in cards.items() if member != log.member
    }
    return LogTrust(
        origin=log.origin,
        keys=named.keys if named else (),
        other_keys=tuple(key for other in card.logs if other.origin != log.origin for key in other.keys),
        publisher=log.member,
        reader=reader,
        publisher_witness=card.witness_keys,
        witnesses=others,
    )
