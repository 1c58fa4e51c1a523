"""Make a backup of a home, and check one: the whole database as of one moment, the configuration, and, if asked, keys.

All tables are read in one snapshot, so that a node may serve, publish and pull meanwhile. The file is whole or not
there at all, readable by its owner alone, and never takes another file's place.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

import tomlkit
from tomlkit.exceptions import TOMLKitError

from hashpact_keys.keystore import public_key_of
from hashpact_node.services.backup_form import (
    CONFIGURATION,
    FILE_MAX_BYTES,
    BackupWriter,
    End,
    File,
    Head,
    Part,
    read_records,
)
from hashpact_node.services.webhook_secrets import KEY_FILE
from hashpact_node.settings import Settings
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.dump import count_rows, dumped_tables, revision, stream_rows
from hashpact_node.store.peers import find_own
from hashpact_protocol.errors import ConfigurationError, ConflictError, KeyUnavailableError, RequestError
from hashpact_protocol.policy_file import FILE_NAME

DATABASE_URL: Final = "database_url in node.toml, which may hold a password"
RESERVED: Final = "passphrase"
"""Where in the home the passphrase may lie."""

PINS: Final = "PINs in key URIs of node.toml"
KEYS: Final = "the key files: --with-keys takes the encrypted ones along"

_PIN: Final = re.compile(r"(?<=[?&;])pin-value=[^&;\"']*[&;]?")

Progress = Callable[[int, int], None]
"""Told how much is done, and of how much."""


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup file holds: whose, of when (UTC), how many rows, which files, and what was left out."""

    path: Path
    member: str
    url: str
    made_at: datetime
    revision: str
    program: str
    bytes: int
    rows: int
    parts: tuple[Part, ...]
    files: tuple[str, ...]
    left_out: tuple[str, ...]


def make_backup(
    database: Database,
    settings: Settings,
    path: Path,
    *,
    with_keys: bool,
    program: str,
    now: Callable[[], datetime],
    progress: Progress = lambda _done, _total: None,
) -> Backup:
    """Write everything into a new file, and give what it holds.

    Raises ConflictError for a file that is there already, ConfigurationError for a configuration that cannot be read,
    StoreError, and OSError of the file's disk; nothing is left of a file that failed.
    """
    files, left_out = _home_files(settings, with_keys=with_keys)
    with _new_file(path) as file:
        with database.read() as connection:
            own = find_own(connection)
            if own is None:
                raise ConfigurationError("this database belongs to nobody", where=database.where, mend="run init first")
            form = revision(connection)
            head = Head(form, program, own.member, own.url, int(now().timestamp()), tuple(left_out))
            writer = BackupWriter(file, head)
            _write_tables(connection, writer, progress)
        for one in files:
            writer.file(one)
        parts = writer.end()
    return _describe(path, head, parts)


def check_backup(path: Path, *, progress: Progress = lambda _done, _total: None) -> Backup:
    """Read a backup to its end, and give what it holds; RequestError when it is not whole and sound, OSError."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head, parts = None, None
        for record in read_records(file, str(path)):
            progress(file.tell(), size)
            if isinstance(record, Head):
                head = record
            if isinstance(record, End):
                parts = record.parts
    if head is None or parts is None:
        raise RequestError("this backup has no end", where=str(path))
    return _describe(path, head, parts)


def _describe(path: Path, head: Head, parts: tuple[Part, ...]) -> Backup:
    tables = [part for part in parts if part.name.startswith("table ")]
    files = tuple(part.name.removeprefix("file ") for part in parts if part.name.startswith("file "))
    return Backup(
        path=path,
        member=head.member,
        url=head.url,
        made_at=datetime.fromtimestamp(head.made_at, UTC),
        revision=head.revision,
        program=head.program,
        bytes=path.stat().st_size,
        rows=sum(part.rows for part in tables),
        parts=parts,
        files=files,
        left_out=head.left_out,
    )


def _write_tables(connection: Connection, writer: BackupWriter, progress: Progress) -> None:
    total, done = count_rows(connection), 0
    for dumped in dumped_tables():
        writer.table(dumped.name, dumped.columns)
        for rows in stream_rows(connection, dumped):
            writer.rows(rows)
            done += len(rows)
            progress(done, total)


def _home_files(settings: Settings, *, with_keys: bool) -> tuple[list[File], list[str]]:
    """Read what belongs into a backup beside the database, and say what is left out."""
    left_out: list[str] = []
    files = [File("configuration", CONFIGURATION, _configuration(settings.home / CONFIGURATION, left_out))]
    if isinstance(settings.require_witnesses, Path):
        _add(settings, "policy", settings.require_witnesses, files, left_out)
    if (settings.home / FILE_NAME).exists():
        _add(settings, "policy", settings.home / FILE_NAME, files, left_out)
    if not with_keys:
        return files, [*left_out, KEYS]
    for row, uris in settings.keys.items():
        for uri in uris:
            scheme, _, place = uri.partition(":")
            if scheme != "file":
                left_out.append(f"the {row} key: it lives elsewhere, at {_PIN.sub('', uri)}")
            else:
                _add(settings, f"{row} key", settings.home / place, files, left_out)
    if (settings.home / KEY_FILE).exists():
        _add(settings, "key of the webhooks' secrets", settings.home / KEY_FILE, files, left_out)
    return files, left_out


def _add(settings: Settings, what: str, place: Path, files: list[File], left_out: list[str]) -> None:
    """Add a file of the home; one that lies elsewhere, is not there, or is no encrypted key, is left out."""
    home, real = settings.home.resolve(), place.resolve()
    if not real.is_relative_to(home):
        left_out.append(f"the {what}: {place} lies outside the home")
        return
    name = real.relative_to(home).as_posix()
    if any(one.path == name for one in files):
        return
    secret = (settings.passphrase_file or settings.home / RESERVED).resolve()
    if real in {secret, home / RESERVED}:
        left_out.append(f"the {what}: {name} is where the passphrase lies")
        return
    try:
        with real.open("rb") as file:
            data = file.read(FILE_MAX_BYTES + 1)
        if what != "policy":
            public_key_of(data, where=str(place))
    except OSError as error:
        left_out.append(f"the {what}: {name} cannot be read ({error.strerror})")
    except KeyUnavailableError as error:
        left_out.append(f"the {what}: {name}: {error.what}")
    else:
        files.append(File("policy" if what == "policy" else "key", name, data))


def _configuration(path: Path, left_out: list[str]) -> bytes:
    """Give ``node.toml`` without the secrets that may stand in it; ConfigurationError when it cannot be read."""
    try:
        document = tomlkit.parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, TOMLKitError) as error:
        raise ConfigurationError(
            f"the file cannot be read: {error}", where=str(path), mend="see docs/operations.md for its form"
        ) from error
    if document.pop("database_url", None) is not None:
        left_out.append(DATABASE_URL)
    lines = tomlkit.dumps(document).splitlines(keepends=True)
    text = "".join(line for line in lines if not ("database_url" in line and line.lstrip().startswith("#")))
    without = _PIN.sub("", text)
    if without != text:
        left_out.append(PINS)
    return without.encode()


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a file that appears under its name when the body has ended well and all of it lies on the disk."""
    path = path.absolute()
    _must_not_exist(path)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _put_in_place(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _put_in_place(draft: Path, path: Path) -> None:
    try:
        os.link(draft, path)  # unlike a rename, this fails where a file exists
    except FileExistsError:
        _must_not_exist(path)
    except OSError:
        # Not every file system knows hard links, as those of memory sticks do not.
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            _must_not_exist(path)
        try:
            draft.replace(path)
        except BaseException:
            with suppress(OSError):
                path.unlink()
            raise


def _must_not_exist(path: Path) -> None:
    if os.path.lexists(path):
        raise ConflictError(
            "there is a file already, and a backup is never written over one",
            where=str(path),
            mend="give another name, such as one with the date",
        )
