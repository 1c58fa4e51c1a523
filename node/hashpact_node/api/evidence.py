"""What proves that a member told two stories, by HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import Response
from pydantic import Field

from hashpact_node.api.deps import NodeOf
from hashpact_node.api.models import TIME, Model
from hashpact_node.api.problems import PROBLEM_RESPONSES
from hashpact_node.services.evidence import kept_at
from hashpact_node.store.evidence import Kept

router = APIRouter(prefix="/v1/evidence", tags=["status"], responses=PROBLEM_RESPONSES)


class EvidenceShown(Model):
    """A piece of evidence that a member told two stories."""

    number: int = Field(description="Its number here.", examples=[1])
    member: str = Field(description="The accused.", examples=["beta"])
    charge: str = Field(description="`log-forked` or `card-forked`.", examples=["log-forked"])
    what: str = Field(description="What it says, for people.")
    proven: bool = Field(description="Whether the file alone, with a root of the accused, convinces others.")
    kept_at: str = Field(description="Since when it is kept.", examples=[TIME])


class EvidenceList(Model):
    """All evidence that is kept."""

    evidence: list[EvidenceShown] = Field(description="The newest last.")


@router.get("", operation_id="list_evidence", summary="List evidence")
def list_evidence(node: NodeOf) -> EvidenceList:
    """List what proves that members told two stories."""
    return EvidenceList(evidence=[_shown(one) for one in node.evidence.list()])


@router.get(
    "/{number}",
    operation_id="evidence",
    summary="One piece of evidence as a file",
    response_class=Response,
    responses={200: {"content": {"application/json": {}}, "description": "The file, as `hashpact evidence export`."}},
)
def evidence(
    node: NodeOf,
    number: Annotated[int, Path(description="Its number.", ge=1, le=2**31 - 1, examples=[1])],
) -> Response:
    """Give the file that others verify offline (docs/protocol.md, Evidence), with the newest card of the accused."""
    return Response(node.evidence.read(number).data, media_type="application/json")


def _shown(kept: Kept) -> EvidenceShown:
    return EvidenceShown(
        number=kept.number,
        member=kept.member,
        charge=kept.charge,
        what=kept.what,
        proven=kept.proven,
        kept_at=kept_at(kept),
    )
