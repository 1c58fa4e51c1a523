"""``hashpact directory …``: a consortium's directory, for the secretariat that keeps it and nodes that follow it."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hashpact_node.cli.common import DEFAULT_HOME, AsJson, ExitCode, Home, opened
from hashpact_node.cli.directory_keeping import activate, admit, conclude, init, list_, publish, readmit, suspend
from hashpact_node.cli.output import note, say, say_json, waiting, warn
from hashpact_node.cli.program import Commands, examples

if TYPE_CHECKING:
    from hashpact_node.services.directory_following import Followed
    from hashpact_node.services.directory_plan import Proposal

app = typer.Typer(
    cls=Commands,
    rich_markup_mode=None,
    help="The directory of a consortium: init to conclude, list and publish are the secretariat's; show, "
    "follow, pending and accept are for a node that follows one.",
)

app.command(epilog=examples("hashpact directory init --name 'Example Consortium' --home directory"))(init)
app.command(
    epilog=examples(
        "hashpact directory admit acme https://acme.example --fingerprint 1:sha256:5f2c… --home directory",
        "hashpact directory admit --invitation acme.invitation.json --home directory",
    )
)(admit)
app.command(epilog=examples("hashpact directory suspend acme --reason 'its release key was stolen' --home directory"))(
    suspend
)
app.command(epilog=examples("hashpact directory readmit acme --home directory"))(readmit)
app.command(epilog=examples("hashpact directory activate 0f9e… --home directory"))(activate)
app.command(epilog=examples("hashpact directory conclude 0f9e… --home directory"))(conclude)
app.command("list", epilog=examples("hashpact directory list --home directory"))(list_)
app.command(epilog=examples("hashpact directory publish /srv/www/directory --home directory"))(publish)


@app.command(epilog=examples("hashpact directory show", "hashpact directory show --json"))
def show(home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Show the directory that this node follows, as it was last accepted, and how each member stands here."""
    from hashpact_node import clock
    from hashpact_node.cli.tables import ago, show_fields, show_table

    with opened(home) as node:
        directory, held = node.directory.directory()
        states = {view.peer.member: view.peer.state for view in node.peering.list()} | {node.member: "this member"}
        policy = node.settings.directory_policy
    members = [
        {
            "member": one.member,
            "standing": one.standing.value,
            "since": one.since,
            "url": one.url,
            "fingerprint": one.fingerprint,
            "reason": one.reason,
            "here": states.get(one.member),
        }
        for one in directory.members
    ]
    if as_json:
        say_json(
            {"name": directory.name, "url": held.url, "version": held.version, "policy": policy}
            | {"error": held.error, "members": members}
        )
        return
    now = clock.now()
    fields = (("url", held.url), ("version", held.version), ("policy here", policy))
    show_fields([*fields, ("read", ago(held.checked_at, now))], title=directory.name)
    columns = ("member", "standing", "since", "here", "url")
    show_table(columns, [[one[name] for name in columns] for one in members], keep=("member",))
    if held.error is not None:
        warn(f"the last look failed: {held.error.get('what')}", held.error.get("mend"))


@app.command(epilog=examples("hashpact directory follow"))
def follow(home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Read the directory now, and do what directory_policy lets it do; a running node does so every hour."""
    with opened(home) as node, waiting("reading the directory…"):
        done = node.directory.follow()
        policy = node.settings.directory_policy
    if as_json:
        say_json(_shape(done))
    elif policy == "off":
        say("directory_policy is off: the directory changes nothing here")
    else:
        for word, members in (("added", done.added), ("suspended", done.suspended), ("readmitted", done.readmitted)):
            for member in members:
                say(f"{member} was {word}")
        if not (done.added or done.suspended or done.readmitted):
            say("nothing was changed")
        _show_pending(done.pending)
    for text in done.differs:
        warn(text)
    for member, why in sorted(done.refused.items()):
        warn(f"{member} is refused: {why}", "ask the secretariat")
    if done.refused:
        raise typer.Exit(ExitCode.FAILED)


@app.command(epilog=examples("hashpact directory pending", "hashpact directory pending --json"))
def pending(home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Show what the directory, as it was last accepted, would change here, and what is left to a person."""
    with opened(home) as node:
        done = node.directory.pending()
    if as_json:
        say_json(_shape(done))
        return
    if not done.pending:
        say("the directory would change nothing here")
    _show_pending(done.pending)
    for text in done.differs:
        note(text)


@app.command(epilog=examples("hashpact directory accept beta"))
def accept(
    member: Annotated[str, typer.Argument(metavar="MEMBER", help="A member that `directory pending` shows.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Even where it may be taken for another.")] = False,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Do what the directory says of one member, even against what was decided here before.

    From then on the directory's word about that member counts. A new one that may be taken for another, by its id, its
    name, its address or a key, is refused, and says so, unless you add `--yes`.
    """
    with opened(home) as node, waiting(f"reading {member}…"):
        done = node.directory.accept(member, sure=yes)
    if as_json:
        say_json(_proposal(done))
    else:
        say(f"done: {done.step.value} {member}")


def _shape(done: Followed) -> dict[str, object]:
    told = {name: getattr(done, name) for name in ("added", "suspended", "readmitted", "refused", "differs")}
    return {**told, "pending": [_proposal(one) for one in done.pending]}


def _proposal(one: Proposal) -> dict[str, object]:
    entry = one.entry
    return {
        "member": entry.member,
        "step": one.step.value,
        "url": entry.url,
        "fingerprint": entry.fingerprint,
        "since": entry.since,
        "reason": entry.reason,
        "left": one.left,
    }


def _show_pending(pending: list[Proposal]) -> None:
    from hashpact_node.cli.tables import show_table

    if pending:
        rows = [(one.entry.member, one.step.value, one.entry.url, one.left or one.entry.reason) for one in pending]
        show_table(("member", "step", "url", "why it waits"), rows, keep=("member",))
        note("`hashpact directory accept MEMBER` takes the directory's word.")
