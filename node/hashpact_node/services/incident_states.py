"""What incidents are here, out of what is merged of all members' words (docs/protocol.md, Incidents)."""

from __future__ import annotations

from dataclasses import dataclass

from hashpact_node.services.incident_times import MemberTimes, member_times
from hashpact_node.services.views import incidents_in_directory, own_peer
from hashpact_node.store.connection import Connection
from hashpact_node.store.incidents import list_arrivals, list_steps
from hashpact_node.store.key_watch import list_readings
from hashpact_protocol.errors import NotFoundError, StatementError
from hashpact_protocol.incidents import DEFAULT_RULES, Incident, IncidentRules, Status, Step, Turn, judge, newest, turns
from hashpact_protocol.statement_fields import check_identifier

MILLISECONDS = 1_000


@dataclass(frozen=True, slots=True)
class IncidentShown:
    """An incident as people look at it: what it is, the newest word of each, its turns here, and what was measured."""

    incident: Incident
    needed: int
    words: tuple[Step, ...]
    turns: tuple[Turn, ...]
    times: tuple[MemberTimes, ...]


def incidents(connection: Connection, rules: IncidentRules = DEFAULT_RULES) -> dict[str, Incident]:
    """Give what every incident of which anybody speaks is, under rules."""
    return judge(list_steps(connection), rules, directory=incidents_in_directory(connection, rules))


def active_incidents(connection: Connection, rules: IncidentRules = DEFAULT_RULES) -> list[Incident]:
    """Give the incidents that are active here, under rules, in order of their ids; what policy asks."""
    return [one for one in incidents(connection, rules).values() if one.status is Status.ACTIVE]


def shown(connection: Connection, incident: str, rules: IncidentRules) -> IncidentShown:
    """Give one incident with all that is known of it; NotFoundError where nobody speaks of it."""
    found = must_be_known(connection, incident, rules)
    steps = list_steps(connection, incident)
    words = sorted(newest(steps).values(), key=lambda one: one.member)
    times = member_times(list_arrivals(connection, incident), clocks_ahead(connection))
    return IncidentShown(found, rules.members, tuple(words), tuple(turns(steps, rules)), tuple(times))


def clocks_ahead(connection: Connection) -> dict[str, float]:
    """Give by how many seconds our clock is ahead of each peer's, as last heard; our own is not ahead of itself."""
    found = {one.member: one.offset_ms / MILLISECONDS for one in list_readings(connection)}
    return {**found, own_peer(connection).member: 0.0}


def check_id(incident: str) -> str:
    """Give the id of an incident; NotFoundError when it cannot be one."""
    try:
        return check_identifier(incident)
    except StatementError as error:
        raise NotFoundError(
            f"{incident[:60]!r} {error.what}, so no incident has this id", mend="see `hashpact incident list`"
        ) from None


def must_be_known(connection: Connection, incident: str, rules: IncidentRules = DEFAULT_RULES) -> Incident:
    """Give what one incident is, under rules; NotFoundError where nobody speaks of it."""
    steps, directory = list_steps(connection, check_id(incident)), incidents_in_directory(connection, rules)
    found = judge(steps, rules, directory=directory).get(incident)
    if found is None:
        raise NotFoundError(
            "nobody speaks of such an incident", where=incident, mend="see `hashpact incident list`, or propose it"
        )
    return found
