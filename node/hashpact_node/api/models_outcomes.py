"""What became of matches, in numbers: what is sent and what is told."""

from __future__ import annotations

from pydantic import Field

from hashpact_node.api.models import PDQ, Model
from hashpact_node.api.models_requests import RequestModel

_KEY = f"pdq:{PDQ}"


class NewOutcome(RequestModel):
    """What became of matches of one signal since it was last said."""

    key: str = Field(description="Type and value of the hit, not of what was asked.", examples=[_KEY])
    matched: int = Field(0, description="How often content matched it.", examples=[3])
    removed: int = Field(0, description="How often that content was removed, or kept from being seen.", examples=[3])
    appealed: int = Field(0, description="How often its uploader complained.", examples=[1])
    reinstated: int = Field(0, description="How often it was put back after a complaint.", examples=[0])


class NewOutcomes(RequestModel):
    """What became of matches, in numbers alone."""

    outcomes: list[NewOutcome] = Field(description="1 to 1 000 signals, each once.")


class OutcomesTaken(Model):
    """That it was counted."""

    count: int = Field(description="Of how many signals.", examples=[1])


class Outcomes(Model):
    """What became of all matches of one signal, as far as it was said."""

    key: str = Field(description="Type and value of the signal.", examples=[_KEY])
    matched: int = Field(description="How often content matched it.", examples=[3])
    removed: int = Field(description="How often that content was removed.", examples=[3])
    appealed: int = Field(description="How often its uploader complained.", examples=[1])
    reinstated: int = Field(description="How often it was put back after a complaint.", examples=[0])
    last_day: str | None = Field(description="The last day (UTC) that something was said.", examples=["2026-11-24"])
