"""Disagreements of members with own listings, what became of them, and how long corrections took."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, func, insert, select, update
from sqlmodel import col

from hashpact_node.store.database import insert_into
from hashpact_node.store.tables_opinions import CorrectionDelay
from hashpact_node.store.tables_opinions import Dispute as Row
from hashpact_protocol.claims import Place
from hashpact_protocol.errors import NotFoundError

MINUTE: Final = 60
HOUR: Final = 3_600
DAY: Final = 86_400


class Answer(StrEnum):
    """How a dispute ended."""

    WITHDRAWN = "withdrawn"
    RESTATED = "restated"
    KEPT = "kept"
    TAKEN_BACK = "taken-back"


@dataclass(frozen=True, slots=True)
class Dispute:
    """One row; times are Unix seconds. ``place`` is where the opinion stood, with its note. ``answer`` None: open."""

    number: int
    member: str
    log_name: str
    listing: bytes
    leaf: bytes
    reason: str | None
    since: int
    place: Place
    answer: Answer | None
    answered_at: int | None
    answered_by: str | None
    note: str | None


@dataclass(frozen=True, slots=True)
class Delays:
    """How long withdrawals of a member took to be merged here, on one day, counted from 1970-01-01 (UTC)."""

    peer: int
    day: int
    count: int
    total_seconds: int
    longest_seconds: int
    within_minute: int
    within_hour: int
    within_day: int


def open_dispute(
    connection: Connection, about: tuple[str, bytes, bytes], member: str, reason: str | None, place: Place, *, now: int
) -> None:
    """Note a disagreement with an own listing, by log name, id and leaf; one that is open goes on since it began.

    There is one row for each member and revision, however often the same is said or merged anew. What was over by
    itself is open again where it is said of bytes that stand again; what was answered by keeping the listing, where
    the member has said it once more since: the same opinion, merged anew, reopens nothing.
    """
    log_name, listing, leaf = about
    mine = _of(member, log_name, listing) & (col(Row.leaf) == leaf)
    values: dict[str, Any] = {"reason": reason, "log": place.log, "position": place.position}
    same = (col(Row.log) == place.log) & (col(Row.position) == place.position)
    again = mine & ~_OPEN & ((col(Row.answer) != Answer.KEPT.value) | ~same)
    opened = values | dict.fromkeys(("answer", "answered_at", "answered_by", "note")) | {"since": now}
    if connection.execute(update(Row).where(again).values(**opened)).rowcount:
        return
    if not connection.execute(update(Row).where(mine).values(**values)).rowcount:
        values |= {"member": member, "log_name": log_name, "listing": listing, "leaf": leaf, "since": now}
        connection.execute(insert(Row).values(**values))


def take_dispute_back(connection: Connection, log_name: str, listing: bytes, member: str, *, now: int) -> None:
    """Note that a member disagrees no more."""
    ending = update(Row).where(_of(member, log_name, listing), _OPEN)
    connection.execute(ending.values(answer=Answer.TAKEN_BACK.value, answered_at=now))


def disputed(connection: Connection, log_name: str, listings: Collection[bytes] | None) -> list[Dispute]:
    """Give the open disputes of some listings (ids), or of all, of one log name."""
    query = select(Row).where(_OPEN, col(Row.log_name) == log_name)
    return [one for one in _read(connection, query) if listings is None or one.listing in listings]


def answer_dispute(
    connection: Connection, number: int, answer: Answer, *, now: int, by: str | None = None, note: str | None = None
) -> None:
    """Note how a dispute that is open was answered."""
    ending = update(Row).where(col(Row.number) == number, _OPEN)
    connection.execute(ending.values(answer=answer.value, answered_at=now, answered_by=by, note=note))


def get_dispute(connection: Connection, number: int, *, lock: bool = False) -> Dispute:
    """Give one dispute; NotFoundError."""
    query: Any = select(Row).where(col(Row.number) == number)
    found = _read(connection, query.with_for_update() if lock else query)
    if not found:
        raise NotFoundError(f"there is no dispute {number}", mend="see `hashpact disputes list`")
    return found[0]


def list_disputes(
    connection: Connection, *, answered: bool = False, before: int | None = None, limit: int | None = None
) -> list[Dispute]:
    """List open disputes, the oldest first, or with ``answered`` all, the newest first, of numbers below ``before``."""
    number = col(Row.number)
    query: Any = select(Row).order_by(number.desc() if answered else number)
    if not answered:
        query = query.where(_OPEN)
    if before is not None:
        query = query.where(number < before)
    return _read(connection, query if limit is None else query.limit(limit))


def count_open(connection: Connection) -> int:
    """Count the disputes that nobody has answered."""
    return connection.execute(select(func.count()).select_from(Row).where(_OPEN)).scalar_one()


def add_delays(connection: Connection, peer: int, seconds: Iterable[int], *, now: int) -> None:
    """Count how long withdrawals of a member, by local number, took from their time to now."""
    took = [max(0, one) for one in seconds]
    if not took:
        return
    row = {
        "peer": peer,
        "day": now // DAY,
        "count": len(took),
        "total_seconds": sum(took),
        "longest_seconds": max(took),
        "within_minute": sum(one <= MINUTE for one in took),
        "within_hour": sum(one <= HOUR for one in took),
        "within_day": sum(one <= DAY for one in took),
    }
    adding = insert_into(connection, CorrectionDelay).values(**row)
    standing: Any = CorrectionDelay
    added = {name: getattr(standing, name) + row[name] for name in row if name not in {"peer", "day"}}
    query = select(col(standing.longest_seconds)).where(col(standing.peer) == peer, col(standing.day) == row["day"])
    added["longest_seconds"] = max(*took, connection.execute(query).scalar_one_or_none() or 0)
    connection.execute(adding.on_conflict_do_update(index_elements=["peer", "day"], set_=added))


def list_delays(connection: Connection, *, first_day: int, last_day: int) -> list[Delays]:
    """Give what was counted from one day to another, both included, by member and day."""
    row = CorrectionDelay
    query: Any = select(row).where(col(row.day) >= first_day, col(row.day) <= last_day)
    found = connection.execute(query.order_by(col(row.peer), col(row.day))).mappings()
    return [Delays(**one) for one in found]


_OPEN: Final[ColumnElement[bool]] = col(Row.answer).is_(None)


def _of(member: str, log_name: str, listing: bytes) -> ColumnElement[bool]:
    return (col(Row.member) == member) & (col(Row.log_name) == log_name) & (col(Row.listing) == listing)


def _read(connection: Connection, query: Any) -> list[Dispute]:
    return [
        Dispute(
            row.number,
            row.member,
            row.log_name,
            bytes(row.listing),
            bytes(row.leaf),
            row.reason,
            row.since,
            Place(row.log, row.position),
            None if row.answer is None else Answer(row.answer),
            row.answered_at,
            row.answered_by,
            row.note,
        )
        for row in connection.execute(query)
    ]
