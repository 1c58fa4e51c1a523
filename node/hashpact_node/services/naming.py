"""What people name at the command line and by HTTP: a signal as TYPE:VALUE, a listing as [MEMBER/[LOG/]]ID."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hashpact_node.services.entries import EntryReader
from hashpact_node.services.own_listings import check_id
from hashpact_node.store.connection import Connection
from hashpact_node.store.logs import Log, list_logs
from hashpact_node.store.opinions import Listed
from hashpact_node.store.owners import find_owners
from hashpact_protocol.claims import Place
from hashpact_protocol.errors import ConflictError, NotFoundError, RequestError, SignalError
from hashpact_protocol.merge import Kind, id_bytes, id_text
from hashpact_protocol.merkle import leaf_hash
from hashpact_protocol.signals import parse_signal_key, signal_key
from hashpact_protocol.statements import Listing, parse_statement

PARTS_MAX = 3


@dataclass(frozen=True, slots=True)
class NamedListing:
    """A listing that was found: whose it is, and its winning revision with its leaf hash; ``live`` unless withdrawn."""

    listed: Listed
    log: Log
    place: Place
    live: bool
    leaf: bytes
    listing: Listing


def is_signal(text: str) -> bool:
    """Say whether a text names a signal rather than a listing."""
    return ":" in text


def read_signal(text: str) -> bytes:
    """Give the compact key of a signal that is written as TYPE:VALUE; RequestError."""
    kind, _, value = text.partition(":")
    try:
        return signal_key(kind, value)
    except SignalError as error:
        raise RequestError(f"this is no signal: {error.what}", where=text[:100], mend="write it as pdq:HEX") from None


def signal_text(key: bytes) -> str:
    """Give the text of a compact key."""
    kind, value = parse_signal_key(key)
    return f"{kind}:{value}"


def listing_text(listed: Listed) -> str:
    """Give the text that names a listing and no other."""
    return f"{listed.member}/{listed.log_name}/{id_text(listed.listing)}"


def find_listing(connection: Connection, text: str) -> NamedListing:
    """Find the listing that a text names; of several with this id, the one that lives.

    Raises RequestError for no name of a listing, NotFoundError, and ConflictError where more than one is meant.
    """
    *owner, identifier = text.split("/")
    if len(owner) >= PARTS_MAX:
        raise RequestError("this is no listing", where=text[:100], mend="write it as ID, or MEMBER/LOG/ID")
    check_id(identifier)
    found = list(_stands(connection, identifier, owner))
    live = [one for one in found if one[2]]
    chosen = live or found
    if not chosen:
        raise NotFoundError("no listing has this id here", where=text[:100], mend="see `hashpact blocklist show`")
    if len(chosen) > 1:
        names = ", ".join(f"{log.member}/{log.name}/{identifier}" for log, _, _ in chosen[:10])
        raise ConflictError("more than one listing has this id", where=identifier, mend=f"name one of {names}")
    log, place, lives = chosen[0]
    entry = EntryReader(connection).entry(place.log, place.position)
    statement = parse_statement(entry, log.kind)
    if not isinstance(statement, Listing):
        raise NotFoundError(f"entry {place.position} of {log.origin} is no listing", mend="run `hashpact rebuild`")
    return NamedListing(
        Listed(log.member, log.name, id_bytes(identifier)), log, place, lives, leaf_hash(entry), statement
    )


def listings_at(connection: Connection, places: Iterable[Place]) -> list[NamedListing]:
    """Give the listings at some places, which are winning revisions of live ones, in order of place."""
    logs = {log.number: log for log in list_logs(connection)}
    reader = EntryReader(connection)
    found = []
    for place in sorted(set(places)):
        log, entry = logs[place.log], reader.entry(place.log, place.position)
        statement = parse_statement(entry, log.kind)
        if isinstance(statement, Listing):
            listed = Listed(log.member, log.name, id_bytes(statement.id))
            found.append(NamedListing(listed, log, place, live=True, leaf=leaf_hash(entry), listing=statement))
    return found


def _stands(connection: Connection, identifier: str, owner: list[str]) -> Iterable[tuple[Log, Place, bool]]:
    logs = list_logs(connection)
    by_number = {log.number: log for log in logs}
    for sequence, (member, name) in {log.sequence: (log.member, log.name) for log in logs}.items():
        if owner != [member, name][: len(owner)]:
            continue
        for one in find_owners(connection, sequence, [id_bytes(identifier)]).values():
            if one.kind == Kind.LISTING:
                yield by_number[one.log], Place(one.log, one.position), one.live
