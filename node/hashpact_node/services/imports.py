"""Import files of hashes into an own log: checked whole before anything of it is stored, resumable at any moment.

How far a file came is stored with the statements of its lines, under the SHA-256 of the file and the log's name, with
the defaults that its lines were given. So an import that was killed goes on where it was, and one that is finished adds
nothing the second time; with other defaults it is refused, since that would list everything once more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final

from hashpact_node.services.actors import Actor
from hashpact_node.services.approving import new_import_draft
from hashpact_node.services.blobs import check_blobs
from hashpact_node.services.collecting import without_collecting
from hashpact_node.services.drafts import ListingDraft, check_origin, encode_listing, encode_plain, located, new_id
from hashpact_node.services.import_rows import Exact, PlainRow, Row, format_of, read_rows
from hashpact_node.services.own_listings import open_log
from hashpact_node.services.placing import lock_logs, names_for
from hashpact_node.services.publishing import LISTINGS, Publisher, Waiting
from hashpact_node.store.blobs import use_blobs
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.drafts import add_draft, add_draft_entries, find_draft_of, set_waiting
from hashpact_node.store.imports import imported_lines, imports_like, set_imported_lines
from hashpact_node.store.logs import Log
from hashpact_node.store.queue import add_entries
from hashpact_protocol.errors import ConflictError, HashpactError, RequestError, StatementError
from hashpact_protocol.statement_fields import format_time
from hashpact_protocol.statements import DEFAULT_ORIGIN

CHUNK_LINES: Final = 10_000
ERRORS_MAX: Final = 100
CHECKING: Final = "checking"
IMPORTING: Final = "importing"
RELEASING: Final = "releasing"
STORED: Final = "all lines are stored and wait to be released"

_HASH_BYTES: Final = 1024 * 1024
_PROGRESS_LINES: Final = 2_000


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """How far an import is: its step, lines done in it, bytes read of how many."""

    step: str
    lines: int
    read_bytes: int
    total_bytes: int


@dataclass(slots=True)
class ImportReport:
    """What an import did.

    ``lines`` of the file, of which ``resumed`` were imported by an earlier run; ``imported`` listings were added by
    this one, ``skipped`` lines were wrong, the first 100 of them in ``errors``. ``notice`` says why something waits.
    ``draft``: the draft of them, which somebody else has to approve. ``rests_until``: when they may be released.
    """

    lines: int = 0
    resumed: int = 0
    imported: int = 0
    skipped: int = 0
    errors: list[str] = field(default_factory=list)
    notice: str | None = None
    draft: str | None = None
    rests_until: str | None = None

    def add_error(self, error: HashpactError) -> None:
        """Count a line that is wrong."""
        self.skipped += 1
        if len(self.errors) < ERRORS_MAX:
            self.errors.append(str(error))


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How to import: ``defaults`` are fields of lines that do not say them; ``keep_going`` passes over wrong lines.

    With ``audiences`` every line goes to their logs, and not to the one that is named.
    """

    log_name: str = LISTINGS
    audiences: tuple[str, ...] = ()
    defaults: Mapping[str, str | bool] = field(default_factory=dict)
    allow_foreign_origin: bool = False
    keep_going: bool = False
    wait: bool = True


class Importer:
    """Imports files in the name of this member."""

    def __init__(
        self, database: Database, publisher: Publisher, now: Callable[[], datetime], *, proposer: Actor | None = None
    ) -> None:
        """``proposer``: who proposes what is imported, where somebody else has to approve it."""
        self._database = database
        self._publisher = publisher
        self._now = now
        self._proposer = proposer

    def import_file(
        self,
        path: Path,
        options: ImportOptions | None = None,
        *,
        progress: Callable[[ImportProgress], None] | None = None,
    ) -> ImportReport:
        """Import an NDJSON or CSV file (see ``import_rows``) and release it.

        Raises RequestError for a file that cannot be read, and, unless ``keep_going``, one that names up to 100 wrong
        lines, with nothing of the file stored; ConflictError where the file was imported with other defaults;
        NotFoundError without an open log of that name, or for an audience that there is not; StoreError, after which
        the same call goes on where it was.
        """
        if self._proposer is None:
            self._publisher.must_need_no_other()
        run = _Run(path, options or ImportOptions(), progress or (lambda _progress: None), self._check_blobs)
        with self._database.read() as connection:
            logs = [open_log(connection, name) for name in run.names(connection)]
        with run.opened() as file, without_collecting():
            names = "+".join(sorted(log.name for log in logs))
            source = self._source(run, f"{names}/{run.check(file, logs[0])}")
            last = self._store(run, file, source)
        report = run.report
        if self._proposer is not None:
            report.draft = self._finish_draft(source)
        elif run.options.wait and report.lines:
            run.tell(RELEASING, report.lines, run.total_bytes)
            report.notice, report.rests_until = self._release(logs, last)
        return report

    def _source(self, run: _Run, file: str) -> str:
        """Give what this file is stored under; ConflictError where it is stored with other defaults."""
        source = file + "".join(f"?{name}={value}" for name, value in sorted(run.options.defaults.items()))
        with self._database.read() as connection:
            others = [one for one in imports_like(connection, file) if one != source]
        if others:
            before = others[0].removeprefix(file).replace("?", " --").strip() or "no defaults"
            raise ConflictError(
                f"this file was imported with {before}, and would be listed once more",
                where=str(run.path),
                mend="import it as before to go on where that was; to list it otherwise, withdraw those listings, and "
                "write what differs into the file",
            )
        return source

    def _store(self, run: _Run, file: BinaryIO, source: str) -> list[Waiting]:
        """Store all lines that are not imported yet, a chunk a transaction; give what was stored last, by log."""
        report, waiting = run.report, list[Waiting]()
        with self._database.read() as connection:
            report.resumed = imported_lines(connection, source)
        file.seek(0)
        done = report.resumed
        for chunk in run.chunks(file, after=done):
            now = self._now()
            with self._database.write() as connection:
                logs = list(lock_logs(connection, run.names(connection)).values())
                if imported_lines(connection, source) != done:
                    raise ConflictError(
                        "another process imports the same file", where=str(run.path), mend="let it finish"
                    )
                last, entries = run.encode(chunk.drafts, logs[0], now)
                use_blobs(connection, run.take_blobs(), now=now)
                for log in logs:
                    self._keep(connection, run, log, source, entries)
                set_imported_lines(connection, source, chunk.end, now=now)
            done = chunk.end
            if last is not None:
                waiting = [Waiting(log, last) for log in logs]
            report.imported += len(entries)
            run.tell(IMPORTING, done, file.tell())
        report.lines = max(done, run.lines)
        return waiting

    def _keep(self, connection: Connection, run: _Run, log: Log, source: str, entries: list[bytes]) -> None:
        """Queue the entries of a chunk, or add them to the draft of this import."""
        if self._proposer is None:
            add_entries(connection, log.number, entries, now=self._now())
        elif entries:
            draft = find_draft_of(connection, source)
            new = new_import_draft(run.names(connection), run.path.name, self._proposer, source)
            number = draft.number if draft is not None else add_draft(connection, new, now=self._now())
            add_draft_entries(connection, number, log.name, entries)

    def _finish_draft(self, source: str) -> str | None:
        """Say that all of the draft is there; its id."""
        with self._database.write() as connection:
            draft = find_draft_of(connection, source)
            if draft is None:
                return None
            set_waiting(connection, draft.number)
            return draft.id

    def _check_blobs(self, draft: ListingDraft) -> Collection[bytes]:
        """Give the keys of the blobs that a draft names; RequestError where one is not here."""
        if all(signal.blob_length is None for signal in draft.signals):
            return ()
        with self._database.read() as connection:
            return check_blobs(connection, draft.signals, where=draft.where)

    def _release(self, logs: list[Log], last: list[Waiting]) -> tuple[str | None, str | None]:
        """Release what was stored by this run, or by one that was killed before it came to that."""
        told = [self._publisher.finish(one, STORED) for one in last]
        try:
            for log in [] if last else logs:
                self._publisher.release_leftovers(log)
        except HashpactError as error:
            return f"{STORED}: {error}", None
        notices, rests = zip(*told, strict=True) if told else ((None,), (None,))
        return next(filter(None, notices), None), next(filter(None, rests), None)


@dataclass(slots=True)
class _Chunk:
    """Drafts of lines that follow each other, the last at line ``end``."""

    drafts: list[ListingDraft | PlainRow] = field(default_factory=list)
    end: int = 0


@dataclass(slots=True)
class _Run:
    """One import of one file."""

    path: Path
    options: ImportOptions
    progress: Callable[[ImportProgress], None]
    check_blobs: Callable[[ListingDraft], Collection[bytes]]
    form: str = field(init=False)
    total_bytes: int = field(default=0, init=False)
    lines: int = field(default=0, init=False)
    report: ImportReport = field(default_factory=ImportReport, init=False)
    _written: tuple[datetime | None, str] = field(default=(None, ""), init=False)
    _blobs: set[bytes] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self.form = format_of(self.path)

    def names(self, connection: Connection) -> list[str]:
        """Give the names of the logs in which the lines are published; NotFoundError, RequestError."""
        return names_for(connection, self.options.audiences, self.options.log_name)

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """Open the file; what goes wrong with it is a RequestError."""
        try:
            with self.path.open("rb") as file:
                self.total_bytes = self.path.stat().st_size
                yield file
        except OSError as error:
            raise RequestError(
                f"the file cannot be read: {error.strerror}", where=str(self.path), mend="check its name and its disk"
            ) from error

    def check(self, file: BinaryIO, log: Log) -> str:
        """Look at every line before anything is stored, unless wrong ones are passed over; give the file's SHA-256."""
        if not self.options.keep_going:
            wrong = ImportReport()
            now = datetime.fromtimestamp(0).astimezone()
            for number, row in self._rows(file, 0):
                self._try(row, log, now, wrong)
                self.lines = number
                if number % _PROGRESS_LINES == 0:
                    self.tell(CHECKING, number, file.tell())
            if wrong.skipped:
                raise _refusal(self.path, wrong)
        file.seek(0)
        digest = hashlib.sha256()
        while data := file.read(_HASH_BYTES):
            digest.update(data)
        return digest.hexdigest()

    def chunks(self, file: BinaryIO, *, after: int) -> Iterator[_Chunk]:
        """Give the sound drafts beyond line ``after``, 10 000 lines at a time."""
        chunk = _Chunk()
        for number, row in self._rows(file, after):
            if isinstance(row, HashpactError):
                self.report.add_error(row)
            else:
                chunk.drafts.append(row)
            chunk.end = number
            if len(chunk.drafts) == CHUNK_LINES:
                yield chunk
                chunk = _Chunk()
        if chunk.end:
            yield chunk

    def encode(self, drafts: list[ListingDraft | PlainRow], log: Log, now: datetime) -> tuple[str | None, list[bytes]]:
        """Give the entries of the drafts, and the id of the last."""
        last, entries = None, []
        for draft in drafts:
            entry = self._try(draft, log, now, self.report)
            if entry is not None:
                last, data = entry
                entries.append(data)
        return last, entries

    def take_blobs(self) -> Collection[bytes]:
        """Give the keys of the blobs that were named since this was last asked."""
        named, self._blobs = self._blobs, set()
        return named

    def tell(self, step: str, lines: int, read_bytes: int) -> None:
        """Tell how far it is."""
        self.progress(ImportProgress(step, lines, read_bytes, self.total_bytes))

    def _time(self, now: datetime) -> str:
        """Give the time as entries have it, written once for all that share it."""
        if self._written[0] != now:
            self._written = (now, format_time(now))
        return self._written[1]

    def _rows(self, file: BinaryIO, after: int) -> Iterator[Row]:
        return read_rows(file, self.form, after=after, defaults=self.options.defaults)

    def _try(self, row: PlainRow | Exact, log: Log, now: datetime, report: ImportReport) -> tuple[str, bytes] | None:
        """Give the id and the entry of a row; None, and an error in the report, when it cannot be one."""
        if isinstance(row, PlainRow):
            identifier = new_id()
            foreign = row.draft.origin not in {None, DEFAULT_ORIGIN} and not self.options.allow_foreign_origin
            entry = None if foreign else encode_plain(row.draft, log.kind, identifier, self._time(now))
            if entry is not None:
                return identifier, entry
            row = row.exact()
        if isinstance(row, HashpactError):
            report.add_error(row)
            return None
        try:
            _check_no_audiences(row)
            check_origin(row.origin, allow_foreign=self.options.allow_foreign_origin, where=row.where)
            self._blobs.update(self.check_blobs(row))
            listing = row.listing(now)
            return listing.id, encode_listing(listing, log.kind)
        except StatementError as error:
            report.add_error(located(error, row.where))
        except RequestError as error:
            report.add_error(error)
        return None


def _check_no_audiences(draft: ListingDraft) -> None:
    """Raise RequestError for a line that says whom it is for: that is said once for the whole file."""
    if draft.audiences:
        raise RequestError("a line names no audiences", where=draft.where, mend="say --audience for the whole file")


def _refusal(path: Path, wrong: ImportReport) -> RequestError:
    shown = len(wrong.errors)
    more = f"\n… and {wrong.skipped - shown} more" if wrong.skipped > shown else ""
    lines = "line is" if wrong.skipped == 1 else "lines are"
    return RequestError(
        f"{wrong.skipped} {lines} wrong, so nothing was imported:\n" + "\n".join(wrong.errors) + more,
        where=str(path),
        mend="mend them, or pass over them with --keep-going",
    )
