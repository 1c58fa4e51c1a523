"""What commands write as JSON: the shapes of the API, as far as it has them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from hashpact_node.cli.output import plain
from hashpact_node.services.peering import LogView, PeerView
from hashpact_node.services.publishing import Published, PublishedFile
from hashpact_node.services.status import alarm_status, decision_status, log_status, peer_status
from hashpact_protocol.signals import Signal

FAILING: Final = "failing"


def peer_state(view: PeerView) -> str:
    """Give a peer's state in one word: of an active one ``failing`` where it cannot be read, else ``stale``."""
    if view.peer.state != "active":
        return view.peer.state
    return FAILING if view.peer.failures else "stale" if view.stale else view.peer.state


def log_state(view: LogView) -> str:
    """Give a log's state in a word: ``not for us``, ``stopped`` by a critical statement, ``stale``, or its card's."""
    if not view.for_us:
        return "not for us"
    if view.log.stopped_at is not None:
        return "stopped"
    return "stale" if view.stale else view.log.state


def peer_shape(view: PeerView, now: datetime) -> dict[str, Any]:
    """Give a peer with its logs and alarms, as ``/v1/peers`` does."""
    peer = view.peer
    logs = [
        log_status(one.log, own=peer.own, live=one.live, waiting=0, now=now, for_us=one.for_us) for one in view.logs
    ]
    origins = {one.log.number: one.log.origin for one in view.logs}
    alarms = [alarm_status(alarm, {peer.number: peer.member}, origins) for alarm in view.alarms]
    status = peer_status(peer, stale=view.stale, blobs=view.blobs)
    decision = decision_status(view.decision)
    return {**plain(status), "logs": plain(logs), "alarms": plain(alarms), "decision": decision}


def published_shape(published: Published) -> dict[str, Any]:
    """Give what became of one listing; ``index`` and ``size`` are null while it waits to be released."""
    return {
        "id": published.id,
        "origin": published.origin,
        "index": published.index,
        "size": published.size,
        "existing": published.existing,
        "notice": published.notice,
        "rests_until": published.rests_until,
    }


def published_file_shape(one: PublishedFile) -> dict[str, Any]:
    """Give a file's hashes, and what became of its listing."""
    return {
        "file": one.file.name,
        "content": one.file.content,
        "signals": [signal_shape(signal) for signal in one.file.signals],
        "notices": one.file.notices,
        **published_shape(one.published),
    }


def signal_shape(signal: Signal) -> dict[str, Any]:
    """Give a signal as in an entry."""
    if signal.blob_length is not None:
        return {"type": signal.type, "sha256": signal.value, "length": signal.blob_length}
    shape = {"type": signal.type, "value": signal.value, "quality": signal.quality}
    return {name: value for name, value in shape.items() if value is not None}
