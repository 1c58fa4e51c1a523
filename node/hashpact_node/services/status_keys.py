"""The keys in the status of the node: one row at a glance, and all that is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hashpact_keys.findings import Finding, Severity
from hashpact_keys.health import warnings_of
from hashpact_keys.rows import RowName
from hashpact_keys.seen_files import Scan
from hashpact_node.services.key_status import look_at_keys
from hashpact_node.store.connection import Connection
from hashpact_protocol.errors import HashpactError
from hashpact_protocol.statement_fields import format_time


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """One row of keys: what is wrong with it, when it ends, and who must do what about that, by when."""

    row: str
    expires: str | None
    who: str
    what: str
    by: str | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeyFinding:
    """One finding about keys: its code, its weight, and the row, if any, that it is about."""

    code: str
    severity: str
    row: str | None
    what: str
    where: str | None
    mend: str


def look_at_rows(
    connection: Connection, uris: Mapping[str, tuple[str, ...]], home: Path, scan: Scan, now: datetime
) -> tuple[tuple[KeyStatus, ...], tuple[KeyFinding, ...]]:
    """Look at all rows of keys; trust files that cannot be read are a warning of the row that signs them."""
    try:
        found = look_at_keys(connection, uris, home=home, scan=scan, now=now)
    except HashpactError as error:
        row, mend = RowName.ONLINE.value, error.mend or "look at the log of the node"
        finding = KeyFinding(error.code, Severity.ERROR.value, row, error.what, error.where, mend)
        return (KeyStatus(row, None, "", "", None, (str(error),)),), (finding,)
    rows = tuple(
        KeyStatus(
            duty.row.value,
            None if duty.expires is None else format_time(duty.expires),
            duty.who,
            duty.what,
            None if duty.by is None else format_time(duty.by),
            warnings_of(duty.row, found.findings),
        )
        for duty in found.duties
    )
    return rows, tuple(key_finding(one) for one in found.findings)


def key_finding(one: Finding) -> KeyFinding:
    """Give a finding as people and programs look at it."""
    row = None if one.row is None else one.row.value
    return KeyFinding(one.code, one.severity.value, row, one.what, one.where, one.mend)
