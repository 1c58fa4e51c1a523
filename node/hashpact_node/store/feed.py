"""Readings of the signal table, and of bundles, for what follows it: the match index, the blocklist, the sweep."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, select
from sqlmodel import col

from hashpact_node.store.bulk import is_postgresql, select_in
from hashpact_node.store.bundles import Bundle
from hashpact_node.store.signals import SignalRow
from hashpact_node.store.tables import Signal
from hashpact_protocol.policy import Action

CHUNK = 8_192
LOG_BYTES = 3


class Numbered(NamedTuple):
    """As much of a signal as an index needs: the number of its last change, its compact key, its packed claims."""

    number: int
    key: bytes
    claims: bytes


class Judged(NamedTuple):
    """As much of a signal as a match needs: its packed claims, its action, and the number of the rule."""

    claims: bytes
    action: int
    rule: int


def stream_range(
    connection: Connection, since: int, *, first: bytes, end: bytes, chunk: int = CHUNK
) -> Iterator[list[Numbered]]:
    """Yield the signals that changed after number ``since`` with keys from ``first`` up to but without ``end``.

    They come in order of their last change; a whole table in order of number is read faster than one in order of key.
    """
    mark = "%s" if is_postgresql(connection) else "?"
    # The unary plus keeps SQLite from walking the index of keys, where every row is somewhere else on disk.
    key = "key" if is_postgresql(connection) else "+key"
    query = (
        f"SELECT number, key, claims FROM signal WHERE number > {mark} AND {key} >= {mark} AND {key} < {mark} "  # noqa: S608 - our own names
        f"ORDER BY number LIMIT {mark}"
    )
    while True:
        found = connection.exec_driver_sql(query, (since, first, end, chunk)).fetchall()
        rows = [Numbered(number, bytes(key), bytes(claims)) for number, key, claims in found]
        if rows:
            yield rows
        if len(rows) < chunk:
            return
        since = rows[-1].number


def stream_claimed_by(
    connection: Connection, logs: Iterable[int], last: int, *, chunk: int = CHUNK
) -> Iterator[list[SignalRow]]:
    """Yield the signals that may have claims of one of these logs, and all that have, a chunk at a time.

    They come in order of their last change, up to number ``last``: what changes meanwhile gets larger numbers, so that
    it is not met twice.
    """
    names = [log.to_bytes(LOG_BYTES, "big") for log in logs]
    if not names:
        return
    postgresql = is_postgresql(connection)
    mark = "%s" if postgresql else "?"
    within = f"position({mark}::bytea in claims) > 0" if postgresql else f"instr(claims, {mark}) > 0"
    either = " OR ".join([within] * len(names))
    query = (
        "SELECT number, key, action, actions, claims, rule FROM signal "  # noqa: S608 - our own names
        f"WHERE number > {mark} AND number <= {mark} AND ({either}) ORDER BY number LIMIT {mark}"
    )
    since = -1
    while True:
        found = connection.exec_driver_sql(query, (since, last, *names, chunk)).fetchall()
        rows = [signal_row(row) for row in found]
        if rows:
            yield rows
        if len(rows) < chunk:
            return
        since = rows[-1].number


def page_of_keys(
    connection: Connection, after: bytes, before: bytes | None, *, action: int | None, limit: int
) -> list[SignalRow]:
    """Give up to ``limit`` claimed signals, in order of key, beyond ``after`` and, where it is given, below ``before``.

    Of one action, or of all.
    """
    row = Signal
    query = select(col(row.number), col(row.key), col(row.action), col(row.actions), col(row.claims), col(row.rule))
    query = query.where(col(row.key) > after).order_by(col(row.key)).limit(limit)
    if before is not None:
        query = query.where(col(row.key) < before)
    wanted = col(row.action) != int(Action.NONE) if action is None else col(row.action) == action
    return [signal_row(found) for found in connection.execute(query.where(wanted))]


def find_claims(connection: Connection, keys: Iterable[bytes]) -> dict[bytes, bytes]:
    """Give the packed claims of those of the keys that are claimed, which is all that a match needs."""
    mark = "%s" if is_postgresql(connection) else "?"
    wanted = list(keys)
    found: dict[bytes, bytes] = {}
    for at in range(0, len(wanted), CHUNK):
        part = tuple(wanted[at : at + CHUNK])
        query = f"SELECT key, claims FROM signal WHERE key IN ({', '.join([mark] * len(part))})"  # noqa: S608 - marks
        found.update(
            (bytes(key), bytes(claims)) for key, claims in connection.exec_driver_sql(query, part).fetchall() if claims
        )
    return found


def find_judged(connection: Connection, keys: Iterable[bytes]) -> dict[bytes, Judged]:
    """Give claims, action and rule of those of the keys that are claimed, which is all that a match needs."""
    query = "SELECT key, claims, action, rule FROM signal WHERE key IN ({values})"
    return {
        bytes(key): Judged(bytes(claims), action, rule)
        for key, claims, action, rule in select_in(connection, query, keys, chunk=CHUNK)
        if claims
    }


class LogMember(NamedTuple):
    """Whose a log is, by local numbers and by name; ``own`` where it is this member's."""

    log: int
    peer: int
    member: str
    own: bool


def log_members(connection: Connection) -> list[LogMember]:
    """Give the members of all logs, in the one small query that every lookup makes."""
    query = "SELECT log.number, peer.number, peer.member, peer.own FROM log JOIN peer ON peer.number = log.peer"
    return [LogMember(log, peer, member, bool(own)) for log, peer, member, own in connection.exec_driver_sql(query)]


def read_bundles(connection: Connection, log: int, numbers: Sequence[int]) -> Iterator[Bundle]:
    """Yield those of the bundles of a log that are stored, in any order."""
    query = "SELECT number, width, data FROM bundle WHERE log = {mark} AND number IN ({values})"
    for number, width, data in select_in(connection, query, numbers, before=(log,), chunk=256):
        yield Bundle(number, width, bytes(data))


def signal_row(row: Any) -> SignalRow:
    """Make a signal of what a query gave: number, key, action, actions, claims, rule."""
    number, key, action, actions, claims, rule = row
    return SignalRow(number, bytes(key), action, actions, bytes(claims), rule)
