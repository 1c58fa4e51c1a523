"""The form of a backup file: a line that names it, then records, each a zstd frame (RFC 8878) of one msgpack map.

Before each frame stands its length, 4 bytes, the most significant first. The records are, in this order: one ``head``;
for each table one ``table``, then its ``rows``; the ``file`` records of the configuration and of keys; one ``end`` that
repeats how many rows each table has and the SHA-256 of its records. The last 32 bytes are that of all bytes before.
A reader holds one record at a time. It believes nothing before the end: what it gave out until then is taken back when
the end is missing or says something else.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final, Literal

import msgspec
import zstandard

from hashpact_node.net.decode import decode_body
from hashpact_protocol.errors import HashpactError, RequestError

FORMAT: Final = 1
MAGIC: Final = f"hashpact-backup {FORMAT}\n".encode()
MAGIC_MAX_BYTES: Final = 64
RECORD_MAX_BYTES: Final = 64 * 1024 * 1024
FRAME_MAX_BYTES: Final = RECORD_MAX_BYTES + 1024 * 1024
"""A frame of what cannot be compressed is a little longer than its contents."""

BATCH_BYTES: Final = 1024 * 1024
BATCH_ROWS: Final = 4_096
FILE_MAX_BYTES: Final = 256 * 1024
FILES_MAX: Final = 256
TABLES_MAX: Final = 1_024
PATH_MAX: Final = 512
LENGTH_BYTES: Final = 4
CONFIGURATION: Final = "node.toml"

_FIRST_LINE: Final = re.compile(rb"hashpact-backup ([1-9][0-9]{0,8})\n")
_DAMAGED: Final = (
    "take another copy of this backup, or an older one; `hashpact backup FILE --check` tells which is sound"
)

Row = Sequence[Any]


class Head(msgspec.Struct, tag="head", tag_field="is", frozen=True):
    """Whose backup this is, when it was made (Unix seconds), of which form, by which version, and what is not in it."""

    revision: str
    program: str
    member: str
    url: str
    made_at: int
    left_out: tuple[str, ...]


class Table(msgspec.Struct, tag="table", tag_field="is", frozen=True):
    """A table begins; its rows follow."""

    name: str
    columns: tuple[str, ...]


class Rows(msgspec.Struct, tag="rows", tag_field="is", frozen=True):
    """Rows of the table that began last."""

    rows: list[list[Any]]


class File(msgspec.Struct, tag="file", tag_field="is", frozen=True):
    """A file of the home, whole, by its path in there: ``node.toml``, an encrypted key file, a witness policy."""

    kind: Literal["configuration", "key", "policy"]
    path: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Part:
    """What is to be found of a table or a file: its rows (1 for a file), and the SHA-256 of its records, in hex."""

    name: str
    rows: int
    sha256: str


class End(msgspec.Struct, tag="end", tag_field="is", frozen=True):
    """All is there: the parts in order."""

    parts: tuple[Part, ...]


Record = Head | Table | Rows | File | End


@dataclass(slots=True)
class _Parts:
    """Counts what goes by, part by part."""

    parts: list[Part] = field(default_factory=list)
    _name: str | None = None
    _rows: int = 0
    _hash: Any = None

    def note(self, record: Record, payload: bytes) -> None:
        if isinstance(record, Table | File):
            self._close()
            self._name = f"table {record.name}" if isinstance(record, Table) else f"file {record.path}"
            self._rows, self._hash = int(isinstance(record, File)), hashlib.sha256()
        if isinstance(record, Rows):
            self._rows += len(record.rows)
        if self._hash is not None:
            self._hash.update(payload)

    def close(self) -> tuple[Part, ...]:
        self._close()
        return tuple(self.parts)

    def _close(self) -> None:
        if self._name is not None:
            self.parts.append(Part(self._name, self._rows, self._hash.hexdigest()))
        self._name, self._hash = None, None


class BackupWriter:
    """Writes a backup into an open file, record by record."""

    def __init__(self, file: BinaryIO, head: Head) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self._parts = _Parts()
        self._compressor = zstandard.ZstdCompressor(write_checksum=True, write_content_size=True)
        self._encoder = msgspec.msgpack.Encoder()
        self._put(MAGIC)
        self._write(head)

    def table(self, name: str, columns: Sequence[str]) -> None:
        """Begin a table."""
        self._write(Table(name, tuple(columns)))

    def rows(self, rows: Sequence[Row]) -> None:
        """Add rows of the table, in records of about a mebibyte."""
        batch: list[list[Any]] = []
        size = 0
        for row in rows:
            batch.append(list(row))
            size += sum(len(value) if isinstance(value, bytes | str) else 8 for value in row)
            if size >= BATCH_BYTES or len(batch) >= BATCH_ROWS:
                self._write(Rows(batch))
                batch, size = [], 0
        if batch:
            self._write(Rows(batch))

    def file(self, record: File) -> None:
        """Add a file of the home."""
        if len(record.data) > FILE_MAX_BYTES:
            raise RequestError(f"the file is longer than {FILE_MAX_BYTES:,} bytes", where=record.path)
        self._write(record)

    def end(self) -> tuple[Part, ...]:
        """Write the end, and give what the file holds."""
        parts = self._parts.close()
        self._write(End(parts))
        self._file.write(self._hash.digest())
        return parts

    def _write(self, record: Record) -> None:
        payload = self._encoder.encode(record)
        if len(payload) > RECORD_MAX_BYTES:
            raise RequestError(f"a record of {len(payload):,} bytes is too long for a backup", mend="tell us about it")
        self._parts.note(record, payload)
        frame = self._compressor.compress(payload)
        self._put(len(frame).to_bytes(LENGTH_BYTES))
        self._put(frame)

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self._hash.update(data)


def read_records(file: BinaryIO, where: str) -> Iterator[Record]:
    """Yield the records of a backup, the head first, and its end once it proved all that came before.

    Raises RequestError, which names ``where``, for what is no backup, of a newer format, damaged or cut short, and for
    a file that would lie outside the home.
    """
    reading = _Reading(file, where)
    reading.first_line()
    record = reading.record()
    if not isinstance(record, Head):
        raise reading.damaged("it does not begin with its head")
    yield record
    while not isinstance(record, End):
        before = record
        record = reading.record()
        reading.check_order(before, record)
        yield record


@dataclass(slots=True)
class _Reading:
    file: BinaryIO
    where: str
    _hash: Any = field(default_factory=hashlib.sha256)
    _parts: _Parts = field(default_factory=_Parts)
    _names: set[str] = field(default_factory=set)
    _files: int = 0
    _decoder: msgspec.msgpack.Decoder[Record] = field(default_factory=lambda: msgspec.msgpack.Decoder(Record))

    def first_line(self) -> None:
        line = self.file.readline(MAGIC_MAX_BYTES)
        found = _FIRST_LINE.fullmatch(line)
        if found is None:
            raise RequestError(
                "this is no backup of Hashpact", where=self.where, mend="give a file that `hashpact backup` wrote"
            )
        if int(found[1]) > FORMAT:
            raise RequestError(
                f"this backup has the format {int(found[1])}, which a newer version of Hashpact wrote",
                where=self.where,
                mend="restore it with that version",
            )
        self._hash.update(line)

    def record(self) -> Record:
        """Read one record; the end only if it says the truth of all before it."""
        length = int.from_bytes(self._read(LENGTH_BYTES))
        if length > FRAME_MAX_BYTES:
            raise self.damaged("a record is longer than any may be")
        try:
            payload = decode_body(self._read(length), "zstd", max_bytes=RECORD_MAX_BYTES)
        except RequestError:
            raise
        except HashpactError as error:
            raise self.damaged("a record cannot be decompressed") from error
        try:
            record = self._decoder.decode(payload)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise self.damaged("a record does not have its form") from error
        if isinstance(record, End):
            self._check_end(record)
        self._parts.note(record, payload)
        return record

    def check_order(self, before: Record, record: Record) -> None:
        """Each kind stands where it may, and nothing stands twice."""
        if isinstance(record, Head) or (isinstance(record, Rows) and not isinstance(before, Table | Rows)):
            raise self.damaged("its records do not follow each other as they must")
        if isinstance(record, Table | File):
            name = record.name if isinstance(record, Table) else f"/{record.path}"
            if name in self._names or len(self._names) >= TABLES_MAX + FILES_MAX:
                raise self.damaged("it holds something twice, or too much")
            self._names.add(name)
        if isinstance(record, File):
            self._check_file(record)

    def damaged(self, why: str) -> RequestError:
        return RequestError(f"this backup is damaged: {why}", where=self.where, mend=_DAMAGED)

    def _check_file(self, record: File) -> None:
        self._files += 1
        if self._files > FILES_MAX or len(record.data) > FILE_MAX_BYTES:
            raise self.damaged("it holds more or longer files than a home has")
        if not _is_inside(record.path) or (record.path == CONFIGURATION) != (record.kind == "configuration"):
            raise RequestError(
                f"this backup holds a file for a place where none may lie: {record.path[:PATH_MAX]!r}",
                where=self.where,
                mend="do not restore it: Hashpact never writes such a file; find out who did",
            )

    def _check_end(self, end: End) -> None:
        expected = self._hash.digest()
        if self._read(len(expected)) != expected or end.parts != self._parts.close():
            raise self.damaged("what it holds is not what it says that it holds")
        if self.file.read(1):
            raise self.damaged("something follows its end")

    def _read(self, length: int) -> bytes:
        data = self.file.read(length)
        if len(data) < length:
            raise self.damaged("it is cut short")
        self._hash.update(data)
        return data


def _is_inside(path: str) -> bool:
    """Say whether a path stays below the folder that it is taken from, and out of what a node keeps there itself."""
    parts = path.split("/")
    plain = path.isprintable() and "\\" not in path and len(path) <= PATH_MAX
    own = parts[0] in {"locks", "home.lock", "passphrase"}
    return plain and not own and not any(part in {"", ".", ".."} for part in parts)
