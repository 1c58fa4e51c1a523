"""What doorbells asked for: one row a log whose news should be read at once."""

from sqlalchemy import BigInteger, ForeignKey, Integer
from sqlmodel import Field

from hashpact_node.store.tables import Table


class Doorbell(Table, table=True):
    """A log that should be pulled at ``due_ms`` (Unix milliseconds).

    It was shown to be of ``size`` entries, or ``card`` was said to be the version of its publisher's card.
    """

    __tablename__ = "doorbell"

    log: int = Field(primary_key=True, sa_type=Integer, sa_column_args=[ForeignKey("log.number")])
    size: int = Field(sa_type=BigInteger)
    due_ms: int = Field(sa_type=BigInteger)
    card: int | None = Field(default=None, sa_type=BigInteger)
