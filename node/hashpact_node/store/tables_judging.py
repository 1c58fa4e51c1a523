"""The tables of judging: the policy in force, and the names of its rules."""

from sqlalchemy import BigInteger, SmallInteger, String
from sqlmodel import Field

from hashpact_node.store.tables import Table


class Policy(Table, table=True):
    """The policy in force, in one row; ``text`` is None for the default one.

    ``judged_at`` is when all signals were last judged anew, or began to be. Until that is done, ``swept`` is the number
    of the last change that was looked at, and ``sweep_to`` that of the last to be looked at. ``incidents`` names those
    that were active then, if the policy asks for that.
    """

    __tablename__ = "policy"

    number: int = Field(default=1, sa_type=SmallInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    since: int = Field(sa_type=BigInteger)
    judged_at: int = Field(sa_type=BigInteger)
    swept: int | None = Field(default=None, sa_type=BigInteger)
    sweep_to: int | None = Field(default=None, sa_type=BigInteger)
    text: str | None = Field(default=None, sa_type=String)
    incidents: str = Field(default="", sa_type=String)


class RuleName(Table, table=True):
    """The name of a rule of some policy, by the number under which signals name it."""

    __tablename__ = "rule"

    number: int = Field(sa_type=SmallInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    name: str = Field(sa_type=String, unique=True)
