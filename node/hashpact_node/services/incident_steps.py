"""Keep what logs say of incidents in step with what of them is merged (docs/protocol.md, Incidents)."""

from __future__ import annotations

from datetime import datetime

from hashpact_node.store.connection import Connection
from hashpact_node.store.incidents import NewArrival, PlacedStep, add_arrivals, add_steps
from hashpact_protocol.merge import Merged
from hashpact_protocol.statement_fields import parse_time


def remember_incidents(
    connection: Connection, sequence: int, log: int, merged: Merged, *, now: datetime | None
) -> None:
    """Store what one batch of a log says of incidents, and when listings of incidents arrived.

    ``now`` is the moment of merging, None where it is not known. The listings are matchable once the transaction is
    committed: the next lookup finds them.
    """
    add_steps(connection, sequence, steps_of(log, merged), seen_at=None if now is None else int(now.timestamp()))
    remember_arrivals(connection, sequence, merged, now=now)


def remember_arrivals(connection: Connection, sequence: int, merged: Merged, *, now: datetime | None) -> None:
    """Write down when the listings of one batch that name an incident arrived; the first time counts."""
    arrivals = [NewArrival(one.id, one.incident, int(parse_time(one.time).timestamp())) for one in merged.tagged]
    add_arrivals(connection, sequence, arrivals, merged_at=None if now is None else now.timestamp())


def steps_of(log: int, merged: Merged) -> list[PlacedStep]:
    """Give the incident statements of one batch of a log with their places."""
    return [PlacedStep(log, position, said) for position, said in merged.steps]
