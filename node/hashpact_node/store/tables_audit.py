"""The tables of the audit log: who did what."""

from sqlalchemy import BigInteger, Integer, LargeBinary
from sqlmodel import Field

from hashpact_node.store.tables import Table, Wide


class AuditEntry(Table, table=True):
    """One entry as it was written, by its number, from 1 on; ``time`` repeats what it says, to be looked for."""

    __tablename__ = "audit_entry"

    number: int = Field(sa_type=Wide, primary_key=True, sa_column_kwargs={"autoincrement": False})
    time: int = Field(sa_type=BigInteger, index=True)
    entry: bytes = Field(sa_type=LargeBinary)


class AuditHead(Table, table=True):
    """The one row that whoever appends locks: how many entries there are, and the compact range over them."""

    __tablename__ = "audit_head"

    one: int = Field(sa_type=Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    size: int = Field(sa_type=BigInteger)
    range: bytes = Field(sa_type=LargeBinary)
