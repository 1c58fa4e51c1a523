"""``hashpact keys recover``: after the theft of a release or crisis key."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hashpact_node.cli.card_drafts import DraftOption, signing
from hashpact_node.cli.common import DEFAULT_HOME, AsJson, ExitCode, Home, opened
from hashpact_node.cli.output import json_line, note, say, say_json, warn
from hashpact_protocol.errors import ConflictError, RequestError

if TYPE_CHECKING:
    from hashpact_node.services.beyond import Cut, Suspect
    from hashpact_node.services.recovering import Keeps, Recovered

SHOWN_MAX = 40
ALL, NONE = "all", "none"


def recover(
    name: Annotated[str, typer.Argument(metavar="LOG", help="The name of a log whose key was stolen: listings, …")],
    *,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="The last time at which all was good: 2026-11-24T04:00:00Z.")
    ] = None,
    size: Annotated[
        list[str] | None,
        typer.Option(metavar="N", help="The last good size, where no record says it; NAME=N for another log."),
    ] = None,
    list_file: Annotated[
        Path | None, typer.Option("--list", metavar="FILE", help="Write what lies beyond to a file, to edit.")
    ] = None,
    reaffirm: Annotated[
        str | None, typer.Option(metavar="FILE", help="Do it; FILE says what stays, or all, or none.")
    ] = None,
    key: Annotated[str | None, typer.Option(metavar="URI", help="The new key; a new file in the home if left out.")] = (
        None
    ),
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="What every peer is told.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    draft: DraftOption = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """End the logs of a stolen key at the last good size, and go on with a new key.

    All open logs that the key signs end. Without --reaffirm nothing changes: it shows what lies beyond. The targets key
    signs the card; the stolen key's file is kept under a name that ends in .stolen.
    """
    from hashpact_node.services.recovering import Wanted

    cut = _cut(name, since, size or [])
    with opened(home) as node:
        unfinished = reaffirm is not None and node.recovery.is_unfinished(name)
        found = [] if unfinished else node.recovery.look(name, cut)
        if list_file is not None:
            _write_list(list_file, found)
        if reaffirm is None:
            _show(found, list_file, as_json=as_json)
            return
        if not as_json and not unfinished:
            _show(found, None, as_json=False)
        if not yes:
            _confirm(reaffirm)
        choice = _Choice(reaffirm, found)
        why = reason or f"the key was stolen; what is not in the successor was not published by {node.member}"
        with signing(node, draft):
            done = node.recovery.recover(Wanted(name, cut, choice, why, key))
    _show_done(done, choice, as_json=as_json)


class _Choice:
    """What is reaffirmed of what lies beyond when it is done; remembers what came after it was looked at."""

    def __init__(self, word: str, seen: Sequence[Suspect]) -> None:
        self.word = word
        self.late: list[str] = []
        self._seen = {(one.origin, one.index, one.leaf) for suspect in seen for one in suspect.beyond}

    def __call__(self, found: Sequence[Suspect]) -> Keeps:
        from hashpact_node.services.beyond import is_kept, read_choices

        beyond = [one for suspect in found for one in suspect.beyond]
        if self.word in (ALL, NONE):
            self.late = [f"{one.origin} {one.index}" for one in beyond if _key(one) not in self._seen]
            keep = self.word == ALL
            return lambda entry: (keep and _key(entry) in self._seen) if entry.index is not None else True
        choices = read_choices(Path(self.word), found)
        self.late = [f"{one.origin} {one.index}" for one in beyond if _key(one) not in choices]
        # What waits was never shown, and goes on unless it is said that it should not.
        return lambda entry: is_kept(entry, choices, default=entry.index is None)


def _key(entry: Any) -> tuple[str, int | None, str]:
    return entry.origin, entry.index, entry.leaf


def _cut(name: str, since: str | None, sizes: Sequence[str]) -> Cut:
    from hashpact_node.services.beyond import Cut

    told: dict[str, int] = {}
    for text in sizes:
        log, equals, number = text.rpartition("=")
        if not number.isascii() or not number.isdecimal() or (equals and not log):
            raise RequestError("this is no size of a log", where=f"--size {text}", mend="write N, or NAME=N")
        told[log or name] = int(number)
    if since is None and name not in told:
        raise RequestError("where the log ends is not said", where=name, mend="give --since TIME, or --size N")
    return Cut(None if since is None else _time(since), told)


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise RequestError(
            "this is no time", where=f"--since {text}", mend="write it as 2026-11-24T04:00:00Z, with its time zone"
        )
    return moment.astimezone(UTC)


def _write_list(path: Path, found: Sequence[Suspect]) -> None:
    lines = [json_line(entry.line(keep=entry.index is None)) for one in found for entry in (*one.beyond, *one.waiting)]
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in lines))
    except FileExistsError:
        raise ConflictError(
            "there is such a file already", where=str(path), mend="it may hold your choices: name another"
        ) from None
    except OSError as error:
        raise RequestError(f"the list cannot be written: {error}", where=str(path)) from None


def _show(found: Sequence[Suspect], list_file: Path | None, *, as_json: bool) -> None:
    if as_json:
        say_json({"logs": [_shape(one) for one in found]})
        return
    from hashpact_node.cli.tables import count, moment, show_table

    for one in found:
        since = "" if one.shown_at is None else f", shown first at {moment(one.shown_at)}"
        say(f"{one.log.origin} would end at {one.size:,} of {one.log.accepted_size:,} entries{since}")
        if one.beyond:
            rows = [(entry.index, entry.time, entry.kind, entry.id, entry.what) for entry in one.beyond[:SHOWN_MAX]]
            show_table(("index", "time", "kind", "id", "what"), rows, right=("index",), keep=("id",))
        if len(one.beyond) > SHOWN_MAX:
            say(f"… and {count(len(one.beyond) - SHOWN_MAX, 'more entry', 'more entries')}: see all with --list FILE")
        if one.waiting:
            say(f"{count(len(one.waiting), 'entry waits', 'entries wait')}, and would go on to the successor")
    if list_file is not None:
        say(f'written: {list_file}; put true after "keep" where you published it yourself, and give it to --reaffirm')
    else:
        say("times are what the entries say of themselves. Nothing is changed without --reaffirm")


def _shape(one: Suspect) -> dict[str, Any]:
    return {
        "log": one.log.name,
        "origin": one.log.origin,
        "size": one.size,
        "shown_at": None if one.shown_at is None else datetime.fromtimestamp(one.shown_at, UTC),
        "shown_now": one.log.accepted_size,
        "beyond": [entry.line(keep=False) for entry in one.beyond],
        "waiting": [entry.line(keep=True) for entry in one.waiting],
    }


def _confirm(word: str) -> None:
    if not sys.stdin.isatty():
        raise RequestError("there is no terminal to ask on", where="--yes", mend="add --yes if you mean it")
    kept = {ALL: "all of it is reaffirmed", NONE: "none of it is reaffirmed"}.get(word, f"{word} says what stays")
    if not typer.confirm(f"End these logs there, for everybody, and go on with a new key; {kept}?", err=True):
        note("nothing was changed")
        raise typer.Exit(ExitCode.FAILED)


def _show_done(done: Recovered, choice: _Choice, *, as_json: bool) -> None:
    if as_json:
        from dataclasses import asdict

        say_json({**asdict(done), "late": choice.late})
    else:
        if done.finished:
            say("this key was recovered from already; what was left of that is done now")
        for log in done.logs:
            say(f"{log.closed} ends at {log.size:,} entries; of {log.beyond:,} beyond, {log.kept:,} stand again")
            say(f"{log.opened} goes on")
        say(f"new {done.row} key: {done.key}")
        for uri in done.retired:
            say(f"out of use: {uri}")
        say(f"card version {done.card}")
    for one in choice.late:
        warn(f"this entry came after you looked, and is void: {one}", "if it was yours, publish it again")
    for text in done.notes:
        warn(text)
