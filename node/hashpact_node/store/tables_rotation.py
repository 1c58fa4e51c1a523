"""Rotations of log keys that are under way: one row a row of keys, until the old key has left the card."""

from sqlalchemy import BigInteger, LargeBinary, String
from sqlmodel import Field

from hashpact_node.store.tables import Table


class KeyRotation(Table, table=True):
    """A new log key beside the old one: since when the card names it, and from when on it may stand alone."""

    __tablename__ = "key_rotation"

    row: str = Field(primary_key=True, sa_type=String)
    public: bytes = Field(sa_type=LargeBinary)
    began_at: int = Field(sa_type=BigInteger)
    ready_at: int = Field(sa_type=BigInteger)
