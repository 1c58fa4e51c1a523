"""Which cards of members are in force here, for peers that compare (docs/protocol.md, Comparing)."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from pydantic import Field

from hashpact_node.api.deps import NodeOf
from hashpact_node.api.files import check_raw_path
from hashpact_node.api.models import Model
from hashpact_node.api.problems import PROBLEM_RESPONSES
from hashpact_node.services.shown_cards import ShownCards

PRIVATE: Final = {"Cache-Control": "private, no-cache"}

router = APIRouter(prefix="/witness/cards", tags=["witness"], responses=PROBLEM_RESPONSES)


class CardInForce(Model):
    """A card that this node trusts."""

    member: str = Field(description="Whose card it is.", examples=["beta"])
    url: str = Field(description="The URL under which this member is known here.", examples=["https://beta.example"])
    version: int = Field(description="The version of its targets metadata.", examples=[1795406400])
    sha256: str = Field(description="The SHA-256 of its targets metadata.", examples=["ab" * 32])
    root: int = Field(description="The version of the newest root of this member.", examples=[1])


class CardsInForce(Model):
    """The cards that this node trusts, one of each member."""

    cards: list[CardInForce] = Field(description="In order of the members' ids.")


@router.get("", operation_id="witness_cards", summary="The cards in force here")
def cards(node: NodeOf, response: Response) -> CardsInForce:
    """List the cards that this node trusts, its own among them, so that others can compare them with theirs."""
    response.headers.update(PRIVATE)
    shown = ShownCards(node.database).list()
    return CardsInForce(
        cards=[
            CardInForce(member=one.member, url=one.url, version=one.version, sha256=one.sha256, root=one.root)
            for one in shown
        ]
    )


Member = Annotated[str, Path(description="Whose card it is.", examples=["beta"])]
Version = Annotated[int, Path(description="The version of its targets metadata.", ge=1, le=2**53)]


@router.get(
    "/{member}/{version}",
    operation_id="witness_card",
    summary="The targets metadata of a card in force",
    response_class=Response,
    responses={200: {"content": {"application/json": {}}, "description": "The file as it was signed."}},
)
def card(
    request: Request,
    node: NodeOf,
    member: Member,
    version: Version,
) -> Response:
    """Give the targets metadata that this node trusts, so that two of one version can be proven."""
    check_raw_path(request)
    targets = ShownCards(node.database).targets(member, version)
    return Response(targets, headers=PRIVATE, media_type="application/json")


@router.get(
    "/{member}/{version}/card",
    operation_id="witness_card_itself",
    summary="A card in force",
    response_class=Response,
    responses={200: {"content": {"application/json": {}}, "description": "The card as it was signed."}},
)
def card_itself(request: Request, node: NodeOf, member: Member, version: Version) -> Response:
    """Give the card that this node trusts, so that a member whose database was lost can have its own back."""
    check_raw_path(request)
    return Response(ShownCards(node.database).card(member, version), headers=PRIVATE, media_type="application/json")


@router.get(
    "/{member}/roots/{version}",
    operation_id="witness_root",
    summary="A root of a member",
    response_class=Response,
    responses={200: {"content": {"application/json": {}}, "description": "The file as it was signed."}},
)
def root(
    request: Request,
    node: NodeOf,
    member: Member,
    version: Annotated[int, Path(description="The version of the root.", ge=1, le=2**53)],
) -> Response:
    """Give a root that this node trusts, so that a member whose database was lost can have its own back."""
    check_raw_path(request)
    return Response(ShownCards(node.database).root(member, version), headers=PRIVATE, media_type="application/json")
