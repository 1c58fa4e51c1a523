"""``hashpact drafts …``: what somebody proposes, and somebody else approves."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hashpact_node.cli.common import DEFAULT_HOME, AsJson, ExitCode, Home, opened
from hashpact_node.cli.output import json_line, note, plain, say, say_json, waiting, warn
from hashpact_node.cli.program import Commands, examples
from hashpact_node.cli.recording import about, actor

if TYPE_CHECKING:
    from hashpact_node.services.approving import ProposedFiles
    from hashpact_node.services.draft_views import DraftView, Somebody

app = typer.Typer(cls=Commands, rich_markup_mode=None, help="What waits for another person's approval.")

DraftId = Annotated[str, typer.Argument(metavar="DRAFT", help="The id of a draft, from `hashpact drafts list`.")]


def tell_draft(draft: DraftView, *, as_json: bool) -> None:
    """Tell that something is proposed, and waits for somebody else."""
    about(draft=draft.id)
    if as_json:
        say_json({"draft": plain(draft)})
        return
    say(f"proposed: {draft.id}")
    note(f"it waits for somebody else: `hashpact drafts approve {draft.id}`")


def tell_proposed(proposed: ProposedFiles, *, as_json: bool) -> None:
    """Tell what became of files that are proposed."""
    for file in proposed.files:
        for notice in file.notices:
            note(f"{file.name}: {notice}")
    if as_json:
        about(draft=None if proposed.draft is None else proposed.draft.id)
        say_json({"draft": plain(proposed.draft), "listed": proposed.listed})
        return
    for name, listing in proposed.listed.items():
        say(f"listed already: {listing} ({name})")
    if proposed.draft is not None:
        tell_draft(proposed.draft, as_json=False)


@app.command("list", epilog=examples("hashpact drafts list", "hashpact drafts list --all --json"))
def list_(
    everything: Annotated[bool, typer.Option("--all", help="Those that are approved or rejected, too.")] = False,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """List what waits to be approved, the newest first."""
    from hashpact_node.cli.tables import show_table
    from hashpact_node.services.approving import UNDECIDED

    with opened(home) as node:
        drafts = node.approving.drafts(None if everything else UNDECIDED)
    if as_json:
        say_json({"drafts": plain(drafts)})
    elif not drafts:
        say("no drafts")
    else:
        rows = [(one.id, one.state, f"{_what(one)}\n{_who(one.proposed_by)}, {one.proposed_at}") for one in drafts]
        show_table(("draft", "state", "what, by whom, when"), rows, keep=("draft",))


@app.command(epilog=examples("hashpact drafts show 0b6f…"))
def show(draft: DraftId, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Show a draft with its statements, exactly as they would be signed."""
    with opened(home) as node:
        found = node.approving.show(draft)
    if as_json:
        say_json(found)
        return
    say(f"{found.draft.id}: {found.draft.state}, for {found.draft.log}")
    say(f"proposed by {_who(found.draft.proposed_by)} at {found.draft.proposed_at}: {_what(found.draft)}")
    if found.draft.decided_by is not None:
        say(f"decided by {_who(found.draft.decided_by)} at {found.draft.decided_at}")
    for statement in found.statements:
        say(json_line(statement))
    if found.more:
        say(f"… the first {len(found.statements)} of {found.draft.listings + found.draft.withdrawals:,}")


@app.command(epilog=examples("hashpact drafts approve 0b6f…"))
def approve(draft: DraftId, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Approve what somebody else proposed: it is published.

    A command of another user of this machine is another person; so is whoever used a token. Look at it first, with
    `hashpact drafts show`.
    """
    with opened(home, signs=True) as node, waiting("publishing…"):
        approved = node.approving.approve(draft, actor())
    if as_json:
        say_json(approved)
    else:
        say(f"{approved.state}: {approved.id}")
    if approved.rests_until is not None:
        note(f"it rests until {approved.rests_until}; `hashpact listing undo LISTING` takes it back until then")
    if approved.notice is not None:
        warn(approved.notice, "do not propose it again; it is released as soon as that is mended")
        raise typer.Exit(ExitCode.BUSY)


@app.command(epilog=examples('hashpact drafts reject 0b6f… --reason "not our own material"'))
def reject(
    draft: DraftId,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for whoever proposed it.")],
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Reject a draft, or take one's own back: nothing of it is published."""
    with opened(home) as node:
        rejected = node.approving.reject(draft, actor(), reason)
    if as_json:
        say_json(rejected)
    else:
        say(f"rejected: {rejected.id}")


def _who(somebody: Somebody) -> str:
    return f"{somebody.kind} {somebody.name}"


def _what(draft: DraftView) -> str:
    from hashpact_node.cli.tables import count

    counts = [count(draft.listings, "listing")] if draft.listings else []
    counts += [count(draft.withdrawals, "withdrawal")] if draft.withdrawals else []
    return f"{', '.join(counts)}: {draft.title}" + (f"\n-> {draft.reason}" if draft.reason else "")
