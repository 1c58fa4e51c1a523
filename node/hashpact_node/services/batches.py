"""One batch of a log's bundles: decompress, hash, parse, merge. Bytes in and sorted rows out, no database and no HTTP.

It runs in a worker process when there is much to do, so that the one writer gets rows that are ready to be inserted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import zstandard

from hashpact_node.net.decode import decode_body
from hashpact_protocol.errors import EntriesError, TileError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merge import QUARANTINE_ROOM, Merged, Merger, Owner, touched_ids
from hashpact_protocol.merkle import bundle_hashes
from hashpact_protocol.parsing import parse_entries
from hashpact_protocol.statements import Malformed, Statement
from hashpact_protocol.tiles import decode_bundle

ZSTD = "zstd"
ZSTD_LEVEL = 3

QUARANTINE_KEPT = 10_000
"""How many quarantined entries and signals of one log are kept with their reasons; all are counted."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One bundle as transferred or stored: its number, how many entries it must hold, the bytes, their encoding.

    ``root`` is the authenticated hash over its 256 entries, where one is known before the entries are.
    """

    number: int
    width: int
    data: bytes
    encoding: str
    root: bytes | None = None


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """What to read: frames in order, and what is already held of the first of them, by leaf hash.

    ``merges`` is False behind a critical statement, where entries are stored and give no claims. ``quarantine_room``:
    how many records of what is malformed are kept; all is counted.
    """

    log: int
    sequence: int
    kind: str
    frames: Sequence[Frame]
    held_leaves: Sequence[bytes] = ()
    merges: bool = True
    quarantine_room: int = QUARANTINE_ROOM


@dataclass(slots=True)
class Batch:
    """What was read, ready to be committed.

    ``consumed`` frames fitted the cap on bytes (at least one always does). ``bundles``: (number, width, zstd frame).
    ``roots``: the hashes of the full bundles, in order; ``leaves``: the leaf hashes of a partial last one.
    ``owners``: rows (sequence, id, kind, log, position, live) and ``claims``: (signal key, packed claims), both sorted.
    """

    consumed: int = 0
    entries: int = 0
    start: int = 0
    bundles: list[tuple[int, int, bytes]] = field(default_factory=list)
    roots: list[bytes] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    merged: Merged = field(default_factory=Merged)
    owners: list[tuple[int, bytes, int, int, int, bool]] = field(default_factory=list)
    claims: list[tuple[bytes, bytes]] = field(default_factory=list)


KnownOwners = Callable[[set[bytes]], Mapping[bytes, Owner]]


def read_batch(request: BatchRequest, known: Mapping[bytes, Owner] | KnownOwners) -> Batch:
    """Read a batch and merge it over what is known of its ids, or over what a function says when asked once.

    Raises EntriesError, FetchError and TileError for a frame that is not what it must be, naming the bundle; nothing
    of the batch counts then.
    """
    start = request.frames[0].number * LIMITS.bundle_width + len(request.held_leaves)
    if not request.merges:
        return _read_frames(request, start, lambda _: None)
    if callable(known):
        statements: list[Statement | Malformed] = []
        batch = _read_frames(request, start, statements.extend)
        merger = _merger(request, start, known(touched_ids(statements)))
        merger.take_all(statements)
    else:
        merger = _merger(request, start, known)
        batch = _read_frames(request, start, merger.take_all)
    batch.merged = merger.finish()
    _sort_rows(batch, request.sequence)
    return batch


def _merger(request: BatchRequest, start: int, known: Mapping[bytes, Owner]) -> Merger:
    return Merger(log=request.log, start=start, known=known, quarantine_room=request.quarantine_room)


def _sort_rows(batch: Batch, sequence: int) -> None:
    """Make plain rows of what was merged, sorted as their tables are: they pass between processes far faster."""
    owners, claims = batch.merged.owners, batch.merged.claims
    batch.owners = [(sequence, identifier, *owners[identifier]) for identifier in sorted(owners)]
    batch.claims = [(key, claims[key]) for key in sorted(claims)]
    batch.merged.owners, batch.merged.claims = {}, {}


def read_batch_unknown(request: BatchRequest) -> Batch:
    """Read a batch as ``read_batch``, in the hope that none of its ids is known yet; for a worker process.

    The hope is to be checked: no id of ``owners`` and none of ``merged.unowned`` may have an owner.
    """
    return read_batch(request, {})


def _read_frames(request: BatchRequest, start: int, take: Callable[[list[Statement | Malformed]], None]) -> Batch:
    """Read frame by frame, and hand the statements of each on, so that none needs to be kept."""
    batch = Batch(start=start)
    total = 0
    for frame in request.frames:
        data = _decode_frame(frame)
        total += len(data)
        if batch.consumed and total > LIMITS.batch_max_bytes:
            break
        skip = request.held_leaves if not batch.consumed else ()
        entries = _check_frame(frame, data, skip, batch)
        batch.bundles.append((frame.number, frame.width, _stored_form(frame, data)))
        batch.consumed += 1
        batch.entries += len(entries)
        if request.merges:
            take(parse_entries(entries, request.kind))
    return batch


def _decode_frame(frame: Frame) -> bytes:
    return decode_body(frame.data, frame.encoding, max_bytes=LIMITS.bundle_max_bytes, where=_where(frame))


def _where(frame: Frame) -> str:
    return f"bundle {frame.number}"


def _check_frame(frame: Frame, data: bytes, held: Sequence[bytes], batch: Batch) -> list[bytes]:
    """Hash a bundle's entries against what is held and what must be; give the entries that are new."""
    where = _where(frame)
    try:
        entries = decode_bundle(data, frame.width)
    except TileError as error:
        raise TileError(error.what, where=where) from None
    leaves, root = bundle_hashes(entries)
    if leaves[: len(held)] != list(held):
        raise EntriesError("the bundle does not begin with the entries that are held", where=where)
    if frame.root is not None and root != frame.root:
        raise EntriesError("the entries do not hash to what the checkpoint's tree holds here", where=where)
    if frame.width == LIMITS.bundle_width:
        batch.roots.append(root)
    else:
        batch.leaves = leaves
    return entries[len(held) :]


def _stored_form(frame: Frame, data: bytes) -> bytes:
    """Keep a peer's zstd frame as it came, unless it hides its size or is blown up, as by empty blocks."""
    honest = frame.encoding == ZSTD and zstandard.frame_content_size(frame.data) == len(data) >= len(frame.data)
    return frame.data if honest else compress(data)


def compress(data: bytes) -> bytes:
    """Compress a bundle for keeping: one zstd frame that says its size."""
    return zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_content_size=True).compress(data)
