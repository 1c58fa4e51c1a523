"""Incidents: what this member says of them, what all say, and which are active here (docs/protocol.md, Incidents)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from hashpact_node.services.incident_report import IncidentReport, make_report
from hashpact_node.services.incident_states import IncidentShown, check_id, incidents, must_be_known, shown
from hashpact_node.services.stating import Stated, Stating
from hashpact_node.services.views import own_peer
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.incidents import list_steps
from hashpact_protocol.card_logs import LogKind
from hashpact_protocol.errors import ConflictError, RequestError
from hashpact_protocol.incidents import DEFAULT_RULES, Incident, IncidentRules, Status, Step, judge, newest
from hashpact_protocol.statement_fields import format_time
from hashpact_protocol.statements import Incident as IncidentStatement


@dataclass(frozen=True, slots=True)
class Words:
    """What a member may say of an incident beside its status; None leaves it as it said before, or as others say."""

    title: str | None = None
    type: str | None = None
    note: str | None = None


NO_WORDS = Words()


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

    def report(self, incident: str) -> IncidentReport:
        """Report on one incident; NotFoundError where nobody speaks of it."""
        with self.database.read() as connection:
            return make_report(connection, incident, self.rules(), now=self.now())

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
            must_be_known(connection, incident)
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
            found = must_be_known(connection, incident, self.rules())
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


def _own_word(connection: Connection, incident: str) -> Step | None:
    return newest(list_steps(connection, incident)).get((incident, own_peer(connection).member))


def _must_have_spoken(connection: Connection, incident: str) -> Step:
    mine = _own_word(connection, check_id(incident))
    if mine is None:
        raise ConflictError(
            "this member says nothing of this incident", where=incident, mend="see `hashpact incident show`"
        )
    return mine
