"""The table of what this member's own logs showed, and when."""

from sqlalchemy import BigInteger, ForeignKey, Integer, LargeBinary
from sqlmodel import Field

from hashpact_node.store.tables import Table


class ShownSize(Table, table=True):
    """A size of an own log under which it was shown, its root, and when it was first shown."""

    __tablename__ = "shown_size"

    log: int = Field(sa_type=Integer, primary_key=True, sa_column_args=[ForeignKey("log.number")])
    size: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    shown_at: int = Field(sa_type=BigInteger)
    root: bytes = Field(sa_type=LargeBinary)
