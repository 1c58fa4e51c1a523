"""The audit log: who did what, when, from where, with what result; appended, read, verified, exported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO, Final

import structlog

from hashpact_node.services.actors import Actor
from hashpact_node.services.audit_chain import Chain, Head, Verified
from hashpact_node.store.alarms import raise_alarm
from hashpact_node.store.audit import append, page_entries, read_head, stream_entries, stream_newest
from hashpact_node.store.audit_form import ENTRY_MAX_BYTES, OK, TEXT_MAX, Event, Value, clean
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_protocol.canonical import canonical_bytes, parse_canonical
from hashpact_protocol.errors import HashpactError, RequestError, StatementError, TileError

PAGE_MAX: Final = 1_000
ALTERED: Final = "audit-altered"
ALTERED_MEND: Final = "find out who can write to the database; `hashpact audit verify` shows all of it"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Entries as they are stored, in order; ask for the next ones with ``since`` set to ``cursor``."""

    entries: list[bytes]
    cursor: int
    more: bool
    head: str


@dataclass(frozen=True, slots=True)
class AuditLog:
    """The audit log of a database; shared by threads, and by all processes on that database."""

    database: Database
    now: Callable[[], datetime]

    def record(
        self,
        actor: Actor,
        action: str,
        subject: str = "",
        result: str = OK,
        detail: Mapping[str, Value] | None = None,
        *,
        connection: Connection | None = None,
    ) -> None:
        """Append an entry: within the transaction of ``connection``, which is then both or neither, or by itself.

        ``result`` is ``ok`` or the code of what went wrong. Texts are masked, cut and made printable. StoreError.
        """
        event = Event(actor.kind.value, actor.name, action, actor.address, subject, result, detail or {})
        if connection is not None:
            append(connection, event, now=self.now())
            return
        with self.database.write() as own:
            append(own, event, now=self.now())

    def try_record(
        self,
        actor: Actor,
        action: str,
        subject: str = "",
        result: str = OK,
        detail: Mapping[str, Value] | None = None,
    ) -> bool:
        """Append an entry about what is done already; where that fails, the process log says so. Whether it went."""
        try:
            self.record(actor, action, subject, result, detail)
        except HashpactError as error:
            log.error(  # noqa: TRY400 - it says what and why; a trace says no more
                "an entry of the audit log could not be written",
                actor=f"{actor.kind.value} {actor.name}",
                action=action,
                subject=clean(subject, TEXT_MAX),
                result=result,
                error=str(error),
            )
            return False
        return True

    def head(self) -> Head:
        """Give the head as it is kept; StoreError."""
        with self.database.read() as connection:
            return head_of(connection)

    def check(self) -> Verified:
        """Verify all of it, with an alarm for what is found, and write the head to the process log.

        So the head is kept where who alters the database does not come. StoreError.
        """
        verified = self.verify()
        log.info("the head of the audit log", head=str(verified.head), sound=verified.sound)
        if not verified.sound:
            what = f"the audit log is not as it was written: {verified.findings[0].what}"
            with self.database.write() as connection:
                raise_alarm(connection, ALTERED, what, now=self.now(), mend=ALTERED_MEND)
        return verified

    def page(self, since: int, *, limit: int) -> AuditPage:
        """Give entries behind number ``since``, in order."""
        with self.database.read() as connection:
            rows = page_entries(connection, after=since, limit=limit + 1)
            head = shown_head(connection)
        entries = [entry if _parsed(entry) else canonical_bytes(_told(n, entry)) for n, _, entry in rows[:limit]]
        return AuditPage(entries, rows[:limit][-1][0] if rows else since, len(rows) > limit, head)

    def newest(
        self, *, limit: int, since: datetime | None = None, actor: str | None = None, action: str | None = None
    ) -> list[dict[str, Any]]:
        """Give the newest entries that fit, in order: of an actor's kind or name; of an action or its first word."""
        found: list[dict[str, Any]] = []
        with self.database.read() as connection:
            for number, _, entry in stream_newest(connection, since=0 if since is None else int(since.timestamp())):
                if len(found) == limit:
                    break
                told = _told(number, entry)
                if _fits(told, actor, action):
                    found.append(told)
        return found[::-1]

    def verify(self, earlier: Sequence[Head] = ()) -> Verified:
        """Read all of it, and say what was altered, removed or reordered; StoreError."""
        chain = Chain(earlier)
        with self.database.read() as connection:
            for number, time, entry in stream_entries(connection):
                chain.add(number, entry, time=time)
            try:
                return chain.close(head_of(connection))
            except TileError:
                return chain.close(None)

    def export(self, output: BinaryIO, member: str) -> Head:
        """Write all entries, one a line, and the head as the last line; give the head. StoreError, OSError."""
        with self.database.read() as connection:
            output.writelines(entry + b"\n" for _, _, entry in stream_entries(connection))
            head = head_of(connection)
        output.write(canonical_bytes({"head": str(head), "member": member}) + b"\n")
        return head


def head_of(connection: Connection) -> Head:
    """Give the head as it is kept beside the entries; TileError where that is damaged."""
    found = read_head(connection)
    return Head(found.size, found.root())


def shown_head(connection: Connection) -> str:
    """Give the head for people, or that it is damaged."""
    try:
        return str(head_of(connection))
    except TileError:
        return "damaged: see `hashpact audit verify`"


def verify_export(lines: Iterable[bytes], earlier: Sequence[Head] = (), *, where: str) -> Verified:
    """Verify what :meth:`AuditLog.export` wrote, without a node; RequestError for what is no such file."""
    chain = Chain(earlier)
    head: Head | None = None
    last = 0
    for place, line in enumerate(lines, start=1):
        if len(line) > ENTRY_MAX_BYTES:
            raise RequestError("a line is longer than any entry", where=f"{where}, line {place}")
        if head is not None:
            raise RequestError("something follows the head", where=f"{where}, line {place}")
        told = _parsed(line.rstrip(b"\n"))
        if "head" in told:
            head = Head.parse(str(told["head"]))
            continue
        number = told.get("n")
        last = number if isinstance(number, int) and not isinstance(number, bool) and number > 0 else last + 1
        chain.add(last, line.rstrip(b"\n"))
    return chain.close(head)


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        told = parse_canonical(line)
    except StatementError:
        return {}
    return told if isinstance(told, dict) else {}


def _told(number: int, entry: bytes) -> dict[str, Any]:
    """Give what an entry says; one that was altered beyond reading says nothing but its place."""
    told = _parsed(entry)
    if isinstance(told.get("actor"), dict) and told.get("n") == number:
        return told
    nobody = {"address": None, "kind": "", "name": ""}
    empty = {"action": "", "actor": nobody, "before": "", "detail": {}, "n": number, "subject": "", "time": ""}
    return {**empty, "result": "altered: see `hashpact audit verify`"}


def _fits(told: Mapping[str, Any], actor: str | None, action: str | None) -> bool:
    who = {told["actor"].get("kind"), told["actor"].get("name"), told["actor"].get("address")}
    done = str(told.get("action"))
    return (actor is None or actor in who) and (action is None or action in {done, done.partition(" ")[0]})
