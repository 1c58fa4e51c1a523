"""What commands say: results on standard output, everything else on standard error, without colours in pipes."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from hashpact_node.masking import without_passwords
from hashpact_protocol.errors import HashpactError

if TYPE_CHECKING:
    from rich.console import Console

NARROW = 80


class Told(Protocol):
    """Is told how far something is, of how much, and which step it is in where that changes."""

    def __call__(self, done: int, total: int | None, what: str | None = None, /) -> None:
        """Show it."""


def printable(text: object) -> str:
    """Give a text as it may go to a terminal: what others wrote must not steer it."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in str(text))


def say(text: str = "") -> None:
    """Write a line of a result."""
    print("\n".join(printable(line) for line in text.split("\n")))


def say_json(value: object) -> None:
    """Write a result as JSON, indented."""
    print(json.dumps(plain(value), indent=2, ensure_ascii=False))


def json_line(value: object) -> str:
    """Give a value as one line of NDJSON, without its end."""
    return json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"))


def note(text: str) -> None:
    """Tell people something beside the result."""
    print(printable(text), file=sys.stderr)


def warn(what: str, mend: str | None = None) -> None:
    """Tell people that something is not as it should be, and how to mend it."""
    _lines(sys.stderr, "33", [("warning", what), ("mend", mend)])


def show_error(error: HashpactError) -> None:
    """Tell people what went wrong, where, and how to mend it, each on one line."""
    told = (("error", error.what), ("where", error.where), ("mend", error.mend))
    _lines(sys.stderr, "31", [(name, without_passwords(text)) for name, text in told])


def show_error_json(error: HashpactError, exit_code: int) -> None:
    """Tell a program what went wrong: one JSON object on standard error."""
    told = {"what": error.what, "where": error.where, "mend": error.mend}
    said = {"code": error.code, **{name: without_passwords(text) for name, text in told.items()}, "exit": exit_code}
    print(json.dumps({"error": {key: value for key, value in said.items() if value is not None}}), file=sys.stderr)


def plain(value: Any) -> Any:
    """Give a value as JSON knows it: dataclasses as objects, times as on the wire, bytes in lower-case hex."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, Path) else value


def coloured(file: TextIO) -> bool:
    """Say whether colours are wanted there: on a terminal, unless NO_COLOR is set (no-color.org)."""
    return file.isatty() and not os.environ.get("NO_COLOR")


def console(file: TextIO | None = None) -> Console:
    """Give rich's console, which knows no markup: what is shown was often written by others."""
    from rich.console import Console

    return Console(file=file or sys.stdout, markup=False, highlight=False, emoji=False, soft_wrap=False)


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """Show on a terminal that something takes its time."""
    if not sys.stderr.isatty():
        yield
        return
    with console(sys.stderr).status(printable(text)):
        yield


@contextmanager
def progress(what: str, *, unit: str) -> Iterator[Told]:
    """Show a progress bar on a terminal; the function that is yielded is told how far it is, and of how much."""
    if not sys.stderr.isatty():
        yield lambda _done, _total, _what=None, /: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console(sys.stderr), transient=True) as bar:
        task = bar.add_task(printable(what), total=None)

        def told(done: int, total: int | None, step: str | None = None, /) -> None:
            bar.update(task, completed=done, total=total, description=None if step is None else printable(step))

        yield told


def _lines(file: TextIO, colour: str, lines: list[tuple[str, str | None]]) -> None:
    width = len(lines[0][0]) + 2
    for number, (label, text) in enumerate(lines):
        if text is not None:
            head = f"{label}:".ljust(width)
            shown = f"\x1b[{colour}m{head}\x1b[0m" if number == 0 and coloured(file) else head
            first, *more = text.split("\n")
            print(shown + printable(first), file=file)
            for line in more:
                print(f"  {printable(line)}", file=file)
