"""Publishing: statements are checked, stored to wait for their places, and released (docs/architecture.md).

Once a statement waits it is published: it will be released, if not now then when whatever hinders it is mended. So
what goes wrong after that is told in ``notice`` and raises nothing, lest somebody publishes it a second time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hashpact_node import clock
from hashpact_node.services.blobs import NewBlob, store_own
from hashpact_node.services.drafts import (
    ListingDraft,
    encode_withdrawal,
)
from hashpact_node.services.file_drafts import columns, missing_files, prepare_files
from hashpact_node.services.hashing import HashedFile
from hashpact_node.services.own_listings import check_id, sha256_contents
from hashpact_node.services.placing import (
    audiences_of,
    check_origins,
    check_restated,
    enqueue,
    find_contents_everywhere,
    find_everywhere,
    lock_logs,
    names_for,
    names_of,
)
from hashpact_node.services.release import Releaser
from hashpact_node.services.views import logs_by_number
from hashpact_node.store.database import Database
from hashpact_node.store.erasures import request_erasure
from hashpact_node.store.logs import Log, get_log
from hashpact_node.store.owners import find_owners
from hashpact_node.store.queue import add_entries, forget_publications, remember_publications
from hashpact_protocol.errors import (
    ConflictError,
    HashpactError,
    StoreBusyError,
)
from hashpact_protocol.merge import id_bytes
from hashpact_protocol.statement_fields import format_time
from hashpact_protocol.statements import Listing

LISTINGS = "listings"
STORED = "it is stored and waits to be released"
WAIT_SECONDS = 30.0
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Published:
    """A listing that is published, or a withdrawal of it.

    ``id`` is the listing's, ``origin`` the log's. ``index`` is the entry's place and ``size`` the log's released size,
    both None while it waits to be released; ``notice`` says why then. ``existing`` says that nothing was added, since
    the content is listed already. ``rests_until``: when it may be released at the earliest, where it can be taken back
    until then.
    """

    id: str
    origin: str
    index: int | None = None
    size: int | None = None
    existing: bool = False
    notice: str | None = None
    rests_until: str | None = None


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A file's hashes and the listing that it is published as."""

    file: HashedFile
    published: Published


@dataclass(frozen=True, slots=True)
class ListingView:
    """An own listing as people look at it; ``index`` is None while it waits. ``state``: queued, released, withdrawn.

    A listing whose withdrawal waits to be released is withdrawn already. ``audiences``: whom it is for, by their names
    here. It is shown as it stands in the first of their logs. ``names``: all logs in which it stands or stood.
    """

    listing: Listing
    name: str
    origin: str
    index: int | None
    live: bool
    state: str
    audiences: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    notice: str | None = None


@dataclass(frozen=True, slots=True)
class _Placed:
    """A listing that was stored to wait in the logs of these names, or stands there already."""

    id: str
    names: Sequence[str]
    existing: bool = False


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

        A draft with audiences goes to their logs instead, under one id; told is how it stands in the first one.

        Raises RequestError for a foreign origin, NotFoundError for an id that is no listing of ours, and StatementError
        for what would be malformed, each naming the draft; NotFoundError when there is no such log or audience,
        StoreError.
        """
        self.must_need_no_other()
        check_origins(drafts, allow_foreign=allow_foreign_origin)
        with self._database.write() as connection:
            wanted = [names_of(connection, draft, log_name) for draft in drafts]
            logs = lock_logs(connection, (name for names in wanted for name in names))
            check_restated(connection, logs, drafts, wanted)
            ids = enqueue(connection, logs, drafts, wanted, now=self._now())
        placed = [_Placed(one, names) for one, names in zip(ids, wanted, strict=True)]
        return self._release_all(logs, placed, wait=wait)

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

        A file that is listed already is the listing that exists; where another log lists it, its id is the same.
        ``blobs`` are further signals of a single file.
        Raises what ``publish`` and ``hash_file`` raise, RequestError for blobs of several files, and SignalError.
        """
        self.must_need_no_other()
        ready = prepare_files(paths, blobs, fields, allow_foreign_origin=allow_foreign_origin)
        files = ready.files
        with self._database.write() as connection:
            names = names_for(connection, fields.get("audiences") or (), log_name, fields.get("incident"))
            logs = lock_logs(connection, names)
            standing = find_contents_everywhere(connection, [file.sha256 for file in files], logs[names[0]].kind)
            new = missing_files(ready, names, standing)
            for signal, data in ready.blobs:
                store_own(connection, signal, data, now=self._now())
            listed = enqueue(connection, logs, *columns(new.values()), now=self._now())
            ids = dict(zip(new, listed, strict=True))
            remember_publications(connection, {content: id_bytes(one) for content, one in ids.items()})
        placed, seen = [], set[bytes]()
        for file in files:
            content = file.sha256
            if content in new and content not in seen:
                placed.append(_Placed(ids[content], new[content][1]))
            elif content in new:
                placed.append(_Placed(ids[content], new[content][1], existing=True))
            else:
                placed.append(_Placed(standing[content][names[0]].listing.id, names[:1], existing=True))
            seen.add(content)
        released = self._release_all(logs, placed, wait=wait)
        return [PublishedFile(file, one) for file, one in zip(files, released, strict=True)]

    def withdraw(
        self, listing: str, reason: str, *, note: str | None = None, wait: bool = True, erase: bool = False
    ) -> Published:
        """Take an own listing back, for all whom it is for; with ``erase`` its bytes wait to disappear, too.

        That is so whether it is withdrawn already or not.

        Raises NotFoundError for a listing that is not ours, ConflictError when it is withdrawn already, StatementError
        for a reason or note that would be malformed, and StoreError.
        """
        self.must_need_no_other()
        check_id(listing)
        with self._database.write() as connection:
            found = find_everywhere(connection, listing, lock=True)
            now, live = self._now(), [(log, one) for log, one in found if one.live]
            if erase:
                for log, _ in found:
                    request_erasure(connection, log.sequence, id_bytes(listing), reason, now=now)
            elif not live:
                raise ConflictError("this listing is withdrawn already", where=listing)
            for log, standing in live:
                entry = encode_withdrawal(listing, reason, note, now=now, log_kind=log.kind)
                add_entries(connection, log.number, [entry], now=now)
                forget_publications(connection, id_bytes(listing), sha256_contents(standing.listing))
        logs = [log for log, _ in live or found[:1]]
        return _joined([self._release_withdrawal(log, listing, wait=wait) for log in logs])

    def listing(self, identifier: str) -> ListingView:
        """Show an own listing, released or not; NotFoundError when there is none with this id."""
        check_id(identifier)
        with self._database.read() as connection:
            everywhere = find_everywhere(connection, identifier)
            log, found = next((pair for pair in everywhere if pair[1].live), everywhere[0])
            audiences = audiences_of(connection, everywhere)
        state = "released" if found.merged else "queued"
        return ListingView(
            listing=found.listing,
            name=log.name,
            origin=found.log.origin,
            index=found.position,
            live=found.live,
            state=state if found.live else "withdrawn",
            audiences=audiences,
            names=tuple(one.name for one, _ in everywhere),
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

    def try_release(self, waiting: Waiting) -> str | None:
        """Release what waits, or wait for it; give what hinders that, in words, and raise nothing."""
        return self.finish(waiting)[0]

    def finish(self, waiting: Waiting, what: str = STORED) -> tuple[str | None, str | None]:
        """Let what was stored be released; give what hinders that, in words, and until when it rests before it may be.

        Nothing is raised: it is stored, and goes its way.
        """
        rules, now = self._releaser.rules, self._now()
        if rules.undo_delay_seconds and self._releaser.rests(waiting.log.number):
            return None, format_time(now + timedelta(seconds=rules.undo_delay_seconds))
        try:
            held = self._releaser.held(waiting.log.number)
            if held is None or self._releases:
                self.release(waiting)
                held = self._releaser.held(waiting.log.number)
        except HashpactError as error:
            return f"{what}: {error}", None
        return (None if held is None else f"{what}, and that is held: {held.what}"), None

    def must_need_no_other(self) -> None:
        """Raise ConflictError where somebody else has to approve what is published: it would wait in vain."""
        if self._releaser.rules.four_eyes:
            raise ConflictError(
                "four_eyes is set: nothing is published before somebody else has approved it",
                mend="propose listings and withdrawals; a move cannot be proposed, but those two can",
            )

    def release_leftovers(self, log: Log) -> None:
        """Release what a command that was killed left waiting; nothing where a running node does."""
        if self._releases:
            self._releaser.release(log.number)

    def _release_all(self, logs: Mapping[str, Log], placed: Sequence[_Placed], *, wait: bool) -> list[Published]:
        """Release what was stored in some logs, and say of each listing how it stands in the first of its own."""
        told: list[dict[str, Published]] = [{} for _ in placed]
        for name, log in logs.items():
            mine = [at for at, one in enumerate(placed) if name in one.names]
            answers = [Published(placed[at].id, log.origin, existing=placed[at].existing) for at in mine]
            for at, answer in zip(mine, self._release(log, answers, wait=wait), strict=True):
                told[at][name] = answer
        return [_joined([found[name] for name in one.names]) for one, found in zip(placed, told, strict=True)]

    def _release(self, log: Log, answers: list[Published], *, wait: bool) -> list[Published]:
        """Release what was stored, if that is wanted, and add places and sizes to the answers."""
        fresh = [answer.id for answer in answers if not answer.existing]
        notice, rests = self.finish(Waiting(log, fresh[-1])) if wait and fresh else (None, None)
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
                placed.append(replace(answer, notice=notice, rests_until=rests))
        return placed

    def _release_withdrawal(self, log: Log, listing: str, *, wait: bool) -> Published:
        notice, rests = self.finish(Waiting(log, listing, withdrawn=True)) if wait else (None, None)
        with self._database.read() as connection:
            owner = find_owners(connection, log.sequence, [id_bytes(listing)]).get(id_bytes(listing))
            size = get_log(connection, log.number).accepted_size
        if owner is not None and not owner.live:
            return Published(listing, log.origin, index=owner.position, size=size)
        return Published(listing, log.origin, notice=notice, rests_until=rests)

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


def _joined(answers: Sequence[Published]) -> Published:
    """Give how a listing stands in the first of its logs; it waits as long as it waits in any."""
    waits = next((one for one in answers if one.index is None), None)
    first = answers[0]
    return (
        first
        if waits is None
        else replace(first, index=None, size=None, notice=waits.notice, rests_until=waits.rests_until)
    )
