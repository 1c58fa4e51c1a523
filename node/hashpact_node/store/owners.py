"""The statement table: who owns an id within one (member, log name), and where its newest statement stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from sqlalchemy import Connection, delete, func, select
from sqlmodel import col

from hashpact_node.store.bulk import STATEMENTS, insert_new, replace_rows, run_many, select_in
from hashpact_node.store.tables import Statement
from hashpact_protocol.merge import Kind, Owner

STREAM_ROWS = 8_192

OwnerRow = tuple[int, bytes, int, int, int, bool]
"""sequence, id, kind, log, position, live"""


def owner_rows(sequence: int, owners: Mapping[bytes, Owner]) -> list[OwnerRow]:
    """Give the rows of a batch's owners, sorted by id, which is the order of the table."""
    return [(sequence, identifier, *owners[identifier]) for identifier in sorted(owners)]


def add_owners(connection: Connection, rows: list[OwnerRow]) -> None:
    """Add owners of ids that are hoped to be new; DuplicateRowsError when one is not: give up the transaction."""
    insert_new(connection, STATEMENTS, rows)


def set_owners(connection: Connection, rows: list[OwnerRow]) -> None:
    """Add or replace owners."""
    replace_rows(connection, STATEMENTS, rows)


def find_owners(connection: Connection, sequence: int, identifiers: Iterable[bytes]) -> dict[bytes, Owner]:
    """Give the owners of those of the ids (16 bytes each) that have one in this sequence."""
    query = "SELECT id, kind, log, position, live FROM statement WHERE sequence = {mark} AND id IN ({values})"
    rows = select_in(connection, query, sorted(identifiers), before=(sequence,))
    return {bytes(key): Owner(kind, log, position, bool(live)) for key, kind, log, position, live in rows}


def live_listings(connection: Connection, log: int, *, sequence: int) -> list[int]:
    """Give the indices of a log's entries that are winning revisions of live listings, in order."""
    query = select(col(Statement.position)).where(
        col(Statement.sequence) == sequence,
        col(Statement.log) == log,
        col(Statement.kind) == int(Kind.LISTING),
        col(Statement.live).is_(True),
    )
    return sorted(connection.execute(query).scalars())


def count_live(connection: Connection) -> dict[int, int]:
    """Count the live listings of each log, by the log's local number."""
    query = (
        select(col(Statement.log), func.count())
        .where(
            col(Statement.kind) == int(Kind.LISTING),
            col(Statement.live).is_(True),
            col(Statement.sequence) > 0,  # below are the drafts of a rebuild
        )
        .group_by(col(Statement.log))
    )
    return {log: int(count) for log, count in connection.execute(query)}


def drop_sequence(connection: Connection, sequence: int) -> None:
    """Forget every owner of one sequence."""
    connection.execute(delete(Statement).where(col(Statement.sequence) == sequence))


def drop_log(connection: Connection, sequence: int, log: int) -> None:
    """Forget the owners of one sequence whose newest statement stands in one of its logs."""
    connection.execute(delete(Statement).where(col(Statement.sequence) == sequence, col(Statement.log) == log))


def stream_live(connection: Connection, log: int, *, sequence: int) -> Iterator[int]:
    """Yield what ``live_listings`` gives, in no order, a few at a time in memory."""
    query = select(col(Statement.position)).where(
        col(Statement.sequence) == sequence,
        col(Statement.log) == log,
        col(Statement.kind) == int(Kind.LISTING),
        col(Statement.live).is_(True),
    )
    with connection.execute(query, execution_options={"yield_per": STREAM_ROWS}) as rows:
        for (position,) in rows:
            yield position


def page_of_owners(connection: Connection, sequence: int, after: bytes, *, limit: int) -> list[OwnerRow]:
    """Give up to ``limit`` owners of a sequence with ids beyond ``after``, in order of id."""
    row = Statement
    query = select(col(row.sequence), col(row.id), col(row.kind), col(row.log), col(row.position), col(row.live))
    query = query.where(col(row.sequence) == sequence, col(row.id) > after).order_by(col(row.id)).limit(limit)
    return [
        (number, bytes(identifier), kind, log, position, bool(live))
        for number, identifier, kind, log, position, live in connection.execute(query)
    ]


def drop_owners(connection: Connection, sequence: int, identifiers: Iterable[bytes]) -> None:
    """Forget the owners of some ids of one sequence."""
    rows = [(sequence, identifier) for identifier in identifiers]
    run_many(connection, "DELETE FROM statement WHERE sequence = {mark} AND id = {mark}", rows)
