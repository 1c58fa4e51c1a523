"""Peers by HTTP: whom this node follows, and how that goes."""

from __future__ import annotations

from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from hashpact_node.api.audited import about
from hashpact_node.api.deps import NodeOf
from hashpact_node.api.lanes import lanes_of, run_in
from hashpact_node.api.models_node import Peer, PeerPreview, Peers, PeerState, Pulled, Quarantine
from hashpact_node.api.models_requests import NewPeer, SuspendPeer
from hashpact_node.api.problems import PROBLEM_RESPONSES
from hashpact_node.assembly import Node
from hashpact_node.services.peering import PeerView
from hashpact_node.services.pulling import ASKED_WAIT_SECONDS
from hashpact_node.services.quarantined import list_malformed
from hashpact_node.services.status import alarm_status, decision_status, log_status, peer_status, pulled_status

router = APIRouter(prefix="/v1/peers", tags=["peers"], responses=PROBLEM_RESPONSES)

MALFORMED_MAX: Final = 10_000

MemberId = Annotated[str, Path(description="The peer's id.", examples=["beta"])]


@router.get("", operation_id="list_peers", summary="List peers")
def list_peers(node: NodeOf) -> Peers:
    """List all peers, with their logs and alarms."""
    return Peers(peers=[_told(node, view) for view in node.peering.list()])


@router.post("", operation_id="add_peer", summary="Follow a peer", status_code=HTTPStatus.CREATED)
async def add(request: Request, node: NodeOf, body: NewPeer, response: Response) -> Peer:
    """Add a peer under a pin that came by another channel, and read its trust repository at once."""
    about(request, body.member, url=body.url)
    root = None if body.root is None else body.root.encode()
    view = await run_in(
        lanes_of(request).peers, node.peering.add, body.member, body.url, root=root, fingerprint=body.fingerprint
    )
    response.headers["Location"] = f"/v1/peers/{view.peer.member}"
    return _told(node, view)


@router.post("/preview", operation_id="preview_peer", summary="Show whom one is about to trust")
async def preview(request: Request, node: NodeOf, body: NewPeer) -> PeerPreview:
    """Read a member's trust repository under a pin, and say whom `POST /v1/peers` would trust; change nothing."""
    root = None if body.root is None else body.root.encode()
    found = await run_in(
        lanes_of(request).peers, node.introducer.look, body.member, body.url, root=root, fingerprint=body.fingerprint
    )
    return PeerPreview.model_validate(found)


@router.get("/{member}", operation_id="show_peer", summary="Show a peer")
def show(node: NodeOf, member: MemberId) -> Peer:
    """Show a peer with its logs and alarms."""
    return _told(node, node.peering.show(member))


@router.get("/{member}/quarantine", operation_id="list_quarantine", summary="What of a peer's logs is malformed")
def quarantine(
    node: NodeOf,
    member: MemberId,
    limit: Annotated[int, Query(description="How much at most.", ge=1, le=MALFORMED_MAX)] = 100,
) -> Quarantine:
    """List malformed entries and signals of a peer's logs, with the reasons. They claim nothing; the rest does."""
    found = list_malformed(node.database, member, limit=limit)
    return Quarantine.model_validate({"malformed": [part._asdict() for part in found]})


@router.delete("/{member}", operation_id="remove_peer", summary="Remove a peer")
async def remove(request: Request, node: NodeOf, member: MemberId) -> PeerState:
    """Remove a peer: its claims leave the blocklist at once."""
    removed = await run_in(lanes_of(request).peers, node.peering.remove, member)
    return PeerState.model_validate(peer_status(removed.peer))


@router.post("/{member}/pull", operation_id="pull_peer", summary="Pull a peer now")
async def pull(request: Request, node: NodeOf, member: MemberId) -> Pulled:
    """Pull a peer, and answer when that is done, however long its logs are."""
    pulled = await run_in(lanes_of(request).peers, node.puller.pull, member, wait_seconds=ASKED_WAIT_SECONDS)
    return Pulled.model_validate(pulled_status(pulled))


@router.post("/{member}/pause", operation_id="pause_peer", summary="Pull a peer no more")
def pause(node: NodeOf, member: MemberId) -> Peer:
    """Pull a peer no more until it is resumed; its claims stay in force."""
    return _told(node, node.peering.pause(member))


@router.post("/{member}/suspend", operation_id="suspend_peer", summary="Suspend a peer")
async def suspend(request: Request, node: NodeOf, member: MemberId, body: SuspendPeer | None = None) -> Peer:
    """Suspend a peer: its requests fail and its claims leave the blocklist at once, until it is resumed."""
    reason = None if body is None else body.reason
    return _told(node, await run_in(lanes_of(request).peers, node.peering.suspend, member, reason=reason))


@router.post("/{member}/resume", operation_id="resume_peer", summary="Pull a paused or suspended peer again")
async def resume(request: Request, node: NodeOf, member: MemberId) -> Peer:
    """Pull a paused peer again; of a suspended one, what is stored counts again."""
    return _told(node, await run_in(lanes_of(request).peers, node.peering.resume, member))


def _told(node: Node, view: PeerView) -> Peer:
    now = node.upkeep.now()
    members = {view.peer.number: view.peer.member}
    origins = {one.log.number: one.log.origin for one in view.logs}
    return Peer.model_validate(
        {
            **asdict(peer_status(view.peer, stale=view.stale, blobs=view.blobs)),
            "logs": [
                log_status(one.log, own=view.peer.own, live=one.live, waiting=0, now=now, for_us=one.for_us)
                for one in view.logs
            ],
            "alarms": [alarm_status(alarm, members, origins) for alarm in view.alarms],
            "decision": decision_status(view.decision),
        }
    )
