"""The tables of this company's own decisions, which beat every peer. Nothing of them is derived from logs."""

from typing import Any, ClassVar

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, String
from sqlmodel import Field

from hashpact_node.store.tables import Table


class Decision(Table, table=True):
    """What this company decided about a signal (``key``) or a listing (``member``, ``log_name``, ``listing``), and why.

    ``near``: it covers what lies within this distance, too. ``scope``: the members about whose claims it is, with
    spaces between; None stands for everybody's. ``about_log`` and ``about_position``: where the winning revision of the
    listing stands now, if it does. A decision stands until ``ended_at``; ``until`` is when it ends by itself.
    """

    __tablename__ = "decision"
    __table_args__: ClassVar[Any] = (
        Index("ix_decision_ended_at", "ended_at"),
        Index("ix_decision_about_log_about_position", "about_log", "about_position"),
    )

    number: int | None = Field(default=None, primary_key=True, sa_type=Integer)
    made_at: int = Field(sa_type=BigInteger)
    until: int | None = Field(default=None, sa_type=BigInteger)
    ended_at: int | None = Field(default=None, sa_type=BigInteger)
    about_position: int | None = Field(default=None, sa_type=BigInteger)
    about_log: int | None = Field(default=None, sa_type=Integer)
    near: int | None = Field(default=None, sa_type=Integer)
    verdict: str = Field(sa_type=String)
    made_by: str = Field(sa_type=String)
    why: str = Field(sa_type=String)
    scope: str | None = Field(default=None, sa_type=String)
    member: str | None = Field(default=None, sa_type=String)
    log_name: str | None = Field(default=None, sa_type=String)
    ended_by: str | None = Field(default=None, sa_type=String)
    ended_why: str | None = Field(default=None, sa_type=String)
    listing: bytes | None = Field(default=None, sa_type=LargeBinary)
    key: bytes | None = Field(default=None, sa_type=LargeBinary)


class DecisionSignal(Table, table=True):
    """A signal that a decision covers: its own, or one that its listing had when it was decided about."""

    __tablename__ = "decision_signal"

    key: bytes = Field(sa_type=LargeBinary, primary_key=True)
    decision: int = Field(sa_type=Integer, primary_key=True, sa_column_args=[ForeignKey("decision.number")])
