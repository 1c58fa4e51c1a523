"""What a reader fetches of this member: checkpoints, tiles and bundles of its logs, and its trust repository.

Served over HTTP, or written to a folder under the same paths (C2SP tlog-tiles). Nothing is served beyond the size that
is shown, so nothing that no signed checkpoint covers.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hashpact_node.services.batches import compress
from hashpact_node.services.entries import EntryReader, open_bundle
from hashpact_node.services.readers import is_open_to
from hashpact_node.services.views import own_peer
from hashpact_node.services.whole_files import write_whole
from hashpact_node.store.bundles import read_bundle, read_tile
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.logs import Log, find_log
from hashpact_node.store.peers import Peer
from hashpact_node.store.trust import METADATA, TARGETS, read_file
from hashpact_protocol.errors import GoneError, NotFoundError
from hashpact_protocol.merkle import HASH_BYTES
from hashpact_protocol.names import MemberUrl
from hashpact_protocol.tiles import FULL_WIDTH, TileId, decode_bundle, encode_bundle, encode_tile, tile_width

CHECKPOINT: Final = "checkpoint"
IDENTITY: Final = "identity"
GZIP: Final = "gzip"
ZSTD: Final = "zstd"
GZIP_LEVEL: Final = 6

NO_ETAG: Final = ""

Progress = Callable[[int, int], None]
"""Told how many files of how many are written."""

# Metadata whose name holds a version, and targets, whose names hold their hash, never change.
_IMMUTABLE = re.compile(r"[0-9]+\.\w+\.json|[0-9a-f]{64}\..+")


@dataclass(frozen=True, slots=True)
class Served:
    """A body as it goes out: its content coding, its strong ETag with quotes, and whether it can never change.

    Tiles and bundles have no ETag, and an empty text here: nobody asks twice for a full one, which never changes, and
    of a partial one the next request is for a wider one, under another path. So none is hashed for every reader.

    ``card_version`` is that of the card in force, for the header ``Hashpact-Card``.
    """

    body: bytes
    media_type: str
    etag: str
    immutable: bool = False
    encoding: str = IDENTITY
    card_version: int | None = None


class LogFiles:
    """Gives the files of this member, each out of one reading transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def checkpoint(self, log_path: str) -> Served:
        """Give the checkpoint that is shown of the log at ``/logs/{log_path}``; NotFoundError."""
        with self._database.read() as connection:
            own, log = _find(connection, log_path)
        if log.state != "open":
            raise GoneError("this log is closed", where=log.origin, mend="read the card for the log that follows it")
        return serve_note(_note(log), card_version=own.card_version)

    def is_for(self, log_path: str, asker: str | None) -> bool:
        """Say whether there is a log at ``/logs/{log_path}``, and it is for the member that asks."""
        with self._database.read() as connection:
            try:
                _, log = _find(connection, log_path)
            except NotFoundError:
                return False
            return is_open_to(connection, asker, log)

    def card_version(self) -> int | None:
        """Give the version of this member's card in force."""
        with self._database.read() as connection:
            return own_peer(connection).card_version

    def tile(self, log_path: str, tile: TileId, *, accepts: Collection[str] = ()) -> Served:
        """Give a tile, or a bundle where ``tile.level`` is None; NotFoundError beyond what is shown.

        A bundle comes as zstd or gzip where the reader ``accepts`` that; a tile never, since hashes do not shrink.
        """
        with self._database.read() as connection:
            _, log = _find(connection, log_path)
            refuse_erased(log)
            return read_served(connection, log, tile, size=log.accepted_size, accepts=accepts)

    def trust_file(self, place: str, name: str) -> Served:
        """Give a file of this member's trust repository; ``place`` is ``metadata`` or ``targets``. NotFoundError."""
        with self._database.read() as connection:
            own = own_peer(connection)
            data = read_file(connection, own.number, place, name) if place in {METADATA, TARGETS} else None
        if data is None:
            raise NotFoundError("the trust repository has no such file", where=f"{place}/{name}"[:200])
        return Served(data, "application/json", _etag(data), immutable=_IMMUTABLE.fullmatch(name) is not None)

    def export(self, log_path: str, folder: Path, progress: Progress | None = None) -> int:
        """Write what is shown of a log as files below ``folder``, the checkpoint last; give the size.

        A file that cannot change is not written again, so that it can be repeated as the log grows. Raises
        NotFoundError, and RequestError when the folder cannot be written.
        """
        with self._database.read() as connection:
            _, log = _find(connection, log_path)
            note = _note(log)
            files = sum(1 for _ in _shown_tiles(log.accepted_size)) + 1
            for number, tile in enumerate(_shown_tiles(log.accepted_size), 1):
                target = folder / str(tile)
                if tile.width < FULL_WIDTH or not target.exists():
                    write_whole(target, _plain(connection, log, tile))
                if progress is not None:
                    progress(number, files)
        write_whole(folder / CHECKPOINT, note)
        if progress is not None:
            progress(files, files)
        return log.accepted_size


def _find(connection: Connection, log_path: str) -> tuple[Peer, Log]:
    own = own_peer(connection)
    log = find_log(connection, f"{MemberUrl.parse(own.url).prefix}/logs/{log_path}")
    if log is None or log.peer != own.number or not log.named:
        raise NotFoundError(f"there is no log {log_path[:100]!r}", mend="read the card for the logs of this member")
    return own, log


def _note(log: Log) -> bytes:
    if log.accepted_note is None:
        raise NotFoundError("this log has released nothing yet", where=log.origin, mend="try again in a moment")
    return log.accepted_note


def refuse_erased(log: Log) -> None:
    """Raise GoneError for a log that is erased: what the law or an error took away is gone everywhere."""
    if log.erased:
        raise GoneError("this log is erased", where=log.origin, mend="read the card for the log that follows it")


def read_served(connection: Connection, log: Log, tile: TileId, *, size: int, accepts: Collection[str]) -> Served:
    """Read a tile, or a bundle, of the first ``size`` entries of a log; NotFoundError beyond."""
    _check_shown(log, tile, size)
    if tile.level is None:
        body, encoding = _bundle(connection, log, tile, accepts)
    else:
        body, encoding = _hashes(connection, log, tile), IDENTITY
    return Served(body, "application/octet-stream", NO_ETAG, immutable=tile.width == FULL_WIDTH, encoding=encoding)


def serve_note(note: bytes, *, card_version: int | None = None) -> Served:
    """Give a checkpoint as it goes out."""
    return Served(note, "text/plain; charset=utf-8", _etag(note), card_version=card_version)


def _check_shown(log: Log, tile: TileId, size: int) -> None:
    shown = tile_width(tile.level or 0, tile.number, size)
    if tile.width > shown:
        raise NotFoundError(
            f"the log is shown up to {size} entries, which does not hold this",
            where=f"{log.origin}/{tile}",
            mend="read the checkpoint again",
        )


def _bundle(connection: Connection, log: Log, tile: TileId, accepts: Collection[str]) -> tuple[bytes, str]:
    stored = read_bundle(connection, log.number, tile.number, width=tile.width)
    if stored is None:
        raise _gone(log, tile)
    if stored.width == tile.width and ZSTD in accepts:
        return stored.data, ZSTD
    data = open_bundle(stored.data)
    if stored.width > tile.width:
        data = encode_bundle(decode_bundle(data, stored.width)[: tile.width])
    if ZSTD in accepts:
        return compress(data), ZSTD
    if GZIP in accepts:
        return gzip.compress(data, GZIP_LEVEL, mtime=0), GZIP
    return data, IDENTITY


def _hashes(connection: Connection, log: Log, tile: TileId) -> bytes:
    if not tile.level:
        return encode_tile(EntryReader(connection).leaf_hashes(log.number, tile.number, tile.width))
    stored = read_tile(connection, log.number, tile.level, tile.number)
    wanted = tile.width * HASH_BYTES
    if stored is None or len(stored) < wanted:
        raise _gone(log, tile)
    return stored[:wanted]


def _plain(connection: Connection, log: Log, tile: TileId) -> bytes:
    return _bundle(connection, log, tile, ())[0] if tile.level is None else _hashes(connection, log, tile)


def _gone(log: Log, tile: TileId) -> NotFoundError:
    return NotFoundError(
        "this is shown, and is not in the database", where=f"{log.origin}/{tile}", mend="restore the database"
    )


def _shown_tiles(size: int) -> Iterator[TileId]:
    """Yield every bundle and tile of a tree of that size, partial ones at the right edge included."""
    for level in (None, *range(8)):
        span = FULL_WIDTH ** (level or 0)
        hashes = size // span
        if not hashes:
            return
        for number in range(-(-hashes // FULL_WIDTH)):
            yield TileId(level, number, min(FULL_WIDTH, hashes - number * FULL_WIDTH))


def _etag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'
