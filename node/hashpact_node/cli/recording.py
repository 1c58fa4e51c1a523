"""Commands in the audit log: who ran which one on a home, and how it ended."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

import typer
from typer.main import get_current_context  # type: ignore[attr-defined]  # typer does not say that it is for others

from hashpact_node.cli.changes import COMMANDS
from hashpact_node.cli.common import ExitCode
from hashpact_node.cli.output import warn
from hashpact_protocol.errors import HashpactError

if TYPE_CHECKING:
    from hashpact_node.services.actors import Actor
    from hashpact_node.services.audit import AuditLog
    from hashpact_node.store.audit_form import Value


_ABOUT: Final = "hashpact.audited"


def actor() -> Actor:
    """Give the person who runs this command: the user whom the system knows, not what the environment says."""
    from hashpact_node.services.actors import Actor, ActorKind

    number = os.getuid()
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:
        name = f"uid {number}"
    return Actor(ActorKind.COMMAND, name)


def about(**detail: Value) -> None:
    """Let the audit log tell more of the command that is running, as what came of it; no secret, nothing of a user."""
    context = get_current_context(silent=True)
    if context is not None:
        context.meta.setdefault(_ABOUT, {}).update(detail)


@contextmanager
def recorded(audit: AuditLog) -> Iterator[None]:
    """Record the command that is running when its work on the home has ended, however; unless it only asks."""
    from hashpact_node.store.audit_form import OK

    try:
        yield
    except BaseException as error:
        record(audit, _result(error))
        raise
    record(audit, OK)


def record(audit: AuditLog, result: str) -> None:
    """Record the command that is running with its result; where that fails, warn: what it did is done."""
    context = get_current_context(silent=True)
    if context is None:
        return
    command = _path(context)
    told = COMMANDS.get(command, ())
    if told is None:
        return
    given = {name: _shown(context.params.get(name)) for name in told} | context.meta.get(_ABOUT, {})
    subject = _as_text(given.pop(told[0])) if told else ""
    if not audit.try_record(actor(), command, subject, result, given):
        warn("the audit log could not be written", "the lines above say why")


def _path(context: Any) -> str:
    words: list[str] = []
    while context.parent is not None:
        words.insert(0, context.info_name or "")
        context = context.parent
    return " ".join(words)


def _result(error: BaseException) -> str:
    if isinstance(error, HashpactError):
        return error.code
    if isinstance(error, typer.Exit):
        return ExitCode(error.exit_code).name.lower()
    if isinstance(error, typer.Abort | KeyboardInterrupt):
        return ExitCode.INTERRUPTED.name.lower()
    return type(error).__name__


def _shown(value: Any) -> Value:
    if value is None or value is False:
        return None
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, list | tuple):
        return [str(one) for one in value]
    return value if isinstance(value, bool | int) else str(value)


def _as_text(value: Value) -> str:
    if value is None:
        return ""
    return ", ".join(value) if isinstance(value, list | tuple) else str(value)
