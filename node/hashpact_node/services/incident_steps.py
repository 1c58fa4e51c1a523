"""Keep what logs say of incidents in step with what of them is merged (docs/protocol.md, Incidents)."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from hashpact_node.services.views import own_number
from hashpact_node.store.alarms import raise_alarm
from hashpact_node.store.connection import Connection
from hashpact_node.store.incidents import NewArrival, PlacedStep, add_arrivals, add_steps, spoken_of
from hashpact_node.store.logs import Log
from hashpact_protocol.card_logs import LogKind
from hashpact_protocol.incidents import Status
from hashpact_protocol.merge import Merged
from hashpact_protocol.statement_fields import parse_time

NEWS: Final = "incident-news"


def remember_incidents(connection: Connection, log: Log, merged: Merged, *, now: datetime) -> None:
    """Store what one batch of a log says of incidents, and that its listings of incidents arrived; tell people of news.

    The listings are matchable once the transaction is committed: the next lookup finds them.
    """
    add_steps(connection, log.sequence, steps_of(log.number, merged), seen_at=int(now.timestamp()))
    remember_arrivals(connection, log.sequence, merged, now=now)
    if merged.steps and log.name == LogKind.CRISIS:
        _tell_news(connection, log, merged, now)


def _tell_news(connection: Connection, log: Log, merged: Merged, now: datetime) -> None:
    """Raise an alarm where a peer speaks of an incident that this member has said nothing of.

    What the peer calls it is not told here: it is text of others, as long and odd as they like.
    """
    own = own_number(connection)
    spoken = spoken_of(connection, own)
    news = [said for _, said in merged.steps if said.status != Status.CONCLUDED and said.incident not in spoken]
    if log.peer == own or not news:
        return
    what = f"{log.member} says that an incident is {news[-1].status}, of which this member says nothing: "
    mend = (
        f"look at it with `hashpact incident show {news[-1].incident}`; then activate or join it, or clear this alarm"
    )
    raise_alarm(connection, NEWS, what + news[-1].incident, mend=mend, now=now, peer=log.peer, log=log.number)


def remember_arrivals(connection: Connection, sequence: int, merged: Merged, *, now: datetime | None) -> None:
    """Write down when the listings of one batch that name an incident arrived; the first time counts."""
    arrivals = [NewArrival(one.id, one.incident, int(parse_time(one.time).timestamp())) for one in merged.tagged]
    add_arrivals(connection, sequence, arrivals, merged_at=None if now is None else now.timestamp())


def steps_of(log: int, merged: Merged) -> list[PlacedStep]:
    """Give the incident statements of one batch of a log with their places."""
    return [PlacedStep(log, position, said) for position, said in merged.steps]
