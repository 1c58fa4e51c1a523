"""Why a signal or a listing stands as it does, by HTTP."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from hashpact_node.api.deps import NodeOf
from hashpact_node.api.lanes import lanes_of, run_in
from hashpact_node.api.models import PDQ
from hashpact_node.api.models_explain import Explanation
from hashpact_node.api.plain import encoded
from hashpact_node.api.problems import PROBLEM_RESPONSES
from hashpact_node.services.statement_of_reasons import statement_of_reasons
from hashpact_protocol.errors import RequestError, StatementError
from hashpact_protocol.statement_fields import check_identifier

router = APIRouter(prefix="/v1/explain", tags=["blocklist"], responses=PROBLEM_RESPONSES)

_LISTING: Final = "6f1c2f0e-6f5c-4b0e-9d0a-0f6d2a1b3c4d"


@router.get(
    "",
    operation_id="explain",
    summary="Explain a signal or a listing",
    response_class=Response,
    responses={200: {"model": Explanation, "description": "The explanation; of `dsa` a StatementOfReasons."}},
)
async def explain(
    request: Request,
    node: NodeOf,
    *,
    signal: Annotated[
        str | None, Query(description="A signal, as `type:value`.", examples=[f"pdq:{PDQ}"], max_length=5_000)
    ] = None,
    listing: Annotated[str | None, Query(description="The id of a listing.", examples=[_LISTING])] = None,
    history: Annotated[
        bool, Query(description="Whether to read all that was ever said of it out of the logs, which takes a while.")
    ] = True,
    form: Annotated[
        Literal["json", "dsa"],
        Query(alias="format", description="`dsa`: a draft of a statement of reasons (DSA, Article 17)."),
    ] = "json",
) -> Response:
    """Say what it is, who lists it since when, who disagrees, which rule decided, and what would change that.

    Exactly one of `signal` and `listing` is asked about. Of a signal that nobody ever listed, `known` is false.
    """
    explainer = node.explainer
    if (signal is None) == (listing is None):
        raise RequestError("one thing is explained at a time", where="signal", mend="give either signal or listing")
    lane = lanes_of(request).reading
    if signal is not None:
        kind, colon, value = signal.partition(":")
        if not colon:
            raise RequestError("this is no signal", where="signal", mend="write it as type:value")
        found = await run_in(lane, explainer.signal, kind, value, history=history)
    else:
        found = await run_in(lane, explainer.listing, _checked(listing or ""), history=history)
    return encoded(statement_of_reasons(found) if form == "dsa" else found)


def _checked(identifier: str) -> str:
    try:
        return check_identifier(identifier)
    except StatementError as error:
        raise RequestError(f"this is no id: {error.what}", where="listing", mend="give the id in full") from None
