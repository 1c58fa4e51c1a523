"""The watch over our keys: what ends, and what is wrong, is told once in the log; and peers' clocks are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from hashpact_keys.expiries import crossed
from hashpact_keys.findings import Finding, Severity
from hashpact_node.net.fetcher import Fetcher
from hashpact_node.services.clock_offset import ask_clocks, heard
from hashpact_node.services.key_status import KeyStatus, key_status
from hashpact_node.services.keyring import Keyring
from hashpact_node.store.database import Database
from hashpact_node.store.key_watch import list_notices, put_readings, replace_notices
from hashpact_node.store.peers import ACTIVE, list_peers

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class KeyWatch:
    """Looks at the keys now and then; nothing is opened for it."""

    database: Database
    keyring: Keyring
    fetcher: Fetcher
    home: Path
    now: Callable[[], datetime]

    def look(self) -> KeyStatus:
        """Give all about the keys as it stands."""
        opened = self.keyring.opened()
        return key_status(self.database, self.keyring.uris, home=self.home, now=self.now(), opened=opened)

    def watch(self) -> int:
        """Note what peers' clocks said, and tell in the log what is wrong with the keys; how much of it is new.

        What ends is told again when 14, 7 and 1 days are left, and when it has ended; all else once, until it is over.
        Raises what ``key_status`` raises.
        """
        self.read_clocks()
        status, now = self.look(), self.now()
        found = {_subject(one): one for one in status.findings if one.severity is not Severity.NOTICE}
        levels = {subject: _level(one, status, now) for subject, one in found.items()}
        with self.database.read() as connection:
            told = list_notices(connection)
        if levels != told:
            with self.database.write() as connection:
                replace_notices(connection, levels)
        news = [subject for subject, level in levels.items() if subject not in told or level < told[subject]]
        for subject in news:
            _tell(found[subject])
        return len(news)

    def read_clocks(self, *, ask: bool = False) -> None:
        """Store what the last answers of our peers said about their clocks; with ``ask``, a few are asked first."""
        with self.database.read() as connection:
            peers = list_peers(connection, states=(ACTIVE,))
        if ask:
            ask_clocks(self.fetcher, peers)
        readings = heard(self.fetcher, peers)
        if readings:
            with self.database.write() as connection:
                put_readings(connection, readings)


def _subject(one: Finding) -> str:
    """What a finding is about, however its words change while it lasts."""
    return " ".join((one.code, one.row.value if one.row else "-", one.where or "-"))


def _level(one: Finding, status: KeyStatus, now: datetime) -> int:
    """How near its end a row is whose end a finding is about, as the smallest number of days that was crossed."""
    expires = next((duty.expires for duty in status.duties if duty.row is one.row), None)
    if one.code != "expires-soon" or expires is None:
        return 0
    return crossed(expires, now) or 0


def _tell(one: Finding) -> None:
    tell = log.error if one.severity is Severity.ERROR else log.warning
    row = one.row.value if one.row else None
    tell("something is wrong with the keys", code=one.code, row=row, what=one.what, where=one.where, mend=one.mend)
