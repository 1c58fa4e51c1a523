"""``hashpact release …``: what is held, since too much of it waits."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from hashpact_node.cli.common import DEFAULT_HOME, AsJson, Home, opened
from hashpact_node.cli.output import json_line, plain, say, say_json, waiting
from hashpact_node.cli.program import Commands, examples
from hashpact_node.cli.recording import about
from hashpact_protocol.errors import NotFoundError, RequestError

if TYPE_CHECKING:
    from hashpact_node.assembly import Node
    from hashpact_node.services.holding import HeldRelease

app = typer.Typer(cls=Commands, rich_markup_mode=None, help="What is held, since too much of it waits.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of the log.")]
Yes = Annotated[bool, typer.Option("--yes", help="Ask nothing.")]


@app.command(epilog=examples("hashpact release show", "hashpact release show listings --json"))
def show(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="A log, to see its statements.")] = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Show what waits to be released and nobody said yes to, and why it is held."""
    with opened(home) as node:
        held = [one for one in node.held.show() if name in (None, one.name)]
        statements = node.held.statements(name) if name is not None else []
    if as_json:
        say_json({"logs": plain(held), "statements": statements})
        return
    if not held:
        say("nothing waits")
    for one in held:
        say(f"{one.name}: {_counts(one)}; {'not held' if one.what is None else f'held: {one.what}'}")
    for statement in statements:
        say(json_line(statement))


@app.command(epilog=examples("hashpact release confirm listings", "hashpact release confirm listings --yes"))
def confirm(name: Name, yes: Yes = False, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Let go what is held, although there is so much of it. What comes after this look is held anew."""
    from hashpact_node.services.own_listings import open_log

    with opened(home, signs=True) as node:
        held = _look(node, name, yes, "Release all of it?")
        done = node.held.confirm(name, before=held.before)
        about(statements=done)
        with node.database.read() as connection:
            log = open_log(connection, name)
        with waiting("releasing…"):
            node.publisher.release_leftovers(log)
    _tell(name, "confirmed", done, as_json=as_json)


@app.command(epilog=examples("hashpact release drop listings", "hashpact release drop listings --yes"))
def drop(name: Name, yes: Yes = False, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Drop what is held, as if it had never been published. What comes after this look stays."""
    with opened(home) as node:
        held = _look(node, name, yes, "Drop all of it?")
        done = node.held.drop(name, before=held.before)
        about(statements=done)
    _tell(name, "dropped", done, as_json=as_json)


def _look(node: Node, name: str, yes: bool, question: str) -> HeldRelease:
    held = next((one for one in node.held.show() if one.name == name), None)
    if held is None:
        raise NotFoundError("nothing waits in this log for a yes", where=name, mend="see `hashpact release show`")
    if not yes:
        if not sys.stdin.isatty():
            raise RequestError(
                f"{_counts(held)} would be decided about, and nobody is here to say yes", mend="look, then say --yes"
            )
        typer.confirm(f"{_counts(held)}. {question}", abort=True, err=True)
    return held


def _tell(name: str, what: str, done: int, *, as_json: bool) -> None:
    if as_json:
        say_json({"name": name, what: done})
    else:
        from hashpact_node.cli.tables import count

        say(f"{what}: {count(done, 'statement')} of {name}")


def _counts(held: HeldRelease) -> str:
    from hashpact_node.cli.tables import count

    return f"{count(held.listings, 'listing')} and {count(held.withdrawals, 'withdrawal')} wait"
