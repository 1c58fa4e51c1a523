"""Members: who is followed, under which pin, with which accepted card, and how the last tries went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, select, update
from sqlmodel import col

from hashpact_node.store import tables
from hashpact_node.store.database import insert_into
from hashpact_protocol.errors import ConflictError, NotFoundError, StoreMovedError

ACTIVE = "active"
PAUSED = "paused"
SUSPENDED = "suspended"
REMOVED = "removed"
FOLLOWED = (ACTIVE, PAUSED)
"""Whose list is in force, and who may ask this node."""

SHOWN = (ACTIVE, PAUSED, SUSPENDED)
"""Who is shown to people as a peer, and whose names nobody else may have."""

OUT = (SUSPENDED, REMOVED)
"""Whose claims are not in the blocklist, and who may not ask this node; what they published stays as history."""

EVERY_STATE = (*FOLLOWED, *OUT)


@dataclass(frozen=True, slots=True)
class Peer:
    """One row; times are Unix seconds, errors are problem bodies (code, what, where, mend)."""

    number: int
    member: str
    url: str
    own: bool
    state: str
    added_at: int
    pinned_root: bytes | None
    pinned_fingerprint: str | None
    card: bytes | None
    card_version: int | None
    card_accepted_at: int | None
    trust_checked_at: int | None
    trust_error: dict[str, Any] | None
    failures: int
    next_try_at: int | None
    last_try_at: int | None
    last_good_at: int | None
    last_error: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class CardHolder:
    """What of a member's row says who may ask this node."""

    number: int
    member: str
    url: str
    own: bool
    state: str
    card: bytes | None
    card_version: int | None


_CARD_HOLDER: Final = select(*(col(getattr(tables.Peer, one.name)) for one in fields(CardHolder))).where(
    col(tables.Peer.member) == bindparam("member")
)
"""Made once: it is run for each request of a member, and making it takes longer than running it."""


def add_peer(
    connection: Connection,
    member: str,
    url: str,
    *,
    now: datetime,
    own: bool = False,
    state: str = ACTIVE,
    pinned_root: bytes | None = None,
    pinned_fingerprint: str | None = None,
) -> Peer:
    """Add a member, or take a removed one up again from scratch: its pin and card start anew.

    Raises ConflictError where the member, or its URL, is there already.
    """
    row = {
        "member": member,
        "url": url,
        "own": own,
        "state": state,
        "added_at": int(now.timestamp()),
        "pinned_root": pinned_root,
        "pinned_fingerprint": pinned_fingerprint,
        "failures": 0,
    }
    removed = find_peer(connection, member)
    if removed is not None and removed.state == REMOVED:
        return _take_up_again(connection, removed, row)
    statement = insert_into(connection, tables.Peer).values(row).on_conflict_do_nothing()
    if connection.execute(statement.returning(col(tables.Peer.number))).scalar_one_or_none() is None:
        raise ConflictError(f"the member {member}, or its URL, is there already", where=url, mend="remove it first")
    return get_peer(connection, member)


def drop_peer(connection: Connection, peer: int) -> None:
    """Forget a member of whom nothing was accepted yet: no card, no log."""
    for table, column in ((tables.TrustFile, tables.TrustFile.peer), (tables.Alarm, tables.Alarm.peer)):
        connection.execute(delete(table).where(col(column) == peer))
    connection.execute(delete(tables.Peer).where(col(tables.Peer.number) == peer))


def release_names(connection: Connection, peer: int) -> None:
    """Let others have the URL of a removed member, and the origins of its logs; its rows keep them, with its number.

    A ``#`` is in no URL of a member and in no origin, so that nobody takes what is kept for one.
    """
    end = f"#{peer}"
    _update(connection, peer, url=col(tables.Peer.url) + end)
    logs = update(tables.Log).where(col(tables.Log.peer) == peer, col(tables.Log.origin).not_like("%#%"))
    connection.execute(logs.values(origin=col(tables.Log.origin) + end, origin_hash=""))


def find_peer(connection: Connection, member: str, *, lock: bool = False) -> Peer | None:
    """Find a member; ``lock`` keeps other writers from its row until the transaction ends."""
    return _one(connection, col(tables.Peer.member) == member, lock=lock)


def find_card_holder(connection: Connection, member: str) -> CardHolder | None:
    """Find what ``find_peer`` does, as far as it is needed for each request; quickly."""
    row = connection.execute(_CARD_HOLDER, {"member": member}).one_or_none()
    return None if row is None else CardHolder(*row)


def get_peer(connection: Connection, member: str, *, lock: bool = False) -> Peer:
    """Find a member that must be there; NotFoundError."""
    peer = find_peer(connection, member, lock=lock)
    if peer is None:
        raise NotFoundError(f"no member {member} is known here", mend="see `hashpact peer list`")
    return peer


def find_own(connection: Connection) -> Peer | None:
    """Find this member itself; None before ``init``."""
    return _one(connection, col(tables.Peer.own).is_(True), lock=False)


def list_peers(connection: Connection, *, own: bool = False, states: tuple[str, ...] = FOLLOWED) -> list[Peer]:
    """List members in order of their names, this one among them only where ``own`` is set."""
    query = select(tables.Peer).where(col(tables.Peer.state).in_(states)).order_by(col(tables.Peer.member))
    if not own:
        query = query.where(col(tables.Peer.own).is_(False))
    return [Peer(**row) for row in connection.execute(query).mappings()]


def set_state(connection: Connection, peer: int, state: str) -> None:
    """Set a state; what becomes active is tried at once, however often it failed."""
    _update(connection, peer, state=state, **({"next_try_at": None} if state == ACTIVE else {}))


def pin_root(connection: Connection, peer: int, root: bytes, fingerprint: str | None) -> None:
    """Store the root with which trust in this member begins."""
    _update(connection, peer, pinned_root=root, pinned_fingerprint=fingerprint)


def accept_card(
    connection: Connection, peer: int, *, old_version: int | None, version: int, card: bytes, now: datetime
) -> None:
    """Store the newest verified card; StoreMovedError unless ``old_version`` is the one in force."""
    statement = (
        update(tables.Peer)
        .where(col(tables.Peer.number) == peer, col(tables.Peer.card_version).is_not_distinct_from(old_version))
        .values(card=card, card_version=version, card_accepted_at=int(now.timestamp()))
    )
    if connection.execute(statement).rowcount != 1:
        raise StoreMovedError("another process accepted a card of this member first", mend="read it again")


def record_trust_check(connection: Connection, peer: int, *, now: datetime, error: Mapping[str, Any] | None) -> None:
    """Store when the trust repository was last read, and what was wrong with it."""
    _update(connection, peer, trust_checked_at=int(now.timestamp()), trust_error=None if error is None else dict(error))


def record_success(connection: Connection, peer: int, *, now: datetime, next_try_at: int | None) -> None:
    """Store that this member's logs could be read."""
    seconds = int(now.timestamp())
    _update(
        connection,
        peer,
        failures=0,
        last_error=None,
        last_try_at=seconds,
        last_good_at=seconds,
        next_try_at=next_try_at,
    )


def record_failure(
    connection: Connection, peer: int, *, now: datetime, error: Mapping[str, Any], next_try_at: int | None
) -> None:
    """Store that this member could not be read, or was not believed, and count it."""
    _update(
        connection,
        peer,
        failures=col(tables.Peer.failures) + 1,
        last_error=dict(error),
        last_try_at=int(now.timestamp()),
        next_try_at=next_try_at,
    )


def _one(connection: Connection, condition: Any, *, lock: bool) -> Peer | None:
    query = select(tables.Peer).where(condition)
    row = connection.execute(query.with_for_update() if lock else query).mappings().one_or_none()
    return None if row is None else Peer(**row)


def _update(connection: Connection, peer: int, **values: Any) -> None:
    statement = update(tables.Peer).where(col(tables.Peer.number) == peer).values(**values)
    if connection.execute(statement).rowcount != 1:
        raise NotFoundError(f"no member has the number {peer}")


def _take_up_again(connection: Connection, removed: Peer, row: Mapping[str, Any]) -> Peer:
    taken = select(col(tables.Peer.number)).where(
        col(tables.Peer.url) == row["url"], col(tables.Peer.number) != removed.number
    )
    if connection.execute(taken).first() is not None:
        raise ConflictError("another member has this URL", where=row["url"], mend="remove it first")
    connection.execute(delete(tables.TrustFile).where(col(tables.TrustFile.peer) == removed.number))
    fresh = ("card", "card_version", "card_accepted_at", "trust_checked_at", "trust_error")
    tries = ("next_try_at", "last_try_at", "last_good_at", "last_error")
    _update(connection, removed.number, **dict.fromkeys(fresh + tries), **row)
    return get_peer(connection, removed.member)
