"""Explain a signal, a file or a listing: what it is, who says so, who disagrees, why it stands as it does.

What this node cannot know is not made up: it keeps when a signal changed last, and not when each listing arrived, so
that "since when" is what the publisher says, and the place in its log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from hashpact_node.services.claims_view import UNREADABLE, read_listings
from hashpact_node.services.explaining_history import History, history_of
from hashpact_node.services.explaining_reasons import because_of, would_change
from hashpact_node.services.explaining_views import Became, Decided, ExplainedSignal, Explanation, Said, Thought
from hashpact_node.services.known_facts import Known, KnownFacts
from hashpact_node.services.matching import NO_ACTION, Matcher, strongest
from hashpact_node.services.packed import SHOWN_MAX
from hashpact_node.store.changes import change_times
from hashpact_node.store.connection import Connection
from hashpact_node.store.local_decisions import Decision, list_decisions, signal_decisions
from hashpact_node.store.logs import Log
from hashpact_node.store.opinions import Listed, Opinion, list_opinions
from hashpact_node.store.outcomes import date_of, outcomes_of
from hashpact_node.store.owners import find_owners
from hashpact_node.store.signals import SignalRow, find_signals
from hashpact_protocol.claims import CLAIM_BYTES, Claim, Place
from hashpact_protocol.errors import NotFoundError
from hashpact_protocol.merge import Kind, id_bytes, id_text
from hashpact_protocol.policy import Action
from hashpact_protocol.signals import parse_signal_key, signal_key
from hashpact_protocol.statement_fields import format_time
from hashpact_protocol.statements import Listing

if TYPE_CHECKING:
    from hashpact_node.services.hashing import HashedFile

SIGNALS_MAX: Final = 20
"""How many signals one explanation is about at most: the nearest that a file or a hash met, or those of a listing."""

NEVER: Final = "nobody whom this node follows lists it, or ever did in the logs that are held"


@dataclass(slots=True)
class Explainer:
    """Explains, under the policy in force."""

    matcher: Matcher
    now: Callable[[], datetime]

    def signal(self, type_name: str, value: str, *, history: bool = True) -> Explanation:
        """Explain a signal: itself if it is, or was, listed, and those listed near it. SignalError, StoreError."""
        key = signal_key(type_name, value)
        (result,) = self.matcher.match([(type_name, value)], detail=False)
        near = {signal_key(hit.type, hit.value): hit.distance for hit in result.hits}
        near.setdefault(key, 0)
        return self._explain(f"{type_name}:{value}", "signal", near, history=history)

    def file(self, file: HashedFile, *, history: bool = True) -> Explanation:
        """Explain what a file meets; its hashes are looked up as ``hashpact match`` does. StoreError."""
        found: dict[bytes, int] = {}
        for result in self.matcher.match_file(file, detail=False).results:
            for hit in result.hits:
                key = signal_key(hit.type, hit.value)
                found[key] = min(hit.distance, found.get(key, hit.distance))
        return self._explain(file.name, "file", found, history=history, notices=file.notices)

    def listing(self, identifier: str, *, history: bool = True) -> Explanation:
        """Explain a listing by its id: how its signals stand, and all that was said of it; NotFoundError."""
        with self.matcher.database.read() as connection:
            view = _View(connection, self.now())
            found = view.find(identifier)
            if not found:
                raise NotFoundError(
                    "no member whom this node follows has a listing with this id",
                    where=identifier[:100],
                    mend="see hashpact blocklist show, or hashpact match, for ids",
                )
            keys = {signal.key: 0 for listing, _ in found for signal in listing.signals}
            signals = _strongest_first(view.explain(keys, history=False))
            told = (
                view.history(listings=[(log.sequence, listing.id) for listing, log in found]) if history else History()
            )
        return Explanation(
            identifier,
            "listing",
            view.own.member,
            format_time(view.now),
            known=True,
            action=strongest([one.action for one in signals]),
            signals=signals,
            history=told.events,
            notices=_notices(told, len(keys)),
        )

    def _explain(
        self, asked: str, kind: str, keys: Mapping[bytes, int], *, history: bool, notices: Sequence[str] = ()
    ) -> Explanation:
        with self.matcher.database.read() as connection:
            view = _View(connection, self.now())
            signals = _strongest_first(view.explain(keys, history=history))
        known = [one for one in signals if one.changed_at is not None or one.history or one.decisions]
        more = [] if known else [NEVER]
        return Explanation(
            asked,
            kind,
            view.own.member,
            format_time(view.now),
            known=bool(known),
            action=strongest([one.action for one in signals]),
            signals=tuple(known),
            notices=(*notices, *more, *_notices(History(), len(keys))),
        )


class _View:
    """Looks everything up in one snapshot of the database."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self.connection = connection
        self.now = now
        self._known = KnownFacts(connection, now)
        self.policy = self._known.policy
        self.own = self._known.own
        self.logs = self._known.logs
        self._decisions = list_decisions(connection)

    def find(self, identifier: str) -> list[tuple[Listing, Log]]:
        """Find the newest revisions of the listings with an id, of whatever members."""
        found: list[tuple[Listing, Log]] = []
        key = id_bytes(identifier)
        for sequence in sorted({log.sequence for log in self.logs.values()}):
            owner = find_owners(self.connection, sequence, [key]).get(key)
            if owner is None or owner.kind != Kind.LISTING:
                continue
            place = Place(owner.log, owner.position)
            listing = read_listings(self.connection, [place], self.logs).get(place)
            if listing is not None:
                found.append((listing, self.logs[owner.log]))
        return found

    def history(self, *, value: str | None = None, listings: Iterable[tuple[int, str]] = ()) -> History:
        """Give all that was said of a value or of listings."""
        return history_of(self.connection, value=value, listings=listings)

    def explain(self, keys: Mapping[bytes, int], *, history: bool) -> list[ExplainedSignal]:
        """Explain signals, given with their distances; the nearest of very many."""
        wanted = sorted(keys, key=lambda key: (keys[key], key))[:SIGNALS_MAX]
        rows = find_signals(self.connection, wanted)
        known = self._known.of([(key, rows[key].claims if key in rows else b"") for key in wanted], keys)
        return [self._signal(key, rows.get(key), one, history=history) for key, one in zip(wanted, known, strict=True)]

    def _signal(self, key: bytes, row: SignalRow | None, known: Known, *, history: bool) -> ExplainedSignal:
        kind, value = parse_signal_key(key)
        facts, judgement = known.facts, known.judgement
        said = [(claim, known.listings.get(Place(claim.log, claim.position))) for claim in known.claims]
        expires = {at: listing.expires for at, (_, listing) in enumerate(said) if listing is not None}
        told = self.history(value=value) if history else History()
        total = 0 if row is None else len(row.claims) // CLAIM_BYTES
        action = Action.NONE if row is None else Action(row.action)
        notices = [] if total <= SHOWN_MAX else [f"of its {total:,} listings {SHOWN_MAX} are looked at"]
        if facts.distance == 0 and total <= SHOWN_MAX and action is not judgement.action:
            notices.append(f"it is about to become {judgement.action.word}: more is known than when it was judged")
        return ExplainedSignal(
            kind,
            value,
            facts.distance,
            judgement.action.word if facts.distance else action.word,
            judgement.rule,
            because_of(judgement),
            None if row is None else self._time_of(row.number),
            total,
            tuple(self._said(claim, listing) for claim, listing in said),
            self._decided(key, [listing for _, listing in said if listing is not None], known.claims),
            would_change(facts, self.policy, self.now, expires={at: text for at, text in expires.items() if text}),
            told.events,
            (*notices, *_notices(told, 0)),
            _became(self.connection, key),
        )

    def _said(self, claim: Claim, listing: Listing | None) -> Said:
        log = self.logs[claim.log]
        own = log.peer == self.own.number
        if listing is None:
            return Said(
                log.member,
                own,
                None,
                None,
                log.origin,
                claim.position,
                quality=claim.quality,
                expired=claim.expired,
                problem=UNREADABLE,
            )
        return Said(
            log.member,
            own,
            listing.id,
            listing.time,
            log.origin,
            claim.position,
            listing.content,
            listing.labels,
            listing.confirmed,
            listing.handling,
            listing.origin,
            listing.incident,
            claim.quality,
            claim.expired,
            listing.expires,
            listing.review_by,
            listing.note,
            self._thoughts(log, listing),
            listing.preserve,
        )

    def _thoughts(self, log: Log, listing: Listing) -> tuple[Thought, ...]:
        listed = Listed(log.member, log.name, id_bytes(listing.id))
        return tuple(self._thought(member, one) for member, one in list_opinions(self.connection, listed))

    def _thought(self, member: str, opinion: Opinion) -> Thought:
        log = self.logs.get(opinion.place.log)
        return Thought(
            member,
            opinion.verdict,
            opinion.reason,
            _moment(opinion.time),
            "" if log is None else log.origin,
            opinion.place.position,
            counts=opinion.about is not None,
        )

    def _decided(self, key: bytes, listings: Iterable[Listing], claims: Sequence[Claim]) -> tuple[Decided, ...]:
        ids = {id_bytes(listing.id) for listing in listings}
        members = {self.logs[claim.log].member for claim in claims}
        covering = signal_decisions(self.connection, [key], now=self.now).get(key, ())
        return tuple(
            _decision(one)
            for one in self._decisions
            if one.subject.key == key
            or (one.subject.listing in ids and one.subject.member in members)
            or (one.subject.near is not None and one.local in covering)
        )

    def _time_of(self, number: int) -> str | None:
        steps = change_times(self.connection, number, number)
        return _moment(steps[-1][1]) if steps else None


def _strongest_first(signals: Iterable[ExplainedSignal]) -> tuple[ExplainedSignal, ...]:
    ranked = [*ACTIONS, NO_ACTION]
    return tuple(sorted(signals, key=lambda one: (ranked.index(one.action), one.distance, one.type, one.value)))


ACTIONS: Final = ("block", "review", "observe", "ignore")


def _decision(decision: Decision) -> Decided:
    subject = decision.subject
    if subject.listing is not None:
        about = f"listing {id_text(subject.listing)} of {subject.member}"
    else:
        about = "this signal" if subject.near is None else f"what lies within {subject.near} bits of a signal"
    return Decided(
        decision.number,
        decision.verdict.value,
        about,
        decision.why,
        decision.made_by,
        _moment(decision.made_at),
        decision.scope,
        None if decision.until is None else _moment(decision.until),
    )


def _became(connection: Connection, key: bytes) -> Became | None:
    counts, last = outcomes_of(connection, key)
    return None if last is None else Became(*counts, date_of(last).isoformat())


def _notices(history: History, keys: int) -> tuple[str, ...]:
    told = []
    if keys > SIGNALS_MAX:
        told.append(f"{keys:,} signals are near; the nearest {SIGNALS_MAX} are explained")
    if history.more:
        told.append(f"there is more history than the {len(history.events):,} events told")
    if history.damaged:
        told.append(f"{history.damaged:,} stored bundles are damaged and could not be looked through: hashpact rebuild")
    return tuple(told)


def _moment(seconds: int) -> str:
    return format_time(datetime.fromtimestamp(seconds, UTC))
