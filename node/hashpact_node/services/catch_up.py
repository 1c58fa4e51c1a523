"""Fetch what lies between what is held of a log and a checkpoint, believe nothing that is not proven, and commit it.

A short gap is proven by its entries alone. A long one is proven by tiles first, so that each bundle is checked as it
comes and batches are committed while others are fetched. Where a server's tiles are wrong, its entries can still prove
what the tiles do not.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import NoReturn, Protocol

from hashpact_node.net.decode import decode_body
from hashpact_node.net.peer_logs import BundleAnswer
from hashpact_node.net.stopping import Stop
from hashpact_node.services.batches import Batch, BatchRequest, Frame, read_batch
from hashpact_node.services.diverging import divergence
from hashpact_node.services.prefetch import BATCH_BUNDLES, FrameQueue, Prefetcher
from hashpact_node.services.workers import Workers
from hashpact_node.store.logs import Log
from hashpact_protocol.authenticate import TreeAuthenticator
from hashpact_protocol.errors import ASK_WHICH_STORY, ConsistencyError, EntriesError, FetchError, ForkError, TileError
from hashpact_protocol.follow import Head
from hashpact_protocol.growth import whole_bundles
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merge import Owner
from hashpact_protocol.merkle import CompactRange, bundle_hashes, subtree_root
from hashpact_protocol.notes import parse_checkpoint, parse_note
from hashpact_protocol.tiles import TileId, decode_bundle, encode_bundle

ENTRIES_ALONE = 4_096
"""A gap of up to this many entries is fetched without any tile: what comes is checked as a whole."""

GATHERED_MAX_BYTES = LIMITS.batch_max_bytes
"""But not if they are more than this, as transferred: they would all have to be held at once."""

PROVEN_BY_ENTRIES_MAX = 16 * 1024 * 1024
"""More entries than this are not fetched only to prove a checkpoint: a peer with so many has to serve right tiles."""


class LogSource(Protocol):
    """Where a log is read from, and what ends the reading; ``hashpact_node.net.peer_logs`` is one."""

    @property
    def stop(self) -> Stop:
        """Says whether to go on."""
        ...

    def tile(self, log_url: str, tile: TileId) -> bytes:
        """Give the bytes of a tile; raises FetchError and its subclasses."""
        ...

    def bundle(self, log_url: str, number: int, width: int) -> BundleAnswer:
        """Give a bundle as transferred; raises FetchError and its subclasses."""
        ...


class Sink(Protocol):
    """Where proven batches go: an ``Absorber``, or a ``Stager``."""

    log: Log
    held: CompactRange

    @property
    def merges(self) -> bool:
        """Whether claims are wanted."""
        ...

    @property
    def quarantine_room(self) -> int:
        """How many records of what is malformed are wanted."""
        ...

    def known(self, identifiers: set[bytes]) -> Mapping[bytes, Owner]:
        """Give the owners of these ids."""
        ...

    def grown(self, batch: Batch) -> CompactRange:
        """Give the compact range that holds with this batch."""
        ...

    def absorb(self, request: BatchRequest, batch: Batch, *, fresh: bool) -> None:
        """Commit one batch."""
        ...


RootOf = Callable[[int], bytes | None]
"""Gives the believed hash over a bundle, or None where none is known before its entries are."""

Progress = Callable[[int, int], None]
"""Told how many entries are held, and how many there will be."""


@dataclass(slots=True)
class CatchUp:
    """One way from what is held to ``head``. ``accept`` is called once ``head`` is proven to continue it.

    ``notes``: what was accepted before and the checkpoint in question, the evidence if they contradict each other.
    """

    source: LogSource
    absorber: Sink
    held_leaves: Sequence[bytes]
    head: Head
    accept: Callable[[], None]
    workers: Workers
    fetch_threads: int
    notes: tuple[bytes, ...] = ()
    progress: Progress | None = None

    @property
    def url(self) -> str:
        """The log's URL."""
        return self.absorber.log.url

    def run(self) -> None:
        """Catch up.

        Raises FetchError, EntriesError and TileError for what cannot be had or is not what it must be; ForkError when
        the checkpoint does not continue what is held; StoreError; Stopped when the source was told to stop. What was
        committed before stays, and the next one goes on from there.
        """
        held = self.absorber.held
        if self.head.size == held.size:
            if held.root() != self.head.root:
                raise self._fork()
            self._accept()
        elif self.head.size - held.size <= ENTRIES_ALONE:
            self._by_entries_alone()
        else:
            self._by_tiles()

    def _accept(self) -> None:
        self.source.stop.before_commit()
        self.accept()

    def _absorb(self, request: BatchRequest, batch: Batch, *, fresh: bool) -> None:
        self.source.stop.before_commit()
        self.absorber.absorb(request, batch, fresh=fresh)
        self.source.stop.headway = True
        if self.progress is not None:
            self.progress(self.absorber.held.size, self.head.size)

    def _gather(self) -> list[Frame] | None:
        """Give all frames of a short gap; None when they are too large to be held at once."""
        frames, size = [], 0
        with closing(self._frames(_unknown)) as coming:
            for frame in coming:
                frames.append(frame)
                size += len(frame.data)
                if size > GATHERED_MAX_BYTES:
                    return None
        return frames

    def _by_entries_alone(self) -> None:
        frames = self._gather()
        if frames is None:
            self._by_tiles()
            return
        request = self._request(frames, self.held_leaves)
        try:
            batch = read_batch(request, self.absorber.known)
        except EntriesError as error:
            self._explain(error)
        if batch.consumed < len(frames):
            self._by_tiles()
        elif self.absorber.grown(batch).root() == self.head.root:
            self._accept()
            self._absorb(request, batch, fresh=False)
        else:
            self._explain(EntriesError("the entries do not hash to the checkpoint's root", where=self.url))

    def _explain(self, failure: EntriesError) -> NoReturn:
        """Find out which bundle is wrong, or whether the log tells another story."""
        try:
            tree = self._authenticated()
        except (EntriesError, FetchError, TileError):
            self._by_all_entries()
            raise failure from None
        for frame in self._frames(lambda number: self._root_in(tree, number)):
            read_batch(self._request([frame], ()), {})
        raise failure

    def _by_tiles(self) -> None:
        self.workers.start()
        try:
            tree = self._authenticated()
            root_of = self._roots_of(tree)
        except (EntriesError, FetchError, TileError):
            root_of = self._by_all_entries()
        self._accept()
        self._stream(root_of)

    def _authenticated(self) -> TreeAuthenticator:
        """Believe the tree's right edge, and prove by it that the tree continues what is held."""
        tree = TreeAuthenticator(self.head)
        tree.accept_edge({tile: self.source.tile(self.url, tile) for tile in tree.edge()})
        prefix = whole_bundles(self.absorber.held)
        self._fetch_missing(tree, lambda: tree.missing_for_prefix(prefix.size))
        try:
            tree.check_prefix(prefix)
        except ConsistencyError as error:
            raise self._fork() from error
        if self.held_leaves:
            self._check_partial(tree, prefix.size // LIMITS.bundle_width)
        return tree

    def _check_partial(self, tree: TreeAuthenticator, number: int) -> None:
        """Prove by its believed leaf hashes that the bundle held in part is continued, too."""
        self._fetch_missing(tree, lambda: tree.missing_for_leaves(number, number + 1))
        if tree.leaves(number)[: len(self.held_leaves)] != list(self.held_leaves):
            raise self._fork()

    def _fork(self) -> ForkError:
        between = None
        if self.notes:
            bundles = self._all_bundles if self.head.size <= PROVEN_BY_ENTRIES_MAX else None
            before = parse_checkpoint(parse_note(self.notes[0]).text).size
            between = divergence(before, self.head, lambda tile: self.source.tile(self.url, tile), bundles)
        return ForkError(
            f"the checkpoint of size {self.head.size} does not continue the {self.absorber.held.size} entries held",
            where=self.url,
            evidence=self.notes,
            prefix_root=between.prefix_root if between else None,
            proof=between.proof if between else (),
            mend=ASK_WHICH_STORY,
        )

    def _all_bundles(self) -> Generator[tuple[int, list[bytes]], None, None]:
        with closing(self._frames(_unknown, 0)) as coming:
            for frame in coming:
                yield frame.number, _entries(frame)

    def _fetch_missing(self, tree: TreeAuthenticator, missing: Callable[[], list[TileId]]) -> None:
        while wanted := missing():
            for tile in wanted:
                tree.accept(tile, self.source.tile(self.url, tile))

    def _root_in(self, tree: TreeAuthenticator, number: int) -> bytes:
        """Give the hash over a bundle out of believed tiles, which are fetched as they are needed."""
        if number == self.head.size // LIMITS.bundle_width:
            return subtree_root(tree.last_leaves())
        if number % BATCH_BUNDLES == 0:
            tree.forget_below(number)
        self._fetch_missing(tree, lambda: tree.missing_for_bundles(number, number + 1))
        return tree.bundle_hash(number)

    def _roots_of(self, tree: TreeAuthenticator) -> RootOf:
        """Give the hashes over bundles out of the tiles, and, once one of those is wrong, out of the entries."""
        proven: RootOf | None = None

        def root_of(number: int) -> bytes | None:
            nonlocal proven
            if proven is None:
                try:
                    return self._root_in(tree, number)
                except (EntriesError, FetchError, TileError):
                    proven = self._by_all_entries()
            return proven(number)

        return root_of

    def _by_all_entries(self) -> RootOf:
        """Prove by the entries alone, without keeping them, that the checkpoint continues what is held.

        Raises ForkError when they hash to its root and what is held does not continue there, and EntriesError when
        they do not, or are more than 16 Mi: then nothing is known, and nothing is believed.
        """
        if self.head.size - self.absorber.held.size > PROVEN_BY_ENTRIES_MAX:
            raise self._unproven(
                "the tiles do not hash to the checkpoint's root, and the entries are too many to do so"
            )
        held = whole_bundles(self.absorber.held)
        # What was committed since the start ends with a bundle.
        leaves = self.held_leaves if self.absorber.held.size % LIMITS.bundle_width else ()
        roots: dict[int, bytes] = {}
        root, continued = self._root_of_entries(held, leaves, roots)
        told = root == self.head.root
        if not told and held.size and self.head.size <= PROVEN_BY_ENTRIES_MAX:
            continued = False
            told = self._root_of_entries(CompactRange(), (), {})[0] == self.head.root
        if not told:
            raise self._unproven("neither the tiles nor the entries hash to the checkpoint's root")
        if not continued:
            raise self._fork()
        return roots.get

    def _unproven(self, what: str) -> EntriesError:
        mend = "the member has to mend what it serves; the list held stays in force"
        return EntriesError(what, where=self.url, mend=mend)

    def _root_of_entries(
        self, grown: CompactRange, leaves: Sequence[bytes], roots: dict[int, bytes]
    ) -> tuple[bytes, bool]:
        """Give the root over whole bundles and all entries after them, and whether those begin with these leaves.

        The hash over each bundle that is fetched is put into ``roots``.
        """
        first = grown.size // LIMITS.bundle_width
        continued = True
        for frame in self._frames(_unknown, first):
            hashes, roots[frame.number] = bundle_hashes(_entries(frame))
            if frame.number == first:
                continued = hashes[: len(leaves)] == list(leaves)
            full = frame.width == LIMITS.bundle_width
            grown = grown.extend_bundles([roots[frame.number]]) if full else grown.extend(hashes)
        return grown.root(), continued

    def _frames(self, root_of: RootOf, first: int | None = None) -> Generator[Frame, None, None]:
        """Yield the bundles from the first that is not whole here up to the head, fetched by several threads."""
        first = self.absorber.held.size // LIMITS.bundle_width if first is None else first
        last = -(-self.head.size // LIMITS.bundle_width)
        with Prefetcher(self._fetch, first, last, threads=self.fetch_threads, stop=self.source.stop) as answers:
            for number, answer in answers:
                yield self._frame(number, answer, root_of(number))

    def _fetch(self, number: int) -> BundleAnswer:
        return self.source.bundle(self.url, number, self._width(number))

    def _width(self, number: int) -> int:
        return min(LIMITS.bundle_width, self.head.size - number * LIMITS.bundle_width)

    def _frame(self, number: int, answer: BundleAnswer, root: bytes | None) -> Frame:
        """Make a frame of what came; where a full bundle came for a partial one, cut it."""
        width = self._width(number)
        if answer.width == width:
            return Frame(number, width, answer.data, answer.encoding, root)
        entries = _entries(Frame(number, answer.width, answer.data, answer.encoding))
        return Frame(number, width, encode_bundle(entries[:width]), "identity", root)

    def _request(self, frames: Sequence[Frame], held_leaves: Sequence[bytes]) -> BatchRequest:
        log = self.absorber.log
        return BatchRequest(
            log.number,
            log.sequence,
            log.kind,
            tuple(frames),
            tuple(held_leaves),
            self.absorber.merges,
            self.absorber.quarantine_room,
        )

    def _stream(self, root_of: RootOf) -> None:
        """Gather batches, read each in a worker process, and commit it while the next is being read."""
        frames = self._frames(lambda number: _believed(root_of, number))
        queue = FrameQueue(frames)
        try:
            request = self._next_request(queue, self.held_leaves)
            reading = self.workers.submit(request) if request else None
            while request and reading:
                queue.fill()
                batch = self.workers.result(reading, request)
                queue.put_back(request.frames[batch.consumed :])
                following = self._next_request(queue, ())
                reading = self.workers.submit(following) if following else None
                self._absorb(request, batch, fresh=True)
                request = following
            queue.check()
        finally:
            frames.close()

    def _next_request(self, queue: FrameQueue, held_leaves: Sequence[bytes]) -> BatchRequest | None:
        frames = queue.take()
        return self._request(frames, held_leaves) if frames else None


def _believed(root_of: RootOf, number: int) -> bytes:
    root = root_of(number)
    if root is None:  # then nobody would look whether the entries are the log's
        raise AssertionError(f"bundle {number} would be believed without a proof")
    return root


def _unknown(_number: int) -> None:
    """Give no hash over a bundle: none is believed yet."""


def _entries(frame: Frame) -> list[bytes]:
    """Give the entries of a frame; raises FetchError and TileError that name the bundle."""
    where = f"bundle {frame.number}"
    data = decode_body(frame.data, frame.encoding, max_bytes=LIMITS.bundle_max_bytes, where=where)
    try:
        return decode_bundle(data, frame.width)
    except TileError as error:
        raise TileError(error.what, where=where) from None
