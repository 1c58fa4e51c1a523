"""``hashpact blocklist …``: what this node would block, and who says so."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

import base64
import csv
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TextIO

import typer

from hashpact_node.cli.common import DEFAULT_HOME, AsJson, Home, opened
from hashpact_node.cli.files import text_output
from hashpact_node.cli.output import json_line, note, plain, progress, say, say_json
from hashpact_node.cli.program import Commands, examples

if TYPE_CHECKING:
    from hashpact_node.services.claims_view import SignalView
    from hashpact_protocol.policy import Action

app = typer.Typer(cls=Commands, rich_markup_mode=None, help="The merged list, and why each hash is on it.")

SHOWN: Final = 50
SHOWN_MAX: Final = 10_000


class ActionWord(StrEnum):
    """The actions that can be asked for."""

    BLOCK = "block"
    REVIEW = "review"
    OBSERVE = "observe"
    IGNORE = "ignore"
    ALL = "all"


class Format(StrEnum):
    """The forms of an export."""

    NDJSON = "ndjson"
    CSV = "csv"


OfAction = Annotated[ActionWord, typer.Option("--action", help="Which signals.")]
OfType = Annotated[str | None, typer.Option("--type", metavar="TYPE", help="Only signals of this type, such as pdq.")]


@app.command(epilog=examples("hashpact blocklist show", "hashpact blocklist show --action review --type pdq"))
def show(
    *,
    action: OfAction = ActionWord.BLOCK,
    type_name: OfType = None,
    limit: Annotated[int, typer.Option(min=1, max=SHOWN_MAX, help="How many at most.")] = SHOWN,
    cursor: Annotated[str | None, typer.Option(metavar="TEXT", help="Go on from where the last page ended.")] = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Show signals with their action, publishers and rule."""
    with opened(home) as node:
        page = node.blocklist.page(cursor, action=_action(action), type_name=type_name, limit=limit)
        counts = node.blocklist.counts()
    if as_json:
        say_json({"signals": page.signals, "cursor": page.cursor, "counts": counts})
    else:
        _show(page.signals, action)
        if page.cursor is not None:
            note(f"there are more: add --cursor {page.cursor}, or use `hashpact blocklist export`")
    _tell_counts(counts)


@app.command(
    epilog=examples("hashpact blocklist export -o block.ndjson", "hashpact blocklist export --action all --format csv")
)
def export(
    *,
    action: OfAction = ActionWord.BLOCK,
    type_name: OfType = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Not standard output.")] = None,
    form: Annotated[Format, typer.Option("--format", help="NDJSON, or CSV with a head line.")] = Format.NDJSON,
    home: Home = DEFAULT_HOME,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format ndjson.")] = False,
) -> None:
    """Write the blocklist, one signal a line, as it is at one moment.

    A file is written whole or not at all. To keep another system in step, follow `/v1/blocklist/changes` instead.
    """
    form = Format.NDJSON if as_json else form
    with opened(home) as node:
        counts = node.blocklist.counts()
        total = sum(counts.values()) if action is ActionWord.ALL else counts[action.value]
        with text_output(output) as file, progress("exporting", unit="signals") as told:
            signals = node.blocklist.export(_action(action), type_name=type_name)
            number = _write(file, form, signals, lambda done: told(done, None if type_name else total))
    note(f"{number:,} signals written{'' if output is None else f' to {output}'}")
    _tell_counts(counts)


@app.command(epilog=examples("hashpact blocklist digest", "hashpact blocklist digest --member acme --member beta"))
def digest(
    member: Annotated[list[str] | None, typer.Option(metavar="ID", help="Only these members; may be repeated.")] = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Show the digest of what was merged.

    Members that hold the same logs have the same digest, whatever their policy and in whatever order the logs came.
    """
    from hashpact_node.services.digests import Digester

    with opened(home) as node, progress("reading logs", unit="entries") as told:
        found = Digester(node.database).digest(member or None, progress=told)
        counts = node.blocklist.counts()
    if as_json:
        logs = [{**plain(log), "root": base64.b64encode(log.root).decode()} for log in found.logs]
        say_json({"digest": found.hex, "logs": logs, "listings": found.listings, "claims": found.claims})
    else:
        from hashpact_node.cli.tables import figure, show_table

        rows = [(log.member, log.origin, figure(log.size), log.root.hex()[:16] + "…") for log in found.logs]
        show_table(("member", "log", "size", "root"), rows, right=("size",))
        say(f"{found.hex}  over {found.listings:,} listings with {found.claims:,} claims")
    _tell_counts(counts)


def _action(word: ActionWord) -> Action | None:
    from hashpact_protocol.policy import ACTION_OF_WORD

    return None if word is ActionWord.ALL else ACTION_OF_WORD[word.value]


def _tell_counts(counts: dict[str, int]) -> None:
    note(f"{counts['block']:,} signals stand at block, {counts['review']:,} at review")


def _show(signals: Iterable[SignalView], action: ActionWord) -> None:
    from hashpact_node.cli.tables import show_table

    rows = [
        (
            f"{signal.type}\n{signal.value}",
            action_cell(signal.action, preserve=signal.preserve),
            ", ".join(signal.publishers),
            signal.rule,
        )
        for signal in signals
    ]
    if rows:
        show_table(("signal", "action", "by", "rule"), rows)
    else:
        say("no signals" if action is ActionWord.ALL else f"no signals at {action.value}")


def action_cell(action: str, *, preserve: bool) -> str:
    """Give an action as tables show it, with what is asked for besides."""
    return f"{action}\npreserve" if preserve else action


def _write(file: TextIO, form: Format, signals: Iterable[SignalView], told: Callable[[int], None]) -> int:
    number = 0
    table = csv.writer(file)
    if form is Format.CSV:
        table.writerow(("type", "value", "action", "rule", "publishers", "labels", "preserve"))
    for number, signal in enumerate(signals, 1):
        if form is Format.CSV:
            preserve = "true" if signal.preserve else ""
            words = (" ".join(signal.publishers), " ".join(map(_cell, signal.labels)), preserve)
            table.writerow((signal.type, _cell(signal.value), signal.action, signal.rule, *words))
        else:
            file.write(f"{json_line(_line(signal))}\n")
        if number % 1_000 == 0:
            told(number)
    return number


def _line(signal: SignalView) -> dict[str, object]:
    return {
        "key": signal.key,
        "type": signal.type,
        "value": signal.value,
        "action": signal.action,
        "rule": signal.rule,
        "publishers": signal.publishers,
        "labels": signal.labels,
        "preserve": signal.preserve,
    }


def _cell(text: str) -> str:
    """Keep spreadsheets from taking what a peer wrote for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
