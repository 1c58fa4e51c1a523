"""The frame around every command: help in groups, and errors that people and scripts can use."""

from __future__ import annotations

import errno
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from hashpact_node.cli.common import ExitCode, exit_code
from hashpact_node.cli.output import note, show_error, show_error_json
from hashpact_protocol.errors import (
    ConfigurationError,
    HashpactError,
    RequestError,
    StoreError,
    StoreFullError,
)

DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Commands(TyperGroup):
    """A group of commands whose help is in sections and whose errors end in the exit codes of ``common``."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command of the arguments and exit; where ``standalone_mode`` is False, let errors pass."""
        words = list(sys.argv[1:] if args is None else args)

        def work() -> object:
            return TyperGroup.main(self, words, prog_name, complete_var, False, windows_expand_args, **extra)

        if not standalone_mode:
            return work()
        sys.exit(guarded(work, as_json="--json" in words, debug=words[:1] == ["--debug"]))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands under the headings of their panels, in order of registration."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                panel = getattr(command, "rich_help_panel", None)
                heading = panel if isinstance(panel, str) else "Commands"
                sections.setdefault(heading, []).append((name, command.get_short_help_str(60)))
        for heading, rows in sections.items():
            with formatter.section(heading):
                formatter.write_dl(rows, col_max=14)


def examples(*lines: str) -> str:
    """Give the end of a command's help: its examples, one a line."""
    return "\n".join(["\b", "Examples:" if len(lines) > 1 else "Example:", *(f"  {line}" for line in lines)])


def guarded(work: Callable[[], object], *, as_json: bool = False, debug: bool = False) -> int:
    """Do the work of a command and give its exit code; errors are told on standard error, never as a traceback."""
    try:
        done = work()
    except typer.Abort:
        done = ExitCode.INTERRUPTED
    except typer.TyperException as error:
        return _tell(_usage_error(error), as_json=as_json)
    except HashpactError as error:
        if debug:
            traceback.print_exc()
        return _tell(error, as_json=as_json)
    except OSError as error:
        if debug:
            traceback.print_exc()
        return _tell(_os_error(error), as_json=as_json)
    except Exception as error:  # noqa: BLE001  the last place where a person can be told in words
        if debug:
            traceback.print_exc()
        return _tell(_unforeseen(error), as_json=as_json)
    if done == ExitCode.INTERRUPTED:
        note("interrupted: nothing is half done, and what was stored before is kept; run it again to go on")
    return done if isinstance(done, int) else ExitCode.OK


def _tell(error: HashpactError, *, as_json: bool) -> int:
    code = exit_code(error)
    if as_json:
        show_error_json(error, code)
    else:
        show_error(error)
    return code


def _usage_error(error: typer.TyperException) -> HashpactError:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "hashpact"
    what = error.format_message().rstrip(".")
    return RequestError(what[:1].lower() + what[1:], where=path, mend=f"see `{path} --help`")


def _os_error(error: OSError) -> HashpactError:
    where = None if error.filename is None else str(error.filename)
    if error.errno in DISK_FULL:
        return StoreFullError("the disk is full", where=where, mend="make room, and run it again")
    if isinstance(error, PermissionError | FileNotFoundError | IsADirectoryError | NotADirectoryError):
        return ConfigurationError(
            f"a file cannot be used: {error.strerror}", where=where, mend="check its name and who owns it"
        )
    return StoreError(f"the system could not do it: {error.strerror or error}", where=where)


def _unforeseen(error: Exception) -> HashpactError:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return HashpactError(
        f"something unforeseen happened: {type(error).__name__}: {error}",
        where=f"{Path(frame.filename).name}, line {frame.lineno}",
        mend="run it again as `hashpact --debug …` to see more, and report that",
    )
