"""Where own listings go and where they stand: the general log, the crisis log, and those of audiences.

An id under another log name is another listing (docs/protocol.md, Entries). Here they are one: what is published for
several audiences has one id in all their logs, so that one command withdraws or moves it everywhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from hashpact_node.services.audiences import GENERAL_LOG, audience_names, log_names
from hashpact_node.services.blobs import check_blobs
from hashpact_node.services.drafts import ListingDraft, check_origin, encode_listing, encode_withdrawal, located
from hashpact_node.services.own_listings import OwnListing, check_id, find_contents, find_listings, open_log, open_names
from hashpact_node.services.views import own_number
from hashpact_node.store.blobs import use_blobs
from hashpact_node.store.connection import Connection
from hashpact_node.store.logs import Log, list_logs
from hashpact_node.store.owners import page_of_owners
from hashpact_node.store.queue import add_entries
from hashpact_protocol.card_logs import LogKind
from hashpact_protocol.errors import ConflictError, NotFoundError, RequestError, StatementError
from hashpact_protocol.merge import Kind, id_text
from hashpact_protocol.statement_fields import format_time

CRISIS_LOG: Final = LogKind.CRISIS.value
NO_LONGER_SHARED: Final = "no-longer-shared"
"""The reason of a withdrawal where a listing moves on: it says nothing of where to."""

OWNERS_AT_ONCE: Final = 4_096


@dataclass(frozen=True, slots=True)
class Moved:
    """What a move stored: the logs in which the listing begins, and those in which it ends."""

    begins: tuple[Log, ...]
    ends: tuple[Log, ...]


def names_of(connection: Connection, draft: ListingDraft, log_name: str) -> list[str]:
    """Give the names of the logs in which to publish a draft; raises what ``names_for`` raises.

    One that restates a listing of the general log stays there, whatever incident it names now.
    """
    if draft.incident is not None and draft.id is not None and log_name == GENERAL_LOG:
        stands = find_listings(connection, open_log(connection, GENERAL_LOG), {check_id(draft.id)})
        if stands:
            return names_for(connection, draft.audiences, log_name)
    return names_for(connection, draft.audiences, log_name, draft.incident)


def names_for(
    connection: Connection, audiences: Sequence[str], log_name: str, incident: str | None = None
) -> list[str]:
    """Give the names of the logs in which to publish: those of the audiences, else the one that is named.

    What belongs to an incident goes to the crisis log, where this member has one, unless another is named. Raises
    NotFoundError for an audience that there is not, RequestError for a name beside audiences.
    """
    if not audiences:
        in_crisis = incident is not None and log_name == GENERAL_LOG and CRISIS_LOG in open_names(connection)
        return [CRISIS_LOG] if in_crisis else [log_name]
    if log_name != GENERAL_LOG:
        raise RequestError(
            "audiences have logs of their own, so no other is named", where=log_name, mend="give audiences, or a log"
        )
    return log_names(connection, audiences)


def lock_logs(connection: Connection, names: Iterable[str]) -> dict[str, Log]:
    """Lock the open logs of some names until the transaction ends, always in one order; NotFoundError."""
    return {name: open_log(connection, name, lock=True) for name in sorted(set(names))}


def find_everywhere(connection: Connection, identifier: str, *, lock: bool = False) -> list[tuple[Log, OwnListing]]:
    """Give the open logs in which an own listing stands or stood, in card order, and how; NotFoundError for none.

    ``lock`` keeps others from publishing in any log of listings until the transaction ends.
    """
    logs = listing_logs(connection)
    if lock:
        locked = lock_logs(connection, (log.name for log in logs))
        logs = [locked[log.name] for log in logs]
    found = [(log, here[identifier]) for log in logs if (here := find_listings(connection, log, [identifier]))]
    if not found:
        raise NotFoundError("no listing of ours has this id", where=identifier, mend="only its publisher can change it")
    return found


def find_contents_everywhere(
    connection: Connection, contents: Collection[bytes], kind: str
) -> dict[bytes, dict[str, OwnListing]]:
    """Find the live own listings, in logs of one kind, of contents given by their SHA-256: by content and log name."""
    standing: dict[bytes, dict[str, OwnListing]] = {}
    for log in listing_logs(connection):
        if log.kind != kind:
            continue
        for content, listing in find_contents(connection, log, contents).items():
            standing.setdefault(content, {})[log.name] = listing
    return standing


def enqueue(
    connection: Connection,
    logs: Mapping[str, Log],
    drafts: Sequence[ListingDraft],
    wanted: Sequence[Sequence[str]],
    *,
    now: datetime,
) -> list[str]:
    """Let each draft wait for its places in the logs, locked, that are wanted for it; give the ids of the listings.

    Raises what ``encode`` raises.
    """
    ids, entries = encode(connection, logs, drafts, wanted, now=now)
    for name, some in entries.items():
        add_entries(connection, logs[name].number, some, now=now)
    return ids


def encode(
    connection: Connection,
    logs: Mapping[str, Log],
    drafts: Sequence[ListingDraft],
    wanted: Sequence[Sequence[str]],
    *,
    now: datetime,
) -> tuple[list[str], dict[str, list[bytes]]]:
    """Make the listings of drafts, and keep the blobs that they name; give their ids, and the entries of each log.

    Raises RequestError for a blob that is not here, and StatementError for what would be malformed.
    """
    listings = [draft.listing(now) for draft in drafts]
    entries: dict[str, list[bytes]] = {name: [] for name in logs}
    for number, (draft, listing, names) in enumerate(zip(drafts, listings, wanted, strict=True), 1):
        where = place_of(draft, number, len(drafts))
        try:
            use_blobs(connection, check_blobs(connection, listing.signals, where=where), now=now)
            entry = encode_listing(listing, logs[names[0]].kind)
        except StatementError as error:
            raise located(error, where) from None
        for name in names:
            entries[name].append(entry)
    return [listing.id for listing in listings], entries


def check_restated(
    connection: Connection, logs: Mapping[str, Log], drafts: Sequence[ListingDraft], wanted: Sequence[Sequence[str]]
) -> None:
    """Raise NotFoundError for a draft that restates what is no listing of ours in a log that is wanted for it."""
    numbered = list(enumerate(zip(drafts, wanted, strict=True), 1))
    for name, log in logs.items():
        mine = [(number, draft) for number, (draft, names) in numbered if draft.id is not None and name in names]
        found = find_listings(connection, log, {check_id(draft.id or "") for _, draft in mine})
        for number, draft in mine:
            if draft.id not in found:
                raise NotFoundError(
                    f"no listing of ours in {log.name} has the id {draft.id}",
                    where=place_of(draft, number, len(drafts)),
                    mend="leave the id out to publish a new listing",
                )


def check_origins(drafts: Sequence[ListingDraft], *, allow_foreign: bool) -> None:
    """Raise RequestError for a draft of somebody else's material, unless that was said on purpose."""
    for number, draft in enumerate(drafts, 1):
        check_origin(draft.origin, allow_foreign=allow_foreign, where=place_of(draft, number, len(drafts)))


def place_of(draft: ListingDraft, number: int, count: int) -> str | None:
    """Say where a draft, the one of that number among so many, came from."""
    return draft.where or (f"line {number}" if count > 1 else None)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whom a listing is to be for: these audiences alone or, where ``leaving`` names a log, in its place.

    ``reason`` and ``note`` are what those are told for whom it is no more.
    """

    audiences: Sequence[str]
    reason: str = NO_LONGER_SHARED
    note: str | None = None
    leaving: str | None = None


def move(connection: Connection, identifier: str, wanted: Wanted, *, now: datetime) -> Moved:
    """List a live listing for those for whom it is new, and withdraw it from those for whom it is no more.

    All of it is stored or nothing. Raises NotFoundError, RequestError for no audience, ConflictError for a listing that
    is withdrawn, StatementError for a reason that would be malformed.
    """
    if not wanted.audiences:
        raise RequestError("a listing is for somebody", where=identifier, mend="withdraw it where it is for nobody")
    names = log_names(connection, wanted.audiences)
    found = find_everywhere(connection, identifier, lock=True)
    standing = {log.name: one for log, one in found if one.live}
    if not standing:
        raise ConflictError("this listing is withdrawn already", where=identifier, mend="publish it anew")
    if wanted.leaving is not None:
        names += [name for name in standing if name not in {wanted.leaving, *names}]
    begins = [open_log(connection, name) for name in names if name not in standing]
    ends = [log for log, one in found if one.live and log.name not in names]
    first = next(iter(standing.values())).listing
    listing = msgspec.structs.replace(first, time=format_time(now))
    if begins:
        use_blobs(connection, check_blobs(connection, listing.signals, where=identifier), now=now)
    for log in begins:
        add_entries(connection, log.number, [encode_listing(listing, log.kind)], now=now)
    for log in ends:
        entry = encode_withdrawal(identifier, wanted.reason, wanted.note, now=now, log_kind=log.kind)
        add_entries(connection, log.number, [entry], now=now)
    return Moved(tuple(begins), tuple(ends))


def live_ids(connection: Connection, audience: str) -> tuple[str, list[str]]:
    """Give the name of the log of an audience, and the ids of the listings that live in it as far as it is merged."""
    (name,) = log_names(connection, [audience])
    log, ids, after = open_log(connection, name), list[str](), b""
    while rows := page_of_owners(connection, log.sequence, after, limit=OWNERS_AT_ONCE):
        ids += [id_text(row[1]) for row in rows if row[2] == Kind.LISTING and row[5]]
        after = rows[-1][1]
    return name, ids


def audiences_of(connection: Connection, found: Sequence[tuple[Log, OwnListing]]) -> tuple[str, ...]:
    """Give whom a listing is for: the names of audiences here, or of logs that belong to none, where it is live."""
    names = audience_names(connection)
    return tuple(names.get(log.name, log.name) for log, one in found if one.live)


def listing_logs(connection: Connection) -> list[Log]:
    """Give the own open logs in which listings stand, in card order."""
    logs = list_logs(connection, peer=own_number(connection))
    return [log for log in logs if log.named and log.state == "open" and log.kind != LogKind.OPINIONS]
