"""``hashpact peer …``: whom this node follows."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hashpact_node.cli.common import DEFAULT_HOME, AsJson, ExitCode, Home, opened
from hashpact_node.cli.files import read_input
from hashpact_node.cli.output import note, progress, say, say_json, waiting, warn
from hashpact_node.cli.peer_undone import undone
from hashpact_node.cli.program import Commands, examples
from hashpact_node.masking import without_passwords
from hashpact_protocol.errors import HashpactError, RequestError

if TYPE_CHECKING:
    from hashpact_node.services.pulling import Pulled

app = typer.Typer(cls=Commands, rich_markup_mode=None, help="Whom this node follows.")

MALFORMED_MAX = 10_000
Member = Annotated[str, typer.Argument(metavar="MEMBER", help="The id of a peer, such as beta.")]


@app.command(
    epilog=examples(
        "hashpact peer add beta https://beta.example --fingerprint 1:sha256:5f2c…",
        "hashpact peer add beta https://beta.example --root beta-root.json",
    )
)
def add(
    member: Annotated[str, typer.Argument(metavar="MEMBER", help="The peer's member id, such as beta.")],
    url: Annotated[str, typer.Argument(metavar="URL", help="Its public URL.")],
    *,
    root: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its TUF root, received by another channel.")
    ] = None,
    fingerprint: Annotated[
        str | None, typer.Option(metavar="N:sha256:HEX", help="The fingerprint of its root, by another channel.")
    ] = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Follow a peer, pinned by its root or by that root's fingerprint.

    Either must have come to you by another channel than the peer's own address: whoever answers there could claim to
    be anybody. The other side's `hashpact keys status` shows its fingerprint. Nothing is added unless its trust
    repository can be read and leads from that root to its card.
    """
    data = None if root is None else read_input(root)
    with opened(home) as node, _naming(root), waiting(f"reading the trust repository of {without_passwords(url)}…"):
        view = node.peering.add(member, url, root=data, fingerprint=fingerprint)
    if as_json:
        from hashpact_node import clock
        from hashpact_node.cli.shapes import peer_shape

        say_json(peer_shape(view, clock.now()))
        return
    say(f"{view.peer.member} is followed at {view.peer.url}, pinned by {view.peer.pinned_fingerprint}")
    note(f"A running node pulls it within moments; `hashpact peer pull {view.peer.member}` does it now.")


@contextmanager
def _naming(root: Path | None) -> Iterator[None]:
    """Let errors about the root that was given name its file."""
    try:
        yield
    except HashpactError as error:
        if root is not None and error.where is not None:
            error.where = error.where.replace("the root given", f"--root {root}", 1)
        raise


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

    What fails is told and ends with exit code 1; what was verified before that stays.
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
    _set(member, home, as_json=as_json, resume=False)


@app.command(epilog=examples("hashpact peer resume beta"))
def resume(member: Member, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Pull a paused peer again."""
    _set(member, home, as_json=as_json, resume=True)


@app.command(epilog=examples("hashpact peer remove beta --yes"))
def remove(
    member: Member,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Follow a peer no more: what it lists leaves the blocklist at once."""
    with opened(home) as node:
        view = node.peering.show(member)
        if not yes:
            live = sum(one.live for one in view.logs)
            _confirm(f"Remove {member}, and its {live:,} listings from the blocklist?")
        with waiting(f"removing {member}…"):
            peer = node.peering.remove(member)
    if as_json:
        say_json({"member": peer.member, "url": peer.url, "state": peer.state})
    else:
        say(f"{peer.member} is removed; what it listed has left the blocklist")


def _confirm(question: str) -> None:
    """Go on after a yes alone; RequestError where nobody can be asked."""
    if not sys.stdin.isatty():
        raise RequestError("there is no terminal to ask on", where="--yes", mend="add --yes if you mean it")
    if not typer.confirm(question, err=True):
        note("nothing was changed")
        raise typer.Exit(ExitCode.FAILED)


def _set(member: str, home: Path, *, as_json: bool, resume: bool) -> None:
    with opened(home) as node:
        view = node.peering.resume(member) if resume else node.peering.pause(member)
    if as_json:
        from hashpact_node import clock
        from hashpact_node.cli.shapes import peer_shape

        say_json(peer_shape(view, clock.now()))
    elif resume:
        say(f"{member} is pulled again")
    else:
        say(f"{member} is paused: its list stays in force, and grows no more")


def _show_pulled(pulled: Pulled) -> None:
    from hashpact_node.cli.tables import figure, show_table

    rows = [(log.origin, figure(log.before), figure(log.after), log.verdict) for log in pulled.logs]
    if rows:
        show_table(("log", "held before", "held now", "checkpoint"), rows, right=("held before", "held now"))
    say(f"{pulled.member}: {pulled.requests:,} requests, {pulled.bytes:,} bytes of logs")
