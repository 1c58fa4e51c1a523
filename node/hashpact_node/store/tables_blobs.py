"""The tables of blobs: signals too long for an entry, which entries name by their SHA-256."""

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, Integer, LargeBinary, String
from sqlmodel import Field

from hashpact_node.store.tables import Table


class Blob(Table, table=True):
    """A blob by the key of its signal, which holds type and SHA-256; ``peer`` is the member that brought it.

    It is kept while somebody claims its signal, and for a while after ``used_at``.
    """

    __tablename__ = "blob"
    __table_args__ = (Index("ix_blob_sha256", "sha256"), Index("ix_blob_peer", "peer"))

    used_at: int = Field(sa_type=BigInteger)
    length: int = Field(sa_type=Integer)
    peer: int = Field(sa_type=Integer, sa_column_args=[ForeignKey("peer.number")])
    key: bytes = Field(sa_type=LargeBinary, primary_key=True)
    sha256: bytes = Field(sa_type=LargeBinary)
    data: bytes = Field(sa_type=LargeBinary)


class BlobWant(Table, table=True):
    """A blob that live listings of a followed member name; ``held`` once its bytes are here and are what was said.

    Until then ``code`` and ``reason`` say what went wrong last; ``next_try_at`` is when it is asked for again.
    """

    __tablename__ = "blob_want"
    __table_args__ = (Index("ix_blob_want_held_peer_next_try_at", "held", "peer", "next_try_at"),)

    peer: int = Field(sa_type=Integer, primary_key=True, sa_column_args=[ForeignKey("peer.number")])
    key: bytes = Field(sa_type=LargeBinary, primary_key=True)
    next_try_at: int = Field(sa_type=BigInteger)
    failures: int = Field(default=0, sa_type=Integer)
    held: bool = Field(default=False, sa_type=Boolean)
    code: str | None = Field(default=None, sa_type=String)
    reason: str | None = Field(default=None, sa_type=String)
