"""Nonces of signed requests that were seen, for all processes on this database."""

from __future__ import annotations

from hashlib import sha256

from sqlalchemy import Connection, delete
from sqlmodel import col

from hashpact_node.store.database import insert_into
from hashpact_node.store.tables_requests import RequestNonce
from hashpact_protocol.requests import SKEW_SECONDS


def remember_nonce(connection: Connection, member: str, nonce: str, *, forget_at: int, now: int) -> bool:
    """Remember a member's nonce until a while after ``forget_at`` (Unix seconds); False where it was seen before.

    What no process remembers any more is forgotten by the way: ``now`` is the time of one of them, and another whose
    clock is slower still takes what this one would refuse.
    """
    connection.execute(delete(RequestNonce).where(col(RequestNonce.forget_at) < now - SKEW_SECONDS))
    digest = sha256(f"{member}/{nonce}".encode()).digest()
    insert = insert_into(connection, RequestNonce).values(digest=digest, forget_at=forget_at).on_conflict_do_nothing()
    return connection.execute(insert.returning(col(RequestNonce.digest))).first() is not None
