"""What signed requests must not repeat: one row a nonce, until the signature that had it has expired."""

from sqlalchemy import BigInteger, LargeBinary
from sqlmodel import Field

from hashpact_node.store.tables import Table


class RequestNonce(Table, table=True):
    """A nonce that a member has used; ``digest`` is made of both.

    After ``forget_at`` (Unix seconds) nobody needs it any more.
    """

    __tablename__ = "request_nonce"

    forget_at: int = Field(sa_type=BigInteger, index=True)
    digest: bytes = Field(primary_key=True, sa_type=LargeBinary)
