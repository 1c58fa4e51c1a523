"""What members think of listings, as merged out of their logs: the newest of each sequence on each listing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, delete, func, select
from sqlmodel import col

from hashpact_node.store import tables_opinions as tables
from hashpact_node.store.bulk import Target, replace_rows, run_many, select_in
from hashpact_node.store.tables import Peer
from hashpact_node.store.tables import Sequence as SequenceRow
from hashpact_protocol.claims import Place
from hashpact_protocol.facts import NO_OPINIONS, OpinionFacts

KEYS_AT_ONCE: Final = 500
MANY: Final = 5_000
"""From so many on, all rows are looked through instead of being asked for one by one."""

AGREE: Final = "agree"
DISAGREE: Final = "disagree"
TAKEN_BACK: Final = "none"

_TARGET: Final = Target(
    "opinion",
    (
        *("sequence", "member", "log_name", "listing"),
        *("position", "time", "about_position", "log", "about_log", "verdict", "reason", "leaf"),
    ),
    ("int4", "text", "text", "bytea", "int8", "int8", "int8", "int4", "int4", "text", "text", "bytea"),
    4,
)


class Listed(NamedTuple):
    """A listing by whose it is, the name of its logs, and its id (16 bytes)."""

    member: str
    log_name: str
    listing: bytes


@dataclass(frozen=True, slots=True)
class Opinion:
    """One row. ``place`` is its own, ``about`` that of the winning revision that it is about, None if of none.

    ``time`` is that of the statement, in Unix seconds.
    """

    sequence: int
    listed: Listed
    place: Place
    time: int
    verdict: str
    reason: str | None
    leaf: bytes
    about: Place | None = None


def put_opinions(connection: Connection, opinions: Iterable[Opinion]) -> None:
    """Store opinions, each in the place of an older one of its sequence on the same listing."""
    rows = [
        (
            one.sequence,
            *one.listed,
            one.place.position,
            one.time,
            None if one.about is None else one.about.position,
            one.place.log,
            None if one.about is None else one.about.log,
            one.verdict,
            one.reason,
            one.leaf,
        )
        for one in opinions
    ]
    replace_rows(connection, _TARGET, sorted(rows, key=lambda row: row[:4]))


def find_opinions(connection: Connection, sequence: int, listed: Collection[Listed]) -> dict[Listed, Opinion]:
    """Give the opinions of one sequence on some listings."""
    row = tables.Opinion
    found: dict[Listed, Opinion] = {}
    ids = sorted({one.listing for one in listed})
    for at in range(0, len(ids), KEYS_AT_ONCE):
        part = ids[at : at + KEYS_AT_ONCE]
        query = _ALL.where(col(row.sequence) == sequence, col(row.listing).in_(part))
        found.update((one.listed, one) for one in map(_opinion, connection.execute(query)) if one.listed in listed)
    return found


def opinions_about(
    connection: Connection, member: str, log_name: str, listings: Collection[bytes] | None = None
) -> list[Opinion]:
    """Give all opinions on listings, or on some (ids), of a member's logs of one name."""
    row = tables.Opinion
    about = _ALL.where(col(row.member) == member, col(row.log_name) == log_name)
    if listings is None or len(listings) > MANY:
        found = map(_opinion, connection.execute(about))
        return [one for one in found if listings is None or one.listed.listing in listings]
    ids = sorted(listings)
    opinions: list[Opinion] = []
    for at in range(0, len(ids), KEYS_AT_ONCE):
        query = about.where(col(row.listing).in_(ids[at : at + KEYS_AT_ONCE]))
        opinions += map(_opinion, connection.execute(query))
    return opinions


def any_about(connection: Connection, member: str, log_name: str) -> bool:
    """Say whether anybody thinks anything of a listing in a member's logs of one name."""
    row = tables.Opinion
    query = select(col(row.sequence)).where(col(row.member) == member, col(row.log_name) == log_name).limit(1)
    return connection.execute(query).first() is not None


def place_opinions(connection: Connection, places: Iterable[tuple[Opinion, Place | None]]) -> None:
    """Write down which revision opinions are about: the winning one at a place, or none."""
    query = (
        "UPDATE opinion SET about_log = {mark}, about_position = {mark} WHERE sequence = {mark} AND member = {mark} "
        "AND log_name = {mark} AND listing = {mark}"
    )
    run_many(connection, query, [(*(about or (None, None)), one.sequence, *one.listed) for one, about in places])


def drop_opinions_of(connection: Connection, log: int) -> list[Place]:
    """Forget the opinions that stand in a log; give the places of the listings that they were about."""
    row = tables.Opinion
    gone = delete(row).where(col(row.log) == log).returning(col(row.about_log), col(row.about_position))
    places = [(log, position) for log, position in connection.execute(gone)]
    return [Place(log, position) for log, position in places if log is not None and position is not None]


def drop_oldest(connection: Connection, sequence: int, *, keep: int) -> tuple[int, list[Place]]:
    """Forget all but the newest opinions of a sequence, by place; how many, and the places of what they were about."""
    row = tables.Opinion
    mine = col(row.sequence) == sequence
    surplus = connection.execute(select(func.count()).select_from(row).where(mine)).scalar_one() - keep
    if surplus <= 0:
        return 0, []
    query = _ALL.where(mine).order_by(col(row.log), col(row.position)).limit(surplus)
    old = [_opinion(found) for found in connection.execute(query)]
    query = "DELETE FROM opinion WHERE sequence = {mark} AND member = {mark} AND log_name = {mark} AND listing = {mark}"
    run_many(connection, query, [(one.sequence, *one.listed) for one in old])
    return len(old), [one.about for one in old if one.about is not None]


def opinions_at(connection: Connection, places: Collection[Place]) -> dict[Place, OpinionFacts]:
    """Give what members think of the winning revisions that stand at some places, of those of which any does.

    A member stands once: what it says in its general log goes before what it says to an audience.
    """
    told: dict[Place, dict[str, tuple[str, str | None]]] = {}
    for place, member, verdict, reason in _told(connection, places):
        told.setdefault(place, {}).setdefault(member, (verdict, reason))
    facts = {place: _facts(members) for place, members in told.items()}
    return {place: fact for place, fact in facts.items() if fact != NO_OPINIONS}


def list_opinions(connection: Connection, listed: Listed) -> list[tuple[str, Opinion]]:
    """Give all opinions on one listing with the members whose they are, those about older revisions included."""
    row = tables.Opinion
    query: Any = select(col(Peer.member).label("whose"), row).join_from(
        row, SequenceRow, col(SequenceRow.number) == col(row.sequence)
    )
    query = query.join(Peer, col(Peer.number) == col(SequenceRow.peer)).where(
        col(row.member) == listed.member,
        col(row.log_name) == listed.log_name,
        col(row.listing) == listed.listing,
    )
    return [(found.whose, _opinion(found)) for found in connection.execute(query.order_by(col(Peer.member)))]


def members_of(connection: Connection, sequences: Collection[int]) -> dict[int, str]:
    """Give whose some sequences of logs are, by their local numbers."""
    query = select(col(SequenceRow.number), col(Peer.member)).join(Peer, col(Peer.number) == col(SequenceRow.peer))
    found = connection.execute(query.where(col(SequenceRow.number).in_(list(sequences))))
    return {number: member for number, member in found if number is not None}


def drop_others(connection: Connection, sequence: int, kept: Collection[Listed]) -> list[Place]:
    """Forget the opinions of a sequence on all but some listings; give the places of what they were about."""
    standing = map(_opinion, connection.execute(_ALL.where(col(tables.Opinion.sequence) == sequence)))
    gone = [one for one in standing if one.listed not in kept]
    _drop(connection, sequence, [one.listed for one in gone])
    return [one.about for one in gone if one.about is not None]


def _drop(connection: Connection, sequence: int, listed: Iterable[Listed]) -> None:
    query = "DELETE FROM opinion WHERE sequence = {mark} AND member = {mark} AND log_name = {mark} AND listing = {mark}"
    run_many(connection, query, [(sequence, *one) for one in listed])


def count_opinions(connection: Connection) -> dict[tuple[str, str], int]:
    """Count the opinions that are held, by member and verdict, those that count for nothing included."""
    row = tables.Opinion
    query = (
        select(col(Peer.member), col(row.verdict), func.count())
        .join_from(row, SequenceRow, col(SequenceRow.number) == col(row.sequence))
        .join(Peer, col(Peer.number) == col(SequenceRow.peer))
        .group_by(col(Peer.member), col(row.verdict))
    )
    return {(member, verdict): count for member, verdict, count in connection.execute(query)}


def _told(connection: Connection, places: Collection[Place]) -> Iterable[tuple[Place, str, str, str | None]]:
    """Yield (place, member, verdict, reason); what stands in a general log first."""
    query = (
        "SELECT o.about_log, o.about_position, p.member, o.verdict, o.reason FROM opinion o "
        "JOIN sequence s ON s.number = o.sequence JOIN peer p ON p.number = s.peer WHERE o.about_log = {mark}"
    )
    order = " ORDER BY s.name"
    by_log: dict[int, list[int]] = {}
    for place in places:
        by_log.setdefault(place.log, []).append(place.position)
    for log, positions in by_log.items():
        if len(positions) > MANY:
            # The list of one element is there for the form of select_in.
            rows: Iterable[Sequence[Any]] = select_in(
                connection, query.replace("= {mark}", "IN ({values})") + order, [log]
            )
        else:
            one_by_one = query + " AND o.about_position IN ({values})" + order
            rows = select_in(connection, one_by_one, sorted(set(positions)), before=(log,), chunk=KEYS_AT_ONCE)
        wanted = set(positions)
        for about_log, position, member, verdict, reason in rows:
            if position in wanted:
                yield Place(about_log, position), member, verdict, reason


def _facts(opinions: Mapping[str, tuple[str, str | None]]) -> OpinionFacts:
    agree = tuple(sorted(member for member, (verdict, _) in opinions.items() if verdict == AGREE))
    against = sorted((member, reason) for member, (verdict, reason) in opinions.items() if verdict == DISAGREE)
    return OpinionFacts(agree, tuple(against))


_ALL: Final[Any] = select(tables.Opinion)


def _opinion(row: Any) -> Opinion:
    return Opinion(
        row.sequence,
        Listed(row.member, row.log_name, bytes(row.listing)),
        Place(row.log, row.position),
        row.time,
        row.verdict,
        row.reason,
        bytes(row.leaf),
        None if row.about_log is None else Place(row.about_log, row.about_position),
    )
