"""Incidents and their reports at a terminal; what is told is as ``services.incident_views`` has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hashpact_node.cli.output import say
from hashpact_node.cli.tables import count, figure, show_fields, show_table

TIMES = "From published to matchable, in seconds"
EFFECTS = "What the listings do here now"


def show_detail(told: Mapping[str, Any]) -> None:
    """Show an incident with what members say of it and what was measured."""
    needed = f"{told['needed']} members make it active"
    missing = "" if told["status"] == "active" else f"; {count(told['short'], 'member')} short"
    show_fields(
        [
            ("incident", told["id"]),
            ("status", told["status"] + (" (by the directory)" if told["by_directory"] else "")),
            ("title", told["title"]),
            ("type", told["type"]),
            ("rule", needed + missing),
        ]
    )
    rows = [(one["member"], one["status"], one["time"], one["title"], one["note"]) for one in told["words"]]
    show_table(("member", "says", "since (its clock)", "title", "note"), rows, title="What members say")
    if told["turns"]:
        turns = [(one["at"], one["status"], one["member"]) for one in told["turns"]]
        show_table(("when (our clock)", "it became", "by the word of"), turns, title="When that changed here")
    _show_times(told)


def show_report(told: Mapping[str, Any]) -> None:
    """Show the report of an incident."""
    say(f"Report of {told['member']}, made at {told['made_at']}")
    show_detail(told["incident"])
    rows = [(one["merged_at"], one["member"], one["status"], one["time"], one["note"]) for one in told["steps"]]
    show_table(("merged here", "member", "said", "its clock", "note"), rows, title="All that was said")
    actions = ", ".join(f"{figure(number)} {word}" for word, number in sorted(told["actions"].items()))
    say(
        f"{count(told['listings'], 'listing')}, {figure(told['live'])} of them stand, "
        f"{figure(told['after_the_end'])} came after the end; "
        f"{count(told['signals'], 'distinct signal')}{': ' if actions else ''}{actions}"
    )
    effects = [
        (
            one["member"],
            ", ".join(f"{number} {word}" for word, number in sorted(one["actions"].items())),
            figure(one["blocking"]),
            _spread(one["to_blocking_at_most_seconds"]),
        )
        for one in told["effects"]
    ]
    if effects:
        columns = (
            "publisher",
            "signals by action",
            "listings that block",
            "s to block, at most (p50/p95/longest)",
        )
        show_table(columns, effects, title=EFFECTS)


def _show_times(told: Mapping[str, Any]) -> None:
    if not told["members"]:
        say("no listing names this incident")
        return
    rows = [
        (
            one["member"],
            figure(one["listings"]),
            _spread(one["to_matchable_seconds"]),
            _ahead(one["clock_ahead_seconds"]),
            _left_out(one),
        )
        for one in told["members"]
    ]
    columns = ("publisher", "listings", "p50/p95/longest", "our clock ahead", "not measured")
    show_table(columns, rows, title=TIMES, right=("listings",))
    say(told["clocks"])


def _spread(spread: Mapping[str, Any] | None) -> str | None:
    return None if spread is None else f"{spread['p50']:.1f}/{spread['p95']:.1f}/{spread['longest']:.1f}"


def _ahead(seconds: float | None) -> str:
    return "unknown" if seconds is None else f"{seconds:+.1f} s"


def _left_out(times: Mapping[str, Any]) -> str | None:
    found = [(times["earlier"], "before it was followed"), (times["unmeasured"], "unknown")]
    return ", ".join(f"{figure(number)} {why}" for number, why in found if number) or None
