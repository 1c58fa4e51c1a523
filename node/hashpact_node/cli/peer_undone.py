"""``hashpact peer undone``: what a member's later card cut off of what was held here."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

from typing import Annotated

import typer

from hashpact_node.cli.common import DEFAULT_HOME, AsJson, Home, opened
from hashpact_node.cli.output import say, say_json, warn


def undone(
    member: Annotated[str, typer.Argument(metavar="MEMBER", help="A peer, or this member itself.")],
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Show what was undone of a member's logs, and why: entries that were held here, and that its card cut off.

    They count no more at their places. What the member published again stands all the same, as the last column says.
    """
    from hashpact_node.cli.tables import moment, show_table
    from hashpact_node.services.undone import list_undone

    with opened(home) as node:
        found = list_undone(node.database, member)
    if as_json:
        say_json({"undone": found})
        return
    if not found:
        say(f"nothing of {member} was undone here")
    for one in found:
        ends = "" if one.final_size is None else f" ends at {one.final_size:,} entries;"
        say(f"{one.origin}:{ends} cut off at {moment(one.cut_at)}")
        say(f"  why: {one.reason or 'its card does not say'}")
        rows = [
            (entry.index, entry.kind, entry.id, entry.what, "listed" if entry.listed else "-") for entry in one.entries
        ]
        show_table(("index", "kind", "id", "what", "now"), rows, right=("index",), keep=("id",))
        if not one.complete:
            warn(f"more of {one.origin} was cut off than is kept")
