"""Every table of the database, the same on SQLite and PostgreSQL.

Times are integers, Unix seconds. Sizes and positions of logs run up to 2^32, so they are 64 bits wide. What is
large is bytes. Columns stand in the order in which PostgreSQL packs them best: wide fixed ones first, then narrow
ones, then those of varying length; but columns of a primary key stand in the key's order.

SQLModel reads annotations while classes are made, so this file has no ``from __future__ import annotations``.
"""

from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    UniqueConstraint,
)
from sqlmodel import Field, SQLModel

# SQLite numbers rows by itself only where the type says exactly INTEGER.
Wide = BigInteger().with_variant(Integer, "sqlite")
NullableJson = JSON(none_as_null=True)

naming = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Table(SQLModel):
    """The base of all tables: its metadata is Hashpact's own, with a name for every constraint."""

    metadata: ClassVar[MetaData] = MetaData(naming_convention=naming)


class Peer(Table, table=True):
    """A member whose logs this node follows; the row with ``own`` set is this member itself."""

    __tablename__ = "peer"

    number: int | None = Field(default=None, primary_key=True, sa_type=Integer)
    added_at: int = Field(sa_type=BigInteger)
    card_version: int | None = Field(default=None, sa_type=BigInteger)
    card_accepted_at: int | None = Field(default=None, sa_type=BigInteger)
    trust_checked_at: int | None = Field(default=None, sa_type=BigInteger)
    next_try_at: int | None = Field(default=None, sa_type=BigInteger)
    last_try_at: int | None = Field(default=None, sa_type=BigInteger)
    last_good_at: int | None = Field(default=None, sa_type=BigInteger)
    failures: int = Field(default=0, sa_type=Integer)
    own: bool = Field(default=False, sa_type=Boolean)
    state: str = Field(default="active", sa_type=String)
    member: str = Field(sa_type=String, unique=True)
    url: str = Field(sa_type=String, unique=True)
    pinned_fingerprint: str | None = Field(default=None, sa_type=String)
    pinned_root: bytes | None = Field(default=None, sa_type=LargeBinary)
    card: bytes | None = Field(default=None, sa_type=LargeBinary)
    trust_error: dict[str, Any] | None = Field(default=None, sa_type=NullableJson)
    last_error: dict[str, Any] | None = Field(default=None, sa_type=NullableJson)


class TrustFile(Table, table=True):
    """One file of a member's trust repository: ``place`` is ``metadata`` or ``targets``."""

    __tablename__ = "trust_file"

    peer: int = Field(sa_type=Integer, primary_key=True, sa_column_args=[ForeignKey("peer.number")])
    place: str = Field(sa_type=String, primary_key=True)
    name: str = Field(sa_type=String, primary_key=True)
    data: bytes = Field(sa_type=LargeBinary)


class Sequence(Table, table=True):
    """The logs of one name of one member, which follow each other."""

    __tablename__ = "sequence"
    __table_args__ = (UniqueConstraint("peer", "name"),)

    number: int | None = Field(default=None, primary_key=True, sa_type=Integer)
    peer: int = Field(sa_type=Integer, sa_column_args=[ForeignKey("peer.number")])
    name: str = Field(sa_type=String)


class Log(Table, table=True):
    """One log: what the card says of it, how far it is held, accepted, cosigned and (if own) placed."""

    __tablename__ = "log"
    __table_args__ = (
        Index("ix_log_sequence", "sequence"),
        Index("ix_log_peer", "peer"),
        Index("ix_log_origin_hash", "origin_hash"),
    )

    number: int | None = Field(default=None, primary_key=True, sa_type=Integer)
    peer: int = Field(sa_type=Integer, sa_column_args=[ForeignKey("peer.number")])
    sequence: int = Field(sa_type=Integer, sa_column_args=[ForeignKey("sequence.number")])
    position: int = Field(sa_type=Integer)
    final_size: int | None = Field(default=None, sa_type=BigInteger)
    fresh: int | None = Field(default=None, sa_type=BigInteger)
    held_size: int = Field(default=0, sa_type=BigInteger)
    stopped_at: int | None = Field(default=None, sa_type=BigInteger)
    accepted_size: int = Field(default=0, sa_type=BigInteger)
    cosigned_size: int = Field(default=0, sa_type=BigInteger)
    own_cosigned_at: int | None = Field(default=None, sa_type=BigInteger)
    placed_size: int = Field(default=0, sa_type=BigInteger)
    pending_size: int | None = Field(default=None, sa_type=BigInteger)
    quarantined: int = Field(default=0, sa_type=BigInteger)
    dropped_signals: int = Field(default=0, sa_type=BigInteger)
    unknown_statements: int = Field(default=0, sa_type=BigInteger)
    news_at: int | None = Field(default=None, sa_type=BigInteger)
    news_age: int | None = Field(default=None, sa_type=BigInteger)
    erased: bool = Field(default=False, sa_type=Boolean)
    named: bool = Field(default=True, sa_type=Boolean)
    counts: bool = Field(default=False, sa_type=Boolean)
    state: str = Field(sa_type=String)
    kind: str = Field(sa_type=String)
    origin: str = Field(sa_type=String, unique=True)
    origin_hash: str = Field(default="", sa_type=String)
    news_by: str | None = Field(default=None, sa_type=String)
    cosigners: list[str] = Field(default_factory=list, sa_type=JSON)
    url: str = Field(sa_type=String)
    keys: list[str] = Field(sa_type=JSON)
    etag: str | None = Field(default=None, sa_type=String)
    final_root: bytes | None = Field(default=None, sa_type=LargeBinary)
    held_range: bytes = Field(default=b"", sa_type=LargeBinary)
    accepted_root: bytes = Field(sa_type=LargeBinary)
    accepted_note: bytes | None = Field(default=None, sa_type=LargeBinary)
    cosigned_root: bytes = Field(sa_type=LargeBinary)
    cosigned_note: bytes | None = Field(default=None, sa_type=LargeBinary)
    placed_range: bytes = Field(default=b"", sa_type=LargeBinary)
    pending_root: bytes | None = Field(default=None, sa_type=LargeBinary)


class Bundle(Table, table=True):
    """Up to 256 entries of a log as they came, one zstd frame of the C2SP bundle; a partial one grows in place."""

    __tablename__ = "bundle"

    log: int = Field(sa_type=Integer, primary_key=True, sa_column_args=[ForeignKey("log.number")])
    number: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    width: int = Field(sa_type=SmallInteger)
    data: bytes = Field(sa_type=LargeBinary)


class Tile(Table, table=True):
    """The hashes of one tile of a log, 32 bytes each; a partial one grows in place."""

    __tablename__ = "tile"

    log: int = Field(sa_type=Integer, primary_key=True, sa_column_args=[ForeignKey("log.number")])
    level: int = Field(sa_type=SmallInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    number: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    hashes: bytes = Field(sa_type=LargeBinary)


class Statement(Table, table=True):
    """Where an id of a sequence first stood, and where its newest winning statement stands."""

    __tablename__ = "statement"
    __table_args__: ClassVar[dict[str, Any]] = {"sqlite_with_rowid": False}

    # The key first: SQLite's integrity check mistakes the columns of a table WITHOUT ROWID otherwise.
    sequence: int = Field(sa_type=Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    id: bytes = Field(sa_type=LargeBinary, primary_key=True)
    position: int = Field(sa_type=BigInteger)
    log: int = Field(sa_type=Integer)
    kind: int = Field(sa_type=SmallInteger)
    live: bool = Field(sa_type=Boolean)


class Signal(Table, table=True):
    """A signal that is or was claimed; ``number`` is the number of its last change, which the code assigns.

    ``rule`` is the number of the rule that gave the action (``rule_numbers.py``, and the table ``rule``).
    """

    __tablename__ = "signal"
    __table_args__ = (Index("ix_signal_actions_number", "actions", "number"),)

    number: int = Field(sa_type=Wide, primary_key=True, sa_column_kwargs={"autoincrement": False})
    action: int = Field(sa_type=SmallInteger)
    actions: int = Field(sa_type=SmallInteger)
    rule: int = Field(default=0, sa_type=SmallInteger)
    key: bytes = Field(sa_type=LargeBinary, unique=True)
    claims: bytes = Field(sa_type=LargeBinary)


class ChangeTime(Table, table=True):
    """The time of all changes from number ``first`` on, up to the next row."""

    __tablename__ = "change_time"

    first: int = Field(sa_type=Wide, primary_key=True, sa_column_kwargs={"autoincrement": False})
    time: int = Field(sa_type=BigInteger)


class Counter(Table, table=True):
    """A named number that is only read and raised under a lock on its row."""

    __tablename__ = "counter"

    name: str = Field(sa_type=String, primary_key=True)
    value: int = Field(sa_type=BigInteger)


class Quarantine(Table, table=True):
    """A malformed entry (``part`` 0) or a malformed signal in a sound one (``part`` 1 and up), with its reason."""

    __tablename__ = "quarantine"

    log: int = Field(sa_type=Integer, primary_key=True, sa_column_args=[ForeignKey("log.number")])
    position: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    part: int = Field(sa_type=SmallInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    code: str = Field(sa_type=String)
    reason: str = Field(sa_type=String)


class Expiry(Table, table=True):
    """A listing that stops acting at a time."""

    __tablename__ = "expiry"

    at: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    log: int = Field(sa_type=Integer, primary_key=True, sa_column_args=[ForeignKey("log.number")])
    position: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})


class Queue(Table, table=True):
    """A statement of our own that waits for its place in a log.

    ``kind`` is its number in ``merge.Kind``, None where that is not known. ``draft`` is the draft that somebody
    approved, 0 for what had a place before; ``confirmed_at``: when a person let it go although there was so much.
    """

    __tablename__ = "queue"
    __table_args__ = (Index("ix_queue_log_number", "log", "number"),)

    number: int | None = Field(default=None, primary_key=True, sa_type=Wide)
    queued_at: int = Field(sa_type=BigInteger)
    confirmed_at: int | None = Field(default=None, sa_type=BigInteger)
    log: int = Field(sa_type=Integer, sa_column_args=[ForeignKey("log.number")])
    draft: int | None = Field(default=None, sa_type=Integer)
    kind: int | None = Field(default=None, sa_type=SmallInteger)
    entry: bytes = Field(sa_type=LargeBinary)


class Publication(Table, table=True):
    """Which listing of our own came from the content with this SHA-256."""

    __tablename__ = "publication"

    sha256: bytes = Field(sa_type=LargeBinary, primary_key=True)
    listing: bytes = Field(sa_type=LargeBinary)


class ImportProgress(Table, table=True):
    """How many lines of a file are imported; ``source`` names the file's contents and the log."""

    __tablename__ = "import_progress"

    lines: int = Field(sa_type=BigInteger)
    updated_at: int = Field(sa_type=BigInteger)
    source: str = Field(sa_type=String, primary_key=True)


class Idempotency(Table, table=True):
    """A request that a client may repeat, and what was answered; ``status`` is empty while it runs."""

    __tablename__ = "idempotency"

    created_at: int = Field(sa_type=BigInteger, index=True)
    status: int | None = Field(default=None, sa_type=SmallInteger)
    key: str = Field(sa_type=String, primary_key=True)
    request_hash: bytes = Field(sa_type=LargeBinary)
    answer: bytes | None = Field(default=None, sa_type=LargeBinary)


class Job(Table, table=True):
    """When a job runs next, and how its last run went."""

    __tablename__ = "job"

    next_run_at: int | None = Field(default=None, sa_type=BigInteger)
    last_run_at: int | None = Field(default=None, sa_type=BigInteger)
    duration_ms: int | None = Field(default=None, sa_type=BigInteger)
    name: str = Field(sa_type=String, primary_key=True)
    last_result: str | None = Field(default=None, sa_type=String)
    last_error: str | None = Field(default=None, sa_type=String)
    runner: str | None = Field(default=None, sa_type=String)


class Alarm(Table, table=True):
    """Something that a person must see. ``peer`` and ``log`` are 0 where it concerns none, so that it stays unique."""

    __tablename__ = "alarm"
    __table_args__ = (UniqueConstraint("peer", "log", "code"),)

    number: int | None = Field(default=None, primary_key=True, sa_type=Integer)
    first_at: int = Field(sa_type=BigInteger)
    last_at: int = Field(sa_type=BigInteger)
    cleared_at: int | None = Field(default=None, sa_type=BigInteger)
    times: int = Field(default=1, sa_type=BigInteger)
    peer: int = Field(default=0, sa_type=Integer)
    log: int = Field(default=0, sa_type=Integer)
    code: str = Field(sa_type=String)
    what: str = Field(sa_type=String)
    mend: str | None = Field(default=None, sa_type=String)
    evidence: bytes | None = Field(default=None, sa_type=LargeBinary)
