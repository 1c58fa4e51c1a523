"""``hashpact disputes …``: members who disagree with own listings, as a queue of work."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

from typing import Annotated

import typer

from hashpact_node.cli.common import DEFAULT_HOME, AsJson, Home, opened
from hashpact_node.cli.output import plain, say, say_json
from hashpact_node.cli.program import Commands, examples
from hashpact_node.cli.recording import actor

app = typer.Typer(cls=Commands, rich_markup_mode=None, help="Members who disagree with own listings.")


@app.command("list", epilog=examples("hashpact disputes list", "hashpact disputes list --all --json"))
def list_(
    everything: Annotated[bool, typer.Option("--all", help="Those that were answered, too.")] = False,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """List who disputes listings of this member, and why, the oldest first.

    Withdrawing or restating the listing answers a dispute; so does `hashpact disputes keep`. With --all the newest
    stand first.
    """
    from hashpact_node.cli.tables import show_table

    with opened(home) as node:
        found = node.corrections.disputes(answered=everything)
    if as_json:
        say_json({"disputes": plain(found)})
    elif not found:
        say("no disputes")
    else:
        rows = [
            (
                one.number,
                one.state,
                f"{one.member}, {one.since}",
                f"{one.reason or 'no reason'}" + (f"\n{one.note}" if one.note else ""),
                one.listing,
            )
            for one in found
        ]
        show_table(("dispute", "state", "by whom, since", "why", "listing"), rows, right=("dispute",))


@app.command(epilog=examples('hashpact disputes keep 7 --note "two people looked at it again"'))
def keep(
    number: Annotated[int, typer.Argument(metavar="DISPUTE", help="The number of a dispute.")],
    text: Annotated[str, typer.Option("--note", metavar="TEXT", help="Why the listing stays, for people here.")],
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Answer a dispute by keeping the listing as it is.

    Nothing is published: the disagreement goes on counting where others read it.
    """
    with opened(home) as node:
        view = node.corrections.keep(number, text, actor())
    if as_json:
        say_json(view)
    else:
        say(f"kept: {view.listing}")
