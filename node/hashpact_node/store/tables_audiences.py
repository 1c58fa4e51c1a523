"""The tables of audiences: own logs with readers of their own, and logs of others that are not for us."""

from sqlalchemy import BigInteger, ForeignKey, Integer, String
from sqlmodel import Field

from hashpact_node.store.tables import Table


class Audience(Table, table=True):
    """Some members who read a log of ours that nobody else may: its name here, and the log's, which tells nothing."""

    __tablename__ = "audience"

    number: int | None = Field(default=None, primary_key=True, sa_type=Integer)
    created_at: int = Field(sa_type=BigInteger)
    closed_at: int | None = Field(default=None, sa_type=BigInteger)
    name: str = Field(sa_type=String)
    log_name: str = Field(sa_type=String, unique=True)


class AudienceReader(Table, table=True):
    """A member who reads the log of an audience."""

    __tablename__ = "audience_reader"

    audience: int = Field(sa_type=Integer, primary_key=True, sa_column_args=[ForeignKey("audience.number")])
    member: str = Field(sa_type=String, primary_key=True)
    added_at: int = Field(sa_type=BigInteger)


class NotForUs(Table, table=True):
    """A peer's log that its publisher does not let us read, by its local number, and since when; no fault of anybody.

    ``asked_at`` is when that was said last. The row goes with that of the log, as alarms do.
    """

    __tablename__ = "not_for_us"

    log: int = Field(sa_type=Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    since: int = Field(sa_type=BigInteger)
    asked_at: int = Field(sa_type=BigInteger)
