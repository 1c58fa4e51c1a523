"""The tables of the watch over our keys: what was told already, and what peers' clocks said."""

from sqlalchemy import BigInteger, Integer, String
from sqlmodel import Field

from hashpact_node.store.tables import Table


class KeyNotice(Table, table=True):
    """A finding that was written to the log, and how near its end was then: days, or 0."""

    __tablename__ = "key_notice"

    level: int = Field(sa_type=Integer)
    subject: str = Field(sa_type=String, primary_key=True)


class ClockReading(Table, table=True):
    """By how many milliseconds our clock was ahead of a peer's, by the date of its last answer, and when that was."""

    __tablename__ = "clock_reading"

    offset_ms: int = Field(sa_type=BigInteger)
    read_at: int = Field(sa_type=BigInteger)
    member: str = Field(sa_type=String, primary_key=True)
