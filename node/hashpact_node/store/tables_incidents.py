"""The tables of incidents: what members say of them, and when listings that belong to them arrived here."""

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary
from sqlmodel import Field

from hashpact_node.store.tables import Table


class IncidentStep(Table, table=True):
    """An incident statement of a member, where it stands in its logs, and when it was merged here.

    ``place`` orders those of one sequence. ``said`` is the statement as JSON: text of others may hold what PostgreSQL
    takes in no text. ``seen_at`` is None where a rebuild found it, and so not known.
    """

    __tablename__ = "incident_step"
    __table_args__ = (Index("ix_incident_step_incident", "incident"),)

    sequence: int = Field(sa_type=Integer, primary_key=True, sa_column_args=[ForeignKey("sequence.number")])
    place: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    position: int = Field(sa_type=BigInteger)
    seen_at: int | None = Field(default=None, sa_type=BigInteger)
    log: int = Field(sa_type=Integer)
    incident: bytes = Field(sa_type=LargeBinary)
    said: bytes = Field(sa_type=LargeBinary)


class IncidentArrival(Table, table=True):
    """A listing that names an incident: what its publisher's clock said when it was made, and ours when it was merged.

    ``merged_at`` is in microseconds, None where a rebuild found the listing. A row stays whatever becomes of the
    listing: it says what was measured.
    """

    __tablename__ = "incident_arrival"
    __table_args__ = (Index("ix_incident_arrival_incident", "incident"),)

    sequence: int = Field(sa_type=Integer, primary_key=True, sa_column_args=[ForeignKey("sequence.number")])
    listing: bytes = Field(sa_type=LargeBinary, primary_key=True)
    said_at: int = Field(sa_type=BigInteger)
    merged_at: int | None = Field(default=None, sa_type=BigInteger)
    incident: bytes = Field(sa_type=LargeBinary)
