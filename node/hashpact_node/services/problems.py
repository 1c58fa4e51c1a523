"""Errors as rows and answers keep them: the code, what, where, and how to mend it."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Any

from hashpact_node.store.alarms import raise_alarm
from hashpact_node.store.connection import Connection
from hashpact_protocol.errors import ForkError, HashpactError


def problem(error: HashpactError) -> dict[str, Any]:
    """Give an error as a table of texts."""
    found = {"code": error.code, "what": error.what, "where": error.where, "mend": error.mend}
    return {key: value for key, value in found.items() if value is not None}


def alarm_about(
    connection: Connection, error: HashpactError, *, now: datetime, peer: int | None = None, log: int | None = None
) -> None:
    """Raise an alarm for an error; a fork's evidence, the signed notes, is kept with it as JSON."""
    evidence = None
    if isinstance(error, ForkError):
        notes = [base64.b64encode(note).decode() for note in error.evidence]
        evidence = json.dumps({"notes": notes}).encode()
    what = f"{error.where}: {error.what}" if error.where else error.what
    raise_alarm(connection, error.code, what, now=now, mend=error.mend, peer=peer, log=log, evidence=evidence)
