"""Four eyes: what one proposes another approves, and exactly those bytes are signed (docs/operations.md, Four eyes).

A draft holds its statements as they will stand in the log. Approving one is a single transaction that queues and marks,
so that it is done once, whoever dies in between; what the queue holds then says which draft it came from, and nothing
else gets a place while ``four_eyes`` is set (``services.release_rules``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from hashpact_node.services.actors import Actor
from hashpact_node.services.blobs import NewBlob, store_own
from hashpact_node.services.draft_views import DraftDetail, DraftView, draft_view
from hashpact_node.services.drafts import ListingDraft, encode_withdrawal, new_id
from hashpact_node.services.entry_heads import decode_head
from hashpact_node.services.file_drafts import columns, missing_files, prepare_files
from hashpact_node.services.hashing import HashedFile
from hashpact_node.services.own_listings import check_id, find_contents, find_listings, sha256_contents
from hashpact_node.services.placing import (
    check_origins,
    check_restated,
    encode,
    find_contents_everywhere,
    find_everywhere,
    lock_logs,
    names_for,
    names_of,
)
from hashpact_node.services.publishing import LISTINGS, Publisher, Waiting
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.drafts import (
    Draft,
    DraftKind,
    DraftState,
    NewDraft,
    add_draft,
    add_draft_entries,
    decide,
    draft_contents,
    draft_entries,
    find_draft,
    last_entry,
    list_drafts,
    queue_draft,
    stream_draft,
    withdrawn_since,
)
from hashpact_node.store.erasures import request_erasure
from hashpact_node.store.imports import forget_imported
from hashpact_node.store.logs import Log
from hashpact_node.store.queue import forget_publications, remember_publications
from hashpact_protocol.errors import ConflictError, NotFoundError
from hashpact_protocol.merge import id_bytes
from hashpact_protocol.statements import Withdrawal, parse_statement

ENTRIES_SHOWN: Final = 100
LIST_MAX: Final = 1_000
_COMMA: Final = ", "
UNDECIDED: Final = (DraftState.WRITING, DraftState.WAITING)


@dataclass(frozen=True, slots=True)
class ProposedFiles:
    """Files as they were hashed, and the draft of their listings; None where all of them are listed already.

    ``listed`` are the ids of the listings that exist, by the name of the file.
    """

    files: tuple[HashedFile, ...]
    draft: DraftView | None
    listed: dict[str, str]


@dataclass(frozen=True, slots=True)
class Approving:
    """Proposes, approves and rejects, on every process of one database."""

    database: Database
    publisher: Publisher
    now: Callable[[], datetime]

    def propose(
        self,
        drafts: Sequence[ListingDraft],
        actor: Actor,
        *,
        log_name: str = LISTINGS,
        allow_foreign_origin: bool = False,
        identifier: str | None = None,
    ) -> DraftView:
        """Propose listings, all or none, under an id of the draft that may be chosen; where it is there, it is given.

        Raises what ``Publisher.publish`` raises.
        """
        check_origins(drafts, allow_foreign=allow_foreign_origin)
        with self.database.write() as connection:
            found = find_draft(connection, identifier) if identifier is not None else None
            if found is None:
                wanted = [names_of(connection, draft, log_name) for draft in drafts]
                logs = lock_logs(connection, (name for names in wanted for name in names))
                check_restated(connection, logs, drafts, wanted)
                _ids, entries = encode(connection, logs, drafts, wanted, now=self.now())
                title = _title(drafts, restated=sum(draft.id is not None for draft in drafts))
                found = self._add(connection, _new(DraftKind.LISTINGS, logs, title, actor, identifier), entries)
            return draft_view(connection, found)

    def propose_files(
        self,
        paths: Sequence[Path],
        actor: Actor,
        *,
        log_name: str = LISTINGS,
        allow_foreign_origin: bool = False,
        blobs: Sequence[NewBlob] = (),
        **fields: Any,
    ) -> ProposedFiles:
        """Hash files and propose a listing of each that is not listed yet; raises what ``publish_files`` raises."""
        ready = prepare_files(paths, blobs, fields, allow_foreign_origin=allow_foreign_origin)
        with self.database.write() as connection:
            names = names_for(connection, fields.get("audiences") or (), log_name, fields.get("incident"))
            logs = lock_logs(connection, names)
            standing = find_contents_everywhere(connection, [file.sha256 for file in ready.files], logs[names[0]].kind)
            new = missing_files(ready, names, standing)
            for signal, data in ready.blobs:
                store_own(connection, signal, data, now=self.now())
            draft = None
            if new:
                _ids, entries = encode(connection, logs, *columns(new.values()), now=self.now())
                contents = {name: [content for content, (_, wanted) in new.items() if name in wanted] for name in names}
                title = ", ".join(Path(one.where or "").name for one, _ in new.values())
                proposed = _new(DraftKind.LISTINGS, logs, title[:200], actor)
                draft = draft_view(connection, self._add(connection, proposed, entries, contents))
        listed = {
            file.name: next(iter(standing[file.sha256].values())).listing.id
            for file in ready.files
            if file.sha256 not in new
        }
        return ProposedFiles(tuple(ready.files), draft, listed)

    def propose_withdrawal(
        self, listing: str, reason: str, actor: Actor, *, note: str | None = None, erase: bool = False
    ) -> DraftView:
        """Propose to take an own listing back; with ``erase`` its bytes are to disappear, too.

        That may be of one that is withdrawn already. Raises what ``Publisher.withdraw`` raises.
        """
        check_id(listing)
        with self.database.write() as connection:
            found = find_everywhere(connection, listing, lock=True)
            logs = [log for log, one in found if one.live] or [log for log, _ in found if erase]
            if not logs:
                raise ConflictError("this listing is withdrawn already", where=listing)
            entries = {
                log.name: [encode_withdrawal(listing, reason, note, now=self.now(), log_kind=log.kind)] for log in logs
            }
            title = f"{'erase' if erase else 'withdraw'} {listing}: {reason}"
            new = _new(DraftKind.WITHDRAWAL, entries, title, actor, listing=listing, erase=erase)
            return draft_view(connection, self._add(connection, new, entries))

    def drafts(self, states: Collection[DraftState] | None = UNDECIDED) -> list[DraftView]:
        """List drafts, the newest first, at most 1 000: those that wait, or those of some states, or with None all."""
        with self.database.read() as connection:
            return [draft_view(connection, draft) for draft in list_drafts(connection, states, limit=LIST_MAX)]

    def show(self, identifier: str) -> DraftDetail:
        """Show a draft with its statements; NotFoundError."""
        with self.database.read() as connection:
            draft = _get(connection, identifier)
            entries = draft_entries(connection, draft.number, limit=ENTRIES_SHOWN + 1)
            view = draft_view(connection, draft)
        shown = tuple(msgspec.json.decode(entry, type=dict[str, Any]) for entry in entries[:ENTRIES_SHOWN])
        return DraftDetail(view, shown, more=len(entries) > ENTRIES_SHOWN)

    def find(self, identifier: str) -> DraftView | None:
        """Find a draft by its id."""
        with self.database.read() as connection:
            draft = find_draft(connection, identifier)
            return None if draft is None else draft_view(connection, draft)

    def approve(self, identifier: str, actor: Actor, *, wait: bool = True) -> DraftView:
        """Approve what somebody else proposed, and publish it; a second time by the same one is no mistake.

        Raises NotFoundError; ConflictError for a draft of one's own, one that somebody decided, and one that cannot be
        published as things stand now; StoreError.
        """
        with self.database.write() as connection:
            logs = lock_logs(connection, _get(connection, identifier).log_name.split(_COMMA))
            draft = _get(connection, identifier, lock=True)
            if (draft.proposer_kind, draft.proposer_name) == (actor.kind.value, actor.name):
                raise ConflictError(
                    "whoever proposed this cannot approve it, too",
                    where=identifier,
                    mend="let somebody else look at it, with another token or as another user",
                )
            again = _is_approved_by(draft, actor)
            waiting = [] if again else self._queue(connection, logs, draft, actor)
        told = [self.publisher.finish(one) for one in waiting if wait]
        for log in logs.values() if again else ():
            self.publisher.release_leftovers(log)
        notice = next((one for one, _ in told if one is not None), None)
        rests = next((one for _, one in told if one is not None), None)
        with self.database.read() as connection:
            view = draft_view(connection, _get(connection, identifier))
        return replace(view, notice=notice, rests_until=rests)

    def reject(self, identifier: str, actor: Actor, reason: str) -> DraftView:
        """Reject a draft, for a reason in words; its statements are forgotten, and an import may be begun anew.

        Whoever proposed it may take it back by this. Raises NotFoundError, ConflictError for one that is decided.
        """
        with self.database.write() as connection:
            draft = _get(connection, identifier, lock=True)
            _decide(connection, draft, DraftState.REJECTED, actor, reason=reason, now=self.now())
            if draft.source is not None:
                forget_imported(connection, draft.source)
            return draft_view(connection, _get(connection, identifier))

    def _add(
        self,
        connection: Connection,
        new: NewDraft,
        entries: Mapping[str, Sequence[bytes]],
        contents: Mapping[str, Sequence[bytes]] | None = None,
    ) -> Draft:
        number = add_draft(connection, new, now=self.now())
        for name, some in entries.items():
            add_draft_entries(connection, number, name, some, contents[name] if contents else None)
        return _get(connection, new.id)

    def _queue(self, connection: Connection, logs: Mapping[str, Log], draft: Draft, actor: Actor) -> list[Waiting]:
        """Queue the statements of a draft, and mark it; what was published or withdrawn meanwhile is in the way."""
        now = self.now()
        if draft.state is not DraftState.WAITING:
            raise _decided(draft)
        left = None if draft.listing is None else self._withdraw(connection, draft, draft.listing, now)
        since = withdrawn_since(connection, draft.proposed_at) if draft.listing is None else set()
        waiting = []
        for name, log in logs.items():
            entry = last_entry(connection, draft.number, name)
            if entry is None or (left is not None and name not in left):
                continue
            _check_restated(connection, log, draft, since)
            self._check_files(connection, log, draft)
            queue_draft(connection, draft.number, name, log.number, now=now)
            last = decode_head(entry)
            waiting.append(Waiting(log, last.listing or last.id, withdrawn=draft.listing is not None))
        _decide(connection, draft, DraftState.APPROVED, actor, now=now)
        return waiting

    def _check_files(self, connection: Connection, log: Log, draft: Draft) -> None:
        """Raise ConflictError where a file of a draft is listed in that log by now; remember that it is published."""
        found = draft_contents(connection, draft.number, log.name)
        files = {content: id_bytes(decode_head(entry).id) for content, entry in found}
        if files and find_contents(connection, log, list(files)):
            raise ConflictError(
                "a file of this draft has been listed meanwhile",
                where=draft.id,
                mend="reject the draft, and publish the files again: those that are listed are left out",
            )
        remember_publications(connection, files)

    def _withdraw(self, connection: Connection, draft: Draft, listing: str, now: datetime) -> set[str]:
        """Do what goes with a withdrawal, and give the names of the logs that say it: none if only bytes disappear.

        Raises ConflictError where the listing stands elsewhere than at its proposal, or nothing is left to do.
        """
        found = find_everywhere(connection, listing)
        live = {log.name: one for log, one in found if one.live}
        if not live and not draft.erase:
            raise ConflictError(
                "this listing is withdrawn already", where=listing, mend="reject the draft: it has been done"
            )
        if not live.keys() <= set(draft.log_name.split(_COMMA)):
            raise ConflictError(
                "this listing is for others, too, by now", where=listing, mend="reject the draft, and propose it again"
            )
        for one in live.values():
            forget_publications(connection, id_bytes(listing), sha256_contents(one.listing))
        (entry,) = draft_entries(connection, draft.number, limit=1)
        withdrawal = parse_statement(entry, found[0][0].kind)
        if draft.erase and isinstance(withdrawal, Withdrawal):
            for log, _ in found:
                request_erasure(connection, log.sequence, id_bytes(listing), withdrawal.reason, now=now)
        return set(live)


def new_import_draft(names: Iterable[str], title: str, actor: Actor, source: str) -> NewDraft:
    """Give the draft of an import, into the logs of those names, that has yet to store its lines."""
    return _new(DraftKind.IMPORT, names, title, actor, source=source, state=DraftState.WRITING)


def _check_restated(connection: Connection, log: Log, draft: Draft, withdrawn: Collection[str]) -> None:
    """Raise ConflictError where a draft would bring back what two people withdrew after it was proposed."""
    if not withdrawn:
        return
    ids = {decode_head(entry).id for entry in stream_draft(connection, draft.number, log.name)} & set(withdrawn)
    gone = sorted(one for one, found in find_listings(connection, log, ids).items() if not found.live)
    if gone:
        raise ConflictError(
            "a listing that this draft restates has been withdrawn meanwhile",
            where=gone[0],
            mend="reject the draft; who wants the listing back proposes it anew",
        )


def _new(
    kind: DraftKind, names: Iterable[str], title: str, actor: Actor, identifier: str | None = None, **fields: Any
) -> NewDraft:
    log_name = _COMMA.join(sorted(names))
    return NewDraft(identifier or new_id(), kind, log_name, title, actor.kind.value, actor.name, **fields)


def _title(drafts: Sequence[ListingDraft], *, restated: int) -> str:
    contents = ", ".join(sorted({draft.content for draft in drafts}))
    return f"{contents[:100]}{f'; {restated} restated' if restated else ''}"


def _get(connection: Connection, identifier: str, *, lock: bool = False) -> Draft:
    draft = find_draft(connection, identifier, lock=lock)
    if draft is None:
        raise NotFoundError("there is no such draft", where=identifier[:60], mend="see `hashpact drafts list --all`")
    return draft


def _decide(
    connection: Connection,
    draft: Draft,
    state: DraftState,
    actor: Actor,
    *,
    reason: str | None = None,
    now: datetime,
) -> None:
    if not decide(connection, draft.number, state, (actor.kind.value, actor.name), reason=reason, now=now):
        raise _decided(draft)


def _decided(draft: Draft) -> ConflictError:
    if draft.state is DraftState.WRITING:
        return ConflictError("not all of this import is stored yet", where=draft.id, mend="run the import again")
    return ConflictError(
        f"this draft is {draft.state.value} already, by {draft.decider_kind} {draft.decider_name}", where=draft.id
    )


def _is_approved_by(draft: Draft, actor: Actor) -> bool:
    decider = (draft.decider_kind, draft.decider_name)
    return draft.state is DraftState.APPROVED and decider == (actor.kind.value, actor.name)
