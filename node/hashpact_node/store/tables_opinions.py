"""The tables of opinions: what members think of listings, the disputes of own ones, and how long corrections took."""

from typing import Any, ClassVar

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, String
from sqlmodel import Field

from hashpact_node.store.tables import Table, Wide


class Opinion(Table, table=True):
    """A member's newest opinion on a listing (``member``, ``log_name``, ``listing``), within one sequence of its logs.

    ``log`` and ``position`` are its own place. ``about_log`` and ``about_position``: the place of the revision that it
    is about, if that is the winning one; else it counts for nothing, and they are empty.
    """

    __tablename__ = "opinion"
    __table_args__: ClassVar[Any] = (
        Index("ix_opinion_member_log_name_listing", "member", "log_name", "listing"),
        Index("ix_opinion_about_log_about_position", "about_log", "about_position"),
    )

    sequence: int = Field(sa_type=Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    member: str = Field(sa_type=String, primary_key=True)
    log_name: str = Field(sa_type=String, primary_key=True)
    listing: bytes = Field(sa_type=LargeBinary, primary_key=True)
    position: int = Field(sa_type=BigInteger)
    time: int = Field(sa_type=BigInteger)
    about_position: int | None = Field(default=None, sa_type=BigInteger)
    log: int = Field(sa_type=Integer)
    about_log: int | None = Field(default=None, sa_type=Integer)
    verdict: str = Field(sa_type=String)
    reason: str | None = Field(default=None, sa_type=String)
    leaf: bytes = Field(sa_type=LargeBinary)


class Dispute(Table, table=True):
    """A disagreement of a member with one revision (``leaf``) of an own listing, and what became of it.

    ``answer`` is empty while it is open. The row stays when the opinion or its member is gone: it tells how long it
    took.
    """

    __tablename__ = "dispute"
    __table_args__: ClassVar[Any] = (Index("ix_dispute_log_name_listing", "log_name", "listing"),)

    number: int | None = Field(default=None, primary_key=True, sa_type=Wide)
    since: int = Field(sa_type=BigInteger)
    answered_at: int | None = Field(default=None, sa_type=BigInteger)
    position: int = Field(sa_type=BigInteger)
    log: int = Field(sa_type=Integer)
    member: str = Field(sa_type=String)
    log_name: str = Field(sa_type=String)
    reason: str | None = Field(default=None, sa_type=String)
    answer: str | None = Field(default=None, sa_type=String)
    answered_by: str | None = Field(default=None, sa_type=String)
    note: str | None = Field(default=None, sa_type=String)
    listing: bytes = Field(sa_type=LargeBinary)
    leaf: bytes = Field(sa_type=LargeBinary)


class CorrectionDelay(Table, table=True):
    """How long withdrawals of a member took from their time to their merge here, on one day (UTC, from 1970 on).

    Only those that ended a listing which had been merged before. Seconds; one from the future counts as 0.
    """

    __tablename__ = "correction_delay"

    peer: int = Field(sa_type=Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    day: int = Field(sa_type=Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    total_seconds: int = Field(sa_type=BigInteger)
    longest_seconds: int = Field(sa_type=BigInteger)
    count: int = Field(sa_type=Integer)
    within_minute: int = Field(sa_type=Integer)
    within_hour: int = Field(sa_type=Integer)
    within_day: int = Field(sa_type=Integer)
