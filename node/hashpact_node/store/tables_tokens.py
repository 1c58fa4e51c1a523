"""Tokens of the API: who holds one may use ``/v1`` as far as its scopes go."""

from sqlalchemy import BigInteger, Integer, LargeBinary, String
from sqlmodel import Field

from hashpact_node.store.tables import Table


class Token(Table, table=True):
    """A token: of its secret only the SHA-256 is kept; ``scopes`` are words with a space between them.

    ``per_minute`` is how often it may ask, None for as often as it likes; ``created_by`` is who made it.
    """

    __tablename__ = "token"

    id: str = Field(primary_key=True, sa_type=String)
    created_at: int = Field(sa_type=BigInteger)
    expires_at: int | None = Field(default=None, sa_type=BigInteger)
    revoked_at: int | None = Field(default=None, sa_type=BigInteger)
    last_used_at: int | None = Field(default=None, sa_type=BigInteger)
    per_minute: int | None = Field(default=None, sa_type=Integer)
    name: str = Field(sa_type=String)
    scopes: str = Field(sa_type=String)
    created_by: str = Field(sa_type=String)
    secret_hash: bytes = Field(sa_type=LargeBinary)
