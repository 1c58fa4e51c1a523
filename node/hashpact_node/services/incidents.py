"""Incidents: what this member says of them, what all say, and which are active here (docs/protocol.md, Incidents)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from hashpact_node.services.incident_times import MemberTimes, member_times
from hashpact_node.services.stating import Stated, Stating
from hashpact_node.services.views import own_peer
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.incidents import list_arrivals, list_steps
from hashpact_node.store.key_watch import list_readings
from hashpact_protocol.card_logs import LogKind
from hashpact_protocol.errors import ConflictError, NotFoundError, RequestError, StatementError
from hashpact_protocol.incidents import DEFAULT_RULES, Incident, IncidentRules, Status, Step, Turn, judge, newest, turns
from hashpact_protocol.statement_fields import check_identifier, format_time
from hashpact_protocol.statements import Incident as IncidentStatement

MILLISECONDS = 1_000


@dataclass(frozen=True, slots=True)
class Words:
    """What a member may say of an incident beside its status; None leaves it as it said before, or as others say."""

    title: str | None = None
    type: str | None = None
    note: str | None = None


NO_WORDS = Words()


@dataclass(frozen=True, slots=True)
class IncidentShown:
    """An incident as people look at it: what it is, the newest word of each, its turns here, and what was measured."""

    incident: Incident
    needed: int
    words: tuple[Step, ...]
    turns: tuple[Turn, ...]
    times: tuple[MemberTimes, ...]


@dataclass(frozen=True, slots=True)
class Said:
    """What this member said of an incident, and how its statement stands."""

    incident: str
    status: Status
    stated: Stated


@dataclass(frozen=True, slots=True)
class Incidents:
    """Says and tells; may be shared by threads. ``rules`` gives those of the policy in force."""

    database: Database
    stating: Stating
    now: Callable[[], datetime]
    rules: Callable[[], IncidentRules] = lambda: DEFAULT_RULES

    def list(self, *, status: Status | None = None) -> list[Incident]:
        """Give all incidents of which anybody speaks, the active ones first; or those of one status."""
        with self.database.read() as connection:
            found = incidents(connection, self.rules())
        order = [Status.ACTIVE, Status.PROPOSED, Status.CONCLUDED]
        return [one for each in order for one in found.values() if one.status is each and status in (None, each)]

    def show(self, incident: str) -> IncidentShown:
        """Give one incident; NotFoundError where nobody speaks of it."""
        with self.database.read() as connection:
            return shown(connection, incident, self.rules())

    def propose(self, words: Words, *, incident: str | None = None, wait: bool = True) -> Said:
        """Propose an incident, by default a new one; raises what ``Stating.publish`` raises, RequestError for an id."""
        identifier = str(uuid.uuid4()) if incident is None else check_id(incident)

        def make(connection: Connection) -> list[IncidentStatement]:
            mine = _own_word(connection, identifier)
            if mine is not None and mine.status is Status.ACTIVE:
                raise ConflictError(
                    "this member says already that it is active", where=identifier, mend="conclude it where it is over"
                )
            return [self._statement(connection, identifier, Status.PROPOSED, words)]

        return self._say(identifier, Status.PROPOSED, make, wait=wait)

    def activate(self, incident: str, words: Words = NO_WORDS, *, wait: bool = True) -> Said:
        """Say that an incident is active: one of the words that make it so.

        Raises NotFoundError where nobody speaks of it, ConflictError where this member says so already, and what
        ``Stating.publish`` raises.
        """

        def make(connection: Connection) -> list[IncidentStatement]:
            _must_be_known(connection, incident)
            mine = _own_word(connection, incident)
            if mine is not None and mine.status is Status.ACTIVE:
                raise ConflictError(
                    "this member says so already",
                    where=incident,
                    mend="others have to say so, too, if it is not active yet; `hashpact incident show` tells",
                )
            return [self._statement(connection, incident, Status.ACTIVE, words)]

        return self._say(incident, Status.ACTIVE, make, wait=wait)

    def join(self, incident: str, words: Words = NO_WORDS, *, wait: bool = True) -> Said:
        """Take part in an incident that is active here; ConflictError where it is not, else as ``activate``."""
        with self.database.read() as connection:
            found = _must_be_known(connection, incident, self.rules())
        if found.status is not Status.ACTIVE:
            raise ConflictError(
                f"this incident is not active here: it is {found.status.value}",
                where=incident,
                mend="`hashpact incident activate` helps to make it active",
            )
        return self.activate(incident, words, wait=wait)

    def update(self, incident: str, words: Words, *, wait: bool = True) -> Said:
        """Say again what this member says of an incident, with other text.

        Raises ConflictError where it says nothing of it, RequestError where nothing would change, and what
        ``Stating.publish`` raises.
        """
        with self.database.read() as connection:
            mine = _must_have_spoken(connection, incident)
        status = mine.status

        def make(connection: Connection) -> list[IncidentStatement]:
            before = _must_have_spoken(connection, incident)
            statement = self._statement(connection, incident, before.status, words)
            if (statement.title, statement.type, statement.note) == (before.title, before.type, before.note):
                raise RequestError("nothing would change", where=incident, mend="give a title, a type or a note")
            return [statement]

        return self._say(incident, status, make, wait=wait)

    def conclude(self, incident: str, words: Words = NO_WORDS, *, wait: bool = True) -> Said:
        """Say that an incident is over for this member; its listings stay, and more may be published.

        Raises ConflictError where it says nothing of it or said so already, and what ``Stating.publish`` raises.
        """

        def make(connection: Connection) -> list[IncidentStatement]:
            if _must_have_spoken(connection, incident).status is Status.CONCLUDED:
                raise ConflictError("this member says so already", where=incident)
            return [self._statement(connection, incident, Status.CONCLUDED, words)]

        return self._say(incident, Status.CONCLUDED, make, wait=wait)

    def _say(
        self, incident: str, status: Status, make: Callable[[Connection], Sequence[IncidentStatement]], *, wait: bool
    ) -> Said:
        (stated,) = self.stating.publish(LogKind.CRISIS, make, wait=wait)
        return Said(incident, status, stated)

    def _statement(self, connection: Connection, incident: str, status: Status, words: Words) -> IncidentStatement:
        """Make a statement that is whole: what is not given is as this member said before, else as most say."""
        mine = _own_word(connection, incident)
        others = judge(list_steps(connection, incident)).get(incident)
        title, kind = (mine.title, mine.type) if mine else (others.title, others.type) if others else (None, None)
        return IncidentStatement(
            id=str(uuid.uuid4()),
            time=format_time(self.now()),
            incident=incident,
            status=status.value,
            title=title if words.title is None else words.title,
            type=kind if words.type is None else words.type,
            note=(mine.note if mine else None) if words.note is None else words.note,
        )


def incidents(connection: Connection, rules: IncidentRules = DEFAULT_RULES) -> dict[str, Incident]:
    """Give what every incident of which anybody speaks is, under rules."""
    return judge(list_steps(connection), rules)


def active_incidents(connection: Connection, rules: IncidentRules = DEFAULT_RULES) -> list[Incident]:
    """Give the incidents that are active here, under rules, in order of their ids; what policy asks."""
    return [one for one in incidents(connection, rules).values() if one.status is Status.ACTIVE]


def shown(connection: Connection, incident: str, rules: IncidentRules) -> IncidentShown:
    """Give one incident with all that is known of it; NotFoundError where nobody speaks of it."""
    found = _must_be_known(connection, incident, rules)
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


def _must_be_known(connection: Connection, incident: str, rules: IncidentRules = DEFAULT_RULES) -> Incident:
    found = judge(list_steps(connection, check_id(incident)), rules).get(incident)
    if found is None:
        raise NotFoundError(
            "nobody speaks of such an incident", where=incident, mend="see `hashpact incident list`, or propose it"
        )
    return found


def _own_word(connection: Connection, incident: str) -> Step | None:
    return newest(list_steps(connection, incident)).get((incident, own_peer(connection).member))


def _must_have_spoken(connection: Connection, incident: str) -> Step:
    mine = _own_word(connection, check_id(incident))
    if mine is None:
        raise ConflictError(
            "this member says nothing of this incident", where=incident, mend="see `hashpact incident show`"
        )
    return mine
