"""Incidents, what members say of them, what was measured, and reports, as the API tells them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hashpact_node.api.models import TIME, Model

INCIDENT = "0f9e8d7c-6b5a-4f3e-8d2c-1b0a9f8e7d6c"

StatusWord = Literal["proposed", "active", "concluded"]


class Incident(Model):
    """An incident: what it is here, and who says what of it."""

    id: str = Field(description="Its id, the same at all members.", examples=[INCIDENT])
    status: StatusWord = Field(description="What it is here, by the rules of this node.", examples=["active"])
    title: str | None = Field(description="What most members call it; words of theirs.", examples=["A drill"])
    type: str | None = Field(description="Its type, likewise.", examples=["perpetrator-content"])
    active: list[str] = Field(description="Who says that it is active.", examples=[["acme", "beta"]])
    proposed: list[str] = Field(description="Who proposes it.", examples=[[]])
    concluded: list[str] = Field(description="For whom it is over.", examples=[[]])
    short: int = Field(description="How many members more it takes to make it active; 0 while it is.", examples=[0])
    by_directory: bool = Field(description="Whether the directory makes it active.")


class Incidents(Model):
    """Incidents."""

    incidents: list[Incident] = Field(description="The active ones first, then proposals, then what is over.")


class IncidentStep(Model):
    """What a member said of an incident at one time."""

    member: str = Field(description="Who.", examples=["beta"])
    status: StatusWord = Field(description="What it said.", examples=["active"])
    time: str = Field(description="When, by its clock.", examples=[TIME])
    merged_at: str | None = Field(description="When this node merged it; null where that is not known.")
    title: str | None = Field(description="What it calls the incident.")
    type: str | None = Field(description="Of which type it calls it.")
    note: str | None = Field(description="Words of its own.")


class IncidentTurn(Model):
    """A moment at which the status of an incident changed here."""

    at: str = Field(description="When, by the clock of this node.", examples=[TIME])
    status: StatusWord = Field(description="What it was from then on.")
    member: str = Field(description="Whose word made it so.", examples=["beta"])


class Spread(Model):
    """How a number of spans spreads, in seconds."""

    count: int = Field(description="How many spans.", examples=[870])
    p50: float = Field(description="The median.", examples=[0.8])
    p95: float = Field(description="The 95th percentile.", examples=[1.9])
    longest: float = Field(description="The longest.", examples=[2.4])


class IncidentTimes(Model):
    """One member's listings of an incident, and how long they took to be matchable here."""

    member: str = Field(description="The publisher.", examples=["beta"])
    listings: int = Field(description="How many of its listings named the incident.", examples=[870])
    live: int = Field(description="How many of them still stand.", examples=[868])
    earlier: int = Field(description="Published before the member was followed here: not measured.", examples=[0])
    unmeasured: int = Field(description="Of which nobody knows when they were merged.", examples=[0])
    first_said: str | None = Field(description="The time of the first, by its publisher's clock.", examples=[TIME])
    last_said: str | None = Field(description="The time of the last, likewise.", examples=[TIME])
    first_merged: str | None = Field(description="When the first was merged here, by our clock.", examples=[TIME])
    to_matchable_seconds: Spread | None = Field(description="From the one to the other: see `clocks`.")
    clock_ahead_seconds: float | None = Field(
        description="By how much our clock was ahead of the publisher's when last heard; nothing is corrected by it."
    )


class IncidentDetail(Incident):
    """An incident with all that is known of it."""

    needed: int = Field(description="How many members have to say that it is active.", examples=[2])
    words: list[IncidentStep] = Field(description="The newest word of each member.")
    turns: list[IncidentTurn] = Field(description="When its status changed here.")
    members: list[IncidentTimes] = Field(description="What was measured of each publisher's listings.")
    clocks: str = Field(description="By which clocks the spans go, in words.")


class IncidentEffect(Model):
    """What a member's live listings of an incident do here now."""

    member: str = Field(description="The publisher.", examples=["beta"])
    actions: dict[str, int] = Field(description="Its signals by action.", examples=[{"review": 870}])
    blocking: int = Field(description="How many of its listings have a signal that blocks.", examples=[0])
    to_blocking_at_most_seconds: Spread | None = Field(
        description="From a listing's time to the last change of a signal that blocks: at the latest since then."
    )
    unreadable: int = Field(description="How many cannot be read back.", examples=[0])


class IncidentReport(Model):
    """What this node knows of an incident, for after it."""

    member: str = Field(description="Whose report this is.", examples=["acme"])
    made_at: str = Field(description="When it was made.", examples=[TIME])
    incident: IncidentDetail = Field(description="The incident.")
    steps: list[IncidentStep] = Field(description="All that members said, in the order in which it was merged here.")
    listings: int = Field(description="How many listings named it.", examples=[870])
    live: int = Field(description="How many of them still stand.", examples=[868])
    after_the_end: int = Field(description="How many were merged after it was over here.", examples=[12])
    signals: int = Field(description="Distinct signals of the live ones.", examples=[1736])
    actions: dict[str, int] = Field(description="Those signals by action.", examples=[{"review": 1736}])
    effects: list[IncidentEffect] = Field(description="What they do here now, by publisher.")


class IncidentSaid(Model):
    """What this member said of an incident, and how its statement stands."""

    id: str = Field(description="The id of the incident.", examples=[INCIDENT])
    status: StatusWord = Field(description="What was said.", examples=["proposed"])
    statement: str = Field(description="The id of the statement.")
    origin: str = Field(description="The log.", examples=["acme.example/logs/crisis-1"])
    index: int | None = Field(description="Its place there; null while it waits.", examples=[0])
    size: int | None = Field(description="The released size of the log.", examples=[1])
    notice: str | None = Field(description="Why it waits, if that was waited for.", examples=[None])
    rests_until: str | None = Field(description="Until when it rests before it is released.", examples=[None])
