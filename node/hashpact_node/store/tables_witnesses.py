"""What doorbells asked for: one row a log whose news should be read at once."""

from sqlalchemy import BigInteger, ForeignKey, Integer
from sqlmodel import Field

from hashpact_node.store.tables import Table


class Doorbell(Table, table=True):
    """A log that should be pulled at ``due_ms`` (Unix milliseconds), since it was shown to be of ``size`` entries."""

    __tablename__ = "doorbell"

    log: int = Field(primary_key=True, sa_type=Integer, sa_column_args=[ForeignKey("log.number")])
    size: int = Field(sa_type=BigInteger)
    due_ms: int = Field(sa_type=BigInteger)
