"""The audit log by HTTP, for systems that collect it elsewhere."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import Field

from hashpact_node.api.deps import NodeOf
from hashpact_node.api.models import TIME, Model
from hashpact_node.api.plain import encoded
from hashpact_node.api.problems import PROBLEM_RESPONSES
from hashpact_node.services.audit import PAGE_MAX

router = APIRouter(prefix="/v1/audit", tags=["audit"], responses=PROBLEM_RESPONSES)

SINCE_MAX = 2**53 - 1


class AuditActor(Model):
    """Who did something."""

    kind: str = Field(description="`token`, `member`, `command` or `job`.", examples=["token"])
    name: str = Field(description="A token's id, a member's id, a user of the machine, a job.", examples=["nobody"])
    address: str | None = Field(description="From where, as an IP address.", examples=["192.0.2.7"])


class AuditEntry(Model):
    """One entry of the audit log."""

    n: int = Field(description="Its number, from 1 on.", examples=[17])
    time: str = Field(description="When it was written.", examples=[TIME])
    actor: AuditActor = Field(description="Who it was.")
    action: str = Field(description="An operation of this API, a command, or what happened.", examples=["add_peer"])
    subject: str = Field(description="What it was done to; empty where that says nothing.", examples=["beta"])
    result: str = Field(description="`ok`, or the code of what went wrong.", examples=["ok"])
    detail: dict[str, Any] = Field(description="What else there is to know.", examples=[{"status": 201}])
    before: str = Field(description="The root over all entries before it, in hex.", examples=["ab" * 32])


class AuditEntries(Model):
    """A page of the audit log, in order."""

    entries: list[AuditEntry] = Field(description="The entries of this page.")
    cursor: int = Field(description="Ask for the next page with `since` set to this, now or later.", examples=[17])
    more: bool = Field(description="Whether there is more already.")
    head: str = Field(description="How many entries there are, and the root over them.", examples=[f"17:{'ab' * 32}"])


@router.get(
    "",
    operation_id="list_audit",
    summary="Who did what",
    response_class=Response,
    responses={200: {"model": AuditEntries, "description": "A page."}},
)
def entries(
    node: NodeOf,
    since: Annotated[
        int, Query(description="The cursor of the last page that was read; 0 at first.", ge=0, le=SINCE_MAX)
    ] = 0,
    limit: Annotated[int, Query(description="How many entries at most.", ge=1, le=PAGE_MAX)] = 100,
) -> Response:
    """Read the audit log from a number on. Each entry stands as it was written, so that it can be verified."""
    page = node.audit.page(since, limit=limit)
    return encoded(
        {
            "entries": [msgspec.Raw(entry) for entry in page.entries],
            "cursor": page.cursor,
            "more": page.more,
            "head": page.head,
        }
    )
