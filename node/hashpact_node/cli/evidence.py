"""``hashpact evidence …``: what proves that a member told two stories."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hashpact_node.cli.common import DEFAULT_HOME, AsJson, ExitCode, Home, opened
from hashpact_node.cli.files import read_input, text_output
from hashpact_node.cli.output import note, say, say_json, warn
from hashpact_node.cli.program import Commands, examples

if TYPE_CHECKING:
    from hashpact_keys.evidence import Proven
    from hashpact_node.store.evidence import Kept

app = typer.Typer(cls=Commands, rich_markup_mode=None, help="What proves that a member told two stories.")

Number = Annotated[int, typer.Argument(metavar="NO", help="A number from `hashpact evidence list`.")]


@app.command("list", epilog=examples("hashpact evidence list", "hashpact evidence list --json"))
def list_(home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """List what is kept, the newest last."""
    with opened(home) as node:
        kept = node.evidence.list()
    if as_json:
        say_json({"evidence": [_fields(one) for one in kept]})
    elif not kept:
        say("no evidence")
    else:
        from hashpact_node.cli.tables import show_table

        rows = [(one.number, one.member, "yes" if one.proven else "not yet", one.what) for one in kept]
        show_table(("no", "member", "proven", "what"), rows, right=("no",))


@app.command(epilog=examples("hashpact evidence show 1"))
def show(number: Number, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Show one piece: what it proves, and the signed checkpoints."""
    from hashpact_node.services.evidence import examine, notes_of

    with opened(home) as node:
        kept = node.evidence.read(number)
    proven, notes = examine(kept), notes_of(kept)
    if as_json:
        fields = _proven(proven) if proven else {"proven": False}
        say_json({**_fields(kept), **fields, "notes": [one.decode() for one in notes]})
        return
    say(kept.what)
    if proven is not None:
        _say_weight(proven)
    for one in notes:
        say(f"\n{one.decode()}".rstrip("\n"))


@app.command(epilog=examples("hashpact evidence export 1 beta-forked.json"))
def export(
    number: Number,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where it is written; - for standard output.")],
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Write one piece as a file that anybody verifies offline with a root of the accused.

    The newest card of the member that is held goes with it, since that may void what is proven.
    """
    with opened(home) as node:
        kept = node.evidence.read(number)
    with text_output(file) as output:
        output.write(kept.data.decode())
    if not kept.proven:
        warn("this is not proven to others", "keep it all the same, and ask other members what they were shown")
    if as_json and str(file) != "-":
        say_json({**_fields(kept), "file": file})
    else:
        note(f"written: {file}; to verify it: hashpact evidence verify {file} --root ROOT, a root of {kept.member}")


@app.command(epilog=examples("hashpact evidence verify beta-forked.json --root 1.root.json"))
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `hashpact evidence export` wrote.")],
    root: Annotated[
        Path, typer.Option(metavar="FILE", help="A root of the accused (N.root.json), from a source that you trust.")
    ],
    as_json: AsJson = False,
) -> None:
    """Verify evidence offline, without a node or a network.

    Exit code 0: it is proven; whether a later card voids it is said. 1: it proves nothing. 2: it is no evidence.
    """
    from hashpact_keys.evidence import verify_evidence

    proven = verify_evidence(read_input(file), read_input(root))
    if as_json:
        say_json(_proven(proven))
        return
    say(f"proven: {proven.what}")
    _say_weight(proven)


@app.command(epilog=examples("hashpact evidence compare gamma"))
def compare(
    member: Annotated[str, typer.Argument(metavar="ID", help="The peer to compare with.")],
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Compare now with a peer what it and we were shown of all members.

    A running node does so hourly with a few peers. Exit code 1: somebody told two stories, and there is evidence.
    """
    with opened(home) as node:
        compared = node.comparer.compare(member)
    if as_json:
        say_json(compared)
    else:
        say(f"{member}: {compared.checkpoints} checkpoints and {compared.cards} cards compared")
        for one in compared.notices:
            warn(one, "nothing of it was believed")
        for number in compared.evidence:
            say(f"two stories: see `hashpact evidence show {number}`")
    if compared.evidence:
        raise typer.Exit(ExitCode.FAILED)


def _say_weight(proven: Proven) -> None:
    say(f"void: {proven.void}" if proven.void else "no card in it voids this")
    for doubt in proven.doubts:
        say(f"doubt: {doubt}")


def _fields(kept: Kept) -> dict[str, Any]:
    from hashpact_node.services.evidence import kept_at

    fields = {name: getattr(kept, name) for name in ("number", "member", "charge", "what", "proven")}
    return {**fields, "kept_at": kept_at(kept)}


def _proven(proven: Proven) -> dict[str, Any]:
    fields = {name: getattr(proven, name) for name in ("charge", "member", "url", "what", "void", "doubts")}
    fork = proven.fork
    sizes = {} if fork is None else {"origin": fork.origin, "sizes": [fork.smaller.size, fork.larger.size]}
    return {"proven": True, **fields, **sizes, "card_version": proven.card_version}
