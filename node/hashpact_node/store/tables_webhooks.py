"""Who is told of changes of the blocklist, and the batches that are on their way or were given up."""

from sqlalchemy import BigInteger, ForeignKey, Integer, LargeBinary, String
from sqlmodel import Field

from hashpact_node.store.tables import Table


class Webhook(Table, table=True):
    """An endpoint of this company that is told of changes.

    ``cursor``: the number of the last change that it has, or that was skipped. ``sealed``: the secret that signs, under
    a key of the home. ``public``: the public key of that secret, where it has one.
    """

    __tablename__ = "webhook"

    number: int | None = Field(default=None, primary_key=True, sa_type=Integer)
    created_at: int = Field(sa_type=BigInteger)
    cursor: int = Field(sa_type=BigInteger)
    last_try_at: int | None = Field(default=None, sa_type=BigInteger)
    last_good_at: int | None = Field(default=None, sa_type=BigInteger)
    batch: int = Field(sa_type=Integer)
    id: str = Field(sa_type=String, unique=True)
    name: str = Field(sa_type=String)
    url: str = Field(sa_type=String)
    action: str | None = Field(default=None, sa_type=String)
    scheme: str = Field(sa_type=String)
    state: str = Field(sa_type=String)
    created_by: str = Field(sa_type=String)
    last_error: str | None = Field(default=None, sa_type=String)
    public: bytes | None = Field(default=None, sa_type=LargeBinary)
    sealed: bytes = Field(sa_type=LargeBinary)


class WebhookLetter(Table, table=True):
    """A batch of changes, byte for byte as it is sent, until it is delivered; ``dead``: no further try is made.

    It holds the changes after number ``since`` up to ``cursor``.
    """

    __tablename__ = "webhook_letter"

    number: int | None = Field(default=None, primary_key=True, sa_type=Integer)
    made_at: int = Field(sa_type=BigInteger)
    since: int = Field(sa_type=BigInteger)
    cursor: int = Field(sa_type=BigInteger)
    next_try_at: int = Field(sa_type=BigInteger)
    dead_at: int | None = Field(default=None, sa_type=BigInteger)
    webhook: int = Field(sa_type=Integer, index=True, sa_column_args=[ForeignKey("webhook.number")])
    changes: int = Field(sa_type=Integer)
    tries: int = Field(sa_type=Integer)
    id: str = Field(sa_type=String, unique=True)
    error: str | None = Field(default=None, sa_type=String)
    data: bytes = Field(sa_type=LargeBinary)
