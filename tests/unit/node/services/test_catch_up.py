from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from follower import Follower
from hashpact_protocol.errors import EntriesError, FetchError, FetchStatusError, ForkError, HashpactError, TileError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.policy import Action
from hashpact_protocol.statements import encode_statement
from hashpact_protocol.tiles import TileId, encode_bundle
from members import listing, sha256, unknown, withdrawal
from publisher import Alter, Publisher, Reply, flipped, gone, says

ENTRIES = "tile/entries"


def poems(first: int, last: int) -> list[bytes]:
    """Give small entries of a kind that nobody knows, all of them different."""
    return [f'{{"kind":"poem","n":{number}}}'.encode() for number in range(first, last)]


@pytest.fixture
def _long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a gap of more than 300 entries be a long one, and 2 bundles a batch."""
    monkeypatch.setattr("hashpact_node.services.catch_up.ENTRIES_ALONE", 300)
    for module in ("catch_up", "prefetch"):
        monkeypatch.setattr(f"hashpact_node.services.{module}.BATCH_BUNDLES", 2)


@pytest.fixture
def reader(sqlite_follower: Follower, publisher: Publisher, _long: None) -> Iterator[Follower]:
    """Acme, which holds 300 entries of the publisher, one whole bundle and 44 entries of the next."""
    publisher.log.append(listing(1, sha256(1)), *poems(1, 300))
    sqlite_follower.add(publisher)
    assert sqlite_follower.pull(publisher) == []
    assert sqlite_follower.held(publisher) == 300
    publisher.forget()
    yield sqlite_follower
    assert sqlite_follower.action(sha256(1)) == Action.REVIEW, "what is held stays held"


def refused(
    reader: Follower, publisher: Publisher, kind: type[HashpactError], words: str, *, held: int
) -> HashpactError:
    """Pull, expect this error, and how much is held then."""
    (error,) = reader.pull(publisher)
    assert type(error) is kind, error
    assert words in str(error)
    assert reader.held(publisher) == held
    assert error.code in reader.alarms()
    return error


def recovers(reader: Follower, publisher: Publisher) -> None:
    publisher.mend()
    assert reader.pull(publisher) == []
    assert reader.held(publisher) == publisher.log.size
    assert reader.log(publisher).accepted_root == publisher.log.root()


def bundles(publisher: Publisher) -> list[str]:
    return [path.partition("entries/")[2] for path in publisher.paths(ENTRIES)]


@pytest.mark.parametrize("zstd", [True, False])
def test_a_flipped_byte_in_a_short_gap_is_refused(reader: Follower, publisher: Publisher, *, zstd: bool) -> None:
    publisher.log.append(*poems(300, 590), listing(2, sha256(2)))
    publisher.zstd = zstd
    publisher.alter(f"{ENTRIES}/002.p/79", flipped)
    kind = FetchError if zstd else EntriesError
    refused(reader, publisher, kind, "bundle 2", held=300)
    assert reader.log(publisher).accepted_size == 300
    assert reader.action(sha256(2)) == Action.NONE
    recovers(reader, publisher)
    assert reader.action(sha256(2)) == Action.REVIEW


@pytest.mark.parametrize("zstd", [True, False])
def test_a_flipped_byte_in_a_long_gap_is_refused(reader: Follower, publisher: Publisher, *, zstd: bool) -> None:
    publisher.log.append(*poems(300, 1_000), listing(2, sha256(2)))
    publisher.zstd = zstd
    publisher.alter(f"{ENTRIES}/002", flipped)
    kind = FetchError if zstd else EntriesError
    refused(reader, publisher, kind, "bundle 2", held=512)
    assert reader.action(sha256(2)) == Action.NONE
    recovers(reader, publisher)
    assert reader.action(sha256(2)) == Action.REVIEW


def test_wrong_entries_take_their_batch_with_them_and_no_other(reader: Follower, publisher: Publisher) -> None:
    publisher.log.append(*poems(300, 1_600))
    wrong = poems(0, 256)
    publisher.alter(f"{ENTRIES}/005", says(encode_bundle(wrong)))
    refused(reader, publisher, EntriesError, "bundle 5", held=1_024)
    assert reader.log(publisher).accepted_size == 1_600, "the checkpoint is proven, its entries come later"
    publisher.forget()
    refused(reader, publisher, EntriesError, "bundle 5", held=1_024)
    assert min(bundles(publisher)) == "004"
    publisher.forget()
    recovers(reader, publisher)
    assert sorted(bundles(publisher)) == ["004", "005", "006.p/64"]


WRONG_BUNDLES: list[tuple[Alter, type[HashpactError]]] = [
    (lambda honest: replace(honest, body=honest.body[:-1]), TileError),
    (lambda honest: replace(honest, body=honest.body + b"\x00\x00"), TileError),
    (lambda honest: replace(honest, body=b""), TileError),
    (lambda honest: replace(honest, body=honest.body + b"x" * LIMITS.bundle_max_bytes), FetchError),
    (lambda honest: replace(honest, cut=100), FetchError),
    (lambda honest: replace(honest, headers={"Content-Encoding": "br"}), FetchError),
    (lambda _: Reply(500, b"no"), FetchStatusError),
    (lambda _: Reply(302, b"", {"Location": "/elsewhere"}), FetchError),
]


@pytest.mark.parametrize("gap", [100, 500])
def test_a_bundle_of_another_form_is_refused(reader: Follower, publisher: Publisher, gap: int) -> None:
    publisher.log.append(*poems(300, 300 + gap))
    path = str(TileId(None, 1, min(256, 44 + gap)))
    for alter, kind in WRONG_BUNDLES:
        publisher.alter(path, alter)
        (error,) = reader.pull(publisher)
        assert isinstance(error, kind), error
        assert "bundle 1" in str(error) or path in str(error)
        assert reader.held(publisher) == 300
    recovers(reader, publisher)


def another_story(publisher: Publisher, size: int) -> bytes:
    """Let the publisher tell another story from its first bundle on; give the checkpoint of the honest one."""
    before = publisher.note()
    publisher.log.tell([encode_statement(listing(7, sha256(7))), *poems(1, size)])
    return before


@pytest.mark.parametrize("size", [500, 1_000])
def test_a_larger_tree_that_does_not_continue_is_proof_by_tiles(
    reader: Follower, publisher: Publisher, size: int
) -> None:
    before = another_story(publisher, size)
    error = refused(reader, publisher, ForkError, f"size {size} does not continue the 300 entries held", held=300)
    assert isinstance(error, ForkError)
    assert error.evidence == (before, publisher.note())
    evidence = reader.alarms()["log-forked"].evidence
    assert evidence is not None
    assert [base64.b64decode(note) for note in json.loads(evidence)["notes"]] == list(error.evidence)
    assert reader.log(publisher).accepted_size == 300
    assert reader.action(sha256(7)) == Action.NONE
    assert "000" not in bundles(publisher), "the tiles are proof enough"


@pytest.mark.parametrize("size", [500, 1_000])
def test_where_the_tiles_are_gone_the_entries_prove_the_other_story(
    reader: Follower, publisher: Publisher, size: int
) -> None:
    another_story(publisher, size)
    for tile in (TileId(0, size // 256, size % 256), TileId(1, 0, size // 256)):
        publisher.alter(str(tile), gone)
        publisher.alter(str(TileId(tile.level, tile.number)), gone)
    refused(reader, publisher, ForkError, "does not continue", held=300)


def test_another_story_inside_the_bundle_that_is_held_in_part(reader: Follower, publisher: Publisher) -> None:
    story = list(publisher.log.entries)
    publisher.log.tell([*story[:290], *poems(5_000, 5_100)])
    refused(reader, publisher, ForkError, "does not continue", held=300)
    publisher.log.tell([*story[:290], *poems(5_000, 6_000)])
    refused(reader, publisher, ForkError, "does not continue", held=300)


def test_noise_that_fits_no_root_is_no_proof(reader: Follower, publisher: Publisher) -> None:
    publisher.log.append(*poems(300, 500))
    publisher.alter("checkpoint", says(publisher.note(root=bytes(32))))
    refused(reader, publisher, EntriesError, "neither the tiles nor the entries", held=300)
    assert "log-forked" not in reader.alarms()


@pytest.mark.parametrize("alter", [flipped, gone, says(b""), says(b"x" * 8_192)])
@pytest.mark.parametrize("paths", [("tile/0/003.p/233", "tile/0/003"), ("tile/1/000.p/3", "tile/1/000")])
def test_tiles_that_lie_are_overruled_by_the_entries(
    reader: Follower, publisher: Publisher, paths: tuple[str, str], alter: Alter
) -> None:
    publisher.log.append(*poems(300, 1_001))
    for path in paths:
        publisher.alter(path, alter)
    assert reader.pull(publisher) == []
    assert reader.held(publisher) == 1_001
    assert reader.log(publisher).accepted_note == publisher.note()
    assert not reader.alarms().keys() & {"entries-mismatch", "log-forked"}


def test_a_whole_tile_inside_that_lies_is_overruled_too(
    sqlite_follower: Follower, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("catch_up", "prefetch"):
        monkeypatch.setattr(f"hashpact_node.services.{module}.BATCH_BUNDLES", 128)
    poem = b'{"kind":"poem"}'
    publisher.log.append(*[poem] * 65_792)
    publisher.zstd = True
    publisher.alter("tile/1/000", flipped)
    sqlite_follower.add(publisher)
    assert sqlite_follower.pull(publisher) == []
    assert sqlite_follower.held(publisher) == 65_792
    publisher.forget()
    publisher.log.append(poem)
    assert sqlite_follower.pull(publisher) == []
    assert sorted(publisher.paths()) == ["logs/listings-1/checkpoint", "logs/listings-1/tile/entries/257.p/1"]


def test_a_bundle_missing_in_the_middle_stops_there_and_goes_on_later(reader: Follower, publisher: Publisher) -> None:
    publisher.log.append(*poems(300, 1_600))
    publisher.alter(f"{ENTRIES}/003", gone)
    refused(reader, publisher, FetchStatusError, "entries/003", held=768)
    publisher.forget()
    recovers(reader, publisher)
    assert sorted(bundles(publisher)) == ["003", "004", "005", "006.p/64"]


def test_a_pull_that_is_cut_off_goes_on_from_what_is_held(reader: Follower, publisher: Publisher) -> None:
    publisher.log.append(*poems(300, 1_600))
    publisher.alter(f"{ENTRIES}/004", lambda honest: replace(honest, cut=1_000))
    refused(reader, publisher, FetchError, "entries/004", held=1_024)
    publisher.forget()
    recovers(reader, publisher)
    assert sorted(bundles(publisher)) == ["004", "005", "006.p/64"]
    publisher.forget()
    assert reader.pull(publisher) == []
    assert publisher.paths() == ["logs/listings-1/checkpoint"]


def test_a_new_checkpoint_after_a_cut_off_pull_continues_what_was_accepted(
    reader: Follower, publisher: Publisher
) -> None:
    publisher.log.append(*poems(300, 1_000))
    publisher.alter(f"{ENTRIES}/003.p/232", gone)
    publisher.alter(f"{ENTRIES}/003", gone)
    refused(reader, publisher, FetchStatusError, "entries/003", held=768)
    publisher.log.append(*poems(1_000, 1_100))
    recovers(reader, publisher)
    assert reader.log(publisher).accepted_size == 1_100


def test_what_was_accepted_and_not_held_yet_binds_too(reader: Follower, publisher: Publisher) -> None:
    """The story changes behind what is held, and before what was accepted."""
    publisher.log.append(*poems(300, 1_000))
    publisher.alter(f"{ENTRIES}/003.p/232", gone)
    publisher.alter(f"{ENTRIES}/003", gone)
    refused(reader, publisher, FetchStatusError, "entries/003", held=768)
    publisher.mend()
    story = list(publisher.log.entries)
    publisher.log.tell([*story[:768], *poems(5_000, 6_000)])
    (error,) = reader.pull(publisher)
    assert type(error) is EntriesError
    assert reader.held(publisher) == 768
    assert reader.log(publisher).accepted_size == 1_000
    publisher.log.tell([*story, *poems(1_000, 1_100)])
    recovers(reader, publisher)


@pytest.mark.parametrize("grow", [50, 700])
def test_full_ones_stand_in_for_partial_ones(reader: Follower, publisher: Publisher, grow: int) -> None:
    """The log grew on, and what was partial at the checkpoint's size was deleted."""
    size = 300 + grow
    publisher.log.append(*poems(300, 1_100))
    publisher.alter("checkpoint", says(publisher.note(size=size)))
    log, last = publisher.log, size // 256
    for level, number, width in ((None, last, size % 256), (0, last, size % 256), (1, 0, last)):
        publisher.alter(str(TileId(level, number, width)), gone)
    publisher.alter(str(TileId(1, 0)), says((log.read(TileId(1, 0, 4)) or b"") + bytes(252 * 32)))
    assert reader.pull(publisher) == []
    assert reader.held(publisher) == size
    assert reader.live(publisher) == [0]


def test_a_full_bundle_of_another_story_does_not_stand_in(reader: Follower, publisher: Publisher) -> None:
    publisher.log.append(*poems(300, 400))
    publisher.alter(f"{ENTRIES}/001.p/144", gone)
    publisher.alter(f"{ENTRIES}/001", says(encode_bundle(poems(0, 256))))
    refused(reader, publisher, EntriesError, "bundle 1", held=300)
    publisher.alter(f"{ENTRIES}/001", says(encode_bundle(poems(0, 144))))
    refused(reader, publisher, TileError, "bundle 1", held=300)
    recovers(reader, publisher)


@pytest.mark.parametrize("gap", [290, 1_000])
def test_bundles_that_need_more_than_a_batch_may_hold(
    reader: Follower, publisher: Publisher, gap: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch ends before the cap on its decoded bytes; zstd frames say little about how much that is."""
    monkeypatch.setattr("hashpact_node.services.batches.LIMITS", replace(LIMITS, batch_max_bytes=20_000))
    monkeypatch.setattr("hashpact_node.services.prefetch.BATCH_BUNDLES", 4)
    publisher.zstd = True
    publisher.log.append(*[b'{"kind":"poem","text":"' + b"x" * 100 + b'"}'] * gap, listing(2, sha256(2)))
    assert reader.pull(publisher) == []
    assert reader.held(publisher) == 301 + gap
    assert reader.live(publisher) == [0, 300 + gap]
    if gap > 300:
        assert len(set(bundles(publisher))) == len(bundles(publisher)), "nothing is fetched twice"


@pytest.mark.usefixtures("_long")
@pytest.mark.parametrize("gap", [200, 1_500])
def test_a_critical_unknown_kind_stops_the_claims_at_once(follower: Follower, publisher: Publisher, gap: int) -> None:
    """Even where the batch behind it was being read already."""
    entries: list[bytes] = poems(0, gap)
    publisher.log.append(listing(1, sha256(1)), withdrawal(50, 1), unknown(critical=True))
    publisher.log.append(listing(1, sha256(1)), *entries, listing(2, sha256(2)), withdrawal(51, 1))
    follower.add(publisher)
    assert follower.pull(publisher) == []
    log = follower.log(publisher)
    assert (follower.held(publisher), log.stopped_at) == (gap + 6, 2)
    assert follower.live(publisher) == []
    assert (follower.action(sha256(1)), follower.action(sha256(2))) == (Action.NONE, Action.NONE)
    assert "entry 2 is critical" in follower.alarms()["log-stopped"].what
    publisher.log.append(listing(3, sha256(3)))
    assert follower.pull(publisher) == []
    assert follower.action(sha256(3)) == Action.NONE
    assert log.unknown_statements == 1


@pytest.mark.usefixtures("_long")
@pytest.mark.parametrize("gap", [100, 1_200])
def test_a_withdrawal_in_a_later_batch_ends_the_claims(follower: Follower, publisher: Publisher, gap: int) -> None:
    follower.add(publisher)
    publisher.log.append(listing(1, sha256(1)), listing(2, sha256(2)))
    assert follower.pull(publisher) == []
    publisher.log.append(withdrawal(50, 1), *poems(0, gap), listing(3, sha256(3)), withdrawal(51, 2))
    assert follower.pull(publisher) == []
    assert follower.live(publisher) == [gap + 3]
    actions = [follower.action(sha256(number)) for number in (1, 2, 3)]
    assert actions == [Action.NONE, Action.NONE, Action.REVIEW]
    publisher.log.append(*poems(0, gap), withdrawal(52, 3), listing(1, sha256(1)))
    assert follower.pull(publisher) == []
    assert follower.live(publisher) == [2 * gap + 6]
    assert [follower.action(sha256(number)) for number in (1, 3)] == [Action.REVIEW, Action.NONE]


@pytest.mark.usefixtures("_long")
def test_a_long_log_within_one_pull_ends_what_its_first_batches_claimed(
    follower: Follower, publisher: Publisher
) -> None:
    follower.add(publisher)
    publisher.log.append(listing(1, sha256(1)), *poems(0, 1_200), withdrawal(50, 1), listing(2, sha256(2)))
    publisher.log.append(*poems(0, 600), listing(2, sha256(3)))
    assert follower.pull(publisher) == []
    assert follower.live(publisher) == [publisher.log.size - 1]
    assert [follower.action(sha256(number)) for number in (1, 2, 3)] == [Action.NONE, Action.NONE, Action.REVIEW]


def test_progress_is_told_with_each_batch(reader: Follower, publisher: Publisher) -> None:
    publisher.log.append(*poems(300, 1_600))
    told: list[tuple[int, int]] = []
    reader.puller.pull(publisher.member, progress=lambda held, size: told.append((held, size)))
    assert told == [(512, 1_600), (1_024, 1_600), (1_536, 1_600), (1_600, 1_600)]
