"""Webhooks: what is sent and answered about them, and what they are sent."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hashpact_node.api.models import TIME, ActionWord, Change, Model
from hashpact_node.api.models_requests import RequestModel
from hashpact_node.services.webhooks import BATCH

WEBHOOK = "5f2c9a01de"
SchemeWord = Literal["v1", "v1a"]


class NewWebhook(RequestModel):
    """An endpoint that is to be told of changes."""

    url: str = Field(description="Where they are sent to.", examples=["https://cache.acme.example/hashpact"])
    name: str = Field("", description="What it is, for people.", examples=["cache"])
    action: ActionWord | None = Field(None, description="Only signals that have, or had, this action.")
    since: int | None = Field(None, description="Begin behind this cursor of the change feed; else at the start.")
    from_now: bool = Field(False, description="Begin with what changes from now on.")  # noqa: FBT003
    batch: int = Field(BATCH, description="How many changes one request tells of at most, up to 1 000.")
    scheme: SchemeWord = Field("v1", description="`v1`: signed with a shared secret; `v1a`: with an Ed25519 key.")


class ReplayWebhook(RequestModel):
    """From where an endpoint is told again; without either, from the batch that failed."""

    since: int | None = Field(None, description="Go on behind this change, even if it was sent before; 0: everything.")
    skip: bool = Field(False, description="Go on behind the batch that failed, without it.")  # noqa: FBT003


class Webhook(Model):
    """An endpoint that is told of changes; never its secret."""

    id: str = Field(description="Its id.", examples=[WEBHOOK])
    name: str = Field(description="What it is, for people.", examples=["cache"])
    url: str = Field(description="Where changes are sent to.", examples=["https://cache.acme.example/hashpact"])
    action: str | None = Field(description="Of which action it is told; null for all.", examples=["block"])
    scheme: SchemeWord = Field(description="How batches are signed.")
    public_key: str | None = Field(description="Of `v1a`: what the receiver verifies with.", examples=[None])
    state: Literal["active", "disabled"] = Field(description="`disabled`: nothing is sent until it is replayed.")
    batch: int = Field(description="How many changes one request tells of at most.", examples=[100])
    cursor: int = Field(description="The last change that it has, or that was skipped.", examples=[1017])
    behind: int = Field(description="How many change numbers lie between that and the newest.", examples=[0])
    tries: int = Field(description="How often the batch on its way was tried.", examples=[0])
    dead: int = Field(description="How many batches were given up and not sent since.", examples=[0])
    created_at: str = Field(description="When it was added.", examples=[TIME])
    created_by: str = Field(description="Who added it.", examples=["command:root"])
    last_try_at: str | None = Field(description="When a batch was last tried.", examples=[TIME])
    last_good_at: str | None = Field(description="When it last took one.", examples=[TIME])
    next_try_at: str | None = Field(description="When a batch that failed is tried next.", examples=[None])
    last_error: str | None = Field(description="What went wrong at the last try, if anything.", examples=[None])


class AddedWebhook(Model):
    """An endpoint that was just added."""

    webhook: Webhook = Field(description="The endpoint.")
    key: str = Field(
        description="What the receiver verifies with: `whsec_…`, a secret that is told this once, or `whpk_…`, which "
        "is none."
    )


class Webhooks(Model):
    """All endpoints."""

    webhooks: list[Webhook] = Field(description="The oldest first.")


class WebhookLetter(Model):
    """A batch that an endpoint did not take yet."""

    id: str = Field(description="The `webhook-id` that it is sent under.", examples=["msg_0123456789abcdef"])
    since: int = Field(description="It tells of changes after this one.", examples=[917])
    cursor: int = Field(description="Up to this one.", examples=[1017])
    changes: int = Field(description="How many changes it tells of.", examples=[100])
    bytes: int = Field(description="How long its body is.", examples=[24_310])
    tries: int = Field(description="How often it was tried.", examples=[11])
    made_at: str = Field(description="When it was made.", examples=[TIME])
    next_try_at: str | None = Field(description="When it is tried next; null once it is given up.", examples=[None])
    dead_at: str | None = Field(description="When it was given up.", examples=[TIME])
    error: str | None = Field(
        description="How the last try went.", examples=["the receiver answered with the status 500"]
    )


class WebhookDetail(Model):
    """An endpoint with the batches that it did not take."""

    webhook: Webhook = Field(description="The endpoint.")
    letters: list[WebhookLetter] = Field(description="The oldest first: one on its way, those that were given up.")


class WebhookTest(Model):
    """How a message that tells of no change was answered."""

    ok: bool = Field(description="Whether it was answered with a status of 200 to 299.")
    status: int | None = Field(description="The status, if there was an answer.", examples=[204])
    error: str | None = Field(description="What went wrong, if anything.", examples=[None])


class WebhookData(Model):
    """What a `blocklist.changed` message tells: the changes after `since` up to `cursor`."""

    webhook: str = Field(description="The id of the endpoint.", examples=[WEBHOOK])
    since: int = Field(description="The cursor of the batch before; what the receiver stored with it.", examples=[917])
    cursor: int = Field(description="What the receiver stores with these changes.", examples=[1017])
    more: bool = Field(description="Whether there were more changes already when it was made.")
    changes: list[Change] = Field(description="As the change feed gives them.")


class WebhookMessage(Model):
    """The body of a request to an endpoint (Standard Webhooks 1.0.0)."""

    type: Literal["blocklist.changed"] = Field(description="What happened.")
    timestamp: str = Field(description="The time of the last change in it.", examples=[TIME])
    data: WebhookData = Field(description="The changes.")
