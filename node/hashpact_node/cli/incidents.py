"""``hashpact incident …``: crises that members propose, activate and conclude together."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hashpact_node.cli.common import DEFAULT_HOME, AsJson, ExitCode, Home, opened
from hashpact_node.cli.output import note, say, say_json, waiting, warn
from hashpact_node.cli.program import Commands, examples
from hashpact_node.cli.recording import about

if TYPE_CHECKING:
    from hashpact_node.services.incidents import Said, Words

app = typer.Typer(cls=Commands, rich_markup_mode=None, help="Crises that members propose, activate and conclude.")

IncidentId = Annotated[str, typer.Argument(metavar="INCIDENT", help="The id of an incident.")]
Title = Annotated[str | None, typer.Option(metavar="TEXT", help="What it is called; all members read it.")]
Kind = Annotated[str | None, typer.Option("--type", metavar="WORD", help="Its type: `hashpact taxonomy list`.")]
Note = Annotated[str | None, typer.Option("--note", metavar="TEXT", help="Words for people at other members.")]


class StatusOption(StrEnum):
    """What an incident can be."""

    PROPOSED = "proposed"
    ACTIVE = "active"
    CONCLUDED = "concluded"


@app.command(epilog=examples('hashpact incident propose --title "A drill" --type exercise'))
def propose(
    title: Annotated[str, typer.Option(metavar="TEXT", help="What it is called; all members read it.")],
    kind: Kind = None,
    note_: Note = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Propose an incident to all members. That alone changes nobody's action.

    Incidents are said in a log of their own, which is opened once, well before one is needed: `hashpact logs open
    crisis`.
    """
    with opened(home, signs=True) as node, waiting("publishing…"):
        said = node.incidents.propose(_words(title, kind, note_))
        about(incident=said.incident)
    _tell(said, as_json=as_json)


@app.command(epilog=examples("hashpact incident activate 0f9e…"))
def activate(
    incident: IncidentId,
    *,
    title: Title = None,
    kind: Kind = None,
    note_: Note = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Say that an incident is active. It is so where enough members say it: each node's policy says how many."""
    with opened(home, signs=True) as node, waiting("publishing…"):
        said = node.incidents.activate(incident, _words(title, kind, note_))
    _tell(said, as_json=as_json)


@app.command(epilog=examples("hashpact incident join 0f9e…"))
def join(
    incident: IncidentId,
    note_: Note = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Take part in an incident that is active here."""
    with opened(home, signs=True) as node, waiting("publishing…"):
        said = node.incidents.join(incident, _words(None, None, note_))
    _tell(said, as_json=as_json)


@app.command(epilog=examples('hashpact incident update 0f9e… --note "a second copy is about"'))
def update(
    incident: IncidentId,
    *,
    title: Title = None,
    kind: Kind = None,
    note_: Note = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Say again what this member says of an incident, with other words."""
    with opened(home, signs=True) as node, waiting("publishing…"):
        said = node.incidents.update(incident, _words(title, kind, note_))
    _tell(said, as_json=as_json)


@app.command(epilog=examples("hashpact incident conclude 0f9e…"))
def conclude(
    incident: IncidentId,
    note_: Note = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Say that an incident is over for this member. Its listings stay, and more may be published."""
    with opened(home, signs=True) as node, waiting("publishing…"):
        said = node.incidents.conclude(incident, _words(None, None, note_))
    _tell(said, as_json=as_json)


@app.command("list", epilog=examples("hashpact incident list", "hashpact incident list --status active --json"))
def list_(
    status: Annotated[StatusOption | None, typer.Option(help="Those of one status alone.")] = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """List the incidents of which this member, or anybody whom it follows, speaks."""
    from hashpact_node.services.incident_views import told_incident
    from hashpact_protocol.incidents import Status

    with opened(home) as node:
        found = node.incidents.list(status=None if status is None else Status(status.value))
    told = [told_incident(one) for one in found]
    if as_json:
        say_json({"incidents": told})
        return
    if not told:
        say("nobody speaks of any incident")
        return
    from hashpact_node.cli.tables import show_table

    rows = [(one["id"], one["status"], one["title"], ", ".join(one["active"])) for one in told]
    show_table(("incident", "status", "title", "active for"), rows, keep=("incident",))


@app.command(epilog=examples("hashpact incident show 0f9e…"))
def show(incident: IncidentId, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Show who says what of an incident, when that changed here, and how fast its listings came."""
    from hashpact_node.cli.incident_text import show_detail
    from hashpact_node.services.incident_views import told_shown

    with opened(home) as node:
        told = told_shown(node.incidents.show(incident))
    if as_json:
        say_json(told)
    else:
        show_detail(told)


@app.command(epilog=examples("hashpact incident report 0f9e…", "hashpact incident report 0f9e… --html report.html"))
def report(
    incident: IncidentId,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write it as one self-contained HTML page.")
    ] = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Report on an incident, as this node saw it: who said what when, what was listed, how fast, and what it does."""
    from hashpact_node.cli.incident_text import show_report
    from hashpact_node.services.incident_html import report_page
    from hashpact_node.services.incident_views import told_report
    from hashpact_node.services.whole_files import write_whole

    with opened(home) as node:
        told = told_report(node.incidents.report(incident))
    if html is not None:
        write_whole(html, report_page(told).encode())
        note(f"written: {html}")
    if as_json:
        say_json(told)
    elif html is None:
        show_report(told)


def _words(title: str | None, kind: str | None, text: str | None) -> Words:
    from hashpact_node.services.incidents import Words

    return Words(title, kind, text)


def _tell(said: Said, *, as_json: bool) -> None:
    from hashpact_node.services.incident_views import told_said

    told: dict[str, Any] = told_said(said)
    if as_json:
        say_json(told)
    else:
        say(f"{told['status']}: {told['id']}")
        if told["index"] is not None:
            say(f"entry {told['index']} of {told['origin']}")
    if told["rests_until"] is not None:
        note(f"it rests until {told['rests_until']}")
    if told["notice"] is not None:
        warn(told["notice"], "do not say it again; it is released as soon as that is mended")
        raise typer.Exit(ExitCode.BUSY)
