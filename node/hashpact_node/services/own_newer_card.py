"""Whether peers hold a newer card of this member than its own database does, as one that was restored from a copy.

The old card may name logs that were closed since, and leave out those that are open now. So whoever holds an old one
signs nothing at all. A claim counts only if it is targets metadata that our own targets key signed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from hashpact_keys.rows import TrustRole
from hashpact_keys.trust_checks import check_role, check_root
from hashpact_keys.trust_files import newest, version_of, versioned
from hashpact_node.services.views import own_peer
from hashpact_node.store.alarms import clear_alarm, raise_alarm
from hashpact_node.store.awakening import forget_cards, learn_card, newest_known_card
from hashpact_node.store.connection import Connection
from hashpact_node.store.peers import Peer, find_own
from hashpact_node.store.trust import load_files, newest_root_version, read_file, save_files
from hashpact_protocol.errors import ConflictError, TrustError
from hashpact_protocol.limits import LIMITS

CARD_BEHIND = "own-card-behind"

MEND = (
    "it is read back from the peers by itself, and signed with the online key; see `hashpact status`. Where that "
    "fails, the log says why, and operations, Restoring, what to do"
)


def is_newer(connection: Connection, version: int) -> bool:
    """Say whether a card of this member of that version would be newer than the one in force here."""
    own = find_own(connection)
    return own is not None and version > (own.card_version or 0)


def own_root(connection: Connection) -> bytes | None:
    """Give the newest root of this member that is here; None before ``init``."""
    own = find_own(connection)
    version = None if own is None else newest_root_version(connection, own.number)
    if own is None or version is None:
        return None
    place, name = versioned(TrustRole.ROOT, version)
    return read_file(connection, own.number, place, name)


def newer_roots(held: bytes | None, newest_there: int | None, read: Callable[[int], bytes], where: str) -> list[bytes]:
    """Read the roots of this member that a peer trusts beyond the one held here, each proven by the one before it.

    ``read`` gives one by its version. Raises TrustError for one that we never signed, and what ``read`` raises.
    """
    if held is None or newest_there is None:
        return []
    first = version_of(TrustRole.ROOT, held, where=where) + 1
    roots: list[bytes] = []
    for version in range(first, min(newest_there + 1, first + LIMITS.root_rotations_max)):
        root = read(version)
        check_root(root, roots[-1] if roots else held, where=where)
        roots.append(root)
    return roots


def learn_own_roots(connection: Connection, roots: Sequence[bytes], *, member: str) -> None:
    """Put newer roots of this member into force, one by one; TrustError for what we never signed.

    Timestamp and snapshot that they refuse are signed anew later (``services.own_card_restoring``).
    """
    own = own_peer(connection)
    for root in roots:
        files = load_files(connection, own.number)
        where = f"{member}: a root of {own.member}"
        file = versioned(TrustRole.ROOT, version_of(TrustRole.ROOT, root, where=where))
        if files.get(file) == root:
            continue
        check_root(root, newest(files, TrustRole.ROOT), where=where)
        save_files(connection, own.number, {file: root})


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
        forget_cards(connection, up_to=own.card_version or 0)
        clear_alarm(connection, CARD_BEHIND, now=now, peer=own.number)


def _is_behind(own: Peer, version: int) -> bool:
    return version > (own.card_version or 0)
