"""``hashpact listing …``: an own listing, and whom it is for."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hashpact_node.cli.common import DEFAULT_HOME, AsJson, ExitCode, Home, opened
from hashpact_node.cli.output import note, plain, say, say_json, waiting, warn
from hashpact_node.cli.program import Commands, examples
from hashpact_node.cli.publishing import audience_names
from hashpact_node.cli.recording import about

if TYPE_CHECKING:
    from hashpact_node.services.publishing import ListingView

app = typer.Typer(cls=Commands, rich_markup_mode=None, help="An own listing, and whom it is for.")

ListingId = Annotated[str, typer.Argument(metavar="LISTING", help="The id of an own listing.")]


@app.command(epilog=examples("hashpact listing show 6f1c…"))
def show(listing: ListingId, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Show a listing of this member: how it stands, and whom it is for."""
    with opened(home) as node:
        view = node.publisher.listing(listing)
    _show(view, as_json=as_json)


@app.command(
    epilog=examples(
        "hashpact listing move 6f1c… --audience eu-desk", "hashpact listing move 6f1c… --audience everybody"
    )
)
def move(
    listing: ListingId,
    *,
    audience: Annotated[
        list[str],
        typer.Option(metavar="NAME", help="Whom it is for from now on; several by commas. `everybody`: all members."),
    ],
    reason: Annotated[
        str, typer.Option(metavar="WORD", help="What those are told for whom it is no more.")
    ] = "no-longer-shared",
    text: Annotated[
        str | None, typer.Option("--note", metavar="TEXT", help="A note to them; never about a user.")
    ] = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Let a listing be for exactly these audiences.

    It is published for those for whom it is new, and withdrawn from all others, both or neither.
    """
    from hashpact_node.services.placing import Wanted

    with opened(home, signs=True) as node, waiting("publishing…"):
        view = node.mover.move(listing, Wanted(audience_names(audience), reason, text))
    _show(view, as_json=as_json)
    if view.notice is not None:
        warn(view.notice, "do not move it again; it is released as soon as that is mended")
        raise typer.Exit(ExitCode.BUSY)


def _show(view: ListingView, *, as_json: bool) -> None:
    if as_json:
        say_json(_shape(view))
        return
    say(f"{view.listing.id}: {view.state}, for {', '.join(view.audiences) or 'nobody'}")


def _shape(view: ListingView) -> dict[str, Any]:
    return {
        "id": view.listing.id,
        "state": view.state,
        "live": view.live,
        "name": view.name,
        "origin": view.origin,
        "index": view.index,
        "audiences": list(view.audiences),
        "notice": view.notice,
    }


@app.command(epilog=examples("hashpact listing undo 6f1c…"))
def undo(listing: ListingId, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Take back what has no place yet, as if it had never been published.

    The newest statement about the listing that waits: the listing itself, or its withdrawal, in all logs in which it
    waits. What has its place may be signed already; then `hashpact withdraw` takes the listing back.
    """
    with opened(home) as node:
        undone = node.undoing.undo(listing)
    if as_json:
        say_json(undone)
    else:
        say(f"taken back, the {undone.what}: {undone.id}")


@app.command(
    epilog=examples("hashpact listing withdraw --from ids.txt --reason error", "hashpact listing withdraw 6f1c… 7a2d…")
)
def withdraw(
    listings: Annotated[list[str] | None, typer.Argument(metavar="LISTING…", help="The ids of own listings.")] = None,
    *,
    source: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="A file with an id on each line; - is standard input.")
    ] = None,
    reason: Annotated[str, typer.Option(metavar="WORD", help="Why, such as error, appeal or law.")] = "error",
    text: Annotated[str | None, typer.Option("--note", metavar="TEXT", help="A note; never about a user.")] = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Withdraw many listings of this member together: all of them, or none where one is not ours; in one release.

    Those that are withdrawn already are left as they are.
    """
    ids = [*(listings or []), *(_read_ids(source) if source is not None else [])]
    with opened(home, signs=True) as node, waiting("publishing…"):
        done = node.corrections.withdraw_all(ids, reason, note=text)
        about(listings=done.withdrawn)
    if as_json:
        say_json(done)
    else:
        say(f"{done.withdrawn:,} listings withdrawn, {done.already:,} were already")
    if done.rests_until is not None:
        note(f"that rests until {done.rests_until}")
    if done.notice is not None:
        warn(done.notice, "do not withdraw them again; it is released as soon as that is mended")
        raise typer.Exit(ExitCode.BUSY)


@app.command(epilog=examples("hashpact listing due", "hashpact listing due --within 30d --json"))
def due(
    within: Annotated[
        str | None, typer.Option(metavar="TIME", help="Those that are due within this time, too: 30d, 12h.")
    ] = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """List own listings whose review_by has come, the most overdue first.

    Withdraw what is wrong, or restate with a later review_by what is right.
    """
    from datetime import timedelta

    from hashpact_node.cli.tables import show_table
    from hashpact_node.cli.token import life

    with opened(home) as node:
        found = node.corrections.due(within=timedelta(0) if within is None else life(within))
    if as_json:
        say_json({"listings": plain(found)})
    elif not found:
        say("nothing is due")
    else:
        rows = [
            (one.id, one.review_by, "overdue" if one.overdue else "soon", " ".join((one.content, *one.labels)))
            for one in found
        ]
        show_table(("listing", "review by", "state", "what"), rows, keep=("listing",))


def _read_ids(source: Path) -> list[str]:
    """Read a file with an id on each line; empty lines and those that begin with # are passed over; RequestError."""
    import sys

    from hashpact_protocol.errors import RequestError

    try:
        text = sys.stdin.read() if str(source) == "-" else source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"the file cannot be read: {error}", where=str(source), mend="check its name") from error
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]
