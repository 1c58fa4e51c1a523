"""What keeps an old backup from telling a second story: what peers showed of our own logs, and who looked."""

from sqlalchemy import BigInteger, Boolean, ForeignKey, Integer, LargeBinary, String
from sqlmodel import Field

from hashpact_node.store.tables import Table


class KnownHead(Table, table=True):
    """A checkpoint of an own log, signed by ourselves, that a peer showed and that is not held here."""

    __tablename__ = "known_head"

    log: int = Field(sa_type=Integer, primary_key=True, sa_column_args=[ForeignKey("log.number")])
    size: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    root: bytes = Field(sa_type=LargeBinary, primary_key=True)
    learned_at: int = Field(sa_type=BigInteger)
    member: str = Field(sa_type=String)
    note: bytes = Field(sa_type=LargeBinary)


class KnownCard(Table, table=True):
    """Targets metadata of this member, signed by its own targets key, newer than the card in force here."""

    __tablename__ = "known_card"

    version: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    learned_at: int = Field(sa_type=BigInteger)
    member: str = Field(sa_type=String)
    targets: bytes = Field(sa_type=LargeBinary)


class Process(Table, table=True):
    """A process that serves this database, by the number of the lock that it holds; ``state`` is for people."""

    __tablename__ = "process"

    slot: int = Field(sa_type=Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    started_at: int = Field(sa_type=BigInteger)
    heartbeat_at: int = Field(sa_type=BigInteger)
    awake: bool = Field(sa_type=Boolean)
    alone: bool = Field(sa_type=Boolean)
    runner: str = Field(sa_type=String)
    state: str = Field(sa_type=String)
