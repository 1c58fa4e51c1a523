"""What this member thinks of others' listings: published in its log of opinions, and shown beside what others think."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from hashpact_node.services.drafts import new_id
from hashpact_node.services.entries import EntryReader
from hashpact_node.services.naming import (
    NamedListing,
    find_listing,
    is_signal,
    listing_text,
    listings_at,
    read_signal,
)
from hashpact_node.services.stating import Stated, Stating
from hashpact_node.services.views import own_peer
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.opinions import TAKEN_BACK, list_opinions
from hashpact_node.store.opinions import Opinion as Kept
from hashpact_node.store.signals import find_signals
from hashpact_protocol.card_logs import LogKind
from hashpact_protocol.claims import Place, unpack_claims
from hashpact_protocol.errors import ConflictError, HashpactError, NotFoundError, RequestError
from hashpact_protocol.facts import Verdict
from hashpact_protocol.opinions import REASONS
from hashpact_protocol.statement_fields import format_time
from hashpact_protocol.statements import VERDICTS, Opinion, parse_statement

LISTINGS_MAX: Final = 100
"""On how many listings of one signal an opinion is published at once."""

DISAGREE: Final = "disagree"


@dataclass(frozen=True, slots=True)
class Thought:
    """What is to be said: the verdict, for a disagreement a reason with a meaning, a note; never about a user."""

    verdict: str
    reason: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """An opinion that is published on a listing, or stood already (``existing``), as ``stating.Stated`` tells it."""

    about: str
    verdict: str
    reason: str | None
    existing: bool = False
    id: str | None = None
    origin: str | None = None
    index: int | None = None
    notice: str | None = None
    rests_until: str | None = None


@dataclass(frozen=True, slots=True)
class OpinionView:
    """What a member thinks of a listing; ``counts`` unless it is about an older revision. ``time`` as on the wire."""

    member: str
    verdict: str
    reason: str | None
    counts: bool
    time: str
    note: str | None


@dataclass(frozen=True, slots=True)
class Opining:
    """Publishes opinions of this member; may be shared by threads."""

    database: Database
    stating: Stating
    now: Callable[[], datetime]

    def opine(self, about: str, thought: Thought, *, wait: bool = True) -> list[Told]:
        """Publish an opinion on a listing, or on all that others list of a signal, of the revision that wins now.

        What this member said already is not said again. Raises RequestError for a verdict or reason without meaning,
        for an own listing and one for an audience, NotFoundError, ConflictError for a listing that is withdrawn, and
        what ``Stating.publish`` raises.
        """
        _check(thought)
        told: list[Told] = []

        def make(connection: Connection) -> Sequence[Opinion]:
            own, new = own_peer(connection).member, list[Opinion]()
            for named in _named(connection, about, own, thought):
                text = listing_text(named.listed)
                if _said(connection, own, named, thought):
                    told.append(Told(text, thought.verdict, thought.reason, existing=True))
                    continue
                new.append(_opinion(named, thought, self.now()))
                told.append(Told(text, thought.verdict, thought.reason, id=new[-1].id))
            return new

        stated = {one.id: one for one in self.stating.publish(LogKind.OPINIONS, make, wait=wait)}
        return [one if one.id is None else _with(one, stated[one.id]) for one in told]

    def opinions(self, about: str) -> list[OpinionView]:
        """Give what members think of a listing, by member; NotFoundError, ConflictError."""
        with self.database.read() as connection:
            named = find_listing(connection, about)
            reader = EntryReader(connection)
            return [
                OpinionView(whose, one.verdict, one.reason, one.about is not None, _time(one.time), _note(reader, one))
                for whose, one in list_opinions(connection, named.listed)
                if one.verdict != TAKEN_BACK
            ]


def thought_of(verdict: Verdict, reason: str | None, note: str | None) -> Thought:
    """Give what is told to owners when this company has decided so; RequestError where there is nothing to tell."""
    if verdict is Verdict.CONFIRM:
        return Thought("agree", None, note)
    if verdict is Verdict.DISABLE:
        raise RequestError("to disable something for a time says nothing about it", where="publish")
    if reason is None:
        raise RequestError("a disagreement has a reason", where="reason", mend=f"give one of {', '.join(REASONS)}")
    return Thought(DISAGREE, reason, note)


def read_note(reader: EntryReader, place: Place) -> str | None:
    """Give the note of the opinion at a place; None where there is none, or it cannot be read back."""
    try:
        statement = parse_statement(reader.entry(place.log, place.position), LogKind.OPINIONS.value)
    except HashpactError:
        # Whoever looks at opinions sees them without a note that is damaged or erased.
        return None
    return statement.note if isinstance(statement, Opinion) else None


def _check(thought: Thought) -> None:
    if thought.verdict not in VERDICTS:
        raise RequestError("there is no such verdict", where="verdict", mend=f"give one of {', '.join(VERDICTS)}")
    if thought.verdict == DISAGREE:
        if thought.reason not in REASONS:
            raise RequestError(
                "a disagreement has one of the known reasons", where="reason", mend=f"give one of {', '.join(REASONS)}"
            )
    elif thought.reason is not None:
        raise RequestError("only a disagreement has a reason", where="reason", mend="leave it out, or write a note")


def _named(connection: Connection, about: str, own: str, thought: Thought) -> list[NamedListing]:
    """Find the listings that are meant; all of a signal but our own and those for audiences."""
    if not is_signal(about):
        named = find_listing(connection, about)
        _check_listing(named, own, thought)
        return [named]
    row = find_signals(connection, [read_signal(about)]).get(read_signal(about))
    places = [] if row is None else [Place(one.log, one.position) for one in unpack_claims(row.claims)]
    found = [one for one in listings_at(connection, places) if one.listed.member != own and _is_for_all(one)]
    if not found:
        raise NotFoundError("no other member lists this", where=about[:100], mend="see `hashpact blocklist show`")
    if len(found) > LISTINGS_MAX:
        raise RequestError(
            f"more than {LISTINGS_MAX} listings claim this", where=about[:100], mend="opine on single listings"
        )
    return found


def _check_listing(named: NamedListing, own: str, thought: Thought) -> None:
    where = listing_text(named.listed)
    if named.listed.member == own:
        raise RequestError("this is an own listing", where=where, mend="withdraw it, or publish it anew under its id")
    if not _is_for_all(named):
        raise RequestError(
            "this listing is for an audience, and all members read opinions",
            where=where,
            mend="tell its owner in another way",
        )
    if not named.live and thought.verdict != TAKEN_BACK:
        raise ConflictError("this listing is withdrawn", where=where)


def _is_for_all(named: NamedListing) -> bool:
    return named.log.name == named.log.kind


def _said(connection: Connection, own: str, named: NamedListing, thought: Thought) -> bool:
    """Say whether exactly that was said already; NotFoundError where there is nothing to be taken back."""
    mine = next((one for whose, one in list_opinions(connection, named.listed) if whose == own), None)
    if thought.verdict == TAKEN_BACK and (mine is None or mine.verdict == TAKEN_BACK):
        raise NotFoundError("this member has no opinion on this listing", where=listing_text(named.listed))
    if mine is None or (mine.verdict, mine.reason, mine.leaf) != (thought.verdict, thought.reason, named.leaf):
        return False
    return read_note(EntryReader(connection), mine.place) == thought.note


def _opinion(named: NamedListing, thought: Thought, now: datetime) -> Opinion:
    return Opinion(
        new_id(),
        format_time(now),
        named.listed.member,
        named.listed.log_name,
        named.listing.id,
        named.leaf.hex(),
        thought.verdict,
        thought.reason,
        thought.note,
    )


def _with(told: Told, stated: Stated) -> Told:
    return Told(
        told.about,
        told.verdict,
        told.reason,
        id=stated.id,
        origin=stated.origin,
        index=stated.index,
        notice=stated.notice,
        rests_until=stated.rests_until,
    )


def _note(reader: EntryReader, one: Kept) -> str | None:
    return read_note(reader, one.place)


def _time(seconds: int) -> str:
    return format_time(datetime.fromtimestamp(seconds, UTC))
