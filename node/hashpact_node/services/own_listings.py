"""How own listings stand, what is not released or not merged yet included: a view within one transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from hashpact_node.services.entries import EntryReader
from hashpact_node.services.entry_heads import decode_head
from hashpact_node.services.views import own_number
from hashpact_node.store.connection import Connection
from hashpact_node.store.logs import Log, get_log, list_logs
from hashpact_node.store.owners import find_owners
from hashpact_node.store.queue import find_publications, stream_entries
from hashpact_node.store.signals import find_signals
from hashpact_protocol.claims import Place, unpack_claims
from hashpact_protocol.errors import NotFoundError, StatementError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merge import Kind, id_bytes, id_text
from hashpact_protocol.signals import signal_key
from hashpact_protocol.statement_fields import check_identifier
from hashpact_protocol.statements import Listing, parse_statement


@dataclass(frozen=True, slots=True)
class OwnListing:
    """An own listing as it stands once all is released that waits.

    ``log`` and ``position`` are those of its newest revision; ``position`` is None while that has none. ``merged`` says
    that it is released and claimed, or was.
    """

    listing: Listing
    log: Log
    position: int | None
    live: bool
    merged: bool


def open_log(connection: Connection, name: str, *, lock: bool = False) -> Log:
    """Give the own log in which statements of that name are published now; NotFoundError when there is none.

    ``lock`` keeps others from releasing and from publishing there until the transaction ends.
    """
    for _look in range(2):  # while one waits for the lock, the log may end, and its successor is seen by another look
        logs = [log for log in list_logs(connection, peer=own_number(connection)) if _is_open(log)]
        for found in logs:
            log = get_log(connection, found.number, lock=True) if lock and found.name == name else found
            if log.name == name and _is_open(log):
                return log
    raise NotFoundError(
        f"the card names no open log {name!r}",
        mend=f"publish to one of: {', '.join(log.name for log in logs)}" if logs else "sign a card that names one",
    )


def open_names(connection: Connection) -> list[str]:
    """Give the names of all own open logs, in one order, so that whoever locks several does not wait for ever."""
    return sorted(log.name for log in list_logs(connection, peer=own_number(connection)) if _is_open(log))


def find_listings(connection: Connection, log: Log, identifiers: Collection[str]) -> dict[str, OwnListing]:
    """Find own listings by id among the logs of one name, of which ``log`` is the open one; unknown ids are left out.

    Ids that belong to statements of another kind are left out, too.
    """
    if not identifiers:
        return {}
    logs = {one.number: one for one in list_logs(connection, sequence=log.sequence)}
    reader = EntryReader(connection)
    owners = find_owners(connection, log.sequence, {id_bytes(one) for one in identifiers})
    found: dict[str, OwnListing] = {}
    for identifier, owner in owners.items():
        if owner.kind == Kind.LISTING:
            listing = reader.listing(Place(owner.log, owner.position), log.kind)
            found[id_text(identifier)] = OwnListing(listing, logs[owner.log], owner.position, owner.live, merged=True)
    _replay(found, log, _unmerged(connection, reader, log), set(identifiers) - {id_text(one) for one in owners})
    return found


def find_contents(connection: Connection, log: Log, contents: Collection[bytes]) -> dict[bytes, OwnListing]:
    """Find the live own listings, among the logs of one name, of contents given by their SHA-256 (32 bytes).

    A content is listed when it was published as a file, or when a listing claims its SHA-256.
    """
    published = find_publications(connection, list(contents))
    candidates = {content: [id_text(identifier)] for content, identifier in published.items()}
    for content, identifier in _claimed(connection, log, contents):
        candidates.setdefault(content, []).append(identifier)
    found = find_listings(connection, log, {one for ids in candidates.values() for one in ids})
    return {
        content: found[one]
        for content, ids in candidates.items()
        for one in reversed(ids)
        if one in found and found[one].live
    }


def check_id(identifier: str) -> str:
    """Give the id of a listing; NotFoundError when it cannot be one."""
    try:
        return check_identifier(identifier)
    except StatementError as error:
        raise NotFoundError(
            f"{identifier[:60]!r} {error.what}, so no listing has this id", mend="see `hashpact publish` for its id"
        ) from None


def _is_open(log: Log) -> bool:
    return log.named and log.state == "open"


def _claimed(connection: Connection, log: Log, contents: Iterable[bytes]) -> Iterator[tuple[bytes, str]]:
    """Yield contents whose SHA-256 an own listing claims, with the listing's id."""
    logs = {one.number for one in list_logs(connection, sequence=log.sequence)}
    keys = {signal_key("sha256", content.hex()): content for content in contents}
    reader = EntryReader(connection)
    for key, row in find_signals(connection, keys).items():
        for claim in unpack_claims(row.claims):
            if claim.log in logs:
                yield keys[key], reader.listing(Place(claim.log, claim.position), log.kind).id


def _unmerged(connection: Connection, reader: EntryReader, log: Log) -> Iterator[tuple[int | None, bytes]]:
    """Yield what a log's claims do not show yet, in order: entries with a place, then those that wait for one."""
    for position in range(log.held_size, log.placed_size):
        yield position, reader.entry(log.number, position)
    for entry in stream_entries(connection, log.number):
        yield None, entry


def _replay(
    found: dict[str, OwnListing], log: Log, entries: Iterable[tuple[int | None, bytes]], unowned: set[str]
) -> None:
    """Let unmerged statements change how listings stand; ``unowned`` are wanted ids that nothing owns before them."""
    for position, entry in entries:
        head = decode_head(entry)
        if head.kind == Listing.kind and (head.id in found or head.id in unowned):
            listing = parse_statement(entry, log.kind)
            if isinstance(listing, Listing):
                found[head.id] = OwnListing(listing, log, position, live=True, merged=False)
        elif head.listing in found:
            before = found[head.listing]
            found[head.listing] = OwnListing(before.listing, before.log, before.position, live=False, merged=False)


def sha256_contents(listing: Listing) -> list[bytes]:
    """Give the SHA-256 signals of a listing as bytes; at most 128."""
    return [bytes.fromhex(one.value) for one in listing.signals[: LIMITS.signals_max] if one.type == "sha256"]
