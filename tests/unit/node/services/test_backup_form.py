"""The form of a backup file: what its reader refuses, in words and within bounds."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from typing import BinaryIO, Literal

import msgspec
import pytest
import zstandard

from hashpact_node.services import backup_form
from hashpact_node.services.backup_form import (
    LENGTH_BYTES,
    MAGIC,
    BackupWriter,
    End,
    File,
    Head,
    Part,
    Record,
    Rows,
    Table,
    read_records,
)
from hashpact_protocol.errors import RequestError

HASH_BYTES = 32
HEAD = Head("r0006", "1.0", "acme", "https://acme.example", 1, ("the keys",))
ROWS: list[list[object]] = [[1, "text", b"bytes", None, True, ["json"]], [2, "", b"", None, False, {}]]


def write(file: BinaryIO) -> None:
    writer = BackupWriter(file, HEAD)
    writer.table("peer", ("a", "b", "c", "d", "e", "f"))
    writer.rows(ROWS)
    writer.table("empty", ("a",))
    writer.file(File("configuration", "node.toml", b"x = 1\n"))
    writer.file(File("key", "keys/release.key", b"key"))
    writer.end()


def sound() -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def read(data: bytes) -> list[Record]:
    return list(read_records(io.BytesIO(data), "here"))


def record(value: object) -> bytes:
    frame = zstandard.ZstdCompressor().compress(msgspec.msgpack.encode(value))
    return len(frame).to_bytes(LENGTH_BYTES) + frame


def test_what_is_written_is_read() -> None:
    records = read(sound())
    assert records[0] == HEAD
    assert [one.rows for one in records if isinstance(one, Rows)] == [ROWS]
    end = records[-1]
    assert isinstance(end, End)
    assert [(part.name, part.rows) for part in end.parts] == [
        ("table peer", 2),
        ("table empty", 0),
        ("file node.toml", 1),
        ("file keys/release.key", 1),
    ]


def test_many_rows_come_in_records_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup_form, "BATCH_BYTES", 1_000)
    file = io.BytesIO()
    writer = BackupWriter(file, HEAD)
    writer.table("peer", ("data",))
    writer.rows([[bytes(400)] for _ in range(10)])
    writer.end()
    assert [len(one.rows) for one in read(file.getvalue()) if isinstance(one, Rows)] == [3, 3, 3, 1]


def test_every_byte_counts() -> None:
    data = sound()
    for at in range(0, len(data), 3):
        damaged = bytearray(data)
        damaged[at] ^= 0x10
        with pytest.raises(RequestError):
            read(bytes(damaged))


def test_every_byte_must_be_there() -> None:
    data = sound()
    for length in range(0, len(data), 3):
        with pytest.raises(RequestError):
            read(data[:length])
    with pytest.raises(RequestError, match="something follows"):
        read(data + b"x")


@pytest.mark.parametrize("data", [b"", b"\n", b"SQLite format 3\0" + bytes(100), b"hashpact-backup one\n", bytes(500)])
def test_what_is_no_backup_is_told_so(data: bytes) -> None:
    with pytest.raises(RequestError, match="no backup of Hashpact"):
        read(data)


def test_a_newer_format_is_told_so() -> None:
    with pytest.raises(RequestError, match="format 2, which a newer version"):
        read(b"hashpact-backup 2\n" + sound()[len(MAGIC) :])


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../x", "keys/../../x", "keys//x", "./x", "", "x\0", "a\\b", "locks/x", "home.lock", "passphrase"],
)
def test_no_file_leads_out_of_the_home(path: str) -> None:
    with pytest.raises(RequestError, match="where none may lie"):
        read(with_file(File("key", path, b"")))


@pytest.mark.parametrize(("kind", "path"), [("configuration", "keys/x"), ("key", "node.toml")])
def test_only_the_configuration_is_the_configuration(kind: Literal["configuration", "key"], path: str) -> None:
    with pytest.raises(RequestError, match="where none may lie"):
        read(with_file(File(kind, path, b"")))


def with_file(file: File) -> bytes:
    out = io.BytesIO()
    writer = BackupWriter(out, HEAD)
    writer.file(file)
    writer.end()
    return out.getvalue()


def test_a_file_has_its_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    long = File("key", "keys/x", bytes(backup_form.FILE_MAX_BYTES + 1))
    with pytest.raises(RequestError, match="longer than"):
        with_file(long)
    monkeypatch.setattr(backup_form, "FILE_MAX_BYTES", len(long.data))
    data = with_file(long)
    monkeypatch.undo()
    with pytest.raises(RequestError, match="more or longer files"):
        read(data)


def test_a_record_has_its_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.BytesIO()
    writer = BackupWriter(file, HEAD)
    writer.table("peer", ("data",))
    writer.rows([[bytes(2_000_000)]])
    writer.end()
    monkeypatch.setattr(backup_form, "RECORD_MAX_BYTES", 1_000_000)
    with pytest.raises(RequestError, match="cannot be decompressed"):
        read(file.getvalue())
    with pytest.raises(RequestError, match="too long for a backup"):
        writer.rows([[bytes(2_000_000)]])
    with pytest.raises(RequestError, match="longer than any may be"):
        read(MAGIC + b"\xff\xff\xff\xff")


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ([Table("a", ("x",))], "begin with its head"),
        ([HEAD, HEAD], "follow each other"),
        ([HEAD, Rows([[1]])], "follow each other"),
        ([HEAD, File("key", "a", b""), Rows([[1]])], "follow each other"),
        ([HEAD, Table("a", ("x",)), Table("a", ("x",))], "twice"),
        ([HEAD, File("key", "a", b""), File("key", "a", b"")], "twice"),
        ([HEAD, End(())], "cut short"),
        ([HEAD, {"is": "other"}], "its form"),
        ([HEAD, [1]], "its form"),
        ([HEAD, {"is": "rows", "rows": 1}], "its form"),
    ],
)
def test_records_stand_in_their_order(records: list[object], why: str) -> None:
    with pytest.raises(RequestError, match=why):
        read(MAGIC + b"".join(map(record, records)))


def test_nesting_ends_in_words() -> None:
    deep = b"\x91" * 100_000 + b"\xc0"
    frame = zstandard.ZstdCompressor().compress(deep)
    with pytest.raises(RequestError, match="its form"):
        read(MAGIC + record(HEAD) + len(frame).to_bytes(LENGTH_BYTES) + frame)


@pytest.mark.parametrize(
    "change",
    [
        lambda part: Part(part.name, part.rows + 1, part.sha256),
        lambda part: Part(part.name, part.rows, "00" * 32),
        lambda part: Part("table other", part.rows, part.sha256),
    ],
)
def test_the_end_says_what_there_is(change: Callable[[Part], Part]) -> None:
    data = sound()
    end = read(data)[-1]
    assert isinstance(end, End)
    before = data[: -len(checked_record(end)) - HASH_BYTES]
    for parts, whole in (((change(end.parts[0]), *end.parts[1:]), False), (end.parts, True)):
        told = before + checked_record(End(parts))
        told += hashlib.sha256(told).digest()
        if whole:
            assert told == data
        else:
            with pytest.raises(RequestError, match="not what it says"):
                read(told)


def checked_record(value: object) -> bytes:
    frame = zstandard.ZstdCompressor(write_checksum=True).compress(msgspec.msgpack.encode(value))
    return len(frame).to_bytes(LENGTH_BYTES) + frame
