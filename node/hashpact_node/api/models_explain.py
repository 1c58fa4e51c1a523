"""Explanations, for OpenAPI; the services' own values go out, and a test holds the two together."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from hashpact_node.api.models import ACTIONS, PDQ, TIME, Model
from hashpact_node.api.models_drafts import LISTING

LOG = "beta.example/logs/listings-1"


class Thought(Model):
    """What a member thinks of a listing."""

    member: str = Field(description="Who.", examples=["gamma"])
    verdict: str = Field(description="`agree`, `disagree`, `seen`, `none`.", examples=["disagree"])
    reason: str | None = Field(description="Why.", examples=["satire"])
    time: str = Field(description="When, as the member says.", examples=[TIME])
    log: str = Field(description="In which log it says so.", examples=["gamma.example/logs/opinions-1"])
    index: int = Field(description="At which place.", examples=[3])
    counts: bool = Field(description="Whether it is about the revision that stands now.")


class Said(Model):
    """One member's live listing of a signal."""

    member: str = Field(description="Who lists it.", examples=["beta"])
    own: bool = Field(description="Whether that is this company.")
    listing: str | None = Field(description="The id of the listing.", examples=[LISTING])
    time: str | None = Field(description="Since when, as the member says.", examples=[TIME])
    log: str = Field(description="In which log.", examples=[LOG])
    index: int = Field(description="At which place.", examples=[4711])
    content: str | None = Field(description="What the content is.", examples=["image"])
    labels: list[str] = Field(description="Its labels.", examples=[["behaviour:glorification"]])
    confirmed: str | None = Field(description="Who or what confirmed it.", examples=["human"])
    handling: str | None = Field(description="How it may be passed on.", examples=["members"])
    origin: str | None = Field(description="Whose material it is.", examples=["own"])
    incident: str | None = Field(description="The incident that it belongs to.", examples=[None])
    quality: int | None = Field(description="The quality of the hash, for types that have one.", examples=[98])
    expired: bool = Field(description="Whether it acts no more.")
    expires: str | None = Field(description="When it stops acting.", examples=[None])
    review_by: str | None = Field(description="When its publisher means to look at it again.", examples=[None])
    note: str | None = Field(description="Words of its publisher.", examples=[None])
    opinions: list[Thought] = Field(description="What members think of it.")
    preserve: bool = Field(description="Whether its publisher asks that the content be preserved as evidence.")
    problem: str | None = Field(description="Why the entry cannot be read back, if so.", examples=[None])


class Decided(Model):
    """A decision of this company."""

    number: int = Field(description="Its number.", examples=[7])
    verdict: str = Field(description="`confirm`, `reject`, `allow` or `disable`.", examples=["allow"])
    about: str = Field(description="What it is about, in words.", examples=["this signal"])
    why: str = Field(description="Why.", examples=["a known picture of the press"])
    made_by: str = Field(description="Who decided.", examples=["command:ann"])
    made_at: str = Field(description="When.", examples=[TIME])
    scope: list[str] | None = Field(description="About whose claims it is; null: everybody's.", examples=[None])
    until: str | None = Field(description="When it ends by itself.", examples=[None])


class WouldChange(Model):
    """Something that may come to pass."""

    what: str = Field(description="What, in words.", examples=["if one more member lists it"])
    action: str = Field(description=f"The action that would follow: {ACTIONS}", examples=["block"])


class Event(Model):
    """Something that a member said of a listing, as it stands in a log."""

    time: str = Field(description="When, as the member says.", examples=[TIME])
    member: str = Field(description="Who.", examples=["beta"])
    what: Literal["listed", "restated", "withdrew"] = Field(description="What it did.")
    listing: str = Field(description="The id of the listing.", examples=[LISTING])
    log: str = Field(description="In which log.", examples=[LOG])
    index: int = Field(description="At which place.", examples=[4711])
    leaf: str = Field(description="The hash of the entry (RFC 6962), for a proof.", examples=["00" * 32])
    names: bool = Field(description="Whether this revision names the signal that was asked about.")
    counts: bool = Field(description="Whether the log counts here.")
    reason: str | None = Field(description="Of a withdrawal: why.", examples=["error"])
    note: str | None = Field(description="Words of the member.", examples=[None])
    labels: list[str] = Field(description="Of a revision: its labels.", examples=[["behaviour:glorification"]])
    expires: str | None = Field(description="Of a revision: when it stops acting.", examples=[None])


class Became(Model):
    """What became of matches of a signal, in numbers, as whoever matches said it."""

    matched: int = Field(description="How often content matched it.", examples=[3])
    removed: int = Field(description="How often that content was removed.", examples=[3])
    appealed: int = Field(description="How often its uploader complained.", examples=[1])
    reinstated: int = Field(description="How often it was put back after a complaint.", examples=[0])
    last_day: str = Field(description="The last day (UTC) that something was said.", examples=["2026-11-24"])


class ExplainedSignal(Model):
    """One signal, and why it stands as it does."""

    type: str = Field(description="Its type.", examples=["pdq"])
    value: str = Field(description="Its value.", examples=[PDQ])
    distance: int = Field(description="How far it is from what was asked, in bits.", examples=[0])
    action: str = Field(description=f"The recommended action: {ACTIONS}", examples=["review"])
    rule: str = Field(description="The rule that gave it.", examples=["one-member"])
    because: list[str] = Field(description="What that rests on, in lines for people.", examples=[["counted: beta"]])
    changed_at: str | None = Field(description="When it last changed here.", examples=[TIME])
    claims_total: int = Field(description="How many listings name it now.", examples=[1])
    said: list[Said] = Field(description="Those listings, at most 100.")
    decisions: list[Decided] = Field(description="What this company decided about it.")
    would_change: list[WouldChange] = Field(description="What would lead to another action.")
    history: list[Event] = Field(description="All that was ever said of it, by member and place.")
    notices: list[str] = Field(description="What else has to be known, in words.")
    outcomes: Became | None = Field(description="What became of matches; null where nobody has said it.")


class Explanation(Model):
    """What was asked, and each signal behind it, the strongest action first."""

    asked: str = Field(description="What was asked.", examples=[f"pdq:{PDQ}"])
    kind: Literal["signal", "file", "listing"] = Field(description="What that is.")
    member: str = Field(description="Which member's node explains.", examples=["acme"])
    at: str = Field(description="When it was explained.", examples=[TIME])
    known: bool = Field(description="False where nobody lists it, and nobody ever did.")
    action: str = Field(description=f"The strongest action: {ACTIONS}", examples=["review"])
    signals: list[ExplainedSignal] = Field(description="The signals, at most 20.")
    history: list[Event] = Field(description="Of a listing: all that was said of it.")
    notices: list[str] = Field(description="What else has to be known, in words.")


class StatementOfReasons(Model):
    """A draft of a statement of reasons (Regulation (EU) 2022/2065, Article 17): what this node knows of it."""

    form: str = Field(description="Whose names of fields these are.")
    asked: str = Field(description="What was asked.", examples=[f"pdq:{PDQ}"])
    action: str = Field(description=f"The recommended action: {ACTIONS}", examples=["block"])
    statement: dict[str, Any] = Field(description="Fields as the DSA Transparency Database names them.")
    to_add: dict[str, str] = Field(description="Fields that are missing, with what belongs there: a node cannot know.")
    sources: list[dict[str, Any]] = Field(description="Who said what, in which entry of which log.")
    notes: list[str] = Field(description="For whoever completes it.")
