"""``hashpact peer …``: whom this node follows."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hashpact_node.cli.asking import confirm
from hashpact_node.cli.common import DEFAULT_HOME, AsJson, ExitCode, Home, opened
from hashpact_node.cli.output import note, progress, say, say_json, waiting, warn
from hashpact_node.cli.peer_add import add, invite, preview
from hashpact_node.cli.peer_undone import undone
from hashpact_node.cli.program import Commands, examples
from hashpact_node.cli.recording import about

if TYPE_CHECKING:
    from hashpact_node.services.peering import PeerView
    from hashpact_node.services.pulling import Pulled

app = typer.Typer(cls=Commands, rich_markup_mode=None, help="Whom this node follows.")

MALFORMED_MAX = 10_000
Member = Annotated[str, typer.Argument(metavar="MEMBER", help="The id of a peer, such as beta.")]


app.command(epilog=examples("hashpact peer invite", "hashpact peer invite --to acme.invitation.json"))(invite)
app.command(epilog=examples("hashpact peer preview beta https://beta.example --fingerprint 1:sha256:5f2c…"))(preview)
app.command(
    epilog=examples(
        "hashpact peer add beta https://beta.example --fingerprint 1:sha256:5f2c…",
        "hashpact peer add beta https://beta.example --root beta-root.json",
        "hashpact peer add --invitation beta.invitation.json",
    )
)(add)


@app.command("list", epilog=examples("hashpact peer list", "hashpact peer list --json"))
def list_(home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """List the peers, and how they are."""
    from hashpact_node import clock
    from hashpact_node.cli.shapes import peer_shape, peer_state
    from hashpact_node.cli.tables import ago, figure, show_table

    with opened(home) as node:
        views = node.peering.list()
        now = clock.now()
    if as_json:
        say_json({"peers": [peer_shape(view, now) for view in views]})
        return
    if not views:
        say("no peers yet: `hashpact peer add MEMBER URL --fingerprint N:sha256:HEX` adds one")
        return
    rows = [
        (
            view.peer.member,
            peer_state(view),
            len([one for one in view.logs if one.log.counts]),
            figure(sum(one.live for one in view.logs)),
            ago(view.peer.last_good_at, now),
            (view.peer.last_error or {}).get("what") or "\n".join(alarm.what for alarm in view.alarms[:2]) or None,
        )
        for view in views
    ]
    show_table(("peer", "state", "logs", "listings", "last good", "trouble"), rows, right=("logs", "listings"))


@app.command(epilog=examples("hashpact peer show beta", "hashpact peer show beta --malformed"))
def show(
    member: Member,
    *,
    malformed: Annotated[
        bool, typer.Option("--malformed", help="Show what of its logs is malformed, and why.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=MALFORMED_MAX, help="With --malformed: how much at most.")] = 100,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Show one peer: its card, its logs, what is wrong."""
    if malformed:
        _show_malformed(member, limit, home, as_json=as_json)
        return
    from hashpact_node import clock
    from hashpact_node.cli.peer_show import show_peer
    from hashpact_node.cli.shapes import peer_shape

    with opened(home) as node:
        view = node.peering.show(member)
    if as_json:
        say_json(peer_shape(view, clock.now()))
    else:
        show_peer(view, clock.now())


def _show_malformed(member: str, limit: int, home: Path, *, as_json: bool) -> None:
    from hashpact_node.cli.tables import figure, show_table
    from hashpact_node.services.quarantined import list_malformed

    with opened(home) as node:
        found = list_malformed(node.database, member, limit=limit)
    if as_json:
        say_json({"malformed": [part._asdict() for part in found]})
        return
    if not found:
        say(f"nothing that {member} published is malformed")
        return
    rows = [(part.origin, figure(part.position), part.part or "entry", part.code, part.reason) for part in found]
    show_table(("log", "index", "signal", "code", "reason"), rows, right=("index",))
    if len(found) == limit:
        note("there may be more: raise --limit")


app.command(epilog=examples("hashpact peer undone beta", "hashpact peer undone beta --json"))(undone)


@app.command(epilog=examples("hashpact peer pull beta"))
def pull(member: Member, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Pull a peer now, whatever the schedule says.

    What fails is told and ends with exit code 1; what was verified before that stays. It needs the passphrase, for the
    request key signs what is asked; without it, the peer is not blamed.
    """
    from hashpact_node.services.pulling import ASKED_WAIT_SECONDS

    with opened(home) as node, progress(f"pulling {member}", unit="entries") as told:
        pulled = node.puller.pull(member, progress=told, wait_seconds=ASKED_WAIT_SECONDS)
    if as_json:
        from hashpact_node.services.status import pulled_status

        say_json(pulled_status(pulled))
    else:
        _show_pulled(pulled)
    if pulled.unfinished:
        warn(f"the pull ended early: {pulled.unfinished}", "it goes on from there at the next pull")
    for error in pulled.errors:
        warn(f"{error.where}: {error.what}" if error.where else error.what, error.mend)
    if pulled.errors:
        raise typer.Exit(ExitCode.FAILED)


@app.command(epilog=examples("hashpact peer pause beta"))
def pause(member: Member, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Pull a peer no more until it is resumed; its list stays in force."""
    with opened(home) as node:
        view = node.peering.pause(member)
    _tell(view, f"{member} is paused: its list stays in force, and grows no more", as_json)


@app.command(epilog=examples("hashpact peer suspend beta --reason 'its release key was stolen'"))
def suspend(
    member: Member,
    *,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why, for people here.")] = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Suspend a peer: its requests fail and what it lists leaves the blocklist, at once.

    What it published stays stored, as evidence, and `hashpact peer resume` brings its list back.
    """
    with opened(home) as node, waiting(f"suspending {member}…"):
        view = node.peering.suspend(member, reason=reason)
    _tell(view, f"{member} is suspended: what it listed has left the blocklist, and nothing is answered to it", as_json)


@app.command(epilog=examples("hashpact peer resume beta"))
def resume(member: Member, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Pull a paused or suspended peer again; of a suspended one, what is stored counts again."""
    with opened(home) as node, waiting(f"resuming {member}…"):
        view = node.peering.resume(member)
    _tell(view, f"{member} is pulled again", as_json)


@app.command(epilog=examples("hashpact peer remove beta --yes"))
def remove(
    member: Member,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Follow a peer no more: what it lists leaves the blocklist at once, and it leaves every audience."""
    with opened(home) as node:
        view = node.peering.show(member)
        if not yes:
            live = sum(one.live for one in view.logs)
            confirm(f"Remove {member}, and its {live:,} listings from the blocklist?")
        with waiting(f"removing {member}…"):
            removed = node.peering.remove(member)
        about(left_audiences=removed.audiences or None)
    peer, left = removed.peer, removed.audiences
    if as_json:
        say_json({"member": peer.member, "url": peer.url, "state": peer.state, "left_audiences": left})
    else:
        say(f"{peer.member} is removed; what it listed has left the blocklist")
        if left:
            say(f"it reads no audience of ours any more; it left {', '.join(left)}")


def _tell(view: PeerView, text: str, as_json: bool) -> None:
    if not as_json:
        say(text)
        return
    from hashpact_node import clock
    from hashpact_node.cli.shapes import peer_shape

    say_json(peer_shape(view, clock.now()))


def _show_pulled(pulled: Pulled) -> None:
    from hashpact_node.cli.tables import figure, show_table

    rows = [(log.origin, figure(log.before), figure(log.after), log.verdict) for log in pulled.logs]
    if rows:
        show_table(("log", "held before", "held now", "checkpoint"), rows, right=("held before", "held now"))
    say(f"{pulled.member}: {pulled.requests:,} requests, {pulled.bytes:,} bytes of logs")
