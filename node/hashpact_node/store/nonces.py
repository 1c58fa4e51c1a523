"""Nonces of signed requests that were seen, for all processes on this database."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col

from hashpact_node.store.tables_requests import RequestNonce
from hashpact_protocol.requests import SKEW_SECONDS

_ROW: Final[dict[str, Any]] = {"digest": bindparam("digest"), "forget_at": bindparam("forget_at")}
_REMEMBER: Final = {
    name: insert(RequestNonce).values(_ROW).on_conflict_do_nothing().returning(col(RequestNonce.digest))
    for name, insert in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
}
"""Made once: it is run for each request that comes once only, and making it takes longer than running it."""


def remember_nonce(connection: Connection, member: str, nonce: str, *, forget_at: int) -> bool:
    """Remember a member's nonce until a while after ``forget_at`` (Unix seconds); False where it was seen before."""
    row = {"digest": sha256(f"{member}/{nonce}".encode()).digest(), "forget_at": forget_at}
    return connection.execute(_REMEMBER[connection.dialect.name], row).first() is not None


def forget_nonces(connection: Connection, *, now: int) -> None:
    """Forget what no process needs to remember.

    ``now`` (Unix seconds) is the time of one of them, and another whose clock is slower still takes what this one
    would refuse: so each is kept a while longer.
    """
    connection.execute(delete(RequestNonce).where(col(RequestNonce.forget_at) < now - SKEW_SECONDS))
