"""The table of evidence that a member told two stories."""

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, Integer, LargeBinary, String, UniqueConstraint
from sqlmodel import Field

from hashpact_node.store.tables import Table


class Evidence(Table, table=True):
    """What proves, or may come to prove, that a member told two stories.

    ``data`` is the file that is exported. ``digest`` names what contradicts what, so that it is kept once. ``log`` is 0
    where two cards contradict each other.
    """

    __tablename__ = "evidence"
    __table_args__ = (UniqueConstraint("digest", "proven"), Index("ix_evidence_peer", "peer"))

    number: int | None = Field(default=None, primary_key=True, sa_type=Integer)
    kept_at: int = Field(sa_type=BigInteger)
    peer: int = Field(sa_type=Integer, sa_column_args=[ForeignKey("peer.number")])
    log: int = Field(default=0, sa_type=Integer)
    proven: bool = Field(sa_type=Boolean)
    charge: str = Field(sa_type=String)
    what: str = Field(sa_type=String)
    digest: bytes = Field(sa_type=LargeBinary)
    data: bytes = Field(sa_type=LargeBinary)
