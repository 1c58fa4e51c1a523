"""Tables of successors and erasure; see ``tables`` for what holds for all.

SQLModel reads annotations while classes are made, so this file has no ``from __future__ import annotations``.
"""

from sqlalchemy import BigInteger, ForeignKey, Integer, LargeBinary, SmallInteger, String
from sqlmodel import Field

from hashpact_node.store.tables import Table


class StagedBundle(Table, table=True):
    """A bundle of a log that is to replace what is held of it, as fetched; nothing of it counts yet."""

    __tablename__ = "staged_bundle"

    log: int = Field(sa_type=Integer, primary_key=True, sa_column_args=[ForeignKey("log.number")])
    number: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    width: int = Field(sa_type=SmallInteger)
    data: bytes = Field(sa_type=LargeBinary)


class CutBundle(Table, table=True):
    """A bundle that reached beyond where a card ended its log, kept as evidence; ``at`` is when it was cut."""

    __tablename__ = "cut_bundle"

    log: int = Field(sa_type=Integer, primary_key=True, sa_column_args=[ForeignKey("log.number")])
    at: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    number: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    width: int = Field(sa_type=SmallInteger)
    data: bytes = Field(sa_type=LargeBinary)


class Erasure(Table, table=True):
    """An own listing whose bytes are to disappear everywhere; ``successor`` is the log that does without it."""

    __tablename__ = "erasure"

    sequence: int = Field(sa_type=Integer, primary_key=True, sa_column_args=[ForeignKey("sequence.number")])
    listing: bytes = Field(sa_type=LargeBinary, primary_key=True)
    requested_at: int = Field(sa_type=BigInteger)
    successor: int | None = Field(default=None, sa_type=Integer)
    reason: str = Field(sa_type=String)


class ErasedLog(Table, table=True):
    """A log that its card calls erased: since when, and when its entries were destroyed here."""

    __tablename__ = "erased_log"

    log: int = Field(sa_type=Integer, primary_key=True, sa_column_args=[ForeignKey("log.number")])
    since: int = Field(sa_type=BigInteger)
    destroyed_at: int | None = Field(default=None, sa_type=BigInteger)


class ErasedCopy(Table, table=True):
    """What a peer answered when it was asked for an erased log of ours: the HTTP status, None where none came."""

    __tablename__ = "erased_copy"

    log: int = Field(sa_type=Integer, primary_key=True, sa_column_args=[ForeignKey("log.number")])
    peer: int = Field(sa_type=Integer, primary_key=True, sa_column_args=[ForeignKey("peer.number")])
    asked_at: int = Field(sa_type=BigInteger)
    status: int | None = Field(default=None, sa_type=SmallInteger)
