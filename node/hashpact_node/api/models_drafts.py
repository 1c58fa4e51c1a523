"""Answers about drafts, and about what was taken back."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from hashpact_node.api.models import TIME, Model

LISTING = "6f1c2f0e-6f5c-4b0e-9d0a-0f6d2a1b3c4d"
DRAFT = "0b6f8f0a-2a63-4f4e-9d43-5f0f6f1f7b11"


class Somebody(Model):
    """Who proposed a draft, or decided about it."""

    kind: str = Field(description="`token`, or `command` for a user of the node's machine.", examples=["token"])
    name: str = Field(description="The token's id, or the user's name.", examples=["t7k2"])


class Draft(Model):
    """What somebody proposes to publish, and somebody else has to approve."""

    id: str = Field(description="Its id.", examples=[DRAFT])
    kind: Literal["listings", "withdrawal", "import"] = Field(description="What it proposes.")
    state: Literal["writing", "waiting", "approved", "rejected", "released"] = Field(
        description="How far it is; `writing` is an import that is not stored whole yet."
    )
    log: str = Field(description="The name of the log that it is for.", examples=["listings"])
    title: str = Field(description="What it is, in a line.", examples=["image"])
    listings: int = Field(description="How many listings it holds.", examples=[1])
    withdrawals: int = Field(description="How many withdrawals it holds.", examples=[0])
    erase: bool = Field(description="Whether the withdrawn listing is to disappear everywhere, too.")
    proposed_by: Somebody = Field(description="Who proposed it.")
    proposed_at: str = Field(description="When.", examples=[TIME])
    decided_by: Somebody | None = Field(description="Who approved or rejected it.")
    decided_at: str | None = Field(description="When.", examples=[TIME])
    reason: str | None = Field(description="Why it was rejected, or what became of it.", examples=[None])
    notice: str | None = Field(description="Why it waits to be released, if something hinders it.", examples=[None])
    rests_until: str | None = Field(description="When it may be released, if it rests.", examples=[None])


class Drafts(Model):
    """Drafts, the newest first."""

    drafts: list[Draft] = Field(description="At most 1 000.")


class DraftDetail(Model):
    """A draft with its statements."""

    draft: Draft = Field(description="The draft.")
    statements: list[dict[str, Any]] = Field(
        description="The first 100 statements exactly as they will be signed; none any more once it is decided."
    )
    more: bool = Field(description="Whether there are others.")


class Undone(Model):
    """What was taken back before it had a place."""

    id: str = Field(description="The id of the listing.", examples=[LISTING])
    what: Literal["listing", "withdrawal"] = Field(description="Which statement about it was taken back.")
    origin: str = Field(description="The log that it waited for.", examples=["acme.example/logs/listings-1"])
