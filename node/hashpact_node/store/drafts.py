"""What is proposed and waits for another person, until it is approved or rejected."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, delete, func, insert, literal, null, select, update
from sqlmodel import col

from hashpact_node.store import tables_drafts
from hashpact_node.store.bulk import DRAFT_ENTRIES, insert_new
from hashpact_node.store.queue import kind_of
from hashpact_node.store.tables import Queue
from hashpact_node.store.tables_drafts import DraftEntry
from hashpact_protocol.merge import Kind

STREAM_ROWS: Final = 1_000


class DraftState(StrEnum):
    """How far a draft is. ``writing``: an import that has not stored all its lines yet."""

    WRITING = "writing"
    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"


class DraftKind(StrEnum):
    """What a draft proposes."""

    LISTINGS = "listings"
    WITHDRAWAL = "withdrawal"
    IMPORT = "import"


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft; times are Unix seconds.

    ``log_name``: the names of the logs that it is for, separated by commas. ``listings`` and ``withdrawals`` count its
    statements, ``listing`` is the id that is to be withdrawn, ``source`` the import whose lines these are; ``log`` and
    ``size`` say where its last statement got its place, once it has one.
    """

    number: int
    id: str
    kind: DraftKind
    state: DraftState
    log_name: str
    title: str
    listings: int
    withdrawals: int
    erase: bool
    proposed_at: int
    proposer_kind: str
    proposer_name: str
    decided_at: int | None
    decider_kind: str | None
    decider_name: str | None
    reason: str | None
    listing: str | None
    source: str | None
    log: int | None
    size: int | None


@dataclass(frozen=True, slots=True)
class NewDraft:
    """A draft to be; as in ``Draft``."""

    id: str
    kind: DraftKind
    log_name: str
    title: str
    proposer_kind: str
    proposer_name: str
    state: DraftState = DraftState.WAITING
    erase: bool = False
    listing: str | None = None
    source: str | None = None


def add_draft(connection: Connection, draft: NewDraft, *, now: datetime) -> int:
    """Store a draft without statements, and give its number."""
    values = {name: getattr(draft, name) for name in NewDraft.__slots__}
    values |= {"kind": draft.kind.value, "state": draft.state.value, "listings": 0, "withdrawals": 0}
    added = insert(tables_drafts.Draft).values(proposed_at=int(now.timestamp()), **values)
    number: Any = connection.execute(added.returning(col(tables_drafts.Draft.number))).scalar_one()
    return int(number)


def add_draft_entries(
    connection: Connection,
    draft: int,
    log_name: str,
    entries: Sequence[bytes],
    contents: Sequence[bytes | None] | None = None,
) -> None:
    """Add statements for a log to a draft, behind its others; ``contents``: the SHA-256 of the file that each is of."""
    row = tables_drafts.Draft
    counts = connection.execute(
        select(col(row.listings), col(row.withdrawals)).where(col(row.number) == draft).with_for_update()
    ).one()
    listings, withdrawals = counts
    kinds = [kind_of(entry) or 0 for entry in entries]
    files = contents or [None] * len(entries)
    first = listings + withdrawals
    numbered = enumerate(zip(kinds, files, entries, strict=True), first)
    insert_new(connection, DRAFT_ENTRIES, [(draft, place, log_name, *one) for place, one in numbered])
    listings += kinds.count(Kind.LISTING)
    withdrawals += kinds.count(Kind.WITHDRAWAL)
    grown = update(row).where(col(row.number) == draft).values(listings=listings, withdrawals=withdrawals)
    connection.execute(grown)


def find_draft(connection: Connection, identifier: str, *, lock: bool = False) -> Draft | None:
    """Find a draft by its id; ``lock`` keeps others from deciding it until the transaction ends."""
    return _one(connection, col(tables_drafts.Draft.id) == identifier, lock=lock)


def find_draft_of(connection: Connection, source: str) -> Draft | None:
    """Find the draft to which an import still adds its lines."""
    row = tables_drafts.Draft
    return _one(connection, (col(row.source) == source) & (col(row.state) == DraftState.WRITING.value))


def list_drafts(connection: Connection, states: Collection[DraftState] | None = None, *, limit: int) -> list[Draft]:
    """List drafts, the newest first, up to ``limit`` of them; of some states only where they are given."""
    row = tables_drafts.Draft
    query = select(row).order_by(col(row.number).desc()).limit(limit)
    if states is not None:
        query = query.where(col(row.state).in_([state.value for state in states]))
    return [_draft(found) for found in connection.execute(query).mappings()]


def count_undecided(connection: Connection) -> int:
    """How many drafts are neither approved nor rejected."""
    undecided = col(tables_drafts.Draft.state).in_([DraftState.WRITING.value, DraftState.WAITING.value])
    return connection.execute(select(func.count()).select_from(tables_drafts.Draft).where(undecided)).scalar_one()


def set_waiting(connection: Connection, draft: int) -> None:
    """Say that all of a draft is there."""
    row = tables_drafts.Draft
    writing = (col(row.number) == draft) & (col(row.state) == DraftState.WRITING.value)
    connection.execute(update(row).where(writing).values(state=DraftState.WAITING.value))


def decide(
    connection: Connection,
    draft: int,
    state: DraftState,
    decider: tuple[str, str],
    *,
    reason: str | None = None,
    now: datetime,
) -> bool:
    """Approve or reject a draft that waits, by somebody's kind and name, and drop its statements; whether it waited.

    Whoever approves has queued them before, in this transaction.
    """
    row = tables_drafts.Draft
    undecided = col(row.state).in_([DraftState.WAITING.value, DraftState.WRITING.value])
    values: dict[str, Any] = {"state": state.value, "decided_at": int(now.timestamp())}
    values |= {"decider_kind": decider[0], "decider_name": decider[1]}
    if reason is not None:
        values["reason"] = reason
    done = connection.execute(update(row).where(col(row.number) == draft, undecided).values(**values)).rowcount > 0
    if done:
        connection.execute(delete(DraftEntry).where(col(DraftEntry.draft) == draft))
    return done


def queue_draft(connection: Connection, draft: int, log_name: str, log: int, *, now: datetime) -> None:
    """Put the statements that a draft has for a log into its queue, in order, as approved."""
    at, row = int(now.timestamp()), DraftEntry
    values = (literal(log), literal(at), literal(draft), null(), col(row.kind), col(row.entry))
    mine = (col(row.draft) == draft) & (col(row.log_name) == log_name)
    chosen = select(*values).where(mine).order_by(col(row.place))
    columns = ["log", "queued_at", "draft", "confirmed_at", "kind", "entry"]
    connection.execute(insert(Queue).from_select(columns, chosen))


def draft_entries(connection: Connection, draft: int, *, limit: int) -> list[bytes]:
    """Give the first statements of a draft that is not decided."""
    query = select(col(DraftEntry.entry)).where(col(DraftEntry.draft) == draft).order_by(col(DraftEntry.place))
    return list(connection.execute(query.limit(limit)).scalars())


def last_entry(connection: Connection, draft: int, log_name: str) -> bytes | None:
    """Give the last statement that a draft, which is not decided, has for a log."""
    mine = (col(DraftEntry.draft) == draft) & (col(DraftEntry.log_name) == log_name)
    query = select(col(DraftEntry.entry)).where(mine)
    return connection.execute(query.order_by(col(DraftEntry.place).desc()).limit(1)).scalar_one_or_none()


def stream_draft(connection: Connection, draft: int, log_name: str) -> Iterator[bytes]:
    """Yield the statements that a draft, which is not decided, has for a log, in order."""
    mine = (col(DraftEntry.draft) == draft) & (col(DraftEntry.log_name) == log_name)
    query = select(col(DraftEntry.entry)).where(mine).order_by(col(DraftEntry.place))
    with connection.execute(query, execution_options={"yield_per": STREAM_ROWS}) as rows:
        for row in rows:
            yield row.entry


def withdrawn_since(connection: Connection, since: int) -> set[str]:
    """Give the ids of listings whose withdrawal was approved since then, Unix seconds."""
    row = tables_drafts.Draft
    withdrawal = (col(row.kind) == DraftKind.WITHDRAWAL.value) & (col(row.state) == DraftState.APPROVED.value)
    query = select(col(row.listing)).where(withdrawal, col(row.decided_at) >= since)
    return {found for found in connection.execute(query).scalars() if found is not None}


def draft_contents(connection: Connection, draft: int, log_name: str) -> Iterator[tuple[bytes, bytes]]:
    """Yield the SHA-256 of each file that a draft lists in a log, with the listing's entry."""
    mine = (col(DraftEntry.draft) == draft) & (col(DraftEntry.log_name) == log_name)
    query = select(col(DraftEntry.content), col(DraftEntry.entry)).where(mine, col(DraftEntry.content).is_not(None))
    with connection.execute(query, execution_options={"yield_per": STREAM_ROWS}) as rows:
        for row in rows:
            yield row.content, row.entry


def mark_placed(connection: Connection, drafts: Iterable[int], *, log: int, size: int) -> None:
    """Say that statements of drafts got places below that size of a log."""
    row = tables_drafts.Draft
    for draft in sorted(drafts):
        connection.execute(update(row).where(col(row.number) == draft).values(log=log, size=size))


def mark_taken_back(connection: Connection, draft: int, reason: str) -> None:
    """Say that an approved draft was taken back before anything of it had a place; not while anything of it waits."""
    row = tables_drafts.Draft
    waits = select(col(Queue.number)).where(col(Queue.draft) == draft).exists()
    gone = (col(row.number) == draft) & col(row.size).is_(None) & ~waits
    connection.execute(update(row).where(gone).values(state=DraftState.REJECTED.value, reason=reason))


def _one(connection: Connection, condition: Any, *, lock: bool = False) -> Draft | None:
    query = select(tables_drafts.Draft).where(condition)
    if lock:
        query = query.with_for_update()
    found = connection.execute(query).mappings().first()
    return None if found is None else _draft(found)


def _draft(row: Any) -> Draft:
    return Draft(**{**row, "kind": DraftKind(row["kind"]), "state": DraftState(row["state"])})
