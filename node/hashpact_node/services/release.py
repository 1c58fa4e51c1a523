"""Releasing: statements get their places, exactly that is signed, and only then it is shown.

Two short transactions with the signature between them, so that a slow signer holds no lock of the database. Whatever
dies in between leaves a pending release that is signed unchanged: no size is ever signed under two roots.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from hashpact_node.services.absorb import Absorber
from hashpact_node.services.batches import BatchRequest, Frame, compress, read_batch, read_batch_unknown
from hashpact_node.services.collecting import without_collecting
from hashpact_node.services.entries import EntryReader
from hashpact_node.services.keyring import Keyring
from hashpact_node.services.own_heads import must_know
from hashpact_node.services.release_rules import NO_RULES, Hold, ReleaseRules
from hashpact_node.services.views import own_card
from hashpact_node.services.witness_lines import WitnessLines
from hashpact_node.store.bundles import Bundle, Tile, put_bundles, put_tiles, read_tile, stream_bundles
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.drafts import mark_placed
from hashpact_node.store.locks import Locks
from hashpact_node.store.logs import Log, get_log, list_logs, place, see_own_cosignature, set_pending, show
from hashpact_node.store.queue import QueuedEntry, take_entries
from hashpact_protocol.card import Card
from hashpact_protocol.errors import ConflictError, StoreMovedError
from hashpact_protocol.growth import extend_tiles, read_range, whole_bundles
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merkle import CompactRange, bundle_hashes
from hashpact_protocol.names import MemberUrl
from hashpact_protocol.notes import (
    Checkpoint,
    Note,
    NoteSignature,
    cosignature,
    cosignature_message,
    format_checkpoint,
    format_note,
    log_signature,
    parse_note,
)
from hashpact_protocol.tiles import encode_bundle

RELEASE_WAIT_SECONDS = 120.0
PLACED_AT_ONCE = LIMITS.batch_max_entries
HOPEFUL_BUNDLES = 8


def _anybody() -> None:
    """Let whoever has no peers to ask sign."""


@dataclass(slots=True)
class Releaser:
    """Releases the logs of this member; may be shared by threads and by processes on one database."""

    database: Database
    locks: Locks
    keyring: Keyring
    now: Callable[[], datetime]
    may_sign: Callable[[], None] = _anybody
    """Raises ConflictError while this process must not sign (``services.awakening``)."""
    witness_lines: WitnessLines | None = None
    rules: ReleaseRules = NO_RULES

    def release(self, log: int) -> int:
        """Release all that waits for a log and may be released (``rules``), and give the size that is shown then.

        Whoever comes while a release is in flight waits for it, and finds its statements in it or in the next.
        Raises StoreBusyError after two minutes of waiting, KeyUnavailableError and ConfigurationError when the log's
        key cannot sign, StoreError; what was placed by then is signed at the next try. ConflictError while this process
        may not sign: then nothing gets a place either.
        """
        self.may_sign()
        with self._alone(log), without_collecting():
            self._finish_pending(log)
            while self._place(log):
                self._finish_pending(log)
            self._merge(log)
            with self.database.read() as connection:
                return get_log(connection, log).accepted_size

    def renew(self, log: int) -> None:
        """Cosign what is shown anew, so that readers see that it is fresh; releases what waits, too."""
        self.release(log)
        self.may_sign()
        with self._alone(log):
            with self.database.read() as connection:
                current = get_log(connection, log)
            self._sign_and_show(current, current.accepted_size, current.accepted_root)

    def waiting(self) -> list[int]:
        """Give the own open logs for which there is something to do, a pending or unmerged release included.

        What rests, and what is held and a person was told of, waits for a time or for a person.
        """
        now = self.now()
        with self.database.read() as connection:
            card = own_card(connection)
            logs = [log for log in list_logs(connection) if card.log(log.origin) and log.state == "open"]
            has_work = self.rules.has_work
            return [log.number for log in logs if _unfinished(log) or has_work(connection, log.number, now=now)]

    def held(self, log: int) -> Hold | None:
        """Say why nothing that waits for a log is released; None where nothing hinders it."""
        with self.database.read() as connection:
            return self.rules.hold(connection, log, now=self.now())

    def rests(self, log: int) -> bool:
        """Say whether anything that waits for a log rests before it may be released."""
        with self.database.read() as connection:
            return self.rules.due_before(connection, log, now=self.now()) is not None

    @contextmanager
    def _alone(self, log: int) -> Iterator[None]:
        with self.locks.hold(f"release/{log}", timeout=RELEASE_WAIT_SECONDS):
            yield

    def _place(self, number: int) -> bool:
        """Give waiting statements their places and store what is to be signed; False when none may have one."""
        now = self.now()
        with self.database.write() as connection:
            log = get_log(connection, number, lock=True)
            _must_be_open(log)
            must_know(connection, log)
            taken = self._take(connection, log, now)
            if not taken:
                if log.accepted_note is None:  # a new log shows its empty tree
                    set_pending(connection, number, size=0, root=CompactRange().root())
                return log.accepted_note is None
            placed = append_entries(connection, log, [queued.entry for queued in taken])
            mark_placed(connection, {queued.draft for queued in taken if queued.draft}, log=number, size=placed.size)
            place(connection, number, old_size=log.placed_size, new_size=placed.size, range=placed.encode())
            set_pending(connection, number, size=placed.size, root=placed.root())
        return True

    def _take(self, connection: Connection, log: Log, now: datetime) -> list[QueuedEntry]:
        """Take out of the queue what gets its place now: what has rested, if all of that may be released."""
        if not self.rules.check(connection, log, now=now):
            return []
        before = self.rules.due_before(connection, log.number, now=now)
        taken = take_entries(connection, log.number, limit=PLACED_AT_ONCE, before=before)
        self.rules.count(connection, log.number, taken, now=now)
        return taken

    def _finish_pending(self, number: int) -> None:
        with self.database.read() as connection:
            log = get_log(connection, number)
        if log.pending_size is not None and log.pending_root is not None:
            self._sign_and_show(log, log.pending_size, log.pending_root)

    def _sign_and_show(self, log: Log, size: int, root: bytes) -> None:
        with self.database.read() as connection:
            _must_hold(connection, log, size, root)
            card = own_card(connection)
        keys = self.keyring.log_keys(log)
        witness, witness_signer = self.keyring.witness_key(card, self.now())
        text = format_checkpoint(Checkpoint(log.origin, size, root))
        signatures = tuple(log_signature(key, signer.sign(text)) for key, signer in keys)
        others = _cosigned_by_others(log.accepted_note, text, log.origin, card)
        if self.witness_lines is not None:
            others = self.witness_lines.gather(log, Note(text, signatures), others)
        # Our own comes last: it says that the checkpoint is shown.
        timestamp = int(self.now().timestamp())
        own = cosignature(witness, timestamp, witness_signer.sign(cosignature_message(text, timestamp)))
        note = Note(text, (*signatures, own, *others))
        with self.database.write() as connection:
            current = get_log(connection, log.number, lock=True)
            if current.pending_size is None:
                set_pending(connection, log.number, size=size, root=root)
            old_size, data = log.accepted_size, format_note(note)
            show(connection, log.number, old_size=old_size, note=data, size=size, root=root, shown_at=timestamp)
            see_own_cosignature(connection, log.number, timestamp)
        grown = log.accepted_note is None or size != log.accepted_size
        if self.witness_lines is not None and grown:
            self.witness_lines.ring(log.number)

    def _merge(self, number: int) -> None:
        """Merge what is shown and not merged yet, exactly like a peer's log."""
        with self.database.read() as connection:
            log = get_log(connection, number)
        merge_stored(self.database, log, log.accepted_size, now=self.now)


def _cosigned_by_others(shown: bytes | None, text: bytes, origin: str, card: Card) -> tuple[NoteSignature, ...]:
    """Give the cosignatures of others that the checkpoint shown carries, if it is this one.

    What earlier keys of this log or earlier witness keys of this member signed is left out: their names are ours, too.
    """
    note = None if shown is None else parse_note(shown)
    if note is None or note.text != text:
        return ()
    ours = MemberUrl.parse(card.url).prefix + "/"
    return tuple(one for one in note.signatures if one.name != origin and not one.name.startswith(ours))


def merge_stored(database: Database, log: Log, size: int, *, now: Callable[[], datetime]) -> None:
    """Merge a log's stored bundles from what is held up to ``size``, without storing them again."""
    absorber = Absorber(database, log, CompactRange.decode(log.held_size, log.held_range), now=now, stores=False)
    while absorber.held.size < size:
        with database.read() as connection:
            request = _stored_request(connection, absorber, size)
        # Many statements at once are most often new ones; whether they are is found out when they are stored.
        fresh = len(request.frames) >= HOPEFUL_BUNDLES
        batch = read_batch_unknown(request) if fresh else read_batch(request, absorber.known)
        absorber.absorb(request, batch, fresh=fresh)


def _stored_request(connection: Connection, absorber: Absorber, size: int) -> BatchRequest:
    """Gather the stored bundles of the next batch, the last cut to the size, and what is merged of the first."""
    log, held = absorber.log, absorber.held.size
    first, ahead = divmod(held, LIMITS.bundle_width)
    width = LIMITS.bundle_width
    end = min(-(-size // width), (held // LIMITS.batch_max_entries + 1) * (LIMITS.batch_max_entries // width))
    reader = EntryReader(connection)
    frames = []
    for bundle in stream_bundles(connection, log.number, first, end):
        wanted = min(width, size - bundle.number * width)
        if wanted == bundle.width:
            frames.append(Frame(bundle.number, wanted, bundle.data, "zstd"))
        else:
            data = encode_bundle(reader.bundle(log.number, bundle.number)[:wanted])
            frames.append(Frame(bundle.number, wanted, data, "identity"))
    leaves = reader.leaf_hashes(log.number, first, ahead) if ahead else []
    return BatchRequest(log.number, log.sequence, log.kind, tuple(frames), tuple(leaves), absorber.merges)


def append_entries(connection: Connection, log: Log, entries: list[bytes]) -> CompactRange:
    """Extend bundles, tiles and compact range of an own log by new entries."""
    held = CompactRange.decode(log.placed_size, log.placed_range)
    whole, width = whole_bundles(held), LIMITS.bundle_width
    first, ahead = divmod(held.size, width)
    rows = EntryReader(connection).bundle(log.number, first)[:ahead] if ahead else []
    if whole.extend(bundle_hashes(rows)[0]).root() != held.root():
        raise _altered(log, held.size)
    rows = [*rows, *entries]
    roots: list[bytes] = []
    leaves: list[bytes] = []
    bundles: list[Bundle] = []
    for start in range(0, len(rows), width):
        part = rows[start : start + width]
        bundles.append(Bundle(first + start // width, len(part), compress(encode_bundle(part))))
        hashes, root = bundle_hashes(part)
        if len(part) == width:
            roots.append(root)
        else:
            leaves = hashes
    put_bundles(connection, log.number, bundles)
    tiles = extend_tiles(lambda level, number: read_tile(connection, log.number, level, number), first, roots)
    put_tiles(connection, log.number, (Tile(level, number, hashes) for (level, number), hashes in tiles.items()))
    return whole.extend_bundles(roots).extend(leaves)


def _must_hold(connection: Connection, log: Log, size: int, root: bytes) -> None:
    """All that must hold before a checkpoint of ours is signed, in one place.

    Raises ConflictError for a log that is not open, or of which a peer holds more that we signed, and StoreMovedError
    when what is stored does not hash to the root, or does not continue what is shown.
    """
    _must_be_open(log)
    must_know(connection, log)
    if size < log.accepted_size or (size == log.accepted_size and log.accepted_note and root != log.accepted_root):
        raise StoreMovedError("something else is shown at this size, or a larger one", where=log.origin)
    tree = EntryReader(connection).tree(log.number, max(size, log.accepted_size))
    for told, expected in ((size, root), (log.accepted_size, log.accepted_root)):
        if read_range(told, tree.node).root() != expected:
            raise _altered(log, told)


def _altered(log: Log, size: int) -> StoreMovedError:
    return StoreMovedError(
        f"the entries stored do not hash to the root that belongs to size {size}",
        where=log.origin,
        mend="stop this node and restore the database: its log was altered on disk",
    )


def _must_be_open(log: Log) -> None:
    if log.state != "open":
        raise ConflictError("a closed log is never signed again", where=log.origin, mend="open a successor")


def _unfinished(log: Log) -> bool:
    return log.pending_size is not None or log.held_size < log.accepted_size or log.accepted_note is None
