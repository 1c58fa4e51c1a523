"""``hashpact logs …``: this member's own logs."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hashpact_node.cli.card_drafts import DraftOption, signing
from hashpact_node.cli.common import DEFAULT_HOME, AsJson, Home, opened
from hashpact_node.cli.output import progress, say, say_json
from hashpact_node.cli.output import waiting as busy
from hashpact_node.cli.program import Commands, examples
from hashpact_protocol.errors import NotFoundError

if TYPE_CHECKING:
    from hashpact_node.assembly import Node
    from hashpact_node.services.succession import Succeeded
    from hashpact_node.store.logs import Log

app = typer.Typer(cls=Commands, rich_markup_mode=None, help="This member's own logs.")


@app.command(epilog=examples("hashpact logs export public/", "hashpact logs export public/ --log listings-1"))
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where logs/NAME/checkpoint, …/tile/… are written.")],
    log: Annotated[str | None, typer.Option(metavar="NAME", help="One log, such as listings-1, not all.")] = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Write own logs as files, under the paths at which they are served.

    Any web server or object store can serve them; logs of audiences are left out unless one is named. Run again, it
    writes only what is new, each file whole or not at all, and the checkpoint last.
    """
    done = []
    with opened(home) as node:
        for one in _own_logs(node):
            path = one.origin.partition("/logs/")[2]
            if (log is not None and path != log) or one.state != "open":
                continue
            if log is None and one.name != one.kind:  # for its readers alone, whom a plain web server does not know
                continue
            with progress(path, unit="files") as told:
                size = node.log_files.export(path, folder / "logs" / path, told)
            done.append({"log": path, "origin": one.origin, "size": size, "folder": folder / "logs" / path})
    if not done:
        raise NotFoundError("there is no such open log", where=log, mend="see `hashpact logs status`")
    if as_json:
        say_json({"logs": done})
        return
    for each in done:
        say(f"{each['origin']}: {each['size']:,} entries in {each['folder']}")


@app.command(epilog=examples("hashpact logs status", "hashpact logs status --ask"))
def status(
    ask: Annotated[bool, typer.Option("--ask", help="Ask peers now whether they still have erased logs.")] = False,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Show own logs: sizes, what waits, how fresh, what is to be erased, and who still has what is erased."""
    from dataclasses import asdict

    from hashpact_node import clock
    from hashpact_node.cli.tables import ago, figure, show_table
    from hashpact_node.services.status import log_status
    from hashpact_node.store.erasures import list_erasures
    from hashpact_node.store.owners import count_live
    from hashpact_node.store.queue import count_unreleased
    from hashpact_protocol.merge import id_text

    now = clock.now()
    with opened(home) as node:
        if ask:
            with busy("asking peers…"):
                node.erasing.ask()
        copies = node.erasing.copies()
        logs = _own_logs(node)
        with node.database.read() as connection:
            wanted = list_erasures(connection, waiting=True)
            live = count_live(connection)
            waiting = {log.number: count_unreleased(connection, log) for log in logs}
    if as_json:
        shapes = [
            log_status(log, own=True, live=live.get(log.number, 0), waiting=waiting[log.number], now=now)
            for log in logs
        ]
        erase = [{"listing": id_text(one.listing), "requested_at": one.requested_at} for one in wanted]
        say_json({"logs": shapes, "to_erase": erase, "copies": [{**asdict(one), "word": one.word} for one in copies]})
        return
    rows = [
        (
            log.origin,
            "erased" if log.erased else log.state,
            figure(log.accepted_size),
            figure(waiting[log.number]),
            ago(log.own_cosigned_at, now),
        )
        for log in logs
    ]
    show_table(("log", "state", "released", "waiting", "cosigned"), rows, right=("released", "waiting"))
    if wanted:
        say(f"{len(wanted)} listings wait to be erased: `hashpact logs open NAME --fresh`")
    if copies:
        show_table(
            ("erased log", "at", "copy", "asked"),
            [(one.origin, one.member, one.word, ago(one.asked_at, now)) for one in copies],
        )


@app.command(epilog=examples("hashpact logs close listings", "hashpact logs close listings --at 1200"))
def close(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the logs: listings, crisis, opinions, …")],
    at: Annotated[
        int | None, typer.Option(metavar="SIZE", help="Where it ends, in entries; what came after is void.")
    ] = None,
    draft: DraftOption = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """End the open log of a name, by a new card.

    The targets key signs. What waits to be published waits for a successor: `hashpact logs open`.
    """
    with opened(home) as node, signing(node, draft):
        done = node.succession.close(name, at=at)
    _show_succeeded(done, as_json=as_json)


@app.command(
    "open", epilog=examples("hashpact logs open listings --fresh", "hashpact logs open opinions --unless-open")
)
def open_(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the logs: listings, crisis, opinions, …")],
    *,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Restate all that lives, so that the logs before count no more.")
    ] = False,
    unless_open: Annotated[
        bool, typer.Option("--unless-open", help="Do nothing where a log of this name is open.")
    ] = False,
    draft: DraftOption = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Open the next log of a name, by a new card; the log that is open ends in the same one.

    The targets key signs. A fresh log leaves out what waits to be erased (`hashpact erase`). opinions and crisis are
    opened once, before the first opinion or incident is published.
    """
    with opened(home) as node:
        standing = next((log for log in _own_logs(node) if log.name == name and log.state == "open"), None)
        if unless_open and standing is not None:
            _show_standing(standing, as_json=as_json)
            return
        with signing(node, draft):
            done = node.succession.open(name, fresh=fresh)
    _show_succeeded(done, as_json=as_json)


def _show_standing(log: Log, *, as_json: bool) -> None:
    if as_json:
        say_json({"name": log.name, "opened": None, "open": log.origin})
    else:
        say(f"{log.origin} is open already")


def _show_succeeded(done: Succeeded, *, as_json: bool) -> None:
    if as_json:
        from dataclasses import asdict

        say_json(asdict(done))
        return
    if done.closed is not None:
        say(f"{done.closed} ends at {done.final_size:,} entries")
    if done.opened is not None:
        restated = "" if done.fresh is None else f", and restates {done.fresh:,} entries"
        say(f"{done.opened} goes on{restated}")
    for listing in done.erased:
        say(f"left out, to be erased: {listing}")
    say(f"card version {done.card}")


def _state(log: Log) -> str:
    return "erased" if log.erased else log.state


def _own_logs(node: Node) -> list[Log]:
    from hashpact_node.services.views import own_number
    from hashpact_node.store.logs import list_logs

    with node.database.read() as connection:
        return [log for log in list_logs(connection, peer=own_number(connection)) if log.named]
