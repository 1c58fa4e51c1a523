"""An openness report. For OpenAPI; the service's own values go out."""

from __future__ import annotations

from pydantic import Field

from hashpact_node.api.models import TIME, Model

_ID = "For programs; it stays the same."


class ReportFigure(Model):
    """A number by itself."""

    id: str = Field(description=_ID, examples=["items"])
    title: str = Field(description="For people.", examples=["Distinct items"])
    value: int | None = Field(description="Null where `note` says that it is withheld or not measured.", examples=[812])
    unit: str = Field(description="`seconds`, or empty for a count.", examples=[""])
    note: str | None = Field(description="Why there is no number.", examples=["withheld: it is below 5"])


class ReportRow(Model):
    """A row of a table."""

    name: str = Field(description="What is counted.", examples=["behaviour:glorification"])
    values: list[int | None] = Field(
        description="One count a measure; null where it is withheld.", examples=[[1240, 371]]
    )


class ReportTable(Model):
    """Counts by something."""

    id: str = Field(description=_ID, examples=["list-by-label"])
    title: str = Field(description="For people.", examples=["By label"])
    by: str = Field(description="What rows differ by.", examples=["label"])
    measures: list[str] = Field(description="What is counted.", examples=[["hashes", "items"]])
    rows: list[ReportRow] = Field(description="The rows; those of nothing but zeros are left out.")
    withheld: bool = Field(description="Whether all of it is withheld, since its counts are too small.")


class ReportSection(Model):
    """A part of a report."""

    id: str = Field(description=_ID, examples=["list"])
    title: str = Field(description="For people.", examples=["The list as it stands"])
    about: str = Field(description="What is counted, and how.")
    figures: list[ReportFigure] = Field(description="Numbers by themselves.")
    tables: list[ReportTable] = Field(description="Tables.")
    not_measured: str | None = Field(description="Why it has no numbers, where it has none.", examples=[None])


class Report(Model):
    """What a node did within a period, in numbers that reveal neither a hash nor a person."""

    member: str = Field(description="Whose node it is.", examples=["acme"])
    name: str = Field(description="Its name for people.", examples=["Acme Video Inc."])
    first: str = Field(description="The first day, in UTC.", examples=["2026-01-01"])
    last: str = Field(description="The last day, included.", examples=["2026-12-31"])
    made_at: str = Field(description="When it was made.", examples=[TIME])
    threshold: int = Field(description="Counts from 1 up to but without this are withheld.", examples=[5])
    sections: list[ReportSection] = Field(description="Its parts.")
