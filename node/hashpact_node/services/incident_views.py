"""Incidents and their reports as JSON tells them: times as on the wire, names that say their unit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hashpact_node.services.incident_report import IncidentReport, MemberEffect
from hashpact_node.services.incident_states import IncidentShown
from hashpact_node.services.incident_times import MemberTimes, Spread
from hashpact_node.services.incidents import Said
from hashpact_protocol.incidents import Incident, Step, Turn

CLOCKS = (
    "seconds from a listing's time, in whole seconds by its publisher's clock, to its merging here, by ours; "
    "clock_ahead_seconds says by how much ours was ahead of theirs, and nothing is corrected by it"
)
"""Which clocks the spans go by."""


def told_incident(incident: Incident) -> dict[str, Any]:
    """Tell what an incident is."""
    return {
        "id": incident.incident,
        "status": incident.status.value,
        "title": incident.title,
        "type": incident.type,
        "active": list(incident.active),
        "proposed": list(incident.proposed),
        "concluded": list(incident.concluded),
        "short": incident.short,
        "by_directory": incident.by_directory,
    }


def told_shown(found: IncidentShown) -> dict[str, Any]:
    """Tell an incident with all that is known of it."""
    return {
        **told_incident(found.incident),
        "needed": found.needed,
        "words": [_step(one) for one in found.words],
        "turns": [_turn(one) for one in found.turns],
        "members": [_times(one) for one in found.times],
        "clocks": CLOCKS,
    }


def told_said(said: Said) -> dict[str, Any]:
    """Tell what this member said of an incident, and how its statement stands."""
    stated = said.stated
    return {
        "id": said.incident,
        "status": said.status.value,
        "statement": stated.id,
        "origin": stated.origin,
        "index": stated.index,
        "size": stated.size,
        "notice": stated.notice,
        "rests_until": stated.rests_until,
    }


def told_report(report: IncidentReport) -> dict[str, Any]:
    """Tell a report."""
    return {
        "member": report.member,
        "made_at": moment(report.made_at),
        "incident": told_shown(report.shown),
        "steps": [_step(one) for one in report.steps],
        "listings": report.listings,
        "live": report.live,
        "after_the_end": report.after_the_end,
        "signals": report.signals,
        "actions": dict(report.actions),
        "effects": [_effect(one) for one in report.effects],
    }


def moment(seconds: float | None) -> str | None:
    """Give a moment (Unix seconds) as on the wire; a year that no calendar here has is given as the nearest."""
    if seconds is None:
        return None
    return f"{datetime.fromtimestamp(int(seconds), UTC):%Y-%m-%dT%H:%M:%SZ}".rjust(20, "0")


def _step(step: Step) -> dict[str, Any]:
    return {
        "member": step.member,
        "status": step.status.value,
        "time": step.time,
        "merged_at": moment(step.seen),
        "title": step.title,
        "type": step.type,
        "note": step.note,
    }


def _turn(turn: Turn) -> dict[str, Any]:
    return {"at": moment(turn.at), "status": turn.status.value, "member": turn.member}


def _times(times: MemberTimes) -> dict[str, Any]:
    return {
        "member": times.member,
        "listings": times.listings,
        "live": times.live,
        "earlier": times.earlier,
        "unmeasured": times.unmeasured,
        "first_said": moment(times.first_said),
        "last_said": moment(times.last_said),
        "first_merged": moment(times.first_merged),
        "to_matchable_seconds": _spread(times.to_matchable),
        "clock_ahead_seconds": times.clock_ahead,
    }


def _effect(effect: MemberEffect) -> dict[str, Any]:
    return {
        "member": effect.member,
        "actions": dict(effect.actions),
        "blocking": effect.blocking,
        "to_blocking_at_most_seconds": _spread(effect.to_blocking),
        "unreadable": effect.unreadable,
    }


def _spread(spread: Spread | None) -> dict[str, Any] | None:
    if spread is None:
        return None
    return {
        "count": spread.count,
        "p50": round(spread.p50, 3),
        "p95": round(spread.p95, 3),
        "longest": round(spread.longest, 3),
    }
