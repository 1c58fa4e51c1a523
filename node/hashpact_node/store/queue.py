"""What this member is about to publish, and which contents it has published already."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from operator import itemgetter
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, delete, exists, func, or_, select, update
from sqlmodel import col

from hashpact_node.store.bulk import QUEUE, insert_new
from hashpact_node.store.database import upsert
from hashpact_node.store.logs import Log
from hashpact_node.store.tables import Publication, Queue
from hashpact_protocol.merge import Kind

LOOKUP_ROWS = 500
STREAM_ROWS = 1_000

HAD_A_PLACE: Final = 0
"""Stands where the draft would: this entry had a place already, in a log that ended before it was shown."""


_COLUMNS: Final = (
    col(Queue.number),
    col(Queue.entry),
    col(Queue.queued_at),
    col(Queue.kind),
    col(Queue.draft),
    col(Queue.confirmed_at),
)


class _Head(msgspec.Struct, gc=False):
    kind: str


_decode_head = msgspec.json.Decoder(_Head).decode
_KINDS: Final = {kind.name.lower(): int(kind) for kind in Kind}


@dataclass(frozen=True, slots=True)
class QueuedEntry:
    """An entry that waits, and since when (Unix seconds).

    ``kind`` as in ``merge.Kind``, None where it is not known. ``draft`` is the approved draft that it came from, 0
    for what had a place before, None for neither; ``confirmed_at``: when a person let it go.
    """

    number: int
    entry: bytes
    queued_at: int
    kind: int | None = None
    draft: int | None = None
    confirmed_at: int | None = None

    @property
    def counted(self) -> bool:
        """Whether it counts towards the limits: nobody said yes to it."""
        return self.draft is None and self.confirmed_at is None


def kind_of(entry: bytes) -> int | None:
    """Give the number of an entry's kind; None where it says none that is known."""
    try:
        return _KINDS.get(_decode_head(entry).kind)
    except msgspec.MsgspecError:
        return None


def add_entries(connection: Connection, log: int, entries: Iterable[bytes], *, now: datetime) -> int:
    """Put entries into the queue of a log, in order; how many they were."""
    queued_at = int(now.timestamp())
    rows = [(log, queued_at, kind_of(entry), None, entry) for entry in entries]
    insert_new(connection, QUEUE, rows)
    return len(rows)


def stream_entries(connection: Connection, log: int) -> Iterator[bytes]:
    """Yield the entries that wait for a log, in their order, and leave them there."""
    query = select(col(Queue.entry)).where(col(Queue.log) == log).order_by(col(Queue.number))
    with connection.execute(query, execution_options={"yield_per": STREAM_ROWS}) as rows:
        yield from rows.scalars()


def list_entries(connection: Connection, log: int) -> Iterator[QueuedEntry]:
    """Yield what waits for a log, in its order, and leave it there."""
    query = select(*_COLUMNS).where(col(Queue.log) == log).order_by(col(Queue.number))
    with connection.execute(query, execution_options={"yield_per": STREAM_ROWS}) as rows:
        yield from (_queued(row) for row in rows)


def take_entries(connection: Connection, log: int, *, limit: int, before: int | None = None) -> list[QueuedEntry]:
    """Take up to ``limit`` entries out of the queue of a log, the oldest first; only those below number ``before``.

    Exactly what is returned is deleted, so an entry that another transaction is about to add is never lost.
    """
    oldest = select(col(Queue.number)).where(_due(log, before)).order_by(col(Queue.number)).limit(limit)
    oldest = oldest.with_for_update()  # in order, so that two who take do not wait for each other for ever
    taken = delete(Queue).where(col(Queue.number).in_(oldest)).returning(*_COLUMNS)
    rows: list[Any] = sorted(connection.execute(taken), key=itemgetter(0))
    return [_queued(row) for row in rows]


def drop_entry(connection: Connection, number: int) -> bool:
    """Take one entry out of the queue; whether it was there still."""
    return connection.execute(delete(Queue).where(col(Queue.number) == number)).rowcount > 0


LetsGo = Callable[[bytes], bool]
"""Says of an entry whether neither a rest nor a limit is asked of it."""


def first_resting(connection: Connection, log: int, *, until: int, lets_go: LetsGo | None = None) -> int | None:
    """Give the number of the first entry that was queued after that time (Unix seconds); None where there is none.

    It and all behind it rest, so that the order stays what it was even where the clock ran back. What ``lets_go`` names
    does not rest of itself.
    """
    rests = (col(Queue.log) == log) & (col(Queue.queued_at) > until)
    if lets_go is None:
        return connection.execute(select(func.min(col(Queue.number))).where(rests)).scalar_one()
    query = select(col(Queue.number), col(Queue.entry)).where(rests).order_by(col(Queue.number))
    with connection.execute(query, execution_options={"yield_per": STREAM_ROWS}) as rows:
        return next((number for number, entry in rows if not lets_go(entry)), None)


def has_entries(connection: Connection, log: int, *, before: int | None = None, unapproved: bool = False) -> bool:
    """Say whether anything waits for a log below a number; with ``unapproved``, anything that nobody approved."""
    condition = _due(log, before)
    if unapproved:
        condition &= col(Queue.draft).is_(None)
    return bool(connection.execute(select(exists().where(condition))).scalar_one())


def count_unconfirmed(
    connection: Connection,
    log: int,
    kind: Kind,
    *,
    before: int | None = None,
    cap: int | None = None,
    lets_go: LetsGo | None = None,
) -> int:
    """Count the entries of a kind that wait below a number and that nobody said yes to, up to ``cap`` of them.

    One whose kind is not known counts as of every kind; what ``lets_go`` names does not count.
    """
    counted = col(Queue.draft).is_(None) & col(Queue.confirmed_at).is_(None)
    of_kind = or_(col(Queue.kind) == int(kind), col(Queue.kind).is_(None))
    if lets_go is not None:
        every = select(col(Queue.entry)).where(_due(log, before), counted, of_kind).order_by(col(Queue.number))
        with connection.execute(every, execution_options={"yield_per": STREAM_ROWS}) as rows:
            return sum(1 for _ in islice((entry for entry in rows.scalars() if not lets_go(entry)), cap))
    found = select(col(Queue.number)).where(_due(log, before), counted, of_kind).limit(cap).subquery()
    return connection.execute(select(func.count()).select_from(found)).scalar_one()


def confirm_entries(connection: Connection, log: int, *, before: int, now: datetime) -> int:
    """Let go what waits below a number and that nobody said yes to; how many entries that were."""
    counted = col(Queue.draft).is_(None) & col(Queue.confirmed_at).is_(None)
    confirmed = update(Queue).where(_due(log, before), counted).values(confirmed_at=int(now.timestamp()))
    return connection.execute(confirmed).rowcount


def next_number(connection: Connection, log: int) -> int:
    """Give a number that is above those of all that waits for a log."""
    query = select(func.max(col(Queue.number))).where(col(Queue.log) == log)
    return (connection.execute(query).scalar_one() or 0) + 1


def drop_entries(connection: Connection, log: int) -> None:
    """Drop all that waits for a log: it never gets a place."""
    connection.execute(delete(Queue).where(col(Queue.log) == log))


def count_entries(connection: Connection, log: int | None = None) -> int:
    """How many entries wait, in all or for one log."""
    query = select(func.count()).select_from(Queue)
    if log is not None:
        query = query.where(col(Queue.log) == log)
    return connection.execute(query).scalar_one()


def count_unreleased(connection: Connection, log: Log) -> int:
    """How many statements of an own log are not shown yet: those without a place, and those placed but not signed."""
    return count_entries(connection, log.number) + max(0, log.placed_size - log.accepted_size)


def _queued(row: Any) -> QueuedEntry:
    return QueuedEntry(*row)


def _due(log: int, before: int | None) -> ColumnElement[bool]:
    condition: ColumnElement[bool] = col(Queue.log) == log
    return condition if before is None else condition & (col(Queue.number) < before)


def forget_publications(connection: Connection, listing: bytes, contents: Sequence[bytes]) -> None:
    """Forget that these contents were published as this listing, so that they may be published anew."""
    mine = col(Publication.sha256).in_(contents), col(Publication.listing) == listing
    connection.execute(delete(Publication).where(*mine))


def remember_publications(connection: Connection, listings: Mapping[bytes, bytes]) -> None:
    """Remember which listing (16 bytes of UUID) each content (32 bytes of SHA-256) was published as."""
    rows = [{"sha256": sha256, "listing": listing} for sha256, listing in sorted(listings.items())]
    upsert(connection, Publication, rows, keys=("sha256",))


def find_publications(connection: Connection, contents: Sequence[bytes]) -> dict[bytes, bytes]:
    """Find the listings of those contents that were published before, by SHA-256."""
    found: dict[bytes, bytes] = {}
    for start in range(0, len(contents), LOOKUP_ROWS):
        part = contents[start : start + LOOKUP_ROWS]
        query = select(col(Publication.sha256), col(Publication.listing)).where(col(Publication.sha256).in_(part))
        found.update((row.sha256, row.listing) for row in connection.execute(query))
    return found
