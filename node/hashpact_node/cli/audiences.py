"""``hashpact audience …``: members who read a log of ours that nobody else may."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hashpact_node.cli.card_drafts import DraftOption, signing
from hashpact_node.cli.common import DEFAULT_HOME, AsJson, ExitCode, Home, opened
from hashpact_node.cli.output import note, plain, say, say_json, waiting, warn
from hashpact_node.cli.program import Commands, examples
from hashpact_node.cli.publishing import audience_names

if TYPE_CHECKING:
    from hashpact_node.services.audiences import AudienceView

app = typer.Typer(cls=Commands, rich_markup_mode=None, help="Audiences: members who read a log that nobody else may.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="What the audience is called here; nobody else learns it.")]
Members = Annotated[str, typer.Option(metavar="MEMBERS", help="The members' ids, separated by commas.")]


@app.command(epilog=examples("hashpact audience create eu-desk --members beta,gamma"))
def create(
    name: Name,
    members: Members,
    *,
    key: Annotated[
        str | None, typer.Option(metavar="URI", help="Where its key lives; a new file in the home by default.")
    ] = None,
    draft: DraftOption = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Begin an audience: a log with a key of its own, which these members read and nobody else.

    The targets key signs a new card. It names the log by random letters; whom it is for, and its name, stay here.
    """
    with opened(home, signs=True) as node, signing(node, draft):
        view = node.audiences.create(name, _ids(members), uri=key)
    _show([view], as_json=as_json)


@app.command("list", epilog=examples("hashpact audience list", "hashpact audience list --closed"))
def list_(
    closed: Annotated[bool, typer.Option("--closed", help="Those that have ended, too.")] = False,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """List the audiences of this member, with their readers."""
    with opened(home) as node:
        found = node.audiences.list(closed=closed)
    if as_json:
        say_json({"audiences": [plain(one) for one in found]})
    else:
        _table(found)


@app.command(epilog=examples("hashpact audience show eu-desk"))
def show(name: Name, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Show one audience."""
    with opened(home) as node:
        view = node.audiences.show(name)
    _show([view], as_json=as_json)


@app.command("add-member", epilog=examples("hashpact audience add-member eu-desk delta"))
def add_member(
    name: Name,
    members: Annotated[list[str], typer.Argument(metavar="MEMBER…", help="The ids of peers.")],
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Let more members read the log of an audience: all that stands in it, and what comes."""
    with opened(home) as node:
        view = node.audiences.add_members(name, members)
    _show([view], as_json=as_json)


@app.command("remove-member", epilog=examples("hashpact audience remove-member eu-desk gamma"))
def remove_member(
    name: Name,
    members: Annotated[list[str], typer.Argument(metavar="MEMBER…", help="The ids of readers.")],
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Let members read the log of an audience no more: their next request fails.

    What they read until then, they have, and no correction of it reaches them any more: withdraw first what they are
    not to keep.
    """
    with opened(home) as node:
        view = node.audiences.remove_members(name, members)
    _show([view], as_json=as_json)


@app.command(
    epilog=examples("hashpact audience move eu-desk --to eu-desk-2", "hashpact audience move eu-desk --to everybody")
)
def move(
    name: Name,
    *,
    to: Annotated[list[str], typer.Option("--to", metavar="NAME", help="Other audiences; several by commas.")],
    reason: Annotated[
        str, typer.Option(metavar="WORD", help="What those are told for whom the listings are no more.")
    ] = "no-longer-shared",
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Move all listings of an audience to others, one by one; run again, it goes on where it was stopped.

    Listings that further audiences have, too, stay with them.
    """
    from hashpact_node.services.placing import Wanted

    with opened(home, signs=True) as node, waiting("moving…"):
        moved, notice = node.mover.move_all(name, Wanted(audience_names(to), reason))
    if as_json:
        say_json({"moved": moved, "notice": notice})
    else:
        say(f"{moved:,} listings moved")
    if notice is not None:
        warn(notice, "do not move them again; they are released as soon as that is mended")
        raise typer.Exit(ExitCode.BUSY)


@app.command(epilog=examples("hashpact audience close eu-desk"))
def close(name: Name, draft: DraftOption = None, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """End an audience: its log leaves the card, and what it lists leaves the blocklists of its readers.

    The targets key signs a new card. What waits to be released in that log is dropped.
    """
    with opened(home, signs=True) as node, signing(node, draft):
        done = node.audiences.close(name)
    if as_json:
        say_json(done)
        return
    say(f"{done.name} has ended")
    say(f"card version {done.card}")
    for one in done.notes:
        note(one)


def _ids(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _show(found: list[AudienceView], *, as_json: bool) -> None:
    if as_json:
        say_json(plain(found[0]))
    else:
        _table(found)


def _table(found: list[AudienceView]) -> None:
    from hashpact_node.cli.tables import figure, show_table

    rows = [
        (
            one.name,
            "ended" if one.closed_at is not None else ", ".join(one.readers) or "nobody",
            one.log,
            figure(one.size),
            figure(one.live),
            figure(one.waiting),
        )
        for one in found
    ]
    titles = ("audience", "read by", "log", "released", "listings", "waiting")
    show_table(titles, rows, right=("released", "listings", "waiting"))
