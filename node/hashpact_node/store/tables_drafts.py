"""The tables of four eyes: what is proposed and waits for another person, and how much had its place lately."""

from typing import ClassVar

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, Integer, LargeBinary, SmallInteger, String
from sqlmodel import Field

from hashpact_node.store.tables import Table


class Draft(Table, table=True):
    """Something that is to be published once somebody else approves it: listings of one request, or a withdrawal.

    ``log_name``: the names of the logs that it is for, separated by commas. ``listing``: the listing that is to be
    withdrawn. ``source``: the import whose lines these are. ``log`` and ``size`` say where its last statement got its
    place.
    """

    __tablename__ = "draft"
    __table_args__: ClassVar = (Index("ix_draft_state_number", "state", "number"),)

    number: int | None = Field(default=None, primary_key=True, sa_type=Integer)
    proposed_at: int = Field(sa_type=BigInteger)
    decided_at: int | None = Field(default=None, sa_type=BigInteger)
    listings: int = Field(sa_type=BigInteger)
    withdrawals: int = Field(sa_type=BigInteger)
    size: int | None = Field(default=None, sa_type=BigInteger)
    log: int | None = Field(default=None, sa_type=Integer)
    erase: bool = Field(sa_type=Boolean)
    id: str = Field(sa_type=String, unique=True)
    kind: str = Field(sa_type=String)
    state: str = Field(sa_type=String)
    log_name: str = Field(sa_type=String)
    title: str = Field(sa_type=String)
    proposer_kind: str = Field(sa_type=String)
    proposer_name: str = Field(sa_type=String)
    decider_kind: str | None = Field(default=None, sa_type=String)
    decider_name: str | None = Field(default=None, sa_type=String)
    reason: str | None = Field(default=None, sa_type=String)
    listing: str | None = Field(default=None, sa_type=String)
    source: str | None = Field(default=None, sa_type=String)


class DraftEntry(Table, table=True):
    """A statement of a draft for one log, byte for byte as it will be signed; ``content``: the SHA-256 of its file."""

    __tablename__ = "draft_entry"

    draft: int = Field(sa_type=Integer, primary_key=True, sa_column_args=[ForeignKey("draft.number")])
    place: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    kind: int = Field(sa_type=SmallInteger)
    log_name: str = Field(sa_type=String)
    entry: bytes = Field(sa_type=LargeBinary)
    content: bytes | None = Field(default=None, sa_type=LargeBinary)


class PlacedCount(Table, table=True):
    """How many statements that nobody said yes to got their places in a log within a minute (Unix minutes)."""

    __tablename__ = "placed_count"

    log: int = Field(sa_type=Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    minute: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    listings: int = Field(sa_type=BigInteger)
    withdrawals: int = Field(sa_type=BigInteger)
