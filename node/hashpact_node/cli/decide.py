"""``hashpact decide …``: what this company decides about signals and listings; it beats every peer."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hashpact_node.cli.common import DEFAULT_HOME, AsJson, Home, opened
from hashpact_node.cli.opinion import tell_told
from hashpact_node.cli.output import plain, say, say_json, waiting, warn
from hashpact_node.cli.program import Commands, examples
from hashpact_node.cli.recording import about as record_about
from hashpact_node.cli.recording import actor
from hashpact_protocol.errors import HashpactError, RequestError

if TYPE_CHECKING:
    from hashpact_node.services.deciding import DecisionView
    from hashpact_node.services.opining import Told

app = typer.Typer(cls=Commands, rich_markup_mode=None, help="This company's own decisions, which beat every peer.")

About = Annotated[str, typer.Argument(metavar="SIGNAL|LISTING", help="TYPE:VALUE, or a listing: ID, MEMBER/LOG/ID.")]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="Why, for people here; no personal data.")]
Until = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help="Until when: 2026-12-24T00:00:00Z, or 30d, 12h, 30min.")
]
Near = Annotated[
    int | None, typer.Option("--near", metavar="BITS", help="What lies within this distance, too: pdq, 1 to 31.")
]
Peers = Annotated[
    list[str] | None, typer.Option("--peer", metavar="MEMBER", help="About this peer's claims alone; may be repeated.")
]
Publish = Annotated[
    bool, typer.Option("--publish", help="Tell the owners of the listings: publish an opinion on each.")
]
Reason = Annotated[
    str | None, typer.Option("--reason", metavar="CODE", help="The reason of the opinion that is published.")
]
Note = Annotated[str | None, typer.Option("--note", metavar="TEXT", help="A note in that opinion; never of a user.")]
Number = Annotated[int, typer.Argument(metavar="DECISION", help="The number of a decision.")]


@app.command(epilog=examples('hashpact decide confirm pdq:f8f8… --why "seen by two people" --publish'))
def confirm(
    about: About,
    why: Why,
    *,
    until: Until = None,
    near: Near = None,
    peer: Peers = None,
    publish: Publish = False,
    note: Note = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Confirm that something is rightly listed: it is blocked here, whoever lists it."""
    _decide("confirm", about, why, (until, near, peer), (publish, None, note), home=home, as_json=as_json)


@app.command(
    epilog=examples(
        'hashpact decide reject beta/listings/6f1c… --why "a news report" --publish --reason journalism',
        'hashpact decide reject sha256:9f86… --why "appeal upheld" --publish --reason satire --note "appeal upheld"',
    )
)
def reject(
    about: About,
    why: Why,
    *,
    until: Until = None,
    near: Near = None,
    peer: Peers = None,
    publish: Publish = False,
    reason: Reason = None,
    note: Note = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Reject what is wrongly listed: nothing is done about it here, whoever lists it, or if these peers do."""
    _decide("reject", about, why, (until, near, peer), (publish, reason, note), home=home, as_json=as_json)


@app.command(epilog=examples('hashpact decide allow pdq:f8f8… --near 31 --why "our own trailer" --peer beta'))
def allow(
    about: About,
    why: Why,
    *,
    until: Until = None,
    near: Near = None,
    peer: Peers = None,
    publish: Publish = False,
    reason: Reason = None,
    note: Note = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Put something on the list of what is never acted on here: content of ours, a logo, a news report."""
    _decide("allow", about, why, (until, near, peer), (publish, reason, note), home=home, as_json=as_json)


@app.command(epilog=examples('hashpact decide disable sha256:9f86… --until 12h --why "floods our queue"'))
def disable(
    about: About,
    why: Why,
    until: Until,
    *,
    near: Near = None,
    peer: Peers = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Disable something for a time: nothing is done about it until then."""
    _decide("disable", about, why, (until, near, peer), (False, None, None), home=home, as_json=as_json)


@app.command("list", epilog=examples("hashpact decide list", "hashpact decide list --all --json"))
def list_(
    everything: Annotated[bool, typer.Option("--all", help="Those that ended, too.")] = False,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """List what this company decided, the newest first; at most 1 000."""
    from hashpact_node.cli.tables import show_table

    with opened(home) as node:
        found = node.deciding.list(ended=everything)
    if as_json:
        say_json({"decisions": plain(found)})
    elif not found:
        say("no decisions")
    else:
        rows = [(one.number, _verdict(one), one.about, f"{one.why}\n{one.made_by}, {one.made_at}") for one in found]
        show_table(("decision", "verdict", "about", "why, by whom, when"), rows, right=("decision",))


@app.command(epilog=examples("hashpact decide show 7"))
def show(number: Number, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Show one decision: who, why, until when, and what it covers."""
    from hashpact_node.cli.tables import show_fields

    with opened(home) as node:
        view = node.deciding.show(number)
    if as_json:
        say_json(view)
        return
    ended = None if view.ended_at is None else f"{view.ended_at} by {view.ended_by}: {view.ended_why or 'undone'}"
    fields = [
        ("verdict", _verdict(view)),
        ("about", view.about),
        ("peers", ", ".join(view.scope or ("all",))),
        ("why", view.why),
        ("by", f"{view.made_by}, {view.made_at}"),
        ("until", view.until or "for ever"),
        ("ended", ended or "no"),
        ("covers", "\n".join(view.signals)),
    ]
    show_fields(fields, title=f"decision {view.number}")


@app.command(epilog=examples('hashpact decide undo 7 --why "looked at it again"'))
def undo(
    number: Number,
    why: Annotated[str | None, typer.Option("--why", metavar="TEXT", help="Why, for people here.")] = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Undo a decision: it counts no more, and stays as history."""
    with opened(home) as node:
        view = node.deciding.undo(number, actor(), why)
    if as_json:
        say_json(view)
    else:
        say(f"undone: {view.number}, {view.verdict} {view.about}")


def read_until(text: str | None, now: datetime) -> datetime | None:
    """Read a time, or how long from now; RequestError."""
    from hashpact_node.cli.token import life
    from hashpact_protocol.errors import StatementError
    from hashpact_protocol.statement_fields import check_time, parse_time

    if text is None:
        return None
    if "T" not in text:
        return now + life(text)
    try:
        return parse_time(check_time(text))
    except StatementError as error:
        raise RequestError(f"this is no time: {error.what}", where="--until") from None


def _decide(
    verdict: str,
    about: str,
    why: str,
    how: tuple[str | None, int | None, list[str] | None],
    told: tuple[bool, str | None, str | None],
    *,
    home: Path,
    as_json: bool,
) -> None:
    from hashpact_node import clock
    from hashpact_node.services.deciding import Choice, read_scope
    from hashpact_node.services.opining import thought_of
    from hashpact_protocol.facts import Verdict

    (until, near, peers), (publish, reason, note) = how, told
    if not publish and (reason or note):
        raise RequestError("nothing is published", where="--reason, --note", mend="say --publish, too")
    scope = read_scope(peers or ())
    choice = Choice(Verdict(verdict), about, why, read_until(until, clock.now()), near, scope)
    thought = thought_of(choice.verdict, reason, note) if publish else None
    opinions: list[Told] = []
    with opened(home, publishes=publish) as node:
        view = node.deciding.decide(choice, actor())
        record_about(decision=view.number)
        if thought is not None:
            try:
                with waiting("publishing…"):
                    opinions = node.opining.opine(about, thought)
            except HashpactError:
                warn(f"decision {view.number} stands here, and nobody is told of it")
                raise
    if as_json:
        shape: dict[str, Any] = {"decision": plain(view), "opinions": plain(opinions)}
        say_json(shape)
    else:
        say(f"decision {view.number}: {_verdict(view)} {view.about}")
    tell_told(opinions, as_json=as_json, quiet=as_json)


def _verdict(view: DecisionView) -> str:
    near = "" if view.near is None else f" within {view.near} bits"
    until = "" if view.until is None else f"\nuntil {view.until}"
    peers = "" if view.scope is None else f"\nif {', '.join(view.scope)} list it"
    return f"{view.verdict}{near}{until}{peers}"
