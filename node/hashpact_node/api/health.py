"""Whether the node lives, and whether it can serve: for process supervisors and load balancers."""

from __future__ import annotations

from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from hashpact_node.api.deps import NodeOf
from hashpact_node.api.problems import PROBLEM_RESPONSES, HttpProblem
from hashpact_node.api.token_door import holder_of
from hashpact_node.services.status import check_ready
from hashpact_protocol.errors import HashpactError

router = APIRouter(tags=["health"], responses=PROBLEM_RESPONSES)


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"] = Field(description="Always `ok`: else there is no answer.")


class Ready(Health):
    """The node can serve; whether it may also sign is said beside, for lookups do not wait for that."""

    signing: str | None = Field(
        description="Whether this process may sign, or what it waits for; null for whoever has no token.",
        examples=["signs"],
    )


@router.get("/healthz", operation_id="healthz", summary="Whether the process answers")
async def healthz() -> Health:
    """Answer without a look at anything."""
    return Health(status="ok")


@router.get(
    "/readyz",
    operation_id="readyz",
    summary="Whether the node can serve",
)
def readyz(request: Request, node: NodeOf) -> Ready:
    """Answer when the database can be reached, is of this version, and an own log is shown.

    What hinders it, and whether the node signs, is told to whoever sends a valid token, of any scope.
    """
    tells = holder_of(request) is not None
    try:
        check_ready(node.database)
    except HashpactError as error:
        if not tells:
            raise HttpProblem(
                HTTPStatus.SERVICE_UNAVAILABLE, "this node is not ready", mend="send a token to be told why"
            ) from error
        raise HttpProblem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            error.what if error.where is None else f"{error.where}: {error.what}",
            mend=error.mend,
        ) from error
    return Ready(status="ok", signing=node.awakening.state if tells else None)
