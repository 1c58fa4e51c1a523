"""The tables of a consortium's directory that is followed, and of who decided whether a member is followed."""

from typing import Any

from sqlalchemy import BigInteger, LargeBinary, String
from sqlmodel import Field

from hashpact_node.store.tables import NullableJson, Table


class PeerDecision(Table, table=True):
    """Who last decided whether a member is followed, a person here or the directory, and why (Unix seconds)."""

    __tablename__ = "peer_decision"

    decided_at: int = Field(sa_type=BigInteger)
    member: str = Field(sa_type=String, primary_key=True)
    by: str = Field(sa_type=String)
    reason: str | None = Field(default=None, sa_type=String)


class Directory(Table, table=True):
    """What was last accepted of the directory with that pin, and how the last look at it went (Unix seconds)."""

    __tablename__ = "directory"

    version: int | None = Field(default=None, sa_type=BigInteger)
    accepted_at: int | None = Field(default=None, sa_type=BigInteger)
    checked_at: int | None = Field(default=None, sa_type=BigInteger)
    pin: str = Field(sa_type=String, primary_key=True)
    url: str = Field(sa_type=String)
    data: bytes | None = Field(default=None, sa_type=LargeBinary)
    error: dict[str, Any] | None = Field(default=None, sa_type=NullableJson)


class DirectoryFile(Table, table=True):
    """One file of a directory's trust repository: ``place`` is ``metadata`` or ``targets``."""

    __tablename__ = "directory_file"

    pin: str = Field(sa_type=String, primary_key=True)
    place: str = Field(sa_type=String, primary_key=True)
    name: str = Field(sa_type=String, primary_key=True)
    data: bytes = Field(sa_type=LargeBinary)
