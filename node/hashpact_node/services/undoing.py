"""Take back what was published and has no place yet, as if it never had been."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hashpact_node.services.entry_heads import decode_head
from hashpact_node.services.own_listings import check_id, find_listings, open_log, open_names, sha256_contents
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.drafts import mark_taken_back
from hashpact_node.store.erasures import drop_erasures
from hashpact_node.store.logs import Log
from hashpact_node.store.queue import QueuedEntry, drop_entry, forget_publications, list_entries, remember_publications
from hashpact_protocol.errors import ConflictError, NotFoundError
from hashpact_protocol.merge import id_bytes
from hashpact_protocol.statements import Listing, parse_statement

TAKEN_BACK = "taken back before it had a place"


@dataclass(frozen=True, slots=True)
class Undone:
    """What was taken back about a listing: ``what`` is ``listing`` or ``withdrawal``; ``origin`` is the log's."""

    id: str
    what: str
    origin: str


@dataclass(frozen=True, slots=True)
class Undoing:
    """Takes statements back; whatever has a place is left alone, since it may be signed already."""

    database: Database

    def undo(self, listing: str) -> Undone:
        """Take back the newest statement about an own listing that has no place yet: the listing, or its withdrawal.

        In each log in which one waits, so that a listing for several audiences leaves all of them; told is the first.
        Raises NotFoundError for what is no listing of ours; ConflictError where everything about it has its place, so
        that only a withdrawal can take it back; StoreError.
        """
        check_id(listing)
        known, undone = False, list[Undone]()
        with self.database.write() as connection:
            for name in open_names(connection):
                log = open_log(connection, name, lock=True)
                known = known or bool(find_listings(connection, log, [listing]))
                found = [entry for entry in list_entries(connection, log.number) if _is_about(entry, listing)]
                if found and drop_entry(connection, found[-1].number):
                    undone.append(Undone(listing, take_back(connection, log, found[-1:])[0], log.origin))
        if undone:
            return undone[0]
        if known:
            raise ConflictError(
                "nothing about this listing waits: it has its place, and may be signed already",
                where=listing,
                mend="withdraw it: `hashpact withdraw`",
            )
        raise NotFoundError("no listing of ours has this id", where=listing, mend="only its publisher can change it")


def take_back(connection: Connection, log: Log, entries: Sequence[QueuedEntry]) -> list[str]:
    """Take back what hangs on statements that were just taken out of the queue of a log; what each of them was.

    A file may be published anew, and a listing whose withdrawal is gone waits no more to be erased.
    """
    heads = [decode_head(queued.entry) for queued in entries]
    standing = find_listings(connection, log, {head.listing or head.id for head in heads})
    for queued, head in zip(entries, heads, strict=True):
        if head.kind == Listing.kind and head.id not in standing:
            listing = parse_statement(queued.entry, log.kind)
            if isinstance(listing, Listing):
                forget_publications(connection, id_bytes(head.id), sha256_contents(listing))
        elif head.listing in standing:
            drop_erasures(connection, log.sequence, [id_bytes(head.listing)])
            contents = sha256_contents(standing[head.listing].listing)
            remember_publications(connection, dict.fromkeys(contents, id_bytes(head.listing)))
        if queued.draft:
            mark_taken_back(connection, queued.draft, TAKEN_BACK)
    return [head.kind for head in heads]


def _is_about(queued: QueuedEntry, listing: str) -> bool:
    head = decode_head(queued.entry)
    return head.id == listing if head.kind == Listing.kind else head.listing == listing
