"""Loud when what this node renews by itself is not renewed: an error in the log, and an alarm until it is again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from hashpact_keys.findings import Finding, finding
from hashpact_keys.rows import RowName
from hashpact_node.store.alarms import clear_alarm, find_alarm, raise_alarm
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_protocol.errors import ConflictError, HashpactError, StoreBusyError, StoreError

TRUST: Final = "own-trust-not-renewed"
COSIGNATURES: Final = "own-cosignature-not-renewed"

_WHAT: Final = {
    TRUST: "snapshot and timestamp of our own trust repository were not signed anew",
    COSIGNATURES: "our own logs were not cosigned anew",
}
_MEND: Final = "look at the job in `hashpact status`, mend what it says, and restart the node if a key file was mended"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RenewalAlarms:
    """Tells of one kind of renewal."""

    database: Database
    code: str
    now: Callable[[], datetime]

    @contextmanager
    def told(self) -> Iterator[None]:
        """Do the body; if it fails, say so in log and alarm, and raise what it raised. Else the alarm is over.

        A process that must not sign now, or that waits for another, has not failed: that has alarms of its own.
        """
        try:
            yield
        except (ConflictError, StoreBusyError):
            raise
        except Exception as error:
            self._raise(error)
            raise
        with self.database.read() as connection:
            found = find_alarm(connection, self.code)
        if found is not None and found.cleared_at is None:
            with self.database.write() as connection:
                _clear(connection, self.code, self.now())
            log.info("what this node renews by itself is renewed again", code=self.code)

    def _raise(self, error: Exception) -> None:
        log.error(_WHAT[self.code], code=self.code, error=str(error))
        mend = f"{error.mend}; then {_MEND}" if isinstance(error, HashpactError) and error.mend else _MEND
        what = f"{_WHAT[self.code]}: {error}"
        try:
            with self.database.write() as connection:
                _raise(connection, self.code, what, mend, self.now())
        except StoreError:  # as on a full disk, where the log is all that is left to tell
            log.exception("no alarm could be raised about that", code=self.code)


def renewal_findings(connection: Connection) -> list[Finding]:
    """Give the alarms that are raised as findings about keys."""
    found = []
    for code, row in ((TRUST, RowName.ONLINE), (COSIGNATURES, RowName.WITNESS)):
        alarm = find_alarm(connection, code)
        if alarm is not None and alarm.cleared_at is None:
            found.append(finding("renewal-fails", row, alarm.what, mend=alarm.mend))
    return found


def _raise(connection: Connection, code: str, what: str, mend: str, now: datetime) -> None:
    if code == TRUST:
        raise_alarm(connection, TRUST, what, now=now, mend=mend)
    else:
        raise_alarm(connection, COSIGNATURES, what, now=now, mend=mend)


def _clear(connection: Connection, code: str, now: datetime) -> None:
    if code == TRUST:
        clear_alarm(connection, TRUST, now=now)
    else:
        clear_alarm(connection, COSIGNATURES, now=now)
