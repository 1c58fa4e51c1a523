"""The tables of what came of the blocklist, in numbers: how often something matched, and what became of it."""

from sqlalchemy import BigInteger, LargeBinary, String
from sqlmodel import Field

from hashpact_node.store.tables import Table


class MatchCount(Table, table=True):
    """How many lookups of one day (Unix days, UTC) met something of that action; ``none`` counts those that did not.

    ``surface`` is empty where it was not said. Nothing tells which hash it was, of what, or whose.
    """

    __tablename__ = "match_count"

    day: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    action: str = Field(sa_type=String, primary_key=True)
    type: str = Field(sa_type=String, primary_key=True)
    surface: str = Field(sa_type=String, primary_key=True)
    lookups: int = Field(sa_type=BigInteger)


class Outcome(Table, table=True):
    """What became of matches of one signal, as whoever matches says it: counts of one day (Unix days, UTC).

    ``key`` is the compact key of the signal, ``source`` the id of the token that said so, empty where none was asked.
    """

    __tablename__ = "outcome"

    day: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    key: bytes = Field(sa_type=LargeBinary, primary_key=True, index=True)
    source: str = Field(sa_type=String, primary_key=True)
    matched: int = Field(sa_type=BigInteger)
    removed: int = Field(sa_type=BigInteger)
    appealed: int = Field(sa_type=BigInteger)
    reinstated: int = Field(sa_type=BigInteger)
