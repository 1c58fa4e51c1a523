"""Evidence that members told two stories: each thing once, and so many of each member at most."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, delete, func, select
from sqlmodel import col

from hashpact_node.store.database import insert_into
from hashpact_node.store.tables import Peer
from hashpact_node.store.tables_evidence import Evidence

PROVEN_MAX: Final = 16
"""Proven pieces kept of one member; more prove nothing more."""

PROVEN_OF_LOG_MAX: Final = 4
"""Of one log, so that one log does not crowd out the others. Two cards of one version count as a log of their own."""

UNPROVEN_MAX: Final = 8
"""Pieces kept of one member that are not proven; the first ones stay."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One row with its member's id; ``log`` is None where it is about cards; ``kept_at`` in Unix seconds."""

    number: int
    member: str
    peer: int
    log: int | None
    proven: bool
    charge: str
    what: str
    kept_at: int
    digest: bytes
    data: bytes


def find_evidence(connection: Connection, digest: bytes, *, proven: bool) -> int | None:
    """Give the number of what is kept of this already."""
    query = select(col(Evidence.number)).where(col(Evidence.digest) == digest, col(Evidence.proven) == proven)
    return connection.execute(query).scalar_one_or_none()


def add_evidence(
    connection: Connection,
    *,
    peer: int,
    log: int | None,
    proven: bool,
    charge: str,
    what: str,
    digest: bytes,
    data: bytes,
    now: datetime,
) -> int | None:
    """Keep a piece of evidence, and give its number; None where there is no room, or it is kept already.

    What is proven takes the place of the same thing unproven.
    """
    # Lets nobody else count at the same time.
    connection.execute(select(col(Peer.number)).where(col(Peer.number) == peer).with_for_update())
    if not _has_room(connection, peer, log or 0, proven=proven):
        return None
    if proven:
        connection.execute(delete(Evidence).where(col(Evidence.digest) == digest, col(Evidence.proven).is_(False)))
    row = {"peer": peer, "log": log or 0, "proven": proven, "charge": charge, "what": what, "digest": digest}
    insert = insert_into(connection, Evidence).values(kept_at=int(now.timestamp()), data=data, **row)
    return connection.execute(insert.on_conflict_do_nothing().returning(col(Evidence.number))).scalar_one_or_none()


def list_evidence(connection: Connection, *, peer: int | None = None) -> list[Kept]:
    """List what is kept, the newest last."""
    query = _rows().order_by(col(Evidence.number))
    if peer is not None:
        query = query.where(col(Evidence.peer) == peer)
    return [_kept(row) for row in connection.execute(query).mappings()]


def read_evidence(connection: Connection, number: int) -> Kept | None:
    """Read one piece; None where there is none of this number."""
    row = connection.execute(_rows().where(col(Evidence.number) == number)).mappings().one_or_none()
    return None if row is None else _kept(row)


def _has_room(connection: Connection, peer: int, log: int, *, proven: bool) -> bool:
    of_peer = (col(Evidence.peer) == peer, col(Evidence.proven) == proven)
    counted = select(func.count()).select_from(Evidence).where(*of_peer)
    if connection.execute(counted).scalar_one() >= (PROVEN_MAX if proven else UNPROVEN_MAX):
        return False
    of_log = connection.execute(counted.where(col(Evidence.log) == log)).scalar_one()
    return not proven or of_log < PROVEN_OF_LOG_MAX


def _rows() -> Select[*tuple[Any, ...]]:
    return select(
        col(Evidence.number),
        col(Peer.member),
        col(Evidence.peer),
        col(Evidence.log),
        col(Evidence.proven),
        col(Evidence.charge),
        col(Evidence.what),
        col(Evidence.kept_at),
        col(Evidence.digest),
        col(Evidence.data),
    ).join(Peer, col(Peer.number) == col(Evidence.peer))


def _kept(row: Any) -> Kept:
    return Kept(**{**row, "log": row["log"] or None})
