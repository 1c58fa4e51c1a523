"""One peer as people look at it."""

from __future__ import annotations

from datetime import datetime

from hashpact_node.cli.output import say
from hashpact_node.cli.shapes import log_state, peer_state
from hashpact_node.cli.tables import ago, figure, moment, show_fields, show_table
from hashpact_node.services.peering import LogView, PeerView
from hashpact_node.store.decisions import LOCAL, Decision


def show_peer(view: PeerView, now: datetime) -> None:
    """Write a peer's fields, its logs and its alarms."""
    peer = view.peer
    trouble = (peer.last_error or {}).get("what")
    fields = (
        ("url", peer.url),
        ("state", peer_state(view)),
        ("followed since", moment(peer.added_at)),
        ("decided", decided_text(view.decision)),
        ("pinned by", peer.pinned_fingerprint),
        ("card version", peer.card_version),
        ("trust read", ago(peer.trust_checked_at, now)),
        ("last good pull", ago(peer.last_good_at, now)),
        ("last try", ago(peer.last_try_at, now)),
        ("failures", figure(peer.failures) if peer.failures else None),
        ("next try", ago(peer.next_try_at, now) if peer.failures else None),
        ("blobs", _blobs(view)),
        ("trouble", trouble),
        ("mend", (peer.last_error or {}).get("mend") if trouble else None),
    )
    show_fields(fields, title=peer.member)
    rows = [
        (
            one.log.origin,
            log_state(one),
            f"{figure(one.log.held_size)} of {figure(one.log.accepted_size)}",
            figure(one.live),
            figure(one.log.quarantined),
        )
        for one in view.logs
    ]
    show_table(("log", "state", "held", "listings", "malformed"), rows, right=("held", "listings", "malformed"))
    news = [
        (one.log.origin, one.log.news_by, ago(one.log.news_at, now), age_text(one.log.news_age), cosigners_text(one))
        for one in view.logs
        if one.log.news_at is not None
    ]
    if news:
        show_table(("log", "news by", "came", "then old", "cosigned by"), news, right=("then old",))
    for alarm in view.alarms:
        mend = f" ({alarm.mend})" if alarm.mend else ""
        say(f"alarm {alarm.number}, {ago(alarm.last_at, now)}: {alarm.what}{mend}")


def decided_text(decision: Decision | None) -> str | None:
    """Say who decided whether a peer is followed, when, and why."""
    if decision is None:
        return None
    who = "a person here" if decision.by == LOCAL else "the directory"
    why = f": {decision.reason}" if decision.reason else ""
    return f"by {who}, {moment(decision.decided_at)}{why}"


def _blobs(view: PeerView) -> str | None:
    """Say how many blobs are here; nothing of a peer whose listings name none."""
    blobs = view.blobs
    if not blobs.held and not blobs.missing:
        return None
    return f"{figure(blobs.held)} here ({figure(blobs.bytes)} bytes), {figure(blobs.missing)} missing"


def age_text(seconds: int | None) -> str:
    """Say how old news was when it came."""
    return "-" if seconds is None else f"{seconds:,} s"


def cosigners_text(view: LogView) -> str:
    """Name the members whose cosignatures count on the newest checkpoint."""
    return ", ".join(view.log.cosigners) or "nobody else"
