"""Publish what is no listing, opinions and incidents, each in the log of its kind, and open that log.

A member has no such log at first. It is opened once, by a new card; from then on it is released, restated, recovered
and restored like a log of listings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from hashpact_node.services.own_listings import open_log, open_names
from hashpact_node.services.publishing import Publisher, Waiting
from hashpact_node.services.succession import Succeeded, Succession
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.logs import get_log
from hashpact_node.store.owners import find_owners
from hashpact_node.store.queue import add_entries
from hashpact_protocol.card_logs import LogKind
from hashpact_protocol.errors import NotFoundError
from hashpact_protocol.merge import id_bytes
from hashpact_protocol.statements import WellFormed, encode_statement

Make = Callable[[Connection], Sequence[WellFormed]]
"""Makes statements within the transaction that stores them, so that what it looks at and writes holds with them."""


@dataclass(frozen=True, slots=True)
class Stated:
    """A statement that is published: its id, and the log's origin.

    ``index`` is its place and ``size`` the log's released size, both None while it waits to be released; ``notice``
    says why then. ``rests_until``: when it may be released at the earliest.
    """

    id: str
    origin: str
    index: int | None = None
    size: int | None = None
    notice: str | None = None
    rests_until: str | None = None


@dataclass(frozen=True, slots=True)
class Stating:
    """Publishes statements in the name of this member; may be shared by threads."""

    database: Database
    publisher: Publisher
    succession: Succession
    now: Callable[[], datetime]

    def is_open(self, kind: LogKind) -> bool:
        """Say whether this member has an open log of a kind, for all members."""
        with self.database.read() as connection:
            return kind.value in open_names(connection)

    def open(self, kind: LogKind) -> Succeeded | None:
        """Open the log of a kind, for all members, by a new card; None where it is open already.

        Raises KeyUnavailableError where the targets key, or that of the log's row, is not at hand, StoreError.
        """
        return None if self.is_open(kind) else self.succession.open(kind.value)

    def publish(self, kind: LogKind, make: Make, *, wait: bool = True) -> list[Stated]:
        """Store the statements that ``make`` gives in the open log of a kind, all or none, and have them released.

        ``make`` may raise, and nothing is stored then. Raises ConflictError with ``four_eyes``, NotFoundError where no
        such log is open, StatementError for what would be malformed, StoreError.
        """
        self.publisher.must_need_no_other()
        with self.database.write() as connection:
            try:
                log = open_log(connection, kind.value, lock=True)
            except NotFoundError as error:
                raise NotFoundError(
                    f"this member has no open log of kind {kind.value}",
                    where=error.where,
                    mend=f"open it once: `hashpact logs open {kind.value}`",
                ) from error
            statements = make(connection)
            entries = [encode_statement(one, log_kind=kind.value) for one in statements]
            add_entries(connection, log.number, entries, now=self.now())
        if not statements:
            return []
        waits = Waiting(log, statements[-1].id)
        notice, rests_until = self.publisher.finish(waits) if wait else (None, None)
        with self.database.read() as connection:
            size = get_log(connection, log.number).accepted_size
            owners = find_owners(connection, log.sequence, {id_bytes(one.id) for one in statements})
        told = []
        for one in statements:
            owner = owners.get(id_bytes(one.id))
            placed = owner is not None and owner.log == log.number and owner.position >= log.placed_size
            if owner is not None and placed:
                told.append(Stated(one.id, log.origin, owner.position, size))
            else:
                told.append(Stated(one.id, log.origin, notice=notice, rests_until=rests_until))
        return told
