"""This company's own decisions: confirm, reject, allow, disable a signal or a listing. They beat every peer.

A decision about a signal is about everything that matches it in that way, whoever lists it. One about a listing is
about its content: it covers the signals that the listing has when it is decided about, so that nobody gets round it by
listing them again, and whatever the listing says later under its id. Nothing of it is derived from logs, so no pull, no
rebuild and no peer changes it; a backup holds it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from hashpact_node.services.actors import Actor
from hashpact_node.services.naming import find_listing, is_signal, listing_text, read_signal, signal_text
from hashpact_node.services.rejudging import rejudge_now
from hashpact_node.store.changes import Numbers, last_change
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.feed import stream_range
from hashpact_node.store.local_decisions import (
    NEAR_CODE,
    Decision,
    NewDecision,
    Subject,
    add_decision,
    due_decisions,
    end_decision,
    get_decision,
    hamming,
    keys_of,
    list_decisions,
    near_decisions,
    same_decisions,
)
from hashpact_node.store.opinions import Listed
from hashpact_protocol.claims import Place
from hashpact_protocol.errors import ConflictError, MemberNameError, RequestError
from hashpact_protocol.facts import Verdict
from hashpact_protocol.names import parse_member_id
from hashpact_protocol.signals import SIGNAL_TYPES
from hashpact_protocol.statement_fields import format_time

WHY_MAX: Final = 1_000
NEAR_MAX: Final = SIGNAL_TYPES["pdq"].threshold
NEAR_DECISIONS_MAX: Final = 1_000
"""How many decisions may cover what lies near: each new signal is compared with each of them."""

PAGE_MAX: Final = 1_000
DUE_AT_ONCE: Final = 100
RAN_OUT: Final = "its time was over"
DECIDED_ANEW: Final = "decided anew"
BY_ITSELF: Final = "itself"


@dataclass(frozen=True, slots=True)
class Choice:
    """What somebody wants to decide, about a signal (TYPE:VALUE) or a listing.

    ``near``: what lies within this distance is meant, too. ``scope``: about the claims of these members alone.
    """

    verdict: Verdict
    about: str
    why: str
    until: datetime | None = None
    near: int | None = None
    scope: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class DecisionView:
    """A decision as people look at it; ``about`` is a signal or listing in its text form, times are as on the wire.

    ``signals`` are those that it covers; what lies near is not among them. ``state``: ``stands`` or ``ended``.
    """

    number: int
    verdict: str
    about: str
    near: int | None
    scope: tuple[str, ...] | None
    why: str
    until: str | None
    state: str
    made_at: str
    made_by: str
    ended_at: str | None
    ended_by: str | None
    ended_why: str | None
    signals: tuple[str, ...]


class _Near(NamedTuple):
    """What lay near a signal at the change ``since``."""

    keys: set[bytes]
    since: int


@dataclass(frozen=True, slots=True)
class Deciding:
    """Keeps and ends decisions, and has what they are about judged anew; may be shared by threads."""

    database: Database
    now: Callable[[], datetime]

    def decide(self, choice: Choice, by: Actor) -> DecisionView:
        """Keep a decision; one that stands about exactly the same, for the same members, ends.

        Raises RequestError for what cannot be decided so, NotFoundError and ConflictError for the listing,
        ConflictError where too many decisions cover what lies near, StoreError.
        """
        now, who = self.now(), actor_text(by)
        _check(choice, now)
        near = self._near(None if choice.near is None else Subject(read_signal(choice.about), choice.near))
        with self.database.write() as connection:
            _hold(connection, now)
            new = _new(connection, choice, who)
            if new.subject.near is not None and len(near_decisions(connection)) >= NEAR_DECISIONS_MAX:
                raise ConflictError(
                    f"{NEAR_DECISIONS_MAX:,} decisions cover what lies near already",
                    mend="undo some, or decide about single signals",
                )
            for old in same_decisions(connection, new.subject, new.scope):
                end_decision(connection, old.number, by=who, why=DECIDED_ANEW, now=now)
            number = add_decision(connection, new, now=now)
            keys = near.keys | _keys_near(connection, new.subject, near.since)
            rejudge_now(connection, keys | set(new.keys), now=now)
            return _view(connection, get_decision(connection, number))

    def undo(self, number: int, by: Actor, why: str | None = None) -> DecisionView:
        """Let a decision count no more; NotFoundError, ConflictError where it has ended, StoreError."""
        if why is not None and len(why) > WHY_MAX:
            raise RequestError(f"is longer than {WHY_MAX:,} characters", where="why")
        near = self._near(self._subject(number))
        with self.database.write() as connection:
            _hold(connection, self.now())
            decision = get_decision(connection, number, lock=True)
            if decision.ended_at is not None:
                raise ConflictError("this decision has ended already", where=str(number))
            self._end(connection, decision, near, by=actor_text(by), why=why)
            return _view(connection, get_decision(connection, number))

    def end_due(self) -> int:
        """End the decisions whose time is over, and judge anew what they were about; how many there were."""
        ended = 0
        while due := self._due():
            self._end_all(due)
            ended += len(due)
        return ended

    def _due(self) -> Sequence[Decision]:
        with self.database.read() as connection:
            return due_decisions(connection, now=self.now(), limit=DUE_AT_ONCE)

    def _end_all(self, due: Sequence[Decision]) -> None:
        for one in due:
            near = self._near(one.subject)
            with self.database.write() as connection:
                _hold(connection, self.now())
                decision = get_decision(connection, one.number, lock=True)
                if decision.ended_at is None:
                    self._end(connection, decision, near, by=BY_ITSELF, why=RAN_OUT)

    def list(self, *, ended: bool = False, before: int | None = None, limit: int = PAGE_MAX) -> list[DecisionView]:
        """Give decisions, the newest first; those that ended only if asked, and with numbers below ``before``."""
        with self.database.read() as connection:
            found = list_decisions(connection, ended=ended, before=before, limit=limit)
            return [_view(connection, one) for one in found]

    def show(self, number: int) -> DecisionView:
        """Give one decision; NotFoundError."""
        with self.database.read() as connection:
            return _view(connection, get_decision(connection, number))

    def _end(self, connection: Connection, decision: Decision, near: _Near, *, by: str, why: str | None) -> None:
        now = self.now()
        end_decision(connection, decision.number, by=by, why=why, now=now)
        keys = near.keys | _keys_near(connection, decision.subject, near.since)
        rejudge_now(connection, keys | set(keys_of(connection, decision.number)), now=now)

    def _subject(self, number: int) -> Subject:
        with self.database.read() as connection:
            return get_decision(connection, number).subject

    def _near(self, subject: Subject | None) -> _Near:
        """Look, while others may write, for what lies near; what came after that change is to be looked at again."""
        if subject is None or subject.near is None:
            return _Near(set(), 0)
        with self.database.read() as connection:
            return _Near(_keys_near(connection, subject, 0), last_change(connection))


def _hold(connection: Connection, now: datetime) -> None:
    """Lock the change counter first: whoever merges meanwhile is seen, or sees what is decided, and neither waits long.

    Without it, what lies near or a new revision that another transaction adds would be judged by neither.
    """
    Numbers(connection, now=int(now.timestamp()))


def actor_text(actor: Actor) -> str:
    """Give somebody as rows keep them."""
    return f"{actor.kind.value} {actor.name}"


def read_scope(members: Sequence[str]) -> tuple[str, ...] | None:
    """Read the members to whose claims something is confined; None for none named; RequestError."""
    try:
        named = [parse_member_id(member) for member in members]
    except MemberNameError as error:
        raise RequestError(error.what, where="scope", mend="give ids of members") from None
    return tuple(sorted(set(named))) or None


def _check(choice: Choice, now: datetime) -> None:
    if not choice.why.strip():
        raise RequestError("a decision has a reason", where="why", mend="say in a line why")
    if len(choice.why) > WHY_MAX:
        raise RequestError(f"is longer than {WHY_MAX:,} characters", where="why")
    if choice.until is not None and choice.until <= now:
        raise RequestError("lies behind us", where="until", mend="give a time that is to come")
    if choice.verdict is Verdict.DISABLE and choice.until is None:
        raise RequestError(
            "something is disabled for a time",
            where="until",
            mend="say until when; reject or allow what is to stay out",
        )
    if choice.near is None:
        return
    if not is_signal(choice.about) or read_signal(choice.about)[0] != NEAR_CODE:
        raise RequestError(
            "only signals of type pdq have others near them", where="near", mend="decide about the pdq signal"
        )
    if not 1 <= choice.near <= NEAR_MAX:
        raise RequestError(f"is no distance of 1 to {NEAR_MAX} bits", where="near")


def _new(connection: Connection, choice: Choice, who: str) -> NewDecision:
    until = None if choice.until is None else int(choice.until.timestamp())
    scope = read_scope(choice.scope or ())
    keys: tuple[bytes, ...]
    place: Place | None
    if is_signal(choice.about):
        key = read_signal(choice.about)
        subject, keys, place = Subject(key, choice.near), (key,), None
    else:
        found = find_listing(connection, choice.about)
        subject = Subject(None, None, *found.listed)
        keys = tuple(signal.key for signal in found.listing.signals)
        place = found.place if found.live else None
    return NewDecision(choice.verdict, subject, choice.why.strip(), who, scope, until, keys, place)


def _keys_near(connection: Connection, subject: Subject, since: int) -> set[bytes]:
    """Give the signals, of those that changed after a number, that lie near the one that a decision is about."""
    centre, distance = subject.key, subject.near
    if centre is None or distance is None:
        return set()
    rows = stream_range(connection, since, first=bytes([NEAR_CODE]), end=bytes([NEAR_CODE + 1]))
    return {row.key for some in rows for row in some if hamming(row.key, centre) <= distance}


def _view(connection: Connection, one: Decision) -> DecisionView:
    subject = one.subject
    if subject.key is not None:
        about = signal_text(subject.key)
    else:
        about = listing_text(Listed(subject.member or "", subject.log_name or "", subject.listing or b""))
    return DecisionView(
        one.number,
        one.verdict.value,
        about,
        subject.near,
        one.scope,
        one.why,
        time_text(one.until),
        "stands" if one.ended_at is None else "ended",
        time_text(one.made_at) or "",
        one.made_by,
        time_text(one.ended_at),
        one.ended_by,
        one.ended_why,
        tuple(map(signal_text, keys_of(connection, one.number))),
    )


def time_text(seconds: int | None) -> str | None:
    """Give Unix seconds as on the wire; None where there are none."""
    return None if seconds is None else format_time(datetime.fromtimestamp(seconds, UTC))
