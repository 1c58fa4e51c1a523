"""Keep the match index fresh by deltas: whatever was merged is matchable at the next lookup."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Protocol

from hashpact_node.index.scan import Hit
from hashpact_node.services.packed import matchable
from hashpact_node.store.changes import last_change
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.feed import stream_range
from hashpact_protocol.claims import CLAIM_BYTES, EXPIRED, QUALITY_MIN
from hashpact_protocol.signals import SIGNAL_TYPES

PDQ = SIGNAL_TYPES["pdq"]
FIRST_KEY, END_KEY = bytes([PDQ.code]), bytes([PDQ.code + 1])


class NearIndex(Protocol):
    """What finds near hashes; it proposes keys, and whoever asks looks them up. Safe to be used by several threads."""

    def add(self, keys: Iterable[bytes]) -> None:
        """Add compact keys; one that is there already changes nothing that is found."""
        ...

    def search(self, value: bytes, max_distance: int) -> list[Hit]:
        """Give the keys within that distance of a hash, the nearest first, each once."""
        ...


class IndexFeed:
    """Follows the changes of the signals into an index that begins empty; shared by the threads of a process."""

    def __init__(self, database: Database, index: NearIndex) -> None:
        self._database = database
        self._number = 0
        self._refreshing = threading.Lock()
        self.index = index

    @property
    def number(self) -> int:
        """The change up to which the index holds everything."""
        return self._number

    def refresh(self) -> None:
        """Take up what changed since the last time; the first time, everything. Raises StoreError."""
        with self._database.read() as connection:
            self.refresh_from(connection)

    def refresh_from(self, connection: Connection) -> None:
        """Refresh within a reading transaction: then the index holds all that the transaction sees."""
        last = last_change(connection)
        if last <= self._number:
            return
        with self._refreshing:
            for rows in stream_range(connection, self._number, first=FIRST_KEY, end=END_KEY):
                self.index.add(row.key for row in rows if is_matchable(row.claims))
                self._number = rows[-1].number
            self._number = max(self._number, last)


def is_matchable(claims: bytes) -> bool:
    """Say whether a signal can be matched by any of its claims: one of sufficient quality, expired or not.

    What has expired is found with the action that it has then, so that answers do not depend on when a node started.
    """
    if len(claims) == CLAIM_BYTES:  # as nearly all are
        return claims[-1] & ~EXPIRED >= QUALITY_MIN
    return any(last & ~EXPIRED >= QUALITY_MIN for last in claims[CLAIM_BYTES - 1 :: CLAIM_BYTES])


def matchable_claims(claims: bytes) -> bytes:
    """Give those of the packed claims whose quality is sufficient to be matched."""
    if len(claims) == CLAIM_BYTES:
        return claims if is_matchable(claims) else b""
    return matchable(claims)
