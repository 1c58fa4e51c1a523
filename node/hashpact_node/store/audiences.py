"""Audiences: who reads which own log beside the general ones, and which logs of others are not for us."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update
from sqlmodel import col

from hashpact_node.store import tables_audiences as tables
from hashpact_node.store.database import insert_into
from hashpact_protocol.errors import NotFoundError


@dataclass(frozen=True, slots=True)
class Audience:
    """One row with its readers, sorted; times are Unix seconds. ``log_name`` is that of its log in the card."""

    number: int
    name: str
    log_name: str
    created_at: int
    closed_at: int | None
    readers: tuple[str, ...]


def add_audience(
    connection: Connection, name: str, log_name: str, readers: Iterable[str], *, now: datetime
) -> Audience:
    """Add an audience that is open from now on."""
    values = {"name": name, "log_name": log_name, "created_at": int(now.timestamp())}
    adding = insert(tables.Audience).values(**values).returning(col(tables.Audience.number))
    number = connection.execute(adding).scalar_one()
    assert number is not None  # noqa: S101  # the column is the primary key
    add_readers(connection, number, readers, now=now)
    return get_audience(connection, name)


def add_readers(connection: Connection, audience: int, readers: Iterable[str], *, now: datetime) -> None:
    """Let members read the log of an audience; those who do already stay."""
    for member in readers:
        row = {"audience": audience, "member": member, "added_at": int(now.timestamp())}
        connection.execute(insert_into(connection, tables.AudienceReader).values(**row).on_conflict_do_nothing())


def remove_readers(connection: Connection, audience: int, readers: Collection[str]) -> None:
    """Let members read the log of an audience no more."""
    row = tables.AudienceReader
    connection.execute(delete(row).where(col(row.audience) == audience, col(row.member).in_(list(readers))))


def drop_reader(connection: Connection, member: str) -> tuple[str, ...]:
    """Let a member read no open audience any more; give the names of those that it left, sorted."""
    left = [one for one in list_audiences(connection) if member in one.readers]
    for audience in left:
        remove_readers(connection, audience.number, (member,))
    return tuple(audience.name for audience in left)


def close_audience(connection: Connection, audience: int, *, now: datetime) -> None:
    """End an audience; its row and its readers stay as history, and its name is free."""
    ended = update(tables.Audience).where(col(tables.Audience.number) == audience)
    connection.execute(ended.values(closed_at=int(now.timestamp())))


def find_audience(connection: Connection, name: str) -> Audience | None:
    """Find the open audience of a name."""
    found = _read(connection, (col(tables.Audience.name) == name) & col(tables.Audience.closed_at).is_(None))
    return found[0] if found else None


def get_audience(connection: Connection, name: str) -> Audience:
    """Find the open audience of a name, which must be there; NotFoundError."""
    found = find_audience(connection, name)
    if found is None:
        raise NotFoundError(f"there is no audience {name[:60]!r}", mend="see `hashpact audience list`")
    return found


def audience_of_log(connection: Connection, log_name: str) -> Audience | None:
    """Find the open audience whose log has this name in the card."""
    found = _read(connection, (col(tables.Audience.log_name) == log_name) & col(tables.Audience.closed_at).is_(None))
    return found[0] if found else None


def list_audiences(connection: Connection, *, closed: bool = False) -> list[Audience]:
    """List open audiences by name; ``closed`` ones, too, in order of their making."""
    everything = col(tables.Audience.number).is_not(None)
    found = _read(connection, everything if closed else col(tables.Audience.closed_at).is_(None))
    return sorted(found, key=lambda one: (one.name, one.number))


def note_not_for_us(connection: Connection, log: int, *, now: datetime) -> None:
    """Write down that a peer's log is not for us, and when that was said last."""
    at = int(now.timestamp())
    adding = insert_into(connection, tables.NotForUs).values(log=log, since=at, asked_at=at)
    connection.execute(adding.on_conflict_do_update(index_elements=["log"], set_={"asked_at": at}))


def forget_not_for_us(connection: Connection, log: int) -> None:
    """Write down that a log may be read."""
    connection.execute(delete(tables.NotForUs).where(col(tables.NotForUs.log) == log))


def logs_not_for_us(connection: Connection) -> dict[int, int]:
    """Give the logs that are not for us by local number, and when that was said last (Unix seconds)."""
    query = select(col(tables.NotForUs.log), col(tables.NotForUs.asked_at))
    return {row.log: row.asked_at for row in connection.execute(query)}


def _read(connection: Connection, condition: ColumnElement[bool]) -> list[Audience]:
    query: Any = select(tables.Audience).where(condition).order_by(col(tables.Audience.number))
    rows = connection.execute(query).mappings().all()
    readers: dict[int, list[str]] = {row["number"]: [] for row in rows}
    row = tables.AudienceReader
    wanted = select(col(row.audience), col(row.member)).where(col(row.audience).in_(list(readers)))
    for audience, member in connection.execute(wanted):
        readers[audience].append(member)
    return [Audience(**one, readers=tuple(sorted(readers[one["number"]]))) for one in rows]
