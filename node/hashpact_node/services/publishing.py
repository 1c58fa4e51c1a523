"""Publishing: statements are checked, stored to wait for their places, and released (docs/architecture.md).

Once a statement waits it is published: it will be released, if not now then when whatever hinders it is mended. So
what goes wrong after that is told in ``notice`` and raises nothing, lest somebody publishes it a second time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from hashpact_node import clock
from hashpact_node.services.blobs import NewBlob, check_blobs, read_new_blobs, store_own
from hashpact_node.services.drafts import (
    ListingDraft,
    check_origin,
    encode_listing,
    encode_withdrawal,
    located,
)
from hashpact_node.services.hashing import HashedFile, hash_file
from hashpact_node.services.own_listings import (
    OwnListing,
    check_id,
    find_contents,
    find_listings,
    open_log,
    open_names,
    sha256_contents,
)
from hashpact_node.services.release import Releaser
from hashpact_node.services.views import logs_by_number
from hashpact_node.store.blobs import use_blobs
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.erasures import request_erasure
from hashpact_node.store.logs import Log, get_log
from hashpact_node.store.owners import find_owners
from hashpact_node.store.queue import add_entries, forget_publications, remember_publications
from hashpact_protocol.errors import (
    ConflictError,
    HashpactError,
    NotFoundError,
    RequestError,
    StatementError,
    StoreBusyError,
)
from hashpact_protocol.merge import id_bytes
from hashpact_protocol.signals import Signal
from hashpact_protocol.statements import Listing

LISTINGS = "listings"
WAIT_SECONDS = 30.0
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Published:
    """A listing that is published, or a withdrawal of it.

    ``id`` is the listing's, ``origin`` the log's. ``index`` is the entry's place and ``size`` the log's released size,
    both None while it waits to be released; ``notice`` says why then. ``existing`` says that nothing was added, since
    the content is listed already.
    """

    id: str
    origin: str
    index: int | None = None
    size: int | None = None
    existing: bool = False
    notice: str | None = None


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A file's hashes and the listing that it is published as."""

    file: HashedFile
    published: Published


@dataclass(frozen=True, slots=True)
class ListingView:
    """An own listing as people look at it; ``index`` is None while it waits. ``state``: queued, released, withdrawn.

    A listing whose withdrawal waits to be released is withdrawn already.
    """

    listing: Listing
    name: str
    origin: str
    index: int | None
    live: bool
    state: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """What was stored to be released: the log as it was then, and the listing that was listed or withdrawn last."""

    log: Log
    last: str
    withdrawn: bool = False


class Publisher:
    """Publishes in the name of this member; may be shared by threads."""

    def __init__(
        self,
        database: Database,
        releaser: Releaser,
        now: Callable[[], datetime],
        *,
        releases: bool = True,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        """``releases`` is False where a running node releases what is stored here; it is waited for then."""
        self._database = database
        self._releaser = releaser
        self._now = now
        self._releases = releases
        self._wait_seconds = wait_seconds

    def publish(
        self,
        drafts: Sequence[ListingDraft],
        *,
        log_name: str = LISTINGS,
        allow_foreign_origin: bool = False,
        wait: bool = True,
    ) -> list[Published]:
        """Publish listings, all or none; a draft with an id restates that own listing. In the order of the drafts.

        Raises RequestError for a foreign origin, NotFoundError for an id that is no listing of ours, and StatementError
        for what would be malformed, each naming the draft; NotFoundError when there is no such log, StoreError.
        """
        for number, draft in enumerate(drafts, 1):
            check_origin(draft.origin, allow_foreign=allow_foreign_origin, where=_where(draft, number, len(drafts)))
        with self._database.write() as connection:
            log = open_log(connection, log_name, lock=True)
            self._check_restated(connection, log, drafts)
            ids = self._enqueue(connection, log, drafts)
        return self._release(log, [Published(one, log.origin) for one in ids], wait=wait)

    def publish_files(
        self,
        paths: Sequence[Path],
        *,
        log_name: str = LISTINGS,
        allow_foreign_origin: bool = False,
        wait: bool = True,
        blobs: Sequence[NewBlob] = (),
        **fields: Any,
    ) -> list[PublishedFile]:
        """Hash files and publish a listing of each, all or none; ``fields`` are those of ``ListingDraft`` for all.

        A file that is listed already is the listing that exists. ``blobs`` are further signals of a single file.
        Raises what ``publish`` and ``hash_file`` raise, RequestError for blobs of several files, and SignalError.
        """
        if blobs and len(paths) != 1:
            raise RequestError("blobs belong to one file", mend="publish the files one by one, each with its blobs")
        made = read_new_blobs(blobs)
        files = [_with_signals(hash_file(path), [signal for signal, _ in made]) for path in paths]
        drafts = [_file_draft(file, fields) for file in files]
        for draft in drafts:
            check_origin(draft.origin, allow_foreign=allow_foreign_origin, where=draft.where)
        with self._database.write() as connection:
            log = open_log(connection, log_name, lock=True)
            standing = find_contents(connection, log, [file.sha256 for file in files])
            new = {file.sha256: draft for file, draft in zip(files, drafts, strict=True)}
            new = {content: draft for content, draft in new.items() if content not in standing}
            for signal, data in made:
                store_own(connection, signal, data, now=self._now())
            ids = dict(zip(new, self._enqueue(connection, log, list(new.values())), strict=True))
            remember_publications(connection, {content: id_bytes(one) for content, one in ids.items()})
        answers = [_file_answer(file, log, standing.get(file.sha256), ids) for file in files]
        # The first of several equal files is the one that is published.
        seen: set[str] = set()
        for place, answer in enumerate(answers):
            answers[place] = replace(answer, existing=answer.existing or answer.id in seen)
            seen.add(answer.id)
        released = self._release(log, answers, wait=wait)
        return [PublishedFile(file, one) for file, one in zip(files, released, strict=True)]

    def withdraw(
        self, listing: str, reason: str, *, note: str | None = None, wait: bool = True, erase: bool = False
    ) -> Published:
        """Take an own listing back; with ``erase`` its bytes wait to disappear, too, withdrawn already or not.

        Raises NotFoundError for a listing that is not ours, ConflictError when it is withdrawn already, StatementError
        for a reason or note that would be malformed, and StoreError.
        """
        check_id(listing)
        with self._database.write() as connection:
            log, standing = self._find(connection, listing, lock=True)
            now = self._now()
            if erase:
                request_erasure(connection, log.sequence, id_bytes(listing), reason, now=now)
            if not standing.live and not erase:
                raise ConflictError("this listing is withdrawn already", where=listing)
            if standing.live:
                entry = encode_withdrawal(listing, reason, note, now=now, log_kind=log.kind)
                add_entries(connection, log.number, [entry], now=now)
                forget_publications(connection, id_bytes(listing), sha256_contents(standing.listing))
        return self._release_withdrawal(log, listing, wait=wait)

    def listing(self, identifier: str) -> ListingView:
        """Show an own listing, released or not; NotFoundError when there is none with this id."""
        check_id(identifier)
        with self._database.read() as connection:
            log, found = self._find(connection, identifier)
        state = "released" if found.merged else "queued"
        return ListingView(
            listing=found.listing,
            name=log.name,
            origin=found.log.origin,
            index=found.position,
            live=found.live,
            state=state if found.live else "withdrawn",
        )

    def wait_released(self, waiting: Waiting, *, timeout: float | None = None) -> None:
        """Wait until a running node has released and merged statements; StoreBusyError once ``timeout`` seconds passed.

        They are stored all the while, and will be released.
        """
        deadline = clock.monotonic() + (self._wait_seconds if timeout is None else timeout)
        while not self._is_released(waiting):
            if clock.monotonic() >= deadline:
                raise StoreBusyError(
                    "the running node has not released this yet; it is stored, and will be",
                    where=waiting.log.origin,
                    mend="look at `hashpact keys status` and the node's output if that takes longer",
                )
            time.sleep(POLL_SECONDS)

    def release(self, waiting: Waiting) -> None:
        """Release what waits, or wait until the running node has; raises what ``Releaser.release`` raises."""
        if self._releases:
            self._releaser.release(waiting.log.number)
        else:
            self.wait_released(waiting)

    def release_leftovers(self, log: Log) -> None:
        """Release what a command that was killed left waiting; nothing where a running node does."""
        if self._releases:
            self._releaser.release(log.number)

    def _enqueue(self, connection: Connection, log: Log, drafts: Sequence[ListingDraft]) -> list[str]:
        now = self._now()
        listings = [draft.listing(now) for draft in drafts]
        entries = []
        for number, (draft, listing) in enumerate(zip(drafts, listings, strict=True), 1):
            where = _where(draft, number, len(drafts))
            try:
                use_blobs(connection, check_blobs(connection, listing.signals, where=where), now=now)
                entries.append(encode_listing(listing, log.kind))
            except StatementError as error:
                raise located(error, where) from None
        add_entries(connection, log.number, entries, now=now)
        return [listing.id for listing in listings]

    def _check_restated(self, connection: Connection, log: Log, drafts: Sequence[ListingDraft]) -> None:
        restated = {check_id(draft.id) for draft in drafts if draft.id is not None}
        found = find_listings(connection, log, restated)
        for number, draft in enumerate(drafts, 1):
            if draft.id is not None and draft.id not in found:
                raise NotFoundError(
                    f"no listing of ours in {log.name} has the id {draft.id}",
                    where=_where(draft, number, len(drafts)),
                    mend="leave the id out to publish a new listing",
                )

    def _find(self, connection: Connection, identifier: str, *, lock: bool = False) -> tuple[Log, OwnListing]:
        """Find an own listing, and the open log of its name; NotFoundError."""
        for name in open_names(connection):
            log = open_log(connection, name, lock=lock)
            found = find_listings(connection, log, [identifier])
            if found:
                return log, found[identifier]
        raise NotFoundError("no listing of ours has this id", where=identifier, mend="only its publisher can change it")

    def _release(self, log: Log, answers: list[Published], *, wait: bool) -> list[Published]:
        """Release what was stored, if that is wanted, and add places and sizes to the answers."""
        fresh = [answer.id for answer in answers if not answer.existing]
        notice = self._try_release(Waiting(log, fresh[-1])) if wait and fresh else None
        with self._database.read() as connection:
            size = get_log(connection, log.number).accepted_size
            owners = find_owners(connection, log.sequence, {id_bytes(answer.id) for answer in answers})
            origins = {number: one.origin for number, one in logs_by_number(connection).items()}
        placed = []
        for answer in answers:
            owner = owners.get(id_bytes(answer.id))
            known = owner is not None and (answer.existing or _is_new(owner.log, owner.position, log))
            if owner is not None and known:
                placed.append(replace(answer, origin=origins[owner.log], index=owner.position, size=size))
            else:
                placed.append(replace(answer, notice=notice))
        return placed

    def _release_withdrawal(self, log: Log, listing: str, *, wait: bool) -> Published:
        notice = self._try_release(Waiting(log, listing, withdrawn=True)) if wait else None
        with self._database.read() as connection:
            owner = find_owners(connection, log.sequence, [id_bytes(listing)]).get(id_bytes(listing))
            size = get_log(connection, log.number).accepted_size
        if owner is not None and not owner.live:
            return Published(listing, log.origin, index=owner.position, size=size)
        return Published(listing, log.origin, notice=notice)

    def _try_release(self, waiting: Waiting) -> str | None:
        try:
            self.release(waiting)
        except HashpactError as error:
            return f"it is stored and waits to be released: {error}"
        return None

    def _is_released(self, waiting: Waiting) -> bool:
        last = id_bytes(waiting.last)
        with self._database.read() as connection:
            owner = find_owners(connection, waiting.log.sequence, [last]).get(last)
        if owner is None:
            return False
        return (waiting.withdrawn and not owner.live) or _is_new(owner.log, owner.position, waiting.log)


def _is_new(log: int, position: int, before: Log) -> bool:
    """Say whether a place was given after the log was as ``before``."""
    return log == before.number and position >= before.placed_size


def _where(draft: ListingDraft, number: int, count: int) -> str | None:
    return draft.where or (f"line {number}" if count > 1 else None)


def _with_signals(file: HashedFile, signals: Sequence[Signal]) -> HashedFile:
    return replace(file, signals=(*file.signals, *signals))


def _file_draft(file: HashedFile, fields: dict[str, Any]) -> ListingDraft:
    given = {name: value for name, value in fields.items() if value is not None}
    return ListingDraft(signals=file.signals, where=file.name, **{"content": file.content, **given})


def _file_answer(file: HashedFile, log: Log, standing: OwnListing | None, ids: dict[bytes, str]) -> Published:
    if standing is not None:
        return Published(standing.listing.id, standing.log.origin, existing=True)
    return Published(ids[file.sha256], log.origin)
