from __future__ import annotations

import gzip
import json
import pickle
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from uuid import UUID

import pytest
import zstandard

from hashpact_node.services import batches
from hashpact_node.services.batches import Batch, BatchRequest, Frame, compress, read_batch, read_batch_unknown
from hashpact_protocol.claims import Place, pack_claim
from hashpact_protocol.errors import EntriesError, FetchError, FetchTooLargeError, HashpactError, TileError
from hashpact_protocol.limits import Limits
from hashpact_protocol.merge import ID_REUSED, Kind, Merged, Owner, id_bytes
from hashpact_protocol.merkle import CompactRange, bundle_hashes, leaf_hash
from hashpact_protocol.signals import signal_key
from hashpact_protocol.tiles import encode_bundle

LOG = 4
SEQUENCE = 6
WIDTH = 256
TIME = "2026-11-24T04:00:00Z"


def uuid_of(number: int) -> str:
    return str(UUID(int=number, version=4))


def key_of(number: int) -> bytes:
    return signal_key("sha256", f"{number:064x}")


def written(**fields: object) -> bytes:
    return json.dumps({"time": TIME, **fields}, sort_keys=True, separators=(",", ":")).encode()


def listing(number: int, *signals: int, labels: Sequence[str] = ()) -> bytes:
    many = [{"type": "sha256", "value": f"{value:064x}"} for value in signals or (number,)]
    fields: dict[str, object] = {"labels": list(labels)} if labels else {}
    return written(kind="listing", id=uuid_of(number), content="image", signals=many, **fields)


def withdrawal(number: int, of: int) -> bytes:
    return written(kind="withdrawal", id=uuid_of(number), listing=uuid_of(of), reason="error")


CRITICAL = b'{"critical":true,"kind":"treaty"}'
FULL = [listing(number) for number in range(WIDTH)]
FULL_ROOT = bundle_hashes(FULL)[1]


ENCODERS: dict[str, Callable[[bytes], bytes]] = {"identity": bytes, "gzip": gzip.compress, "zstd": compress}


def frame(entries: Sequence[bytes], number: int = 0, encoding: str = "identity", root: bytes | None = None) -> Frame:
    data = encode_bundle(entries)
    return Frame(number, len(entries), ENCODERS[encoding](data), encoding, root)


def altered(of: Frame, data: bytes) -> Frame:
    return Frame(of.number, of.width, data, of.encoding, of.root)


def request(*frames: Frame, held: Sequence[bytes] = (), merges: bool = True) -> BatchRequest:
    return BatchRequest(LOG, SEQUENCE, "listings", frames, held, merges)


def stored(bundle: tuple[int, int, bytes]) -> tuple[int, int, bytes]:
    """A bundle as it was stored, decompressed."""
    assert zstandard.frame_content_size(bundle[2]) >= 0
    return (*bundle[:2], zstandard.decompress(bundle[2]))


def owners_of(batch: Batch) -> dict[bytes, Owner]:
    """The owners of a batch by id, out of its rows, which are sorted."""
    assert batch.owners == sorted(batch.owners)
    assert {row[0] for row in batch.owners} <= {SEQUENCE}
    assert batch.merged.owners == {}
    return {row[1]: Owner(*row[2:]) for row in batch.owners}


def owner(position: int, *, log: int = LOG, kind: Kind = Kind.LISTING) -> Owner:
    return Owner(kind, log, position, live=True)


# What is read.


@pytest.mark.parametrize("encoding", ["identity", "gzip", "zstd"])
def test_a_full_bundle(encoding: str) -> None:
    batch = read_batch(request(frame(FULL, 3, encoding, FULL_ROOT)), {})
    assert (batch.consumed, batch.entries, batch.start) == (1, WIDTH, 3 * WIDTH)
    assert (batch.roots, batch.leaves) == ([FULL_ROOT], [])
    assert [stored(bundle) for bundle in batch.bundles] == [(3, WIDTH, encode_bundle(FULL))]
    assert owners_of(batch) == {id_bytes(uuid_of(number)): owner(3 * WIDTH + number) for number in range(WIDTH)}
    assert batch.claims == [(key_of(number), pack_claim(LOG, 3 * WIDTH + number, None)) for number in range(WIDTH)]
    assert batch.merged.claims == {}


def test_many_bundles_and_a_partial_one() -> None:
    parts = [[listing(1_000 * part + number) for number in range(WIDTH)] for part in range(3)]
    rest = [listing(9_000), listing(9_001)]
    frames = [frame(part, at) for at, part in enumerate(parts)]
    batch = read_batch(request(*frames, frame(rest, 3)), {})
    assert (batch.consumed, batch.entries) == (4, 3 * WIDTH + 2)
    assert batch.roots == [bundle_hashes(part)[1] for part in parts]
    assert batch.leaves == [leaf_hash(entry) for entry in rest]
    grown = CompactRange().extend_bundles(batch.roots).extend(batch.leaves)
    assert grown.root() == CompactRange().extend(map(leaf_hash, [*chain(*parts), *rest])).root()
    assert owners_of(batch)[id_bytes(uuid_of(9_001))].position == 3 * WIDTH + 1


def test_claims_come_sorted() -> None:
    batch = read_batch(request(frame([listing(1, 9, 3), listing(2, 3, 5)])), {})
    assert batch.claims == [
        (key_of(3), pack_claim(LOG, 0, None) + pack_claim(LOG, 1, None)),
        (key_of(5), pack_claim(LOG, 1, None)),
        (key_of(9), pack_claim(LOG, 0, None)),
    ]


def test_entries_that_are_no_statements_do_not_sink_their_neighbours() -> None:
    batch = read_batch(request(frame([b"", b"x" * 65_535, listing(1), b"\xff"])), {})
    assert [item.position for item in batch.merged.quarantined] == [0, 1, 3]
    assert set(owners_of(batch)) == {id_bytes(uuid_of(1))}
    assert batch.entries == 4


def test_the_kind_of_log_decides_what_may_stand_there() -> None:
    batch = read_batch(BatchRequest(LOG, SEQUENCE, "opinions", [frame([listing(1)])]), {})
    assert [item.position for item in batch.merged.quarantined] == [0]


# A partial bundle that has grown.


@pytest.mark.parametrize("count", [1, 2, 3])
def test_of_a_partial_bundle_only_what_is_new_is_merged(count: int) -> None:
    entries = [listing(1), listing(2), listing(3)]
    held = [leaf_hash(entry) for entry in entries[:count]]
    batch = read_batch(request(frame(entries, 2), held=held), {})
    assert (batch.start, batch.entries) == (2 * WIDTH + count, 3 - count)
    assert batch.leaves == [leaf_hash(entry) for entry in entries]
    assert [stored(bundle) for bundle in batch.bundles] == [(2, 3, encode_bundle(entries))]
    assert sorted(own.position for own in owners_of(batch).values()) == [2 * WIDTH + at for at in range(count, 3)]


def test_a_partial_bundle_that_became_full_and_the_next() -> None:
    held = [leaf_hash(entry) for entry in FULL[:10]]
    batch = read_batch(request(frame(FULL, 0, root=FULL_ROOT), frame([listing(999)], 1), held=held), {})
    assert (batch.start, batch.entries, batch.consumed) == (10, WIDTH - 10 + 1, 2)
    assert batch.roots == [FULL_ROOT]
    assert batch.leaves == [leaf_hash(listing(999))]
    assert owners_of(batch)[id_bytes(uuid_of(999))].position == WIDTH
    assert id_bytes(uuid_of(9)) not in owners_of(batch)


@pytest.mark.parametrize("entries", [[listing(9), listing(2), listing(3)], [listing(1)], [listing(1), listing(3)]])
def test_a_bundle_that_does_not_begin_with_what_is_held_is_refused(entries: list[bytes]) -> None:
    held = [leaf_hash(listing(1)), leaf_hash(listing(2))]
    with pytest.raises(EntriesError, match="held") as caught:
        read_batch(request(frame(entries, 7), held=held), {})
    assert caught.value.where == "bundle 7"


# What is not what it must be.

SOUND = frame([listing(1), listing(2)], 7)
SWAPPED = [FULL[1], FULL[0], *FULL[2:]]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (frame([listing(999), *FULL[1:]], 7, root=FULL_ROOT), EntriesError),
        (frame(SWAPPED, 7, root=FULL_ROOT), EntriesError),
        (frame(FULL[:-1], 7, root=FULL_ROOT), EntriesError),
        (altered(SOUND, SOUND.data[:-1]), TileError),
        (altered(SOUND, SOUND.data + b"\0"), TileError),
        (altered(SOUND, b""), TileError),
        (altered(SOUND, SOUND.data + encode_bundle([listing(3)])), TileError),
        (altered(SOUND, encode_bundle([listing(1)])), TileError),
        (Frame(7, 0, SOUND.data, "identity"), TileError),
        (Frame(7, WIDTH + 1, encode_bundle(FULL) + encode_bundle([listing(999)]), "identity"), TileError),
        (Frame(7, 2, SOUND.data, "br"), FetchError),
        (Frame(7, 2, SOUND.data, "zstd"), FetchError),
        (Frame(7, 2, compress(SOUND.data)[:-1], "zstd"), FetchError),
        (Frame(7, 2, gzip.compress(SOUND.data) + b"\0", "gzip"), FetchError),
        (Frame(7, 2, bytes(Limits().bundle_max_bytes + 1), "identity"), FetchTooLargeError),
        (Frame(7, 2, compress(bytes(Limits().bundle_max_bytes + 1)), "zstd"), FetchTooLargeError),
    ],
)
@pytest.mark.parametrize("merges", [True, False])
def test_a_wrong_bundle_is_refused_by_its_number(wrong: Frame, error: type[HashpactError], *, merges: bool) -> None:
    with pytest.raises(error) as caught:
        read_batch(request(frame([listing(500)], 6), wrong, merges=merges), {})
    assert caught.value.where == "bundle 7"
    assert type(caught.value) is error


# The cap on bytes.


@pytest.mark.parametrize(("cap", "consumed"), [(1, 1), (2, 2), (2.9, 2), (3, 3), (9, 3)])
def test_the_cap_on_bytes_ends_a_batch_between_bundles(
    monkeypatch: pytest.MonkeyPatch, cap: float, consumed: int
) -> None:
    parts = [[listing(10_000 + 1_000 * part + number) for number in range(WIDTH)] for part in range(3)]
    size = len(encode_bundle(parts[0]))
    monkeypatch.setattr(batches, "LIMITS", Limits(batch_max_bytes=int(cap * size)))
    whole = request(*(frame(part, at) for at, part in enumerate(parts)))
    batch = read_batch(whole, {})
    assert (batch.consumed, batch.entries, len(batch.bundles)) == (consumed, consumed * WIDTH, consumed)
    assert batch.roots == [bundle_hashes(part)[1] for part in parts[:consumed]]
    assert len(owners_of(batch)) == consumed * WIDTH


def test_one_bundle_is_read_however_long_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "LIMITS", Limits(batch_max_bytes=1))
    batch = read_batch(request(frame(FULL), frame([listing(999)], 1)), {})
    assert (batch.consumed, batch.entries, batch.leaves) == (1, WIDTH, [])


# What is stored.


def test_a_peers_zstd_frame_is_kept_as_it_came() -> None:
    data = zstandard.ZstdCompressor(level=9, write_checksum=True).compress(encode_bundle(FULL))
    batch = read_batch(request(Frame(0, WIDTH, data, "zstd")), {})
    assert batch.bundles == [(0, WIDTH, data)]


def test_a_frame_that_does_not_say_its_size_is_written_anew() -> None:
    stream = zstandard.ZstdCompressor().compressobj()
    data = stream.compress(encode_bundle(FULL)) + stream.flush()
    assert zstandard.frame_content_size(data) == -1
    batch = read_batch(request(Frame(0, WIDTH, data, "zstd")), {})
    assert batch.bundles == [(0, WIDTH, compress(encode_bundle(FULL)))]


def test_a_frame_blown_up_with_empty_blocks_is_written_anew() -> None:
    content = encode_bundle(FULL)
    sized = zstandard.ZstdCompressor(write_checksum=False).compress(content)
    # RFC 8878, section 3.1.1: magic number, header (here with a content size), blocks; a raw block of size 0 is 000000.
    header = zstandard.get_frame_parameters(sized)
    assert header.content_size == len(content)
    begin = zstandard.frame_header_size(sized)
    data = sized[:begin] + bytes(3) * 100_000 + sized[begin:]
    batch = read_batch(request(Frame(0, WIDTH, data, "zstd")), {})
    assert batch.bundles == [(0, WIDTH, compress(content))]


# Merging over what is known.


def test_what_is_known_is_asked_once_for_all_touched_ids() -> None:
    asked: list[set[bytes]] = []

    def known(identifiers: set[bytes]) -> Mapping[bytes, Owner]:
        asked.append(identifiers)
        return {id_bytes(uuid_of(1)): owner(17), id_bytes(uuid_of(3)): owner(0, log=2)}

    entries = [listing(1, 5, labels=["a"]), withdrawal(2, of=3), CRITICAL, listing(4)]
    batch = read_batch(request(frame(entries, 1)), known)
    assert asked == [{id_bytes(uuid_of(number)) for number in (1, 2, 3, 4)}]
    assert batch.merged.ended == {Place(LOG, 17), Place(2, 0)}
    assert batch.merged.restated == {Place(LOG, 17): WIDTH}
    assert batch.merged.stopped_at == WIDTH + 2
    assert batch.merged.labels == {WIDTH: ("a",)}
    assert [name for name, _ in batch.claims] == [key_of(5)]
    assert batch.entries == 4


def test_labels_are_those_of_the_revision_that_wins() -> None:
    known = {id_bytes(uuid_of(1)): owner(0)}
    entries = [listing(1, labels=["a"]), listing(2, labels=["b"]), listing(1, labels=["c"])]
    held = [leaf_hash(b"held")]
    batch = read_batch(request(frame([b"held", *entries]), held=held), known)
    assert batch.merged.labels == {3: ("c",)}


def test_an_id_that_another_kind_has_is_quarantined() -> None:
    known = {id_bytes(uuid_of(1)): owner(0, kind=Kind.WITHDRAWAL)}
    batch = read_batch(request(frame([listing(1)])), known)
    assert [item.code for item in batch.merged.quarantined] == [ID_REUSED]
    assert batch.claims == []


def test_behind_a_critical_statement_entries_are_stored_and_not_merged() -> None:
    def known(_: set[bytes]) -> Mapping[bytes, Owner]:
        raise AssertionError("nobody needs to know")

    batch = read_batch(request(frame(FULL, 1, root=FULL_ROOT), frame([b"no JSON"], 2), merges=False), known)
    assert (batch.consumed, batch.entries, batch.start) == (2, WIDTH + 1, WIDTH)
    assert (batch.roots, batch.leaves) == ([FULL_ROOT], [leaf_hash(b"no JSON")])
    assert len(batch.bundles) == 2
    assert (batch.merged, batch.claims) == (Merged(), [])


def test_in_a_worker_process_nothing_is_known_and_it_is_told_what_that_hope_rests_on() -> None:
    asked = request(frame([listing(1), withdrawal(2, of=9)]))
    batch = read_batch_unknown(asked)
    assert batch == read_batch(asked, {})
    assert owners_of(batch).keys() | batch.merged.unowned == {id_bytes(uuid_of(number)) for number in (1, 2, 9)}
    assert pickle.loads(pickle.dumps(batch)) == batch  # noqa: S301 - it travels between our own processes
    assert pickle.loads(pickle.dumps(asked)) == asked  # noqa: S301 - as above
