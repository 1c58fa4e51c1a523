"""``hashpact doctor``: look at a home before it goes live, and say how to mend what is not right."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from hashpact_node.cli.common import DEFAULT_HOME, AsJson, ExitCode, Home, is_running
from hashpact_node.cli.output import coloured, printable, say, say_json

if TYPE_CHECKING:
    from hashpact_node.services.doctor_kinds import Diagnosis
    from hashpact_node.settings import Settings

COLOURS: Final = {"ok": "32", "note": "36", "warning": "33", "error": "31"}
"""Of a terminal, by the level of a finding."""


def doctor(home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Look at a home before it goes live, and say how to mend what is not right; exit code 7 if anything is not.

    Settings, files, disk, database, keys, clock, certificates, ports, peers and jobs are looked at, and the member's
    URL as a stranger sees it. Nothing is changed, and no passphrase is needed; a node may run meanwhile or not.
    """
    from hashpact_node import clock
    from hashpact_node.assembly import open_settings
    from hashpact_node.cli.log_output import log_to_stderr
    from hashpact_node.services.doctor import examine, worst
    from hashpact_node.services.doctor_kinds import Level

    settings = open_settings(home)
    log_to_stderr("console", level="error")
    found = examine(settings, clock.now, secrets=_secrets(settings), running=is_running(home))
    if as_json:
        say_json({"member": settings.member, "worst": worst(found), "findings": found})
    else:
        _show(found)
    if worst(found) in {Level.WARNING, Level.ERROR}:
        raise typer.Exit(ExitCode.FOUND)


def _secrets(settings: Settings) -> list[Path]:
    """Give the files that hold a passphrase or PIN, wherever that is said; none is opened."""
    from hashpact_node.cli.passphrase import PIN_FILE_VARIABLE, PassphraseSource

    pin = os.environ.get(PIN_FILE_VARIABLE)
    return [path for path in (PassphraseSource(settings).file, Path(pin) if pin else None) if path is not None]


def _show(found: tuple[Diagnosis, ...]) -> None:
    from hashpact_node.cli.tables import count
    from hashpact_node.services.doctor_kinds import Level

    subject = ""
    for one in found:
        if one.subject != subject:
            subject = one.subject
            say(subject)
        where = f" [{one.where}]" if one.where else ""
        code = "" if one.level is Level.OK else f" ({one.code})"
        print(f"  {_level(one.level.value)} {printable(f'{one.what}{where}{code}')}")
        if one.mend:
            say(f"          -> {one.mend}")
    bad = sum(one.level in {Level.WARNING, Level.ERROR} for one in found)
    say(f"{count(bad, 'finding')} to mend" if bad else "nothing to mend")


def _level(word: str) -> str:
    padded = word.ljust(7)
    return f"\x1b[{COLOURS[word]}m{padded}\x1b[0m" if coloured(sys.stdout) else padded
