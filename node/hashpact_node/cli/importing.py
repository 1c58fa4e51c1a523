"""``hashpact import``: list what a file of hashes holds."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hashpact_node.cli.common import DEFAULT_HOME, AsJson, ExitCode, Home, opened
from hashpact_node.cli.output import note, progress, say, say_json, warn
from hashpact_node.cli.publishing import Audience, audience_names
from hashpact_node.cli.recording import actor

if TYPE_CHECKING:
    from hashpact_node.services.imports import ImportReport


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .ndjson or .csv file of listings.")],
    *,
    content: Annotated[
        str | None, typer.Option(metavar="WORD", help="What lines are (image, video, …) that do not say it.")
    ] = None,
    confirmed: Annotated[
        str | None, typer.Option(metavar="WORD", help="Who confirmed lines that do not say it, such as human.")
    ] = None,
    origin: Annotated[
        str | None, typer.Option(metavar="WORD", help="Whose material lines are that do not say it.")
    ] = None,
    preserve: Annotated[
        bool, typer.Option("--preserve", help="Lines that do not say it have evidential value, too.")
    ] = False,
    log: Annotated[str, typer.Option(metavar="NAME", help="The log to publish in.")] = "listings",
    audience: Audience = None,
    keep_going: Annotated[bool, typer.Option("--keep-going", help="Pass over wrong lines, and name them.")] = False,
    foreign_origin: Annotated[
        bool, typer.Option("--allow-foreign-origin", help="Yes, list others' material under our name.")
    ] = False,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Publish the listings of an NDJSON or CSV file.

    The whole file is checked before anything of it is stored. An import that was stopped goes on where it was when it
    is run again, and one that is finished adds nothing the second time.
    """
    from hashpact_node import clock
    from hashpact_node.services.imports import Importer, ImportOptions, ImportProgress

    given = {"content": content, "confirmed": confirmed, "origin": origin, "preserve": preserve or None}
    defaults: dict[str, str | bool] = {name: value for name, value in given.items() if value is not None}
    options = ImportOptions(
        log_name=log,
        audiences=audience_names(audience),
        defaults=defaults,
        allow_foreign_origin=foreign_origin,
        keep_going=keep_going,
    )
    with opened(home, publishes=True) as node, progress(file.name, unit="bytes") as told:

        def tell(at: ImportProgress) -> None:
            told(at.read_bytes, at.total_bytes, f"{at.step} {file.name}")

        proposer = actor() if node.settings.four_eyes else None
        importer = Importer(node.database, node.publisher, clock.now, proposer=proposer)
        report = importer.import_file(file, options, progress=tell)
    if as_json:
        say_json(report)
    else:
        _show(report)
    _end(report)


def _show(report: ImportReport) -> None:
    what = "imported" if report.draft is None else "proposed"
    say(f"{report.imported:,} listings {what} of {report.lines:,} lines")
    if report.resumed:
        say(f"{report.resumed:,} lines had been imported before")


def _end(report: ImportReport) -> None:
    if report.draft is not None:
        note(f"they wait for somebody else: `hashpact drafts approve {report.draft}`")
    if report.rests_until is not None:
        note(f"they rest until {report.rests_until}; `hashpact listing undo LISTING` takes one back until then")
    for error in report.errors:
        warn(error)
    if report.skipped > len(report.errors):
        warn(f"… and {report.skipped - len(report.errors):,} more wrong lines")
    if report.notice is not None:
        warn(report.notice, "do not import it under another name; it is released as soon as that is mended")
        raise typer.Exit(ExitCode.BUSY)
    if report.skipped:
        raise typer.Exit(ExitCode.USAGE)
