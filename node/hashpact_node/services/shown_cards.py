"""Which cards of members this node trusts, for peers that compare them with theirs (docs/protocol.md, Comparing)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from hashpact_keys.rows import TrustRole
from hashpact_keys.trust_files import versioned
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.peers import ACTIVE, Peer, list_peers
from hashpact_node.store.trust import newest_root_version, read_file
from hashpact_protocol.errors import NotFoundError


@dataclass(frozen=True, slots=True)
class ShownCard:
    """A card that is in force here: the version of its targets metadata, and their SHA-256 in lower-case hex.

    ``root`` is the version of the newest root that is trusted here.
    """

    member: str
    url: str
    version: int
    sha256: str
    root: int


def targets_of(connection: Connection, peer: Peer) -> bytes | None:
    """Give the targets metadata of the card in force; None before there is one."""
    if peer.card_version is None:
        return None
    place, name = versioned(TrustRole.TARGETS, peer.card_version)
    return read_file(connection, peer.number, place, name)


@dataclass(frozen=True, slots=True)
class ShownCards:
    """Gives them out of the database."""

    database: Database

    def list(self) -> list[ShownCard]:
        """List the cards in force, this member's own among them, in order of the members' ids."""
        with self.database.read() as connection:
            held = [
                (peer, targets_of(connection, peer), newest_root_version(connection, peer.number))
                for peer in list_peers(connection, own=True, states=(ACTIVE,))
            ]
        return [
            ShownCard(peer.member, peer.url, peer.card_version, hashlib.sha256(targets).hexdigest(), root)
            for peer, targets, root in held
            if targets is not None and peer.card_version is not None and root is not None
        ]

    def targets(self, member: str, version: int) -> bytes:
        """Give the targets metadata of a member's card in force, if it has that version; NotFoundError."""
        with self.database.read() as connection:
            peer = _find(connection, member)
            targets = None if peer is None or peer.card_version != version else targets_of(connection, peer)
        if targets is None:
            raise _not_here()
        return targets

    def card(self, member: str, version: int) -> bytes:
        """Give a member's card in force itself, if its targets metadata have that version; NotFoundError."""
        with self.database.read() as connection:
            peer = _find(connection, member)
        if peer is None or peer.card is None or peer.card_version != version:
            raise _not_here()
        return peer.card

    def root(self, member: str, version: int) -> bytes:
        """Give a root of a member that is trusted here; NotFoundError."""
        with self.database.read() as connection:
            peer = _find(connection, member)
            place, name = versioned(TrustRole.ROOT, version)
            root = None if peer is None else read_file(connection, peer.number, place, name)
        if root is None:
            raise NotFoundError("no root of this member and version is trusted here", mend="read the list again")
        return root


def _find(connection: Connection, member: str) -> Peer | None:
    peers = list_peers(connection, own=True, states=(ACTIVE,))
    return next((peer for peer in peers if peer.member == member), None)


def _not_here() -> NotFoundError:
    return NotFoundError("no card of this member and version is in force here", mend="read the list again")
