"""Webhooks by HTTP: add, show, try, replay and remove endpoints of this company that are told of changes."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from hashpact_node.api.audited import about, actor_of
from hashpact_node.api.deps import NodeOf
from hashpact_node.api.lanes import lanes_of, run_in
from hashpact_node.api.models_webhooks import (
    WEBHOOK,
    AddedWebhook,
    NewWebhook,
    ReplayWebhook,
    Webhook,
    WebhookDetail,
    Webhooks,
    WebhookTest,
)
from hashpact_node.api.problems import PROBLEM_RESPONSES
from hashpact_node.services import webhooks
from hashpact_node.services.webhook_secrets import Scheme
from hashpact_protocol.errors import RequestError
from hashpact_protocol.statement_fields import format_time

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], responses=PROBLEM_RESPONSES)

WebhookId = Annotated[str, Path(description="The id of a webhook.", examples=[WEBHOOK])]


@router.get("", operation_id="list_webhooks", summary="List webhooks")
def list_webhooks(node: NodeOf) -> Webhooks:
    """List the endpoints that are told of changes, and how far each is."""
    return Webhooks.model_validate({"webhooks": [_told(one) for one in node.webhooks.list()]})


@router.post("", operation_id="add_webhook", summary="Add a webhook", status_code=HTTPStatus.CREATED)
async def add(request: Request, node: NodeOf, body: NewWebhook, response: Response) -> AddedWebhook:
    """Add an endpoint; the answer holds what its receiver verifies with, a secret this once.

    It is told of everything that is listed, then of every change, in order, one batch at a time.
    """
    if body.from_now and body.since is not None:
        raise RequestError("it begins now or behind a change, not both", where="since")
    plan = webhooks.WebhookPlan(
        body.url,
        name=body.name,
        action=body.action,
        scheme=Scheme(body.scheme),
        batch=body.batch,
        since=None if body.from_now else body.since or 0,
    )
    made = await run_in(lanes_of(request).peers, node.webhooks.add, plan, by=actor_of(request))
    about(request, made.view.id)
    response.headers["Location"] = f"/v1/webhooks/{made.view.id}"
    return AddedWebhook.model_validate({"webhook": _told(made.view), "key": made.key})


@router.get("/{webhook}", operation_id="show_webhook", summary="Show a webhook")
def show(node: NodeOf, webhook: WebhookId) -> WebhookDetail:
    """Show an endpoint with the batches that it did not take; never its secret."""
    return _detail(node.webhooks.show(webhook))


@router.post("/{webhook}/test", operation_id="test_webhook", summary="Try a webhook")
async def test(request: Request, node: NodeOf, webhook: WebhookId) -> WebhookTest:
    """Send a signed message that tells of no change, and say how it was answered; nothing else changes."""
    tried = await run_in(lanes_of(request).peers, node.webhook_delivery.test, webhook)
    return WebhookTest(ok=tried.error is None, status=tried.status, error=tried.error)


@router.post("/{webhook}/replay", operation_id="replay_webhook", summary="Tell a webhook again")
def replay(node: NodeOf, webhook: WebhookId, body: ReplayWebhook | None = None) -> WebhookDetail:
    """Send what failed again, now, and go on behind it; a disabled endpoint is active afterwards."""
    since, skip = (None, False) if body is None else (body.since, body.skip)
    return _detail(node.webhooks.replay(webhook, since=since, skip=skip))


@router.delete("/{webhook}", operation_id="remove_webhook", summary="Remove a webhook")
def remove(node: NodeOf, webhook: WebhookId) -> Webhook:
    """Forget an endpoint, its secret, and what it did not take."""
    return Webhook.model_validate(_told(node.webhooks.remove(webhook)))


def _detail(detail: webhooks.WebhookDetail) -> WebhookDetail:
    letters = [_told(letter) for letter in detail.letters]
    return WebhookDetail.model_validate({"webhook": _told(detail.webhook), "letters": letters})


def _told(view: webhooks.WebhookView | webhooks.LetterView) -> dict[str, Any]:
    values = asdict(view)
    for name in [name for name in values if name.endswith("_at")]:
        if values[name] is not None:
            values[name] = format_time(datetime.fromtimestamp(values[name], UTC))
    return values
