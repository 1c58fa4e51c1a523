"""What members say of incidents, and when listings that belong to them arrived here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, delete, func, select
from sqlmodel import col

from hashpact_node.store.database import insert_into
from hashpact_node.store.peers import FOLLOWED
from hashpact_node.store.tables import Peer, Statement
from hashpact_node.store.tables import Sequence as SequenceRow
from hashpact_node.store.tables_incidents import IncidentArrival, IncidentStep
from hashpact_protocol.card_logs import LogKind
from hashpact_protocol.claims import Place
from hashpact_protocol.incidents import STEPS_KEPT, Status, Step
from hashpact_protocol.merge import id_bytes, id_text
from hashpact_protocol.statements import Incident

ARRIVALS_KEPT = 100_000
"""Of how many listings of one sequence of logs it is measured when they arrived; the first ones."""

MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class PlacedStep:
    """An incident statement and where it stands."""

    log: int
    position: int
    said: Incident


@dataclass(frozen=True, slots=True)
class Arrival:
    """A listing (id) of an incident: who published it, when by its clock (Unix seconds), when it was merged by ours.

    ``merged_at`` is in Unix seconds with fractions, None where it is not known. ``followed_at``: since when the member
    has been followed, Unix seconds. ``place``: where its winning revision stands, None where it is withdrawn or counts
    no more.
    """

    member: str
    listing: str
    said_at: int
    merged_at: float | None
    followed_at: int
    place: Place | None = None


def add_steps(connection: Connection, sequence: int, steps: Sequence[PlacedStep], *, seen_at: int | None) -> None:
    """Add incident statements of one sequence, in order, behind those that stand; the newest are kept.

    One that a successor restates, byte for byte, was seen when it was seen first.
    """
    if not steps:
        return
    standing = _standing(connection, sequence)
    seen = _first_seen(standing)
    first = standing[-1].place + 1 if standing else 0
    rows = [_row(sequence, place, step, seen.get(_told(step), seen_at)) for place, step in enumerate(steps, first)]
    connection.execute(insert_into(connection, IncidentStep), rows)
    beyond = len(standing) + len(rows) - STEPS_KEPT
    if beyond > 0:
        kept = [*(one.place for one in standing), *range(first, first + len(rows))][beyond]
        mine = col(IncidentStep.sequence) == sequence
        connection.execute(delete(IncidentStep).where(mine, col(IncidentStep.place) < kept))


def replace_steps(connection: Connection, sequence: int, steps: Sequence[PlacedStep]) -> int:
    """Let exactly these, in order, be the incident statements of a sequence; give how many were not right.

    What stood already keeps when it was merged; of others that is not known.
    """
    standing, steps = _standing(connection, sequence), steps[-STEPS_KEPT:]
    before = [(one.log, one.position, one.said) for one in standing]
    right = [(one.log, one.position, _told(one)) for one in steps]
    if before == right:
        return 0
    seen = _first_seen(standing)
    connection.execute(delete(IncidentStep).where(col(IncidentStep.sequence) == sequence))
    if steps:
        rows = [_row(sequence, place, step, seen.get(_told(step))) for place, step in enumerate(steps)]
        connection.execute(insert_into(connection, IncidentStep), rows)
    return len(set(right) ^ set(before)) or 1


def spoken_of(connection: Connection, peer: int) -> set[str]:
    """Give the incidents of which a member, given by its local number, has said anything that is kept."""
    query = (
        select(col(IncidentStep.incident))
        .join(SequenceRow, col(SequenceRow.number) == col(IncidentStep.sequence))
        .where(col(SequenceRow.peer) == peer, col(SequenceRow.name) == LogKind.CRISIS.value)
        .distinct()
    )
    return {id_text(bytes(incident)) for incident in connection.execute(query).scalars()}


def tagged_places(connection: Connection, incidents: Iterable[str]) -> list[Place]:
    """Give where the winning revisions of live listings stand that named one of these incidents when they arrived."""
    owns = (col(Statement.sequence) == col(IncidentArrival.sequence)) & (
        col(Statement.id) == col(IncidentArrival.listing)
    )
    named = col(IncidentArrival.incident).in_([id_bytes(one) for one in incidents])
    query = select(col(Statement.log), col(Statement.position)).join(IncidentArrival, owns)
    query = query.where(named, col(Statement.live).is_(True))
    return sorted(Place(log, position) for log, position in connection.execute(query))


def drop_steps(connection: Connection, log: int) -> None:
    """Forget the incident statements of one log: it counts no more."""
    connection.execute(delete(IncidentStep).where(col(IncidentStep.log) == log))


def list_steps(connection: Connection, incident: str | None = None) -> list[Step]:
    """Give what this member and those whom it follows say of all incidents, or of one, in no order.

    It is said in logs named ``crisis``; what stands in the logs of audiences counts for nobody.
    """
    query = (
        select(col(Peer.member), col(IncidentStep.place), col(IncidentStep.seen_at), col(IncidentStep.said))
        .join(SequenceRow, col(SequenceRow.number) == col(IncidentStep.sequence))
        .join(Peer, col(Peer.number) == col(SequenceRow.peer))
        .where(col(Peer.state).in_(FOLLOWED), col(SequenceRow.name) == LogKind.CRISIS.value)
    )
    if incident is not None:
        query = query.where(col(IncidentStep.incident) == id_bytes(incident))
    return [_step(*row) for row in connection.execute(query)]


@dataclass(frozen=True, slots=True)
class NewArrival:
    """A listing to be measured: its id and its incident's (16 bytes each), its time by its publisher's clock."""

    listing: bytes
    incident: bytes
    said_at: int


def add_arrivals(
    connection: Connection, sequence: int, arrivals: Iterable[NewArrival], *, merged_at: float | None
) -> None:
    """Write down when listings arrived (Unix seconds); of one that did before, and beyond the bound, nothing."""
    first: dict[bytes, NewArrival] = {}
    for arrival in arrivals:
        first.setdefault(arrival.listing, arrival)
    count = select(func.count()).select_from(IncidentArrival).where(col(IncidentArrival.sequence) == sequence)
    room = max(0, ARRIVALS_KEPT - connection.execute(count).scalar_one()) if first else 0
    merged = None if merged_at is None else round(merged_at * MICROSECONDS)
    rows = [
        {
            "sequence": sequence,
            "listing": one.listing,
            "incident": one.incident,
            "said_at": one.said_at,
            "merged_at": merged,
        }
        for one in list(first.values())[:room]
    ]
    if rows:
        connection.execute(insert_into(connection, IncidentArrival).on_conflict_do_nothing(), rows)


def list_arrivals(connection: Connection, incident: str) -> list[Arrival]:
    """Give the listings of an incident by followed members and this one, in the order of their times."""
    columns = (
        col(Peer.member),
        col(IncidentArrival.listing),
        col(IncidentArrival.said_at),
        col(IncidentArrival.merged_at),
        col(Peer.added_at),
        col(Statement.log),
        col(Statement.position),
        col(Statement.live),
    )
    owns = (col(Statement.sequence) == col(IncidentArrival.sequence)) & (
        col(Statement.id) == col(IncidentArrival.listing)
    )
    query = (
        select(*columns)
        .outerjoin(Statement, owns)
        .join(SequenceRow, col(SequenceRow.number) == col(IncidentArrival.sequence))
        .join(Peer, col(Peer.number) == col(SequenceRow.peer))
        .where(col(IncidentArrival.incident) == id_bytes(incident), col(Peer.state).in_(FOLLOWED))
        .order_by(col(IncidentArrival.said_at), col(Peer.member), col(IncidentArrival.listing))
    )
    return [
        Arrival(
            member,
            id_text(bytes(listing)),
            said,
            None if merged is None else merged / MICROSECONDS,
            added,
            Place(log, position) if live else None,
        )
        for member, listing, said, merged, added, log, position, live in connection.execute(query)
    ]


class _Standing(NamedTuple):
    place: int
    log: int
    position: int
    seen_at: int | None
    said: bytes


def _standing(connection: Connection, sequence: int) -> list[_Standing]:
    row = IncidentStep
    query = select(col(row.place), col(row.log), col(row.position), col(row.seen_at), col(row.said))
    found = connection.execute(query.where(col(row.sequence) == sequence).order_by(col(row.place)))
    return [_Standing(place, log, position, seen_at, bytes(said)) for place, log, position, seen_at, said in found]


def _first_seen(standing: Sequence[_Standing]) -> dict[bytes, int | None]:
    """Give when each statement was merged first, by its bytes."""
    return {one.said: one.seen_at for one in reversed(standing)}


def _told(step: PlacedStep) -> bytes:
    return msgspec.json.encode(step.said)


def _row(sequence: int, place: int, step: PlacedStep, seen_at: int | None) -> dict[str, object]:
    return {
        "sequence": sequence,
        "place": place,
        "log": step.log,
        "position": step.position,
        "seen_at": seen_at,
        "incident": id_bytes(step.said.incident),
        "said": _told(step),
    }


def _step(member: str, place: int, seen_at: int | None, said: bytes) -> Step:
    one = msgspec.json.decode(bytes(said), type=Incident)
    return Step(member, place, one.incident, Status(one.status), one.time, one.title, one.type, one.note, seen_at)
