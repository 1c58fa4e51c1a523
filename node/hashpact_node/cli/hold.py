"""``hashpact hold …``: what is held for review since there is far too much of it, and letting it through."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hashpact_node.cli.common import DEFAULT_HOME, AsJson, Home, opened
from hashpact_node.cli.output import plain, say, say_json
from hashpact_node.cli.program import Commands, examples
from hashpact_node.cli.recording import actor

if TYPE_CHECKING:
    from hashpact_node.services.holds import HoldView

app = typer.Typer(
    cls=Commands, rich_markup_mode=None, help="What is held for review: floods of listings, and of matches."
)

Number = Annotated[int, typer.Argument(metavar="HOLD", help="The number of a hold.")]


@app.command("list", epilog=examples("hashpact hold list", "hashpact hold list --all --json"))
def list_(
    everything: Annotated[bool, typer.Option("--all", help="Those that were released, too.")] = False,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """List what is held for review since there is far too much of it, the newest first; at most 1 000."""
    from hashpact_node.cli.tables import show_table

    with opened(home) as node:
        found = node.holds.list(released=everything)
    if as_json:
        say_json({"holds": plain(found)})
    elif not found:
        say("nothing is held")
    else:
        rows = [(one.number, one.state, _about(one), f"{one.came:,}", f"{one.usual:,}", one.since) for one in found]
        heads = ("hold", "state", "what", "in a day", "usual", "since")
        show_table(heads, rows, right=("hold", "in a day", "usual"))


@app.command(epilog=examples("hashpact hold show 3"))
def show(number: Number, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Show one hold: what it holds, why, and whether its publisher was told."""
    from hashpact_node.cli.tables import show_fields

    with opened(home) as node:
        view = node.holds.show(number)
    if as_json:
        say_json(view)
        return
    released = None if view.released_at is None else f"{view.released_at} by {view.released_by}"
    fields = [
        ("what", _about(view)),
        ("why", f"{view.came:,} {view.kind} in a day, {view.usual:,} are usual"),
        ("since", view.since),
        ("grown", view.grown_at),
        ("released", "no" if released is None else f"{released}: {view.released_why or 'no reason given'}"),
        ("notice", _notice(view)),
    ]
    show_fields(fields, title=f"hold {view.number}")


@app.command(epilog=examples('hashpact hold release 3 --why "they moved from another system, and told us"'))
def release(
    number: Number,
    why: Annotated[str | None, typer.Option("--why", metavar="TEXT", help="Why, for people here.")] = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Let through what a hold holds: it is judged as if it had never been held.

    A signal is judged anew at once, listings within seconds by a node that runs. What comes later is counted anew.
    """
    with opened(home) as node:
        view = node.holds.release(number, actor(), why)
    if as_json:
        say_json(view)
    else:
        say(f"released: {view.number}, {_about(view)}")


@app.command(epilog=examples("hashpact hold notify 3"))
def notify(number: Number, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Tell the publisher of what is held: an opinion `seen`, whose note gives the figures; all members may read it."""
    with opened(home, publishes=True) as node:
        node.hold_notices.send(number)
        view = node.holds.show(number)
    if as_json:
        say_json(view)
    else:
        say(f"told: {view.number}, {_about(view)}")


def _about(view: HoldView) -> str:
    if view.signal is not None:
        return view.signal
    return f"{view.log}\nentries {view.first} to {(view.last or 0) - 1}"


def _notice(view: HoldView) -> str:
    said = {
        "none": "nobody is told",
        "due": "its publisher will be told",
        "sent": f"its publisher was told, {view.notified_at}",
        "refused": f"its publisher could not be told: {view.notice_error}",
    }
    return said[view.notice]
