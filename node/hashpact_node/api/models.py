"""Answers about signals: matches, the blocklist, its changes, its digest. For OpenAPI; the services' own values go out.

The fields are those of the services' dataclasses, which msgspec writes; a test holds the two together.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

ACTIONS = "`block`, `review`, `observe`, `ignore`; `none` where nobody lists it."
TIME = "2026-11-24T04:00:00Z"
PDQ = "f8f8f0cce0f4e84d0e370a22028f67f0b36e2ed596623e1d33e6339c4e9c9b22"

ActionWord = Literal["block", "review", "observe", "ignore"]


class Model(BaseModel):
    """The base of all answers: made of a service's value, and with nothing beyond what it documents."""

    model_config = ConfigDict(from_attributes=True, extra="forbid")


class Claim(Model):
    """One publisher's live listing of a signal."""

    member: str = Field(description="Who lists it.", examples=["acme"])
    log: str = Field(description="The origin of the log.", examples=["acme.example/logs/listings-1"])
    index: int = Field(description="The place of the entry in that log, from 0.", examples=[4711])
    quality: int | None = Field(description="The publisher's quality, for types that have one.", examples=[98])
    expired: bool = Field(description="Whether the listing's own `expires` has passed, so that it acts no more.")
    listing: str | None = Field(description="The id of the listing.", examples=["6f1c2f0e-6f5c-4b0e-9d0a-0f6d2a1b3c4d"])
    content: str | None = Field(description="What the content is.", examples=["image"])
    labels: list[str] = Field(description="The publisher's labels.", examples=[["behaviour:glorification"]])
    time: str | None = Field(description="When the publisher says that it was listed.", examples=[TIME])
    expires: str | None = Field(description="When the listing stops acting, if ever.", examples=[None])
    preserve: bool = Field(description="Whether its publisher asks that the content be preserved as evidence.")
    problem: str | None = Field(description="Why the entry cannot be read back, if so.", examples=[None])


class Signal(Model):
    """One signal of the blocklist, and why it is there."""

    number: int = Field(description="The number of its last change.", examples=[1017])
    type: str = Field(description="The signal type.", examples=["pdq"])
    value: str = Field(description="The value; of a blob its SHA-256.", examples=[PDQ])
    action: str = Field(description=f"The recommended action: {ACTIONS}", examples=["block"])
    rule: str = Field(description="The rule that gave it.", examples=["members-agree"])
    publishers: list[str] = Field(description="Who lists it, sorted.", examples=[["acme", "beta"]])
    labels: list[str] = Field(description="The labels of `claims`, sorted.", examples=[["behaviour:glorification"]])
    claims_total: int = Field(description="How many listings claim it.", examples=[2])
    claims: list[Claim] = Field(
        description="The single listings. Of more than 100, 100: of each publisher the first and the last, then others."
    )
    preserve: bool = Field(description="Whether one of `claims` asks that the content be preserved as evidence.")


class BlocklistPage(Model):
    """A page of the blocklist, in order of type (docs/api.md, Blocklist) and value."""

    signals: list[Signal] = Field(description="The signals of this page.")
    cursor: str | None = Field(description="Where the next page begins; null on the last one.", examples=["AQID"])


class Change(Model):
    """The last change of one signal."""

    n: int = Field(description="The number of the change; numbers only grow, and some are left out.", examples=[1017])
    key: str = Field(description="Type and value of the signal.", examples=[f"pdq:{PDQ}"])
    op: Literal["set", "remove"] = Field(
        description="`set`: it is listed, under the action asked for if one was. `remove`: it is not, or no longer so."
    )
    action: str = Field(description=f"The action now: {ACTIONS}", examples=["block"])
    publishers: list[str] = Field(description="Who lists it now, sorted.", examples=[["acme", "beta"]])
    labels: list[str] = Field(
        description="Their labels, sorted; of a signal with more than 100 listings those of 100 of them.",
        examples=[["behaviour:glorification"]],
    )
    rule: str = Field(description="The rule that gave the action.", examples=["members-agree"])
    reason: list[str] = Field(
        description="What that rests on, in lines for people.",
        examples=[["rule members-agree: two or more members list it", "counted: acme, beta"]],
    )
    time: str = Field(description="When this node committed the change; never runs back.", examples=[TIME])


class Changes(Model):
    """A page of the change feed, in the order in which this node committed the changes."""

    changes: list[Change] = Field(description="One entry a signal, at its last change.")
    cursor: int = Field(description="Ask for the next page with `since` set to this, now or later.", examples=[1017])
    more: bool = Field(description="Whether there is more already.")
    time: str | None = Field(description="The time of the last change up to the cursor, if any.", examples=[TIME])


class DigestedLog(Model):
    """One log that the digest is over."""

    member: str = Field(description="Whose log it is.", examples=["acme"])
    origin: str = Field(description="The log.", examples=["acme.example/logs/listings-1"])
    size: int = Field(description="The prefix from which claims are taken, in entries.", examples=[4712])
    root: str = Field(
        description="The root of that prefix, in base64.", examples=["47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="]
    )


class Digest(Model):
    """A digest of what was merged; equal ones prove that two nodes merged alike."""

    digest: str = Field(
        description="SHA-256 in lower-case hex (docs/protocol.md, Digest).",
        examples=["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    )
    logs: list[DigestedLog] = Field(description="The logs that it is over, in its order.")
    listings: int = Field(description="How many live listings.", examples=[4000])
    claims: int = Field(description="How many claims.", examples=[8000])


class Hit(Model):
    """A signal of the blocklist that was met."""

    type: str = Field(description="Its type.", examples=["pdq"])
    value: str = Field(description="Its value.", examples=[PDQ])
    distance: int = Field(description="How far it is from what was asked, in bits; 0 for equal ones.", examples=[12])
    action: str = Field(description=f"The recommended action: {ACTIONS}", examples=["review"])
    rule: str = Field(description="The rule that gave it.", examples=["one-member"])
    publishers: list[str] = Field(description="Who lists it, sorted.", examples=[["acme"]])
    labels: list[str] = Field(description="The labels of `claims`; empty without `detail`.", examples=[[]])
    claims_total: int = Field(description="How many listings claim it; 0 without `detail`.", examples=[1])
    claims: list[Claim] = Field(
        description="The single listings; empty without `detail`. Of more than 100, 100, as in the blocklist; fewer, "
        "and at least one, in a batch that meets very many signals."
    )
    preserve: bool = Field(
        description="Whether one of `claims` asks that the content be preserved as evidence; false without `detail`."
    )


class MatchResult(Model):
    """What one signal met."""

    type: str = Field(description="The type that was asked.", examples=["pdq"])
    value: str = Field(description="The value that was asked.", examples=[PDQ])
    compared: Literal["exact", "pdq", "none"] = Field(
        description="How: by equality, by Hamming distance, or not at all, since this type is never matched here."
    )
    action: str = Field(description=f"The strongest action of all that it met: {ACTIONS}", examples=["review"])
    hits: list[Hit] = Field(
        description="What it met, the nearest first. Of more than 100, the 100 nearest of the strongest actions."
    )
    more: bool = Field(description="Whether it met more than `hits` holds.", examples=[False])
    recommendation: str | None = Field(
        description="What the policy of this company recommends besides, in words.",
        examples=["no live streaming for 30 days"],
    )
    decided: str | None = Field(
        description="The rule by which this company has decided about the very signal that was asked; it is `action`, "
        "whatever is said of the hits.",
        examples=["allowed-here"],
    )


class MatchAnswer(Model):
    """What a batch met."""

    results: list[MatchResult] = Field(description="One for each signal asked, in order.")


class FileSignal(Model):
    """A hash of a file."""

    type: str = Field(description="The signal type.", examples=["pdq"])
    value: str = Field(description="The value.", examples=[PDQ])
    quality: int | None = Field(description="The quality, for types that have one.", examples=[98])


class FileMatch(Model):
    """What a file met. Nothing of it is stored."""

    action: str = Field(description=f"The strongest action of all: {ACTIONS}", examples=["review"])
    content: str = Field(description="What the file looks like.", examples=["image"])
    length: int = Field(description="Its length in bytes.", examples=[48213])
    signals: list[FileSignal] = Field(description="Its hashes.")
    notices: list[str] = Field(description="What a person should know, as that it is a damaged picture.", examples=[[]])
    results: list[MatchResult] = Field(description="What each hash met, in the order of `signals`.")
    recommendation: str | None = Field(
        description="What the policy of this company recommends besides, in words.",
        examples=["no live streaming for 30 days"],
    )
