"""Being wrong, and saying so: disputes of own listings, bulk withdrawal, reviews that are due, and how long it took."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from hashpact_node.services.actors import Actor
from hashpact_node.services.claims_view import read_listings
from hashpact_node.services.deciding import actor_text, time_text
from hashpact_node.services.drafts import encode_withdrawal
from hashpact_node.services.entries import EntryReader
from hashpact_node.services.naming import listing_text
from hashpact_node.services.opining import read_note
from hashpact_node.services.own_listings import check_id, find_listings, sha256_contents
from hashpact_node.services.placing import listing_logs, lock_logs
from hashpact_node.services.publishing import Publisher, Waiting
from hashpact_node.services.views import logs_by_number, own_peer
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.disputes import (
    DAY,
    Answer,
    Dispute,
    answer_dispute,
    get_dispute,
    list_delays,
    list_disputes,
)
from hashpact_node.store.opinions import Listed
from hashpact_node.store.owners import live_listings
from hashpact_node.store.peers import EVERY_STATE, list_peers
from hashpact_node.store.queue import add_entries, forget_publications
from hashpact_protocol.claims import Place
from hashpact_protocol.errors import ConflictError, NotFoundError, RequestError
from hashpact_protocol.merge import id_bytes
from hashpact_protocol.statement_fields import parse_time

NOTE_MAX: Final = 1_000
PAGE_MAX: Final = 1_000
BULK_MAX: Final = 100_000
SHOWN_UNKNOWN: Final = 5
OPEN: Final = "open"


@dataclass(frozen=True, slots=True)
class DisputeView:
    """A disagreement with an own listing; times are as on the wire.

    ``note`` is what its member wrote. ``state``: ``open``, or how it was answered: ``withdrawn``, ``restated``,
    ``kept``, ``taken-back``; ``answer_note`` says why it was kept.
    """

    number: int
    state: str
    member: str
    listing: str
    reason: str | None
    note: str | None
    since: str
    answered_at: str | None
    answered_by: str | None
    answer_note: str | None


@dataclass(frozen=True, slots=True)
class BulkWithdrawn:
    """How many listings were withdrawn together; ``already`` were before. ``notice``: why that waits to be released."""

    withdrawn: int
    already: int
    notice: str | None = None
    rests_until: str | None = None


@dataclass(frozen=True, slots=True)
class DueListing:
    """An own live listing that its publisher wanted to look at again by a time that has come, or soon will."""

    id: str
    origin: str
    index: int
    content: str
    labels: tuple[str, ...]
    review_by: str
    overdue: bool


@dataclass(frozen=True, slots=True)
class MemberDelays:
    """How long a member's withdrawals took from their time to their merge here, in seconds, on average and at most."""

    member: str
    withdrawals: int
    average_seconds: int
    longest_seconds: int
    within_minute: int
    within_hour: int
    within_day: int


@dataclass(frozen=True, slots=True)
class CorrectionFigures:
    """Corrections of a time: disputes of own listings, and how fast others' withdrawals arrived.

    ``opened`` began in that time, ``answered`` ended in it, by answer; ``open`` are open now. Of those that were
    answered by withdrawing or restating: how many listings, and the median and the longest of the seconds from the
    first dispute.
    """

    opened: int
    open: int
    answered: dict[str, int]
    corrected: int
    median_seconds: int | None
    longest_seconds: int | None
    members: tuple[MemberDelays, ...]


@dataclass(frozen=True, slots=True)
class Corrections:
    """The owner's side of being disputed and corrected; may be shared by threads."""

    database: Database
    publisher: Publisher
    now: Callable[[], datetime]

    def disputes(
        self, *, answered: bool = False, before: int | None = None, limit: int = PAGE_MAX
    ) -> list[DisputeView]:
        """Give open disputes of own listings, the oldest first; or all, the newest first, with numbers below one."""
        with self.database.read() as connection:
            found = list_disputes(connection, answered=answered, before=before, limit=limit)
            return _views(connection, found)

    def keep(self, number: int, note: str, by: Actor) -> DisputeView:
        """Answer a dispute by keeping the listing, and say why; NotFoundError, ConflictError once it is answered."""
        if not note.strip() or len(note) > NOTE_MAX:
            raise RequestError(f"is no text of 1 to {NOTE_MAX:,} characters", where="note", mend="say in a line why")
        with self.database.write() as connection:
            dispute = get_dispute(connection, number, lock=True)
            if dispute.answer is not None:
                raise ConflictError(f"this dispute was answered already: {dispute.answer}", where=str(number))
            at = int(self.now().timestamp())
            answer_dispute(connection, number, Answer.KEPT, now=at, by=actor_text(by), note=note.strip())
            return _views(connection, [get_dispute(connection, number)])[0]

    def withdraw_all(
        self, listings: Sequence[str], reason: str, *, note: str | None = None, wait: bool = True
    ) -> BulkWithdrawn:
        """Take own listings back together: all of them are stored to be released, or none; in one release.

        Raises RequestError for none and too many, NotFoundError where one is no listing of ours, ConflictError with
        ``four_eyes``, StatementError for a malformed reason or note, StoreError.
        """
        self.publisher.must_need_no_other()
        wanted = list(dict.fromkeys(map(check_id, listings)))
        if not wanted or len(wanted) > BULK_MAX:
            raise RequestError(f"{len(wanted):,} listings are named", mend=f"name 1 to {BULK_MAX:,}")
        last: list[Waiting] = []
        with self.database.write() as connection:
            logs = lock_logs(connection, (log.name for log in listing_logs(connection)))
            standing = {name: find_listings(connection, log, wanted) for name, log in logs.items()}
            _must_be_ours(wanted, [one for found in standing.values() for one in found])
            now, gone = self.now(), set[str]()
            for name, log in logs.items():
                live = {one: found for one, found in standing[name].items() if found.live}
                entries = [encode_withdrawal(one, reason, note, now=now, log_kind=log.kind) for one in live]
                add_entries(connection, log.number, entries, now=now)
                for one, found in live.items():
                    forget_publications(connection, id_bytes(one), sha256_contents(found.listing))
                gone |= live.keys()
                last += [Waiting(log, one, withdrawn=True) for one in list(live)[-1:]]
        told = [self.publisher.finish(one) for one in last] if wait else []
        notice = next((one for one, _ in told if one is not None), None)
        rests = next((one for _, one in told if one is not None), None)
        return BulkWithdrawn(len(gone), len(wanted) - len(gone), notice, rests)

    def due(self, *, within: timedelta = timedelta(0)) -> list[DueListing]:
        """Give own live listings that are to be reviewed by now, or within a time, the most overdue first."""
        now = self.now()
        found: list[DueListing] = []
        with self.database.read() as connection:
            logs = logs_by_number(connection)
            own = own_peer(connection).number
            for log in logs.values():
                if log.peer != own or not log.counts:
                    continue
                places = {Place(log.number, at) for at in live_listings(connection, log.number, sequence=log.sequence)}
                for place, listing in read_listings(connection, places, logs).items():
                    if listing.review_by is None or parse_time(listing.review_by) > now + within:
                        continue
                    overdue = parse_time(listing.review_by) <= now
                    what = (listing.content, listing.labels, listing.review_by)
                    found.append(DueListing(listing.id, log.origin, place.position, *what, overdue))
        return sorted(found, key=lambda one: (one.review_by, one.id))

    def figures(self, first: datetime, last: datetime) -> CorrectionFigures:
        """Give the figures of the time from ``first`` up to but without ``last``; delays go by whole days (UTC)."""
        with self.database.read() as connection:
            return correction_figures(connection, first, last)


def correction_figures(connection: Connection, first: datetime, last: datetime) -> CorrectionFigures:
    """Give the figures of the time from ``first`` up to but without ``last``; delays go by whole days (UTC)."""
    begin, end = int(first.timestamp()), int(last.timestamp())
    disputes = list_disputes(connection, answered=True)
    over = [one for one in disputes if one.answered_at is not None and begin <= one.answered_at < end]
    answered: dict[str, int] = {answer.value: 0 for answer in Answer}
    for one in over:
        answered[one.answer or ""] += 1
    took = _took(one for one in over if one.answer in {Answer.WITHDRAWN, Answer.RESTATED})
    return CorrectionFigures(
        opened=sum(begin <= one.since < end for one in disputes),
        open=sum(one.answer is None for one in disputes),
        answered=answered,
        corrected=len(took),
        median_seconds=round(statistics.median(took)) if took else None,
        longest_seconds=max(took, default=None),
        members=delays_between(connection, first, last),
    )


def _took(disputes: Iterable[Dispute]) -> list[int]:
    """Give for each listing that was corrected how long it took from the first dispute, in seconds."""
    first: dict[tuple[str, bytes, int], int] = {}
    for one in disputes:
        key = (one.log_name, one.listing, one.answered_at or 0)
        first[key] = min(first.get(key, one.since), one.since)
    return [max(0, answered - since) for (_, _, answered), since in first.items()]


def delays_between(connection: Connection, first: datetime, last: datetime) -> tuple[MemberDelays, ...]:
    """Give how fast withdrawals of each member arrived, on the days (UTC) from ``first`` up to ``last``."""
    first_day, last_day = int(first.timestamp()) // DAY, (int(last.timestamp()) - 1) // DAY
    names = {peer.number: peer.member for peer in list_peers(connection, own=True, states=EVERY_STATE)}
    rows = list_delays(connection, first_day=first_day, last_day=last_day)
    found = []
    for peer in sorted({one.peer for one in rows}, key=lambda number: names.get(number, "")):
        mine = [one for one in rows if one.peer == peer]
        count = sum(one.count for one in mine)
        found.append(
            MemberDelays(
                names.get(peer, ""),
                count,
                sum(one.total_seconds for one in mine) // count,
                max(one.longest_seconds for one in mine),
                sum(one.within_minute for one in mine),
                sum(one.within_hour for one in mine),
                sum(one.within_day for one in mine),
            )
        )
    return tuple(found)


def _must_be_ours(wanted: Sequence[str], found: Iterable[str]) -> None:
    known = set(found)
    unknown = [one for one in wanted if one not in known]
    if unknown:
        shown = ", ".join(unknown[:SHOWN_UNKNOWN])
        more = "" if len(unknown) <= SHOWN_UNKNOWN else f" and {len(unknown) - SHOWN_UNKNOWN:,} more"
        raise NotFoundError(
            f"{len(unknown):,} of them are no listings of ours: {shown}{more}",
            mend="only its publisher can change a listing; nothing was withdrawn",
        )


def _views(connection: Connection, disputes: Sequence[Dispute]) -> list[DisputeView]:
    own, reader = own_peer(connection).member, EntryReader(connection)
    return [
        DisputeView(
            one.number,
            OPEN if one.answer is None else one.answer.value,
            one.member,
            listing_text(Listed(own, one.log_name, one.listing)),
            one.reason,
            read_note(reader, one.place),
            time_text(one.since) or "",
            time_text(one.answered_at),
            one.answered_by,
            one.note,
        )
        for one in disputes
    ]
