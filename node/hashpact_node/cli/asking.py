"""How commands ask before they do what is not easily undone."""

from __future__ import annotations

import sys

import typer

from hashpact_node.cli.common import ExitCode
from hashpact_node.cli.output import note
from hashpact_protocol.errors import RequestError


def confirm(question: str, *, mend: str = "add --yes if you mean it") -> None:
    """Go on after a yes alone; RequestError where nobody can be asked."""
    if not sys.stdin.isatty():
        raise RequestError("there is no terminal to ask on", where="--yes", mend=mend)
    if not typer.confirm(question, err=True):
        note("nothing was changed")
        raise typer.Exit(ExitCode.FAILED)
