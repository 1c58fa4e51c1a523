"""What is held for review since there is far too much of it: listings of a flood, signals that match far too often."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, func, insert, select, update
from sqlmodel import col

from hashpact_node.store.tables_holds import FloodHold
from hashpact_protocol.errors import NotFoundError

_Span = tuple[int, int]
_first: Final = itemgetter(0)


class HoldKind(StrEnum):
    """Of what there is far too much: listings of a member, or matches of a signal."""

    LISTINGS = "listings"
    MATCHES = "matches"


class Notice(StrEnum):
    """Whether the publisher of what is held is told: not at all, soon, already, or it could not be."""

    NONE = "none"
    DUE = "due"
    SENT = "sent"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold; times are Unix seconds.

    Of listings: entries ``first`` to ``last`` - 1 of a log of a peer, both by their local number. Of matches: the
    compact ``key`` of a signal. So many ``came`` on the day on which it last grew, and ``usual`` was usual before.
    """

    number: int
    kind: HoldKind
    since: int
    grown_at: int
    came: int
    usual: int
    peer: int | None
    log: int | None
    first: int | None
    last: int | None
    key: bytes | None
    released_at: int | None
    released_by: str | None
    released_why: str | None
    notice: Notice
    notice_error: str | None
    notified_at: int | None


@dataclass(frozen=True, slots=True)
class Held:
    """All that is held now: spans of entries of logs, each from its first to behind its last, and signals.

    The spans of a log are sorted, and none touches another.
    """

    spans: Mapping[int, tuple[_Span, ...]]
    keys: frozenset[bytes]

    def holds_entry(self, log: int, position: int) -> bool:
        """Say whether an entry of a log, by its local number, is held."""
        spans = self.spans.get(log, ())
        at = bisect_right(spans, position, key=_first) - 1
        return at >= 0 and position < spans[at][1]

    def __bool__(self) -> bool:
        """Say whether anything is held."""
        return bool(self.spans or self.keys)


NOTHING_HELD: Final = Held({}, frozenset())


@dataclass(frozen=True, slots=True)
class NewHold:
    """A hold to be: of listings with ``peer``, ``log`` and the span from ``first`` to before ``last``; else ``key``."""

    came: int
    usual: int
    notice: Notice
    peer: int | None = None
    log: int | None = None
    first: int | None = None
    last: int | None = None
    key: bytes | None = None

    @property
    def kind(self) -> HoldKind:
        """Of what there is far too much."""
        return HoldKind.MATCHES if self.log is None else HoldKind.LISTINGS


def held_now(connection: Connection) -> Held:
    """Give all that is held."""
    spans: dict[int, list[_Span]] = {}
    keys = set[bytes]()
    for row in connection.execute(_HELD):
        if row.key is not None:
            keys.add(bytes(row.key))
        else:
            spans.setdefault(row.log, []).append((row.first, row.last))
    return Held({log: _united(each) for log, each in spans.items()}, frozenset(keys))


def add_hold(connection: Connection, new: NewHold, *, now: datetime) -> int:
    """Hold something from now on; give the number of the hold."""
    at = int(now.timestamp())
    values = asdict(new) | {"kind": new.kind.value, "notice": new.notice.value, "since": at, "grown_at": at}
    number = connection.execute(insert(FloodHold).values(values).returning(col(FloodHold.number))).scalar_one()
    assert number is not None  # noqa: S101  # the column is the primary key
    return number


def grow_hold(connection: Connection, number: int, last: int, came: int, *, now: datetime) -> None:
    """Let a hold of listings reach to before ``last``, since so many came by now on this day."""
    grown = {"last": last, "came": came, "grown_at": int(now.timestamp())}
    connection.execute(update(FloodHold).where(col(FloodHold.number) == number, _HOLDS).values(grown))


def standing_hold(connection: Connection, log: int) -> Hold | None:
    """Give the newest hold of listings of a log that was not released."""
    query = _ALL.where(_HOLDS, col(FloodHold.log) == log).order_by(col(FloodHold.number).desc()).limit(1)
    found = connection.execute(query).one_or_none()
    return None if found is None else _hold(found)


def holds_of(connection: Connection, key: bytes) -> list[Hold]:
    """Give the holds of a signal, the newest first, those that were released, too."""
    query = _ALL.where(col(FloodHold.key) == key).order_by(col(FloodHold.number).desc())
    return [_hold(found) for found in connection.execute(query)]


def get_hold(connection: Connection, number: int, *, lock: bool = False) -> Hold:
    """Give one hold, released or not; NotFoundError."""
    query = _ALL.where(col(FloodHold.number) == number)
    found = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if found is None:
        raise NotFoundError(f"there is no hold {number}", mend="see `hashpact hold list --all`")
    return _hold(found)


def list_holds(
    connection: Connection, *, released: bool = False, before: int | None = None, limit: int | None = None
) -> list[Hold]:
    """List holds, the newest first, those that were released only if asked; with numbers below ``before``."""
    query = _ALL.order_by(col(FloodHold.number).desc())
    if not released:
        query = query.where(_HOLDS)
    if before is not None:
        query = query.where(col(FloodHold.number) < before)
    if limit is not None:
        query = query.limit(limit)
    return [_hold(found) for found in connection.execute(query)]


def count_holds(connection: Connection) -> dict[HoldKind, int]:
    """Give how many holds stand, by kind."""
    query = select(col(FloodHold.kind), func.count()).where(_HOLDS).group_by(col(FloodHold.kind))
    found = {HoldKind(kind): int(count) for kind, count in connection.execute(query)}
    return {kind: found.get(kind, 0) for kind in HoldKind}


def release_hold(connection: Connection, number: int, *, by: str, why: str | None, now: datetime) -> None:
    """Let a hold hold no more; it stays as history."""
    released = {"released_at": int(now.timestamp()), "released_by": by, "released_why": why}
    connection.execute(update(FloodHold).where(col(FloodHold.number) == number, _HOLDS).values(released))


def due_notices(connection: Connection, *, limit: int) -> list[Hold]:
    """Give the holds of which the publisher is to be told, the oldest first."""
    query = _ALL.where(col(FloodHold.notice) == Notice.DUE.value).order_by(col(FloodHold.number)).limit(limit)
    return [_hold(found) for found in connection.execute(query)]


def set_notice(
    connection: Connection, number: int, notice: Notice, *, error: str | None = None, now: datetime | None = None
) -> None:
    """Write down what became of the notice of a hold; ``now`` is when it was sent."""
    told = {"notice": notice.value, "notice_error": error, "notified_at": None if now is None else int(now.timestamp())}
    connection.execute(update(FloodHold).where(col(FloodHold.number) == number).values(told))


def _united(spans: Iterable[_Span]) -> tuple[_Span, ...]:
    """Give spans in order, those that touch as one."""
    united: list[_Span] = []
    for first, last in sorted(spans):
        if united and first <= united[-1][1]:
            united[-1] = (united[-1][0], max(united[-1][1], last))
        else:
            united.append((first, last))
    return tuple(united)


def _hold(row: Any) -> Hold:
    return Hold(
        row.number,
        HoldKind(row.kind),
        row.since,
        row.grown_at,
        row.came,
        row.usual,
        row.peer,
        row.log,
        row.first,
        row.last,
        None if row.key is None else bytes(row.key),
        row.released_at,
        row.released_by,
        row.released_why,
        Notice(row.notice),
        row.notice_error,
        row.notified_at,
    )


_HOLDS: Final[ColumnElement[bool]] = col(FloodHold.released_at).is_(None)
_ALL: Final[Any] = select(FloodHold)
_HELD: Final[Any] = select(col(FloodHold.log), col(FloodHold.first), col(FloodHold.last), col(FloodHold.key)).where(
    _HOLDS
)
