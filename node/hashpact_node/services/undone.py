"""What was undone of a member's logs: entries that were held here and were cut off by a later card, and why."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from hashpact_node.services.beyond import describe
from hashpact_node.services.entries import EntryReader, open_bundle
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.logs import Log, list_logs
from hashpact_node.store.owners import find_owners
from hashpact_node.store.peers import get_peer
from hashpact_node.store.succession import CUT_BUNDLES_KEPT, count_cut, stream_cut
from hashpact_protocol.card import parse_card
from hashpact_protocol.errors import NotFoundError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.tiles import decode_bundle


@dataclass(frozen=True, slots=True)
class UndoneEntry:
    """An entry that counts no more at its place; ``listed`` says whether a listing of that id stands now all the same.

    For a withdrawal it is the listing that it withdrew.
    """

    index: int
    kind: str | None
    id: str | None
    time: str | None
    what: str
    listed: bool


@dataclass(frozen=True, slots=True)
class UndoneLog:
    """A log of which something was cut off: when (Unix seconds), where it ends now, and why, as its member says.

    ``complete`` is False where more was cut than is kept.
    """

    origin: str
    cut_at: int
    final_size: int | None
    reason: str | None
    entries: tuple[UndoneEntry, ...]
    complete: bool


def list_undone(database: Database, member: str) -> list[UndoneLog]:
    """List what was undone of a member's logs, this member's own included, by log and time of the cut.

    Raises NotFoundError for a member that is not known, StoreError.
    """
    with database.read() as connection:
        peer = get_peer(connection, member)
        card = None if peer.card is None else parse_card(peer.card, member=peer.member, url=peer.url)
        found = []
        for log in list_logs(connection, peer=peer.number):
            named = None if card is None else card.log(log.origin)
            complete = count_cut(connection, log.number) < CUT_BUNDLES_KEPT
            for at, entries in _cuts(connection, log).items():
                shown = tuple(_undone(connection, log, index, data) for index, data in entries)
                reason = None if named is None else named.reason
                if shown:
                    found.append(UndoneLog(log.origin, at, log.final_size, reason, shown, complete))
    return found


def _cuts(connection: Connection, log: Log) -> dict[int, list[tuple[int, bytes]]]:
    """Give what was cut by the time of the cut: entries in which it was otherwise than what is held now."""
    reader = EntryReader(connection)
    cuts: dict[int, list[tuple[int, bytes]]] = {}
    for at, bundle in stream_cut(connection, log.number):
        held = _held(reader, log, bundle.number)
        entries = decode_bundle(open_bundle(bundle.data), bundle.width)
        start = bundle.number * LIMITS.bundle_width
        cuts.setdefault(at, []).extend(
            (start + place, data) for place, data in enumerate(entries) if held[place : place + 1] != [data]
        )
    return cuts


def _held(reader: EntryReader, log: Log, number: int) -> list[bytes]:
    try:
        return reader.bundle(log.number, number)
    except NotFoundError:
        return []


def _undone(connection: Connection, log: Log, index: int, data: bytes) -> UndoneEntry:
    said = describe(data)
    return UndoneEntry(index, said.kind, said.id, said.time, said.what, _is_listed(connection, log, said.about))


def _is_listed(connection: Connection, log: Log, listing: str | None) -> bool:
    try:
        key = UUID(listing or "").bytes
    except ValueError:
        return False
    owner = find_owners(connection, log.sequence, [key]).get(key)
    return owner is not None and owner.live
