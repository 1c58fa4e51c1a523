"""Bodies of requests and answers about decisions, opinions and disputes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hashpact_node.api.models import TIME, Model
from hashpact_node.api.models_requests import RequestModel

LISTING_TEXT = "beta/listings/6f1c2f0e-6f5c-4b0e-9d0a-0f6d2a1b3c4d"
OWN_LISTING_TEXT = "acme/listings/6f1c2f0e-6f5c-4b0e-9d0a-0f6d2a1b3c4d"


class NewDecision(RequestModel):
    """What this company decides about a signal or a listing."""

    verdict: Literal["confirm", "reject", "allow", "disable"] = Field(description="What is decided.")
    about: str = Field(
        description="`TYPE:VALUE` of a signal; or a listing: its id, or `MEMBER/LOG/ID` where several have that id.",
        examples=[LISTING_TEXT],
    )
    why: str = Field(description="Why, for people here; no personal data.", examples=["a news report"])
    until: str | None = Field(None, description="When it ends; required for `disable`.", examples=[TIME])
    near: int | None = Field(None, description="What lies within so many bits, too: `pdq`, 1 to 31.", examples=[None])
    peers: list[str] = Field([], description="About the claims of these members alone; none: everybody's.")
    publish: bool = Field(
        False,  # noqa: FBT003
        description="Tell the owners of the listings, and all members: publish an opinion on each.",
    )
    reason: str | None = Field(None, description="Its reason, unless it agrees.", examples=["journalism"])
    note: str | None = Field(None, description="A note in that opinion; never about a user.", examples=[None])


class Decision(Model):
    """A decision of this company."""

    number: int = Field(description="Its number.", examples=[7])
    verdict: str = Field(description="`confirm`, `reject`, `allow` or `disable`.", examples=["reject"])
    about: str = Field(description="A signal or a listing.", examples=[LISTING_TEXT])
    near: int | None = Field(description="What lies within so many bits is meant, too.", examples=[None])
    scope: list[str] | None = Field(description="About whose claims it is; null: everybody's.", examples=[None])
    why: str = Field(description="Why.", examples=["a news report"])
    until: str | None = Field(description="When it ends, if ever.", examples=[None])
    state: Literal["stands", "ended"] = Field(description="Whether it counts.")
    made_at: str = Field(description="When it was made.", examples=[TIME])
    made_by: str = Field(description="By whom.", examples=["token t7k2"])
    ended_at: str | None = Field(description="When it ended.", examples=[None])
    ended_by: str | None = Field(description="By whom; `itself`: its time was over.", examples=[None])
    ended_why: str | None = Field(description="Why it ended.", examples=[None])
    signals: list[str] = Field(description="The signals that it covers, without those that only lie near.")


class Decisions(Model):
    """Decisions, the newest first."""

    decisions: list[Decision] = Field(description="At most 1 000; `before` leads on.")


class NewOpinion(RequestModel):
    """What this member thinks of a listing, or of all that others list of a signal."""

    about: str = Field(description="A listing (its id, or `MEMBER/LOG/ID`), or `TYPE:VALUE`.", examples=[LISTING_TEXT])
    verdict: Literal["agree", "disagree", "seen", "none"] = Field(description="`none` takes back what was said.")
    reason: str | None = Field(None, description="Of a disagreement: one of the known reasons.", examples=["satire"])
    note: str | None = Field(None, description="Words for the owner; never about a user.", examples=["a cartoon"])


class PublishedOpinion(Model):
    """An opinion of this member on one listing."""

    about: str = Field(description="The listing.", examples=[LISTING_TEXT])
    verdict: str = Field(description="What is said.", examples=["disagree"])
    reason: str | None = Field(description="The reason of a disagreement.", examples=["satire"])
    existing: bool = Field(description="Whether exactly that was said already; nothing is published then.")
    id: str | None = Field(description="The id of the statement.", examples=["0b6f8f0a-2a63-4f4e-9d43-5f0f6f1f7b11"])
    origin: str | None = Field(description="The log that it stands in.", examples=["acme.example/logs/opinions-1"])
    index: int | None = Field(description="Its place there; null while it waits.", examples=[0])
    notice: str | None = Field(description="Why it waits, if something hinders it.", examples=[None])
    rests_until: str | None = Field(description="When it may be released, if it rests.", examples=[None])


class PublishedOpinions(Model):
    """What was published: one opinion for each listing."""

    opinions: list[PublishedOpinion] = Field(description="At most 100.")


class MadeDecision(Model):
    """A decision, and what was published of it."""

    decision: Decision = Field(description="The decision.")
    opinions: list[PublishedOpinion] = Field(description="One for each listing, where it was to be published.")


class Opinion(Model):
    """What a member thinks of a listing."""

    member: str = Field(description="The member.", examples=["gamma"])
    verdict: str = Field(description="`agree`, `disagree` or `seen`.", examples=["disagree"])
    reason: str | None = Field(description="The reason of a disagreement, as the member wrote it.", examples=["satire"])
    counts: bool = Field(description="Whether it is about the revision that wins; else it counts for nothing.")
    time: str = Field(description="When it was said, as the member wrote it.", examples=[TIME])
    note: str | None = Field(description="Words of the member.", examples=[None])


class Opinions(Model):
    """What members think of one listing."""

    opinions: list[Opinion] = Field(description="By member.")


class Dispute(Model):
    """A member's disagreement with a revision of an own listing."""

    number: int = Field(description="Its number.", examples=[3])
    state: Literal["open", "withdrawn", "restated", "kept", "taken-back"] = Field(description="How it stands.")
    member: str = Field(description="Who disagrees.", examples=["beta"])
    listing: str = Field(description="With which own listing.", examples=[OWN_LISTING_TEXT])
    reason: str | None = Field(description="Why, as the member wrote it.", examples=["satire"])
    note: str | None = Field(description="The member's words.", examples=["a cartoon"])
    since: str = Field(description="When it was first read here.", examples=[TIME])
    answered_at: str | None = Field(description="When it was answered.", examples=[None])
    answered_by: str | None = Field(description="Who kept the listing.", examples=[None])
    answer_note: str | None = Field(description="Why it was kept.", examples=[None])


class Disputes(Model):
    """Disputes of own listings."""

    disputes: list[Dispute] = Field(description="At most 1 000; `before` leads on where all are asked for.")


class KeepDisputed(RequestModel):
    """Why a disputed listing stays as it is."""

    note: str = Field(description="For people here.", examples=["two people looked at it again"])
