"""``hashpact opinion …``: what this member thinks of others' listings, told to all members."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hashpact_node.cli.common import DEFAULT_HOME, AsJson, ExitCode, Home, opened
from hashpact_node.cli.output import note, plain, say, say_json, waiting, warn
from hashpact_node.cli.program import Commands, examples
from hashpact_node.cli.recording import about as record_about

if TYPE_CHECKING:
    from hashpact_node.services.opining import Told

app = typer.Typer(cls=Commands, rich_markup_mode=None, help="What this member thinks of others' listings.")

About = Annotated[
    str,
    typer.Argument(metavar="LISTING|SIGNAL", help="A listing: ID, MEMBER/LOG/ID; TYPE:VALUE is all that list it."),
]
Text = Annotated[str | None, typer.Option("--note", metavar="TEXT", help="A note to its owner; never about a user.")]


@app.command(epilog=examples("hashpact opinion agree beta/listings/6f1c…"))
def agree(about: About, text: Text = None, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Say that a listing is right."""
    _opine(about, "agree", None, text, home, as_json=as_json)


@app.command(epilog=examples("hashpact opinion disagree beta/listings/6f1c… --reason journalism"))
def disagree(
    about: About,
    reason: Annotated[
        str, typer.Option(metavar="CODE", help="Why: not-terrorist-content, wrong-label, journalism, research, …")
    ],
    text: Text = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Dispute a listing, with a reason; its owner finds it in a queue, and policies may go by it.

    Reasons: not-terrorist-content, wrong-label, journalism, research, satire, wrong-hash, collision, outdated, legal.
    """
    _opine(about, "disagree", reason, text, home, as_json=as_json)


@app.command(epilog=examples("hashpact opinion seen beta/listings/6f1c…"))
def seen(about: About, text: Text = None, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Say that the content was seen here, and nothing of whether the listing is right."""
    _opine(about, "seen", None, text, home, as_json=as_json)


@app.command(epilog=examples("hashpact opinion none beta/listings/6f1c…"))
def none(about: About, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Take back what this member said of a listing."""
    _opine(about, "none", None, None, home, as_json=as_json)


@app.command(epilog=examples("hashpact opinion show beta/listings/6f1c…"))
def show(
    listing: Annotated[str, typer.Argument(metavar="LISTING", help="A listing: ID, MEMBER/LOG/ID.")],
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Show what members think of a listing; what is about an older revision does not count."""
    from hashpact_node.cli.tables import show_table

    with opened(home) as node:
        found = node.opining.opinions(listing)
    if as_json:
        say_json({"opinions": plain(found)})
    elif not found:
        say("nobody has said anything of it")
    else:
        rows = [
            (one.member, one.verdict, one.reason or "", "yes" if one.counts else "no", one.time, one.note or "")
            for one in found
        ]
        show_table(("member", "verdict", "reason", "counts", "time", "note"), rows)


def tell_told(opinions: Sequence[Told], *, as_json: bool, quiet: bool = False) -> None:
    """Tell what was published, and end with the exit code for what waits to be released, if anything does."""
    if as_json and not quiet:
        say_json({"opinions": plain(opinions)})
    for one in opinions if not as_json else ():
        state = "said already" if one.existing else "waits" if one.index is None else "published"
        say(f"{state}: {one.verdict} {one.about}")
    for until in dict.fromkeys(one.rests_until for one in opinions if one.rests_until is not None):
        note(f"it rests until {until}")
    notices = dict.fromkeys(one.notice for one in opinions if one.notice is not None)
    for notice in notices:
        warn(notice, "do not publish it again; it is released as soon as that is mended")
    if notices:
        raise typer.Exit(ExitCode.BUSY)


def _opine(about: str, verdict: str, reason: str | None, text: str | None, home: Path, *, as_json: bool) -> None:
    from hashpact_node.services.opining import Thought

    with opened(home, signs=True) as node, waiting("publishing…"):
        told = node.opining.opine(about, Thought(verdict, reason, text))
        record_about(listings=[one.about for one in told])
    tell_told(told, as_json=as_json)
