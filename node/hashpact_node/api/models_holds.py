"""Bodies of requests and answers about what is held for review."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hashpact_node.api.models import TIME, Model
from hashpact_node.api.models_requests import RequestModel


class Hold(Model):
    """What is held for review since there is far too much of it."""

    number: int = Field(description="Its number.", examples=[3])
    kind: Literal["listings", "matches"] = Field(description="Of what there is too much.")
    member: str | None = Field(description="Of listings: whose.", examples=["beta"])
    log: str | None = Field(description="Of listings: the log in which they stand.", examples=["beta.example/logs/l-1"])
    first: int | None = Field(description="Of listings: the first entry that is held.", examples=[1_024])
    last: int | None = Field(description="Of listings: the first entry behind those that are held.", examples=[52_224])
    signal: str | None = Field(description="Of matches: the signal, `TYPE:VALUE`.", examples=[None])
    came: int = Field(description="How many came within the day, when it last grew.", examples=[51_200])
    usual: int = Field(description="How many are usual for a day.", examples=[40])
    since: str = Field(description="Since when it holds.", examples=[TIME])
    grown_at: str = Field(description="When it last grew.", examples=[TIME])
    state: Literal["held", "released"] = Field(description="Whether it holds.")
    released_at: str | None = Field(description="When it was released.", examples=[None])
    released_by: str | None = Field(description="By whom.", examples=[None])
    released_why: str | None = Field(description="Why.", examples=[None])
    notice: Literal["none", "due", "sent", "refused"] = Field(description="Whether its publisher is told.")
    notice_error: str | None = Field(description="Why its publisher could not be told.", examples=[None])
    notified_at: str | None = Field(description="When its publisher was told.", examples=[None])


class Holds(Model):
    """Holds, the newest first."""

    holds: list[Hold] = Field(description="At most 1 000; `before` leads on.")


class ReleaseHold(RequestModel):
    """Why something is let through."""

    why: str | None = Field(None, description="Why, for people here.", examples=["they told us before"])
