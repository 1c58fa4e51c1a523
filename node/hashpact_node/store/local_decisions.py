"""This company's own decisions: kept, ended, and found for signals and listings that are judged."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, insert, select, update
from sqlmodel import col

from hashpact_node.store import tables_decisions as tables
from hashpact_node.store.bulk import run_many, select_in
from hashpact_protocol.claims import Place
from hashpact_protocol.errors import NotFoundError
from hashpact_protocol.facts import LocalDecision, Verdict
from hashpact_protocol.signals import SIGNAL_TYPES

KEYS_AT_ONCE: Final = 500
MANY_PLACES: Final = 2_000
NEAR_CODE: Final = SIGNAL_TYPES["pdq"].code
"""Of the types, the one of which decisions can cover what lies near: Hamming distance over 256 bits."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a decision is about: a signal by its compact key, or a listing by member, log name and id (16 bytes).

    ``near`` is a distance, where what lies that near to the signal is meant, too.
    """

    key: bytes | None = None
    near: int | None = None
    member: str | None = None
    log_name: str | None = None
    listing: bytes | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """One row; times are Unix seconds. ``scope``: the members about whose claims it is, sorted; None: everybody's."""

    number: int
    verdict: Verdict
    subject: Subject
    scope: tuple[str, ...] | None
    until: int | None
    why: str
    made_at: int
    made_by: str
    ended_at: int | None
    ended_by: str | None
    ended_why: str | None

    @property
    def local(self) -> LocalDecision:
        """The decision as policy sees it."""
        return LocalDecision(self.verdict, None if self.scope is None else frozenset(self.scope), self.until, self.why)


@dataclass(frozen=True, slots=True)
class NewDecision:
    """A decision to be kept; ``keys`` are the signals that it covers, ``place`` where its listing stands."""

    verdict: Verdict
    subject: Subject
    why: str
    made_by: str
    scope: tuple[str, ...] | None = None
    until: int | None = None
    keys: tuple[bytes, ...] = ()
    place: Place | None = None


def add_decision(connection: Connection, new: NewDecision, *, now: datetime) -> int:
    """Keep a decision; give its number."""
    row = tables.Decision
    values = {
        "made_at": int(now.timestamp()),
        "until": new.until,
        "verdict": new.verdict.value,
        "made_by": new.made_by,
        "why": new.why,
        "scope": None if new.scope is None else " ".join(sorted(set(new.scope))),
        "near": new.subject.near,
        "key": new.subject.key,
        "member": new.subject.member,
        "log_name": new.subject.log_name,
        "listing": new.subject.listing,
        "about_log": None if new.place is None else new.place.log,
        "about_position": None if new.place is None else new.place.position,
    }
    number = connection.execute(insert(row).values(**values).returning(col(row.number))).scalar_one()
    assert number is not None  # noqa: S101  # the column is the primary key
    keys = [{"key": key, "decision": number} for key in sorted(set(new.keys))]
    if keys:
        connection.execute(insert(tables.DecisionSignal), keys)
    return number


def end_decision(connection: Connection, number: int, *, by: str, why: str | None, now: datetime) -> None:
    """Let a decision count no more; it stays as history."""
    ending = update(tables.Decision).where(col(tables.Decision.number) == number, _STANDS)
    connection.execute(ending.values(ended_at=int(now.timestamp()), ended_by=by, ended_why=why))


def get_decision(connection: Connection, number: int, *, lock: bool = False) -> Decision:
    """Give one decision, ended or not; NotFoundError."""
    query = _ALL.where(col(tables.Decision.number) == number)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no decision {number}", mend="see `hashpact decide list`")
    return _decision(row)


def list_decisions(
    connection: Connection, *, ended: bool = False, before: int | None = None, limit: int | None = None
) -> list[Decision]:
    """List decisions, the newest first, those that ended only if asked; with numbers below ``before``."""
    query = _ALL.order_by(col(tables.Decision.number).desc())
    if not ended:
        query = query.where(_STANDS)
    if before is not None:
        query = query.where(col(tables.Decision.number) < before)
    if limit is not None:
        query = query.limit(limit)
    return [_decision(row) for row in connection.execute(query)]


def same_decisions(connection: Connection, subject: Subject, scope: tuple[str, ...] | None) -> list[Decision]:
    """Give the decisions that stand about exactly the same, for the same members, whatever they say."""
    row = tables.Decision
    wanted = {"key": subject.key, "near": subject.near, "member": subject.member, "log_name": subject.log_name}
    wanted |= {"listing": subject.listing, "scope": None if scope is None else " ".join(sorted(set(scope)))}
    same = [getattr(row, name).is_not_distinct_from(value) for name, value in wanted.items()]
    return [_decision(found) for found in connection.execute(_ALL.where(_STANDS, *same))]


def due_decisions(connection: Connection, *, now: datetime, limit: int) -> list[Decision]:
    """Give decisions that stand although their time is over."""
    row = tables.Decision
    query = _ALL.where(_STANDS, col(row.until) <= int(now.timestamp())).order_by(col(row.until))
    return [_decision(found) for found in connection.execute(query.limit(limit))]


def near_decisions(connection: Connection) -> list[Decision]:
    """Give the decisions that stand about signals and what lies near them, the newest first."""
    row = tables.Decision
    query = _ALL.where(_STANDS, col(row.near).is_not(None)).order_by(col(row.number).desc())
    return [_decision(found) for found in connection.execute(query)]


def keys_of(connection: Connection, number: int) -> list[bytes]:
    """Give the signals that a decision covers, sorted; without those that only lie near."""
    row = tables.DecisionSignal
    query = select(col(row.key)).where(col(row.decision) == number).order_by(col(row.key))
    return [bytes(key) for key in connection.execute(query).scalars()]


def signal_decisions(
    connection: Connection, keys: Collection[bytes], *, now: datetime
) -> dict[bytes, tuple[LocalDecision, ...]]:
    """Give what this company decided about those of the signals about which it did, in the order in which it counts.

    What was said of exactly this signal goes before what was said of one that lies near; then the newest goes first.
    """
    exact: dict[bytes, list[tuple[int, LocalDecision]]] = {}
    if not keys or not _any_stands(connection):
        return {}
    query = (
        "SELECT s.key, d.number, d.verdict, d.scope, d.until, d.why FROM decision_signal s "
        "JOIN decision d ON d.number = s.decision WHERE d.ended_at IS NULL AND (d.until IS NULL OR d.until > {mark}) "
        "AND s.key IN ({values})"
    )
    for key, number, *told in select_in(connection, query, keys, before=(int(now.timestamp()),), chunk=KEYS_AT_ONCE):
        exact.setdefault(bytes(key), []).append((number, _local(*told)))
    found = {key: [local for _, local in sorted(each, key=_newest_first)] for key, each in exact.items()}
    for key, near in _near(near_decisions(connection), keys, now).items():
        each = found.setdefault(key, [])
        each += [one for one in near if one not in each]  # what lies near includes the signal itself
    return {key: tuple(each) for key, each in found.items()}


def listing_decisions(
    connection: Connection, places: Collection[Place], *, now: datetime
) -> dict[Place, tuple[LocalDecision, ...]]:
    """Give what this company decided about the listings that win at some places, about which it did; newest first."""
    if not places or not _any_stands(connection):
        return {}
    row = tables.Decision
    over = int(now.timestamp())
    query = select(col(row.about_log), col(row.about_position), *_LOCAL)
    query = query.where(_STANDS, col(row.about_log).is_not(None), col(row.until).is_(None) | (col(row.until) > over))
    wanted = set(places)
    found: dict[Place, list[LocalDecision]] = {}
    for log, position, *told in connection.execute(query.order_by(col(row.number).desc())):
        if (log, position) in wanted:
            found.setdefault(Place(log, position), []).append(_local(*told))
    return {place: tuple(each) for place, each in found.items()}


def decided_listings(connection: Connection, member: str, log_name: str) -> set[bytes]:
    """Give the listings, by id, of a member's logs of one name about which a decision stands."""
    row = tables.Decision
    query = select(col(row.listing)).where(_STANDS, col(row.member) == member, col(row.log_name) == log_name)
    return {bytes(listing) for listing in connection.execute(query).scalars() if listing is not None}


def place_decisions(connection: Connection, member: str, log_name: str, places: Mapping[bytes, Place | None]) -> None:
    """Write down where listings stand now about which there are decisions; None where they do not."""
    query = (
        "UPDATE decision SET about_log = {mark}, about_position = {mark} "
        "WHERE member = {mark} AND log_name = {mark} AND listing = {mark}"
    )
    rows = [(*(place or (None, None)), member, log_name, listing) for listing, place in places.items()]
    run_many(connection, query, rows)


def hamming(one: bytes, other: bytes) -> int:
    """Give in how many bits two values of equal length differ."""
    return (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()


def _near(decisions: Iterable[Decision], keys: Collection[bytes], now: datetime) -> dict[bytes, list[LocalDecision]]:
    """Give for each key the decisions about what it lies near to, in the order in which they come."""
    centres = [
        (int.from_bytes(one.subject.key[1:]), one.subject.near, one.local)
        for one in decisions
        if one.subject.key is not None
        and one.subject.near is not None
        and (one.until is None or one.until > now.timestamp())
    ]
    found: dict[bytes, list[LocalDecision]] = {}
    if not centres:
        return found
    for key in keys:
        if key[0] != NEAR_CODE:
            continue
        value = int.from_bytes(key[1:])
        near = [local for centre, distance, local in centres if (value ^ centre).bit_count() <= distance]
        if near:
            found[key] = near
    return found


def _newest_first(numbered: tuple[int, LocalDecision]) -> int:
    return -numbered[0]


def _any_stands(connection: Connection) -> bool:
    return connection.execute(select(col(tables.Decision.number)).where(_STANDS).limit(1)).first() is not None


def _local(verdict: str, scope: str | None, until: int | None, why: str) -> LocalDecision:
    return LocalDecision(Verdict(verdict), None if scope is None else frozenset(scope.split()), until, why)


_STANDS: Final[ColumnElement[bool]] = col(tables.Decision.ended_at).is_(None)
_LOCAL: Final[tuple[Any, ...]] = (
    col(tables.Decision.verdict),
    col(tables.Decision.scope),
    col(tables.Decision.until),
    col(tables.Decision.why),
)
_ALL: Final[Any] = select(tables.Decision)


def _decision(row: Any) -> Decision:
    subject = Subject(_bytes(row.key), row.near, row.member, row.log_name, _bytes(row.listing))
    return Decision(
        row.number,
        Verdict(row.verdict),
        subject,
        None if row.scope is None else tuple(row.scope.split()),
        row.until,
        row.why,
        row.made_at,
        row.made_by,
        row.ended_at,
        row.ended_by,
        row.ended_why,
    )


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)
