"""The tables of floods: what is held for review since there is far too much of it, and what is counted to notice it."""

from typing import Any, ClassVar

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, String
from sqlmodel import Field

from hashpact_node.store.tables import Table


class FloodHold(Table, table=True):
    """One hold: of ``kind`` ``listings`` the entries ``first`` to ``last`` - 1 of a log, of ``matches`` a signal.

    So many ``came`` on the day on which it last grew (``grown_at``), and ``usual`` was usual before. It holds until
    ``released_at``. ``notice`` says whether the publisher is to be told: ``none``, ``due``, ``sent`` or ``refused``.
    """

    __tablename__ = "flood_hold"
    __table_args__: ClassVar[Any] = (
        Index("ix_flood_hold_released_at", "released_at"),
        Index("ix_flood_hold_key", "key"),
    )

    number: int | None = Field(default=None, primary_key=True, sa_type=Integer)
    since: int = Field(sa_type=BigInteger)
    grown_at: int = Field(sa_type=BigInteger)
    came: int = Field(sa_type=BigInteger)
    usual: int = Field(sa_type=BigInteger)
    first: int | None = Field(default=None, sa_type=BigInteger)
    last: int | None = Field(default=None, sa_type=BigInteger)
    released_at: int | None = Field(default=None, sa_type=BigInteger)
    notified_at: int | None = Field(default=None, sa_type=BigInteger)
    peer: int | None = Field(default=None, sa_type=Integer, sa_column_args=[ForeignKey("peer.number")])
    log: int | None = Field(default=None, sa_type=Integer, sa_column_args=[ForeignKey("log.number")])
    kind: str = Field(sa_type=String)
    notice: str = Field(sa_type=String)
    notice_error: str | None = Field(default=None, sa_type=String)
    released_by: str | None = Field(default=None, sa_type=String)
    released_why: str | None = Field(default=None, sa_type=String)
    key: bytes | None = Field(default=None, sa_type=LargeBinary)


class ListedCount(Table, table=True):
    """How many new listings of a member's logs of one name were merged on a day (Unix days, UTC).

    The first row says since when that is counted: since these logs were read whole for the first time.
    """

    __tablename__ = "listed_count"

    sequence: int = Field(sa_type=Integer, primary_key=True, sa_column_args=[ForeignKey("sequence.number")])
    day: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    listings: int = Field(sa_type=BigInteger)


class MatchedCount(Table, table=True):
    """How many lookups of a day (Unix days, UTC) matched a signal that is blocked; nothing of who asked, or of what."""

    __tablename__ = "matched_count"

    key: bytes = Field(sa_type=LargeBinary, primary_key=True)
    day: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False}, index=True)
    lookups: int = Field(sa_type=BigInteger)
