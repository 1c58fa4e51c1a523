"""Releases that are held, as too much waits or nobody approved it: look at them, let them go, drop them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final

import msgspec

from hashpact_node.services.own_listings import open_log, open_names
from hashpact_node.services.release_rules import ReleaseRules
from hashpact_node.services.undoing import take_back
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.logs import Log
from hashpact_node.store.queue import (
    QueuedEntry,
    confirm_entries,
    count_unconfirmed,
    drop_entry,
    has_entries,
    list_entries,
    next_number,
)
from hashpact_protocol.errors import ConflictError
from hashpact_protocol.merge import Kind

SHOWN_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class HeldRelease:
    """What waits in a log and nobody said yes to, counted; ``what`` says why it is held, None where it is not.

    ``before`` names exactly this: whoever decides about it decides about nothing that comes later.
    """

    name: str
    origin: str
    listings: int
    withdrawals: int
    before: int
    what: str | None
    mend: str | None


@dataclass(frozen=True, slots=True)
class HeldReleases:
    """Decides about what is held; each decision is one transaction, under the lock of the log."""

    database: Database
    rules: ReleaseRules
    now: Callable[[], datetime]

    def show(self) -> list[HeldRelease]:
        """List the open logs in which something waits that nobody said yes to, held or not."""
        with self.database.read() as connection:
            logs = [open_log(connection, name) for name in open_names(connection)]
            found = [self._held(connection, log) for log in logs]
        return [one for one in found if one.listings or one.withdrawals]

    def statements(self, name: str) -> list[dict[str, Any]]:
        """Give the first 100 statements of a log that wait and that nobody said yes to; NotFoundError."""
        with self.database.read() as connection:
            log = open_log(connection, name)
            waiting = islice((one for one in list_entries(connection, log.number) if one.counted), SHOWN_MAX)
            return [msgspec.json.decode(one.entry, type=dict[str, Any]) for one in waiting]

    def confirm(self, name: str, *, before: int) -> int:
        """Let go what was looked at; how many statements. It is released as all that is published.

        Raises NotFoundError for a name without an open log; ConflictError where ``four_eyes`` asks for another
        person's approval, which this is not.
        """
        with self.database.write() as connection:
            log = open_log(connection, name, lock=True)
            if self.rules.four_eyes and has_entries(connection, log.number, before=before, unapproved=True):
                raise ConflictError(
                    "four_eyes is set, and nobody approved what waits in this log",
                    where=log.origin,
                    mend="drop it with `hashpact release drop`, and publish it again for somebody to approve",
                )
            return confirm_entries(connection, log.number, before=before, now=self.now())

    def drop(self, name: str, *, before: int) -> int:
        """Drop what was looked at, as if it had never been published; how many statements. NotFoundError."""
        with self.database.write() as connection:
            log = open_log(connection, name, lock=True)
            dropped = list(_below(list_entries(connection, log.number), before))
            for entry in dropped:
                drop_entry(connection, entry.number)
            take_back(connection, log, dropped)
        return len(dropped)

    def _held(self, connection: Connection, log: Log) -> HeldRelease:
        hold = self.rules.hold(connection, log.number, now=self.now())
        return HeldRelease(
            log.name,
            log.origin,
            count_unconfirmed(connection, log.number, Kind.LISTING),
            count_unconfirmed(connection, log.number, Kind.WITHDRAWAL),
            next_number(connection, log.number),
            None if hold is None else hold.what,
            None if hold is None else hold.mend,
        )


def _below(entries: Iterator[QueuedEntry], before: int) -> Iterator[QueuedEntry]:
    return (entry for entry in entries if entry.number < before and entry.counted)
