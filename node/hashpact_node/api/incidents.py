"""Incidents by HTTP: look at them, propose them, and say what this member thinks of them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from hashpact_node.api.audited import about
from hashpact_node.api.deps import NodeOf
from hashpact_node.api.lanes import lanes_of, run_in
from hashpact_node.api.models_incidents import (
    INCIDENT,
    Incident,
    IncidentDetail,
    IncidentReport,
    Incidents,
    IncidentSaid,
    StatusWord,
)
from hashpact_node.api.models_requests import ProposeIncident, SayIncident
from hashpact_node.api.problems import PROBLEM_RESPONSES
from hashpact_node.services.incident_views import told_incident, told_report, told_said, told_shown
from hashpact_node.services.incidents import Words
from hashpact_protocol.incidents import Status

router = APIRouter(prefix="/v1/incidents", tags=["incidents"], responses=PROBLEM_RESPONSES)

IncidentId = Annotated[str, Path(description="The id of an incident.", examples=[INCIDENT])]
Wait = Annotated[bool, Query(description="Wait until it is released.")]
WAITS: dict[int | str, dict[str, Any]] = {
    202: {"model": IncidentSaid, "description": "Said; it waits to be released, and will be."}
}


@router.get("", operation_id="list_incidents", summary="List incidents")
def list_incidents(
    node: NodeOf,
    *,
    status: Annotated[StatusWord | None, Query(description="Those of one status alone.")] = None,
) -> Incidents:
    """List the incidents of which this member, or anybody whom it follows, speaks."""
    found = node.incidents.list(status=None if status is None else Status(status))
    return Incidents(incidents=[Incident.model_validate(told_incident(one)) for one in found])


@router.get("/{incident}", operation_id="show_incident", summary="Show an incident")
def show(node: NodeOf, incident: IncidentId) -> IncidentDetail:
    """Show who says what of an incident, when that changed here, and how fast its listings came."""
    return IncidentDetail.model_validate(told_shown(node.incidents.show(incident)))


@router.get("/{incident}/report", operation_id="report_incident", summary="Report on an incident")
def report(node: NodeOf, incident: IncidentId) -> IncidentReport:
    """Give the after-action report of an incident, as this node saw it."""
    return IncidentReport.model_validate(told_report(node.incidents.report(incident)))


@router.post(
    "",
    operation_id="propose_incident",
    summary="Propose an incident",
    status_code=HTTPStatus.CREATED,
    responses=WAITS,
)
async def propose(
    *, request: Request, response: Response, node: NodeOf, body: ProposeIncident, wait: Wait = True
) -> IncidentSaid:
    """Propose an incident to all members. That alone changes nobody's action."""
    words = Words(body.title, body.type, body.note)
    said = await run_in(lanes_of(request).publishing, node.incidents.propose, words, wait=wait)
    about(request, said.incident)
    response.headers["Location"] = f"/v1/incidents/{said.incident}"
    response.status_code = HTTPStatus.ACCEPTED if said.stated.index is None else HTTPStatus.CREATED
    return IncidentSaid.model_validate(told_said(said))


@router.post(
    "/{incident}",
    operation_id="say_incident",
    summary="Activate, join, update or conclude an incident",
    responses={**WAITS, 409: {"description": "This member says so already, or said nothing that could be changed."}},
)
async def say(
    *, request: Request, response: Response, node: NodeOf, incident: IncidentId, body: SayIncident, wait: Wait = True
) -> IncidentSaid:
    """Say, in this member's name alone, that an incident is active or over, or say otherwise what was said before."""
    acts = {
        "activate": node.incidents.activate,
        "join": node.incidents.join,
        "update": node.incidents.update,
        "conclude": node.incidents.conclude,
    }
    words = Words(body.title, body.type, body.note)
    said = await run_in(lanes_of(request).publishing, acts[body.act], incident, words, wait=wait)
    response.status_code = HTTPStatus.ACCEPTED if said.stated.index is None else HTTPStatus.OK
    return IncidentSaid.model_validate(told_said(said))
