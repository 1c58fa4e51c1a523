"""Whether peers hold a newer card of this member than its own database does, as one that was restored from a copy.

The old card may name logs that were closed since, and leave out those that are open now. So whoever holds an old one
signs nothing at all. A claim counts only if it is targets metadata that our own targets key signed.
"""

from __future__ import annotations

from datetime import datetime

from hashpact_keys.rows import TrustRole
from hashpact_keys.trust_checks import check_role
from hashpact_keys.trust_files import newest, version_of
from hashpact_node.services.views import own_peer
from hashpact_node.store.alarms import clear_alarm, raise_alarm
from hashpact_node.store.awakening import learn_card, newest_known_card
from hashpact_node.store.connection import Connection
from hashpact_node.store.peers import Peer, find_own
from hashpact_node.store.trust import load_files
from hashpact_protocol.errors import ConflictError, TrustError

CARD_BEHIND = "own-card-behind"

MEND = (
    "restore a newer copy of the database, with the trust repository in which this card was signed; "
    "see operations, Restoring"
)


def is_newer(connection: Connection, version: int) -> bool:
    """Say whether a card of this member of that version would be newer than the one in force here."""
    own = find_own(connection)
    return own is not None and version > (own.card_version or 0)


def learn_own_card(connection: Connection, version: int, targets: bytes, *, member: str, now: datetime) -> None:
    """Take up a newer card of this member that ``member`` trusts; nothing is signed from now on.

    Raises TrustError for what our own targets key did not sign: that changes nothing.
    """
    own = own_peer(connection)
    where = f"{member}: targets metadata {version} of {own.member}"
    root = newest(load_files(connection, own.number), TrustRole.ROOT)
    if root is None:
        raise TrustError("this member has no root", where=where)
    check_role(root, TrustRole.TARGETS, targets, where=where)
    if version_of(TrustRole.TARGETS, targets, where=where) != version:
        raise TrustError("the targets metadata have another version than was said", where=where)
    learn_card(connection, version, targets, member=member, now=now)
    what = f"{member} trusts version {version} of our own card, and {own.card_version} is here; nothing is signed"
    raise_alarm(connection, CARD_BEHIND, what, now=now, mend=MEND, peer=own.number)


def must_have_newest(connection: Connection) -> None:
    """Raise ConflictError when a peer trusts a newer card of ours, signed by us, than the one in force here."""
    known, own = newest_known_card(connection), find_own(connection)
    if known is not None and own is not None and _is_behind(own, known[0]):
        raise ConflictError(
            f"{known[1]} trusts version {known[0]} of our own card, and {own.card_version} is here",
            where=own.url,
            mend=MEND,
        )


def settle_card(connection: Connection, *, now: datetime) -> None:
    """End the alarm once the newest card that is known is in force here."""
    known, own = newest_known_card(connection), find_own(connection)
    if own is not None and (known is None or not _is_behind(own, known[0])):
        clear_alarm(connection, CARD_BEHIND, now=now, peer=own.number)


def _is_behind(own: Peer, version: int) -> bool:
    return version > (own.card_version or 0)
